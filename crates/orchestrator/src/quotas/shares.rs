//! What this device may spend of the org's quotas beside the others, by what journals tell, and what it tells of that in its own. The
//! rule is `domain::quota::part`.

use super::of_key;
use crate::{clock, limits, org::Org, remote::Copied};
use domain::{
    Did, Oid, Problem, Timestamp,
    event::{Body, kind, spent_id},
    quota::{self, Amounts, History, Known, Part, Period, Scope, Taken},
    usage::Usage,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How the revisions of the org divide its quotas, as they were read last.
#[derive(Debug, Default)]
pub struct Divisions(Mutex<Option<Arc<History>>>);

impl Divisions {
    /// As of a revision. May block for as long as it takes to read those that are new.
    ///
    /// # Errors
    /// When the org repository cannot be read.
    pub(super) fn at(&self, org: &Org, revision: &Oid) -> Result<Arc<History>, Problem> {
        self.at_by(revision, |known| org.forge.org_history(&org.rid, revision, known))
    }

    /// The device that had this name last, of those that the org does not list any more.
    ///
    /// # Errors
    /// When the org repository cannot be read.
    pub fn once_called(&self, org: &Org, revision: &Oid, name: &str) -> Result<Option<Did>, Problem> {
        let history = self.at(org, revision)?;
        Ok(history.removed().rfind(|device| device.name == name).map(|device| device.did.clone()))
    }

    /// The same, as somebody reads them. Nobody who knows a revision already waits for who reads another.
    fn at_by(&self, revision: &Oid, read: impl FnOnce(Option<&History>) -> Result<History, Problem>) -> Result<Arc<History>, Problem> {
        let known = self.known().clone();
        if let Some(history) = known.as_ref().filter(|history| history.newest() == Some(revision)) {
            return Ok(history.clone());
        }
        let history = Arc::new(read(known.as_deref())?);
        let mut known = self.known();
        // Another may have read on meanwhile.
        if known.as_ref().is_none_or(|known| !known.knows(revision)) {
            *known = Some(history.clone());
        }
        Ok(history)
    }

    fn known(&self) -> MutexGuard<'_, Option<Arc<History>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the devices told last of the parts that they hold, read once for several quotas.
#[derive(Default)]
pub(super) struct Words {
    own: Option<Taken>,
    others: Vec<(Arc<Copied>, Option<Taken>)>,
}

/// As the journals here have it: those themselves, in which what was used before a word stands before it, and not what a device summed up.
/// Empty where there are no quotas.
///
/// # Errors
/// When the own journal cannot be read.
pub(super) fn words(org: &Org, history: &History) -> Result<Words, Problem> {
    if history.now().is_none_or(|division| division.scopes().next().is_none()) {
        return Ok(Words::default());
    }
    let taken = |copied: &Copied| read(copied, || copied.journal.get_numbered::<Taken>(kind::SHARES, kind::OWN)).flatten();
    let others = org.journals.all().into_iter().map(|copied| {
        let taken = taken(&copied).map(|(_, taken)| taken);
        (copied, taken)
    });
    Ok(Words { own: told(org)?, others: others.collect() })
}

/// What this device may spend of somebody's quota, by words that were read before. None: there is no such quota.
pub(super) fn part(org: &Org, history: &History, words: &Words, scope: Scope<'_>, now: Timestamp) -> Option<Part> {
    let quota = history.now().and_then(|division| division.quota(scope))?;
    let (ids, of) = (ids(history, scope, quota.period, now), scope.id());
    let word = |taken: &Taken| {
        let held = taken.held.get(&of).map(|held| (of.clone(), held.clone()));
        Taken { revision: taken.revision.clone(), held: held.into_iter().collect(), gone: BTreeMap::new() }
    };
    let known = |(copied, taken): &(Arc<Copied>, Option<Taken>)| {
        let known = Known { taken: taken.as_ref().map(word), used: used(copied, &ids).into(), as_of: copied.standing().as_of };
        (copied.journal.device().clone(), known)
    };
    let mut all: BTreeMap<Did, Known> = words.others.iter().map(known).collect();
    all.insert(org.device.clone(), Known { taken: words.own.clone(), ..Known::default() });
    quota::part(history, scope, &org.device, &all, now)
}

/// What a device used under these ids, by the copy of its journal.
fn used(copied: &Copied, ids: &[String]) -> Usage {
    let one = |id: &String| read(copied, || copied.journal.get_numbered::<Usage>(kind::SPENT, id)).flatten().map(|(_, used)| used);
    ids.iter().filter_map(one).fold(Usage::default(), Usage::plus)
}

/// From a copy that cannot be read nothing is known, and so the worst is reckoned with.
fn read<T>(copied: &Copied, read: impl FnOnce() -> Result<T, Problem>) -> Option<T> {
    let read = read();
    read.inspect_err(|problem| tracing::warn!(device = %copied.journal.device(), %problem, "the copy of a device's journal cannot be read"))
        .ok()
}

/// Under which ids the use of somebody's quota is counted.
fn ids(history: &History, scope: Scope<'_>, period: Period, now: Timestamp) -> Vec<String> {
    let whose = match scope {
        // A member has one key for each device, and a standby device sends for them all.
        Scope::Member(name) => history.keys_of(name).into_iter().map(of_key).collect(),
        Scope::Org | Scope::Agent(_) => vec![scope.id()],
    };
    whose.iter().map(|id| spent_id(id, &period.key(now))).collect()
}

/// What this device told last.
fn told(org: &Org) -> Result<Option<Taken>, Problem> {
    org.store.get(kind::SHARES, kind::OWN)
}

/// Tells in the journal by which revision this device spends, whenever another divides the quotas, until the org closes; and in the log
/// which devices tell that they used more than they may.
pub(crate) async fn keep(org: Arc<Org>) {
    let (mut closing, mut head) = (org.closing.subscribe(), org.head.subscribe());
    let mut warned: BTreeMap<(String, String), String> = BTreeMap::new();
    loop {
        if let Err(problem) = tell(&org).await {
            tracing::warn!(%problem, "the others are not told yet which part of the quotas this device keeps to; it is tried again");
        }
        match org.blocking(|org| warnings(org)).await {
            Ok(found) => {
                let new = found.iter().filter(|(about, _)| !warned.contains_key(*about));
                new.for_each(|(_, warning)| tracing::warn!("{warning}"));
                warned = found;
            }
            Err(problem) => tracing::warn!(%problem, "what other devices tell of their shares cannot be read; it is tried again"),
        }
        tokio::select! {
            _ = head.changed() => {}
            () = tokio::time::sleep(limits::KEEP_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

/// What other devices tell that cannot be, by quota and device: how much it is may grow.
fn warnings(org: &Org) -> Result<BTreeMap<(String, String), String>, Problem> {
    let now = clock::now();
    let history = org.divisions.at(org, &org.state()?.commit)?;
    let words = words(org, &history)?;
    let scopes = history.now().into_iter().flat_map(|division| division.scopes());
    let mut found = BTreeMap::new();
    for (scope, _) in scopes {
        let told = part(org, &history, &words, scope, now).map(|part| part.warnings()).unwrap_or_default();
        found.extend(told.into_iter().map(|(device, warning)| ((scope.id(), device), warning)));
    }
    Ok(found)
}

async fn tell(org: &Arc<Org>) -> Result<(), Problem> {
    match org.blocking(|org| to_tell(org)).await? {
        Some(taken) => org.record(&org.device, vec![Body::SharesTaken { taken }]).await,
        None => Ok(()),
    }
}

fn to_tell(org: &Org) -> Result<Option<Taken>, Problem> {
    let (revision, before, now) = (org.state()?.commit, told(org)?, clock::now());
    let history = org.divisions.at(org, &revision)?;
    let Some(division) = history.now() else { return Ok(None) };
    let new = before.as_ref().map_or_else(|| division.scopes().next().is_some(), |before| !history.is_newest(&before.revision));
    if !new || !division.devices.iter().any(|device| device.did == org.device) {
        return Ok(None);
    }
    // First the end of all limits by earlier revisions, then what was spent by them.
    let held = org.ledger.renew();
    let mut used: BTreeMap<String, Amounts> = BTreeMap::new();
    for (scope, quota) in division.scopes() {
        let mut sum = Usage::default();
        for id in ids(&history, scope, quota.period, now) {
            let spent = org.store.get::<Usage>(kind::SPENT, &id)?.unwrap_or_default();
            sum = sum.plus(spent).plus(held.of(&id));
        }
        used.insert(scope.id(), sum.into());
    }
    let used = |scope: Scope<'_>, _: Period| used.get(&scope.id()).copied().unwrap_or_default();
    Ok(quota::take(&history, &org.device, before.as_ref(), used, now))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::quota::{Division, Quotas};

    #[test]
    fn who_knows_a_revision_does_not_wait_for_who_reads_another_and_what_was_read_is_kept() {
        let revision = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap();
        let with = |known: Option<&History>, digit: &str| {
            let mut history = known.cloned().unwrap_or_else(|| History::new(true));
            let (devices, members) = (vec![], vec![]);
            history.push(Division { revision: revision(digit), at: Timestamp(0), quotas: Quotas::default(), devices, members });
            Ok(history)
        };
        let divisions = Divisions::default();
        divisions.at_by(&revision("1"), |known| with(known, "1")).unwrap();
        let unread = |_: Option<&History>| Err(Problem::internal("read again"));
        let read = |known: Option<&History>| {
            assert!(divisions.0.try_lock().is_ok(), "it is not locked while the repository is read");
            assert!(divisions.at_by(&revision("1"), unread).is_ok(), "who knows it goes on");
            with(known, "2")
        };
        assert_eq!(divisions.at_by(&revision("2"), read).unwrap().len(), 2);
        assert!(divisions.at_by(&revision("2"), unread).is_ok(), "it is kept");
        // Who reads an older one for longer does not put the newer one out.
        assert_eq!(divisions.at_by(&revision("1"), |_| with(None, "1")).unwrap().len(), 1);
        assert!(divisions.at_by(&revision("2"), unread).is_ok());
    }
}
