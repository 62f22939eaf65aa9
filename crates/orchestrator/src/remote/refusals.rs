//! What devices said no to since they announced themselves last: it corrects what they announced.

use crate::limits;
use domain::{Did, RunId, Timestamp, placement::Refusal};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Refusals by the device that gave them: of one run, or, where they are about room, of whatever is asked.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<(Did, Option<RunId>), Said>>);

#[derive(Debug)]
struct Said {
    reasons: Vec<Refusal>,
    at: Timestamp,
    /// The number of what the device had announced by then.
    number: Option<u64>,
}

impl Said {
    /// Room may come back: that counts until the device announces something newer. What it never takes counts for the run for good.
    fn counts(&self, now: Timestamp, number: Option<u64>) -> bool {
        let young = now.0.saturating_sub(self.at.0) < i64::try_from(limits::REFUSAL_COUNTS_MS).unwrap_or(i64::MAX);
        !Refusal::may_take_later(&self.reasons) || (young && number == self.number)
    }
}

/// Whether it holds for whatever is asked.
fn of_device(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Busy { .. } | Refusal::NoSlot { .. } | Refusal::OtherOrgs { .. } | Refusal::NotKnown { .. } | Refusal::Closing
    )
}

/// Whether it says where one run stands among others that want the same room.
fn of_turn(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Queue { .. } | Refusal::MakesRoom { .. })
}

/// What of these holds for whatever is asked, where all do; a run's place in the queue left out.
fn of_all(reasons: &[Refusal]) -> Option<Vec<Refusal>> {
    let rest: Vec<Refusal> = reasons.iter().filter(|refusal| !of_turn(refusal)).cloned().collect();
    (!rest.is_empty() && rest.iter().all(of_device)).then_some(rest)
}

impl Refusals {
    fn all(&self) -> MutexGuard<'_, HashMap<(Did, Option<RunId>), Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a device refused a run, while its announcement of this number was the newest known.
    pub(crate) fn note(&self, run: &RunId, device: &Did, reasons: &[Refusal], at: Timestamp, number: Option<u64>) {
        let (about, reasons) = match of_all(reasons) {
            Some(reasons) => (None, reasons),
            None => (Some(run.clone()), reasons.to_vec()),
        };
        let mut all = self.all();
        if all.len() >= limits::REFUSALS_MAX {
            // Whoever is asked once too often says it again.
            all.clear();
        }
        all.insert((device.clone(), about), Said { reasons, at, number });
    }

    /// Which devices are not to be asked for a run now, and what they said.
    pub(crate) fn of(&self, run: &RunId, now: Timestamp, number: impl Fn(&Did) -> Option<u64>) -> BTreeMap<Did, Vec<Refusal>> {
        let all = self.all();
        let about = |(_, of): &&(Did, Option<RunId>)| of.as_ref().is_none_or(|id| id == run);
        let counting = all.iter().filter(|(key, said)| about(key) && said.counts(now, number(&key.0)));
        counting.map(|((device, _), said)| (device.clone(), said.reasons.clone())).collect()
    }

    /// Forgets what was said of a run that has a device, or has ended.
    pub(crate) fn forget(&self, run: &RunId) {
        self.all().retain(|(_, about), _| about.as_ref() != Some(run));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::lend::Reclaim;
    use domain::placement::QueuePlace;

    #[test]
    fn room_may_come_back_and_what_is_never_taken_does_not() {
        let (bob, eve) = (identity::Key::from_seed(&[1; 32]).did(), identity::Key::from_seed(&[2; 32]).did());
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let other: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap();
        let refusals = Refusals::default();
        refusals.note(&run, &bob, &[Refusal::NoSlot { slots: 1 }], Timestamp(0), Some(7));
        refusals.note(&other, &eve, &[Refusal::Reclaimed { why: Reclaim::Never }], Timestamp(0), Some(3));
        let asked = refusals.of(&other, Timestamp(1), |_| Some(3));
        assert!(
            asked.contains_key(&eve) && !refusals.of(&other, Timestamp(1), |_| Some(4)).contains_key(&eve),
            "an owner may change their mind"
        );
        refusals.forget(&other);
        refusals.note(&run, &eve, &[Refusal::NotAllowed { message: "No.".into() }], Timestamp(0), Some(3));
        let of = |run, now, number| refusals.of(run, Timestamp(now), |_| Some(number)).into_keys().collect::<Vec<_>>();
        let mut both = vec![bob.clone(), eve.clone()];
        both.sort();
        assert_eq!(of(&run, 1, 7), both);
        assert_eq!(of(&run, 1, 8), std::slice::from_ref(&eve), "it announced something newer");
        assert_eq!(of(&run, 1_000_000, 7), std::slice::from_ref(&eve), "it said nothing for too long");
        assert_eq!(of(&other, 1, 7), std::slice::from_ref(&bob), "room is for all, a right is not");
        refusals.forget(&run);
        assert!(of(&run, 1, 8).is_empty());
        // A place in the queue is a run's own.
        let place = Refusal::Queue { place: QueuePlace { place: 2, of: 3, behind: None } };
        refusals.note(&run, &bob, &[Refusal::NoSlot { slots: 1 }, place.clone()], Timestamp(0), Some(9));
        assert_eq!(refusals.of(&other, Timestamp(1), |_| Some(9)).into_values().next(), Some(vec![Refusal::NoSlot { slots: 1 }]));
        refusals.note(&run, &eve, std::slice::from_ref(&place), Timestamp(0), Some(9));
        assert_eq!(refusals.of(&run, Timestamp(1), |_| Some(9)).len(), 2);
        assert_eq!(refusals.of(&other, Timestamp(1), |_| Some(9)).len(), 1);
    }
}
