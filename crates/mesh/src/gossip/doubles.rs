//! Whether a device's key is used by two processes at once, as where its data folder was copied and both run. Each announcement says since
//! when the process runs that made it, and is signed. One that was started again never goes on as the one before: where both do, again and
//! again, both run.
//!
//! What a process said before it ended may come late by way of others, in turns with what the next one says, and at each start of a device
//! that ends again and again. So of two starts news count only once the earlier one announced something after the later began. Both times
//! are said by the device itself. Where the clocks of two machines differ, it is found out later by about as much.

use crate::limits;
use domain::{Did, Timestamp, announcement::Announcement};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The devices whose key is used twice, as they are known now.
#[derive(Clone, Debug, Default)]
pub struct Doubles(Arc<Mutex<BTreeMap<Did, Starts>>>);

/// The starts of a device.
#[derive(Debug, Default)]
struct Starts {
    /// What was heard of each last.
    latest: BTreeMap<Timestamp, Latest>,
    /// Of which the latest news was.
    last: Option<Timestamp>,
    /// When there was news of one again after news of another, by the clock of this device.
    back: Vec<Timestamp>,
}

/// What was heard of one start last.
#[derive(Clone, Copy, Debug)]
struct Latest {
    /// The highest number.
    number: u64,
    /// When that was announced, by the clock of the one who did.
    announced: Timestamp,
}

impl Doubles {
    /// The devices whose key two processes use as of `now`, each with when that was noticed last, both by the clock of this device.
    pub fn at(&self, now: Timestamp) -> BTreeMap<Did, Timestamp> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let twice = |(device, starts): (&Did, &mut Starts)| {
            starts.forget(now);
            let last = starts.back.last().filter(|_| starts.back.len() >= limits::STARTS_RETURNS)?;
            Some((device.clone(), *last))
        };
        all.iter_mut().filter_map(twice).collect()
    }

    /// Takes in what a device signed.
    pub(super) fn note(&self, said: &Announcement, at: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = Latest { number: said.number, announced: said.at };
        all.entry(said.device.clone()).or_default().note(said.started, latest, at);
    }

    /// Forgets who belongs to the org no more.
    pub(super) fn retain(&self, member: impl Fn(&Did) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|device, _| member(device));
    }
}

impl Starts {
    fn note(&mut self, started: Timestamp, said: Latest, at: Timestamp) {
        let before = self.latest.get(&started).copied();
        if before.is_some_and(|before| said.number <= before.number) {
            return;
        }
        self.latest.insert(started, said);
        if before.is_some() && self.last.is_some_and(|last| last != started && self.both_run(last, started)) {
            self.forget(at);
            if self.back.len() >= limits::STARTS_RETURNS {
                self.back.remove(0);
            }
            self.back.push(at);
        }
        self.last = Some(started);
        // Of those that run the numbers are the highest.
        if self.latest.len() > limits::STARTS_KEPT
            && let Some(least) = self.latest.iter().filter(|(start, _)| **start != started).min_by_key(|(_, latest)| latest.number)
        {
            let least = *least.0;
            self.latest.remove(&least);
        }
    }

    /// Whether the earlier of two starts went on when the later had begun.
    fn both_run(&self, one: Timestamp, other: Timestamp) -> bool {
        self.latest.get(&one.min(other)).is_some_and(|earlier| earlier.announced > one.max(other))
    }

    fn forget(&mut self, now: Timestamp) {
        self.back.retain(|back| now.0.saturating_sub(back.0) < limits::STARTS_WITHIN_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::tests::{announcement, key};

    const AT: Timestamp = Timestamp(1_800_000_000_000);

    /// Notes announcements, each with the start of its process and its number, which is also when it was made.
    fn hear(doubles: &Doubles, said: &[(i64, u64)]) {
        for (started, number) in said {
            let at = Timestamp(number.cast_signed());
            doubles.note(&Announcement { started: Timestamp(*started), at, ..announcement(&key(1), *number) }, AT);
        }
    }

    #[test]
    fn a_device_that_starts_again_and_again_runs_once_however_late_what_it_said_before_comes() {
        let doubles = Doubles::default();
        for start in (100_i64..2_000).step_by(100) {
            let (before, said) = (start - 100, start.cast_unsigned());
            // Of the one before several come late, in turns with what is new.
            hear(
                &doubles,
                &[(start, said + 1), (before, said - 50), (start, said + 2), (before, said - 40), (start, said + 3), (before, said - 30)],
            );
        }
        assert!(doubles.at(AT).is_empty(), "{doubles:?}");
        // The last of these goes on when one more has begun, and so do both.
        hear(&doubles, &[(2_000, 2_001), (1_900, 2_002), (2_000, 2_003), (1_900, 2_004), (2_000, 2_005)]);
        assert_eq!(doubles.at(AT).len(), 1);
    }

    #[test]
    fn a_key_is_used_twice_where_news_of_two_starts_come_in_turns_and_not_where_one_followed_the_other() {
        let doubles = Doubles::default();
        // Started again and again, once with its clock set back; and what is old comes late, or once more.
        hear(&doubles, &[(1, 10), (1, 11), (5, 12), (1, 10), (5, 13), (1, 11), (3, 14), (5, 13), (3, 15), (9, 16), (3, 15), (9, 17)]);
        assert!(doubles.at(AT).is_empty(), "{doubles:?}");
        // That the last of one process comes after the first of the next says nothing yet.
        hear(&doubles, &[(20, 18), (9, 19), (20, 20), (20, 21)]);
        assert!(doubles.at(AT).is_empty(), "{doubles:?}");

        // The clock of one of the two machines is behind: it comes to when the other began.
        hear(&doubles, &[(30, 100), (20, 29), (30, 101), (20, 30), (30, 102)]);
        assert!(doubles.at(AT).is_empty(), "{doubles:?}");
        hear(&doubles, &[(20, 31), (30, 103), (20, 32), (30, 104)]);
        assert_eq!(doubles.at(AT), BTreeMap::from([(key(1).did(), AT)]));
        let over = Timestamp(AT.0 + limits::STARTS_WITHIN_MS);
        assert!(doubles.at(over).is_empty(), "one of the two was stopped");
        hear(&doubles, &[(20, 33), (30, 105), (20, 34), (30, 106)]);
        assert_eq!(doubles.at(AT).len(), 1);
        doubles.retain(|_| false);
        assert!(doubles.at(AT).is_empty(), "it belongs to the org no more");
    }
}
