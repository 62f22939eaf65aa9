//! What other devices hold of this device's own journal. It never tells what is not on its disk, so one that holds more, or something
//! else in its place, shows that the disk was put back to an earlier moment. Then all that others hold of it is fetched, and verified as
//! any copy is; the next opening of the journal joins both (`store/src/mend.rs`).

use super::{Copied, hear, lock, others, place};
use crate::{limits, org::Org, remote::client};
use domain::{Did, Problem};
use futures::future::join_all;
use mesh::{problem, spoken};
use proto::mesh::JournalRequest;
use std::sync::Arc;
use store::Point;

/// Where another device's copy of this device's journal ends.
struct End {
    point: Point,
    /// The hash of the event there.
    hash: String,
}

/// Looks whether another device holds of this device's journal what is not here.
pub(super) async fn compare(org: &Arc<Org>, with: &Did) {
    if let Err(problem) = compared(org, with).await {
        tracing::debug!(%with, %problem, "what another device holds of this journal is not known; it is asked again");
    }
}

async fn compared(org: &Arc<Org>, with: &Did) -> Result<(), Problem> {
    let end = end_at(org, with).await?;
    if !org.blocking(move |org| unknown(org, &end)).await? {
        return Ok(());
    }
    let _alone = org.journals.own.lock().await;
    if org.journals.apart().is_some() {
        return Ok(());
    }
    fetch(org, with).await?;
    mend(org).await
}

/// Where the copy of this device's journal ends that another device has.
async fn end_at(org: &Org, at: &Did) -> Result<End, Problem> {
    let here = org.store.head()?;
    let (device, incarnation, after_seq) = (org.device.to_string(), here.incarnation, here.seq.0);
    let request = JournalRequest { version: spoken(), device, incarnation, after_seq, summary: false };
    let mut client = client(org, at)?;
    let asked = async { client.journal(request).await?.into_inner().message().await };
    let late = |_| Problem::new(domain::Kind::Timeout, "It did not answer in time.");
    let told = tokio::time::timeout(limits::JOURNAL_ANSWER_WAIT, asked).await.map_err(late)?.map_err(|s| problem(&s))?;
    let told = told.unwrap_or_default();
    Ok(End { point: place(told.last_incarnation, told.last_seq), hash: told.last_hash })
}

/// Whether an end is none that this journal ever had, as far as is known here. What is of an earlier incarnation was given up here.
fn unknown(org: &Org, end: &End) -> Result<bool, Problem> {
    if end.point.seq.0 == 0 || end.point.incarnation < org.store.head()?.incarnation {
        return Ok(false);
    }
    Ok(org.store.hash_at(end.point)?.is_none_or(|hash| hash.as_str() != end.hash))
}

/// Fetches what a device holds of this journal, and then what others hold beyond that.
async fn fetch(org: &Arc<Org>, first: &Did) -> Result<(), Problem> {
    tracing::error!(%first, "another device holds of this device's journal what is not on this disk; it is fetched");
    let branch = org.blocking(|org| Ok(Arc::new(Copied::of(org.store.branch()?, org.store.dir().join("branch/known.json"))))).await?;
    take(org, &branch, first).await;
    let others: Vec<Did> = others(org).into_iter().filter(|other| other != first).collect();
    let ends = join_all(others.iter().map(|other| end_at(org, other))).await;
    for (other, end) in others.iter().zip(ends) {
        if end.is_ok_and(|end| end.point > branch.journal.point()) {
            take(org, &branch, other).await;
        }
    }
    Ok(())
}

async fn take(org: &Arc<Org>, branch: &Arc<Copied>, from: &Did) {
    let stopped = hear::once(org, branch, from).await;
    hear::told(org, branch, from, stopped).await;
}

/// Has the journal joined with what was fetched, by a new start, unless that was done too often; says so until then.
async fn mend(org: &Arc<Org>) -> Result<(), Problem> {
    let found = org.blocking(|org| {
        let Some(apart) = org.store.apart()? else { return Ok(None) };
        let mends = !too_often(org);
        if mends {
            org.store.mend_when_opened()?;
        }
        Ok(Some((apart, mends)))
    });
    let Some((apart, mends)) = found.await? else { return Ok(()) };
    *lock(&org.journals.apart) = Some(apart);
    let (after, there, here) = (apart.after.0, apart.there, apart.here);
    if mends {
        tracing::error!(after, there, here, "this disk was put back to an earlier moment; the journal is mended by a new start");
        org.anew.notify_one();
    } else {
        tracing::error!(after, there, here, "this disk was put back to an earlier moment once more; meshwork doctor says what to do");
    }
    Ok(())
}

/// Whether the journal was mended so often that a person has to look first.
pub(crate) fn too_often(org: &Org) -> bool {
    org.store.aside() >= store::limits::MENDS_ASIDE_MAX
}
