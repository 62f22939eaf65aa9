//! Runs that a person sent away, one or all, while guests are welcome: their work is not taken here again at once, so that it goes on
//! elsewhere, or here later.

use crate::limits::SENT_AWAY_PAUSE_MS;
use domain::{
    RunId, Timestamp,
    manifest::{Manifest, Work},
    placement::Refusal,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The runs that were sent away, with until when their work is not taken here again. It is kept in memory alone: whoever wants the machine
/// for longer takes it back as a whole.
#[derive(Debug, Default)]
pub(crate) struct SentAway(Mutex<BTreeMap<RunId, Timestamp>>);

impl SentAway {
    /// Notes that these are sent away now.
    pub(crate) fn note(&self, runs: &[RunId], now: Timestamp) {
        let mut all = self.all();
        all.retain(|_, until| *until > now);
        all.extend(runs.iter().map(|run| (run.clone(), now.plus_ms(SENT_AWAY_PAUSE_MS))));
    }

    /// Why a run that goes on from this one is not taken now; none: it may be.
    pub(crate) fn refusal(&self, continues: Option<&RunId>, now: Timestamp) -> Option<Refusal> {
        let until = self.all().get(continues?).copied().filter(|until| *until > now)?;
        Some(Refusal::SentAway { until })
    }

    /// The same of what is asked for by a manifest.
    pub(crate) fn refusal_of(&self, manifest: &Manifest, now: Timestamp) -> Option<Refusal> {
        match &manifest.work {
            Work::Task { continues, .. } => self.refusal(continues.as_ref(), now),
            Work::Checks { .. } => None,
        }
    }

    /// Forgets them: the machine is lent again.
    pub(super) fn forget(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<RunId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn manifest(work: serde_json::Value) -> Manifest {
        let did = identity::Key::from_seed(&[1; 32]).did();
        serde_json::from_value(json!({"version": 1, "org": "acme", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAZ", "requester": did, "member": did,
            "at": 0, "expires": 1, "class": "agent", "work": work, "resources": {}, "limits": {}}))
        .unwrap()
    }

    #[test]
    fn work_that_was_sent_away_is_not_taken_again_until_later_or_until_the_machine_is_lent_again() {
        let (sent, other): (RunId, RunId) = (format!("{:026}", 1).parse().unwrap(), format!("{:026}", 2).parse().unwrap());
        let (away, later) = (SentAway::default(), Timestamp(0).plus_ms(SENT_AWAY_PAUSE_MS));
        let commit = "a".repeat(40);
        let next = |continues: Option<&RunId>| {
            manifest(json!({"kind": "task", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5",
                "task": {"project": "demo", "feature": "001-work", "task": "T001"}, "spec_hash": domain::Hash::from_bytes([0; 32]),
                "definitions": commit, "agent": "beat", "base": commit, "continues": continues}))
        };
        away.note(std::slice::from_ref(&sent), Timestamp(0));
        let refused = away.refusal_of(&next(Some(&sent)), Timestamp(1));
        assert_eq!(refused, Some(Refusal::SentAway { until: later }), "the machine itself is not taken back");
        assert!(refused.as_ref().is_some_and(|refusal| refusal.passes() && !refusal.of_room()), "{refused:?}");
        assert_eq!(away.refusal_of(&next(Some(&other)), Timestamp(1)), None, "what goes on from another");
        assert_eq!(away.refusal_of(&next(None), Timestamp(1)), None, "what begins anew");
        assert_eq!(away.refusal_of(&next(Some(&sent)), later), None, "later");
        away.note(std::slice::from_ref(&other), later);
        assert_eq!(away.all().keys().collect::<Vec<_>>(), [&other], "what is over is not kept");
        away.forget();
        assert_eq!(away.refusal(Some(&other), later), None);
    }
}
