//! Reading the log of a run as it grows: here, or where it lies on other devices, from its executor, else from the device that asked for
//! the run.

use super::{called, client_read_slowly, facts::whole, in_time};
use crate::{limits, org::Org, picture};
use domain::{
    Did, Problem, RunId, Timestamp,
    event::kind,
    run::{Run, RunState},
};
use forge::OrgState;
use futures::{StreamExt, future, stream, stream::BoxStream};
use mesh::{problem, spoken};
use proto::mesh::{LogLine, LogLines, LogRequest};
use std::{sync::Arc, time::Instant};
use store::LogEntry;
use tonic::Streaming;

/// Whether the log of a run that the journal here knows lies here: this device executes it, or asked for it.
pub(crate) fn is_here(org: &Org, run: &Run) -> bool {
    run.requester == org.device || run.device.as_ref() == Some(&org.device)
}

/// Whether the log of a run was lost, by its last number here: whoever called its model, made a commit, or was done had reported
/// something before.
pub(crate) fn is_lost(run: &Run, last_seq: u64) -> bool {
    let reported = run.usage.calls > 0 || run.commit.is_some() || run.state == RunState::Done;
    last_seq == 0 && run.state.ended() && reported
}

/// Lines of a run's log after a number, at most so many, and whether nothing follows.
///
/// # Errors
/// When none of the devices that have it gives it.
pub(crate) async fn page(org: &Arc<Org>, run: &Run, after: u64, limit: usize) -> Result<(Vec<LogEntry>, bool), Problem> {
    let mut lines = open(org, run, after).await?;
    let (mut entries, mut wait, begun) = (vec![], limits::LOG_PAGE_WAIT, Instant::now());
    while entries.len() < limit && begun.elapsed() < limits::LOG_PAGE_WAIT {
        // What is still to be written is for the next page.
        let Ok(next) = tokio::time::timeout(wait, lines.next()).await else { return Ok((entries, false)) };
        let Some(next) = next else { return Ok((entries, true)) };
        entries.extend(next.map_err(|s| problem(&s))?.lines.into_iter().filter_map(entry));
        wait = limits::LOG_PAGE_QUIET;
    }
    entries.truncate(limit);
    Ok((entries, false))
}

/// The log of a run that lies on other devices alone, after a number, as it grows. None where it lies here, or nobody knows the run. A
/// slow reader holds the stream back, and neither the run nor calls between the devices. It ends also where its way breaks: whether that
/// was all of it, the action `run.logs` says.
///
/// # Errors
/// When none of the devices that have it gives it.
pub async fn log_elsewhere(org: &Arc<Org>, run: &RunId, after: u64) -> Result<Option<BoxStream<'static, LogEntry>>, Problem> {
    let wanted = run.clone();
    let found = org.blocking(move |org| {
        let own: Option<Run> = org.store.get(kind::RUN, wanted.as_str())?;
        if own.is_some_and(|own| is_here(org, &own)) { Ok(None) } else { picture::run(org, &wanted) }
    });
    let Some(seen) = found.await? else { return Ok(None) };
    let lines = open(org, &seen.run, after).await?.take_while(|lines| future::ready(lines.is_ok()));
    let entries = lines.flat_map(|lines| stream::iter(lines.map(|lines| lines.lines).unwrap_or_default().into_iter().filter_map(entry)));
    Ok(Some(entries.boxed()))
}

/// The log of a run that lies here, after a number, as it grows. It ends with the run, though nobody says of one that ended before it began
/// that nothing more comes.
///
/// # Errors
/// When nobody here knows the run, or the disk refuses.
pub async fn log_here(org: &Arc<Org>, run: RunId, after: u64) -> Result<BoxStream<'static, LogEntry>, Problem> {
    let wanted = run.clone();
    let opened = org.blocking(move |org| {
        let none = || Problem::not_found(format!("There is no run {wanted}.")).next("meshwork run list shows them.");
        org.store.get::<Run>(kind::RUN, wanted.as_str())?.ok_or_else(none)?;
        let log = org.store.run_log(&wanted)?;
        if whole(org, &wanted) {
            log.finish();
        }
        Ok(log)
    });
    let log = opened.await?;
    let state = (org.clone(), run, log.follow(after), log);
    let lines = stream::unfold(state, |(org, run, mut follower, log)| async move {
        loop {
            let next = tokio::time::timeout(limits::LOG_LOOK_EVERY, follower.next()).await;
            match next {
                Ok(next) => return next.ok().flatten().map(|entry| (entry, (org, run, follower, log))),
                Err(_) if whole(&org, &run) && follower.at() >= log.last_seq() => return None,
                Err(_) => {}
            }
        }
    });
    Ok(lines.boxed())
}

/// Asks those for a log who have it.
async fn open(org: &Arc<Org>, run: &Run, after: u64) -> Result<Streaming<LogLines>, Problem> {
    let mut why = String::new();
    let asked = Some(&run.requester).filter(|requester| run.device.as_ref() != Some(*requester));
    let others: Vec<&Did> = run.device.iter().chain(asked).filter(|device| **device != org.device).collect();
    let patch = || format!("What the run changed is in its patch, where it came to one: meshwork run show {}.", run.id);
    if others.is_empty() {
        return Err(Problem::not_found(format!("The log of run {} is not there any more.", run.id))
            .because("It lay on this device alone, and was lost, as where its disk was put back to an earlier moment.")
            .next(patch()));
    }
    if let Some(gone) = all_removed(&org.remote.org(), &others) {
        return Err(Problem::not_found(format!("The log of run {} lies on {gone} alone.", run.id))
            .because("That device was removed from the org, and no other has the log.")
            .next(patch()));
    }
    for device in others {
        match begin(org, device, run, after).await {
            Ok(lines) => return Ok(lines),
            Err(problem) => why = format!("{}: {problem}", called(org, device)),
        }
    }
    Err(Problem::unavailable(format!("The log of run {} lies on another device, which does not give it now.", run.id))
        .because(why)
        .next("Try again when that device is back: meshwork device list."))
}

/// The first of some devices, as people call it, where the org removed all of them.
fn all_removed(state: &OrgState, devices: &[&Did]) -> Option<String> {
    let first = devices.first()?;
    devices.iter().all(|device| state.is_gone(device)).then(|| state.called(first).unwrap_or_else(|| first.to_string()))
}

async fn begin(org: &Arc<Org>, device: &Did, run: &Run, after: u64) -> Result<Streaming<LogLines>, Problem> {
    let request = LogRequest { version: spoken(), run: run.id.to_string(), after_seq: after };
    let mut client = client_read_slowly(org, device)?;
    Ok(in_time(limits::LOG_PAGE_WAIT, client.log(request)).await?.into_inner())
}

/// A line as it stands in a log; one that is none is left out.
fn entry(line: LogLine) -> Option<LogEntry> {
    Some(LogEntry { seq: line.seq, at: Timestamp(line.at_ms), event: serde_json::from_str(&line.event_json).ok()? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        clock,
        fixtures::{self, Opened, did},
    };
    use domain::{
        Kind,
        manifest::Class,
        org::{KeyKind, Revocation},
    };

    #[tokio::test]
    async fn of_a_log_that_was_lost_it_is_said_so_and_one_of_a_run_that_said_nothing_is_none() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let new = new_run(clock::run_id(), Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), clock::now());
        let run = Run { device: Some(org.device.clone()), state: RunState::Done, ..new };
        assert!(is_lost(&run, 0) && !is_lost(&run, 1));
        let stopped = Run { state: RunState::Cancelled, ..run.clone() };
        let working = Run { state: RunState::Working, commit: Some("1".repeat(40).parse().unwrap()), ..run.clone() };
        assert!(!is_lost(&stopped, 0) && !is_lost(&working, 0));
        let problem = page(org, &run, 0, 1).await.unwrap_err();
        assert!(problem.kind == Kind::NotFound && problem.to_string().contains("put back"), "{problem}");
    }

    #[test]
    fn a_log_is_not_waited_for_where_every_device_that_has_it_was_removed() {
        let ended = Revocation { did: did('g'), kind: KeyKind::Device, at: Timestamp(0), why: "sold".into(), name: Some("box".into()) };
        let state = OrgState { ended: vec![ended], ..fixtures::state() };
        let (here, gone) = (did('a'), did('g'));
        assert_eq!(all_removed(&state, &[&gone]).as_deref(), Some("box (removed)"));
        assert_eq!((all_removed(&state, &[&gone, &here]), all_removed(&state, &[])), (None, None));
    }
}
