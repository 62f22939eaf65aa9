//! How long the checkpoints of guests stay on a device that nobody brings away, because the device that asked for their runs does not come
//! back: as the machine's owner says, and never without a word before. Pure.

use super::LendPolicy;
use crate::{
    Did, RunId, Timestamp,
    limits::{SAVED_NOTICE_MS, SAVED_SIZE_NOTICE_MS},
    run::{CheckpointDropped, CheckpointGoes},
};
use std::collections::BTreeMap;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The checkpoint of a guest that is with no other device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Of which run.
    pub run: RunId,
    /// The device that asked for it.
    pub requester: Did,
    /// When the run ended.
    pub ended: Timestamp,
    /// When the run ended, or the device that asked for it was heard last, whichever came later.
    pub since: Timestamp,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// From when on it may be removed, where that was said.
    pub goes: Option<Timestamp>,
}

/// What is to be done with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is said that it will be removed.
    Tell(CheckpointGoes),
    /// It is removed.
    Drop(CheckpointDropped),
}

/// What is to be done with these now. For its size one goes once all that stay before it have too much together with it; that is said when
/// they have four fifths of it. Who has much saved here loses its own first, and puts nobody else's out.
pub fn due(policy: &LendPolicy, saved: Vec<Saved>, now: Timestamp) -> Vec<Due> {
    let (max_bytes, mut bytes) = (u64::from(policy.saved_gib) << 30, 0u64);
    let one = |one: Saved| {
        bytes = bytes.saturating_add(one.bytes);
        if bytes > max_bytes / 5 * 4 { crowded(policy, one, bytes > max_bytes, now) } else { aged(policy, one, now) }
    };
    in_turn(saved).into_iter().filter_map(one).collect()
}

/// In the order in which they stay: by how much each device has together with what it asked for later, and of these the newest first.
fn in_turn(mut saved: Vec<Saved>) -> Vec<Saved> {
    saved.sort_by(|a, b| (b.ended, &b.run).cmp(&(a.ended, &a.run)));
    let mut sums: BTreeMap<Did, u64> = BTreeMap::new();
    let with_newer = |one: Saved| {
        let sum = sums.entry(one.requester.clone()).or_default();
        *sum = sum.saturating_add(one.bytes);
        (*sum, one)
    };
    let mut all: Vec<(u64, Saved)> = saved.into_iter().map(with_newer).collect();
    // Stable: of as much the newest stays first.
    all.sort_by_key(|(sum, _)| *sum);
    all.into_iter().map(|(_, one)| one).collect()
}

fn end(policy: &LendPolicy, saved: &Saved) -> Timestamp {
    saved.since.plus_ms(u64::from(policy.saved_days) * DAY_MS)
}

fn crowded(policy: &LendPolicy, saved: Saved, beyond: bool, now: Timestamp) -> Option<Due> {
    let why = format!("What guests saved here may have {} GiB in all, and the oldest of whoever has most goes first.", policy.saved_gib);
    let (at, over) = (now.plus_ms(SAVED_SIZE_NOTICE_MS), beyond || now >= end(policy, &saved));
    match saved.goes {
        Some(said) if said <= now && !over => None,
        // One that was said long ago was for another reason, or for one that has passed: its device does not reckon with it any more.
        Some(said) if said <= now && said.plus_ms(SAVED_SIZE_NOTICE_MS) >= now => {
            Some(Due::Drop(CheckpointDropped { run: saved.run, why }))
        }
        Some(said) if said > now && said <= at => None,
        _ => Some(Due::Tell(CheckpointGoes { run: saved.run, goes_at: at, why })),
    }
}

fn aged(policy: &LendPolicy, saved: Saved, now: Timestamp) -> Option<Due> {
    let why = format!("The device that asked for it was not heard for {} days, and nobody brought it away.", policy.saved_days);
    let (end, at) = (end(policy, &saved), now.plus_ms(SAVED_NOTICE_MS));
    // What was said before that device was heard again counts no more.
    match saved.goes.filter(|said| *said >= end) {
        Some(said) => (said <= now).then_some(Due::Drop(CheckpointDropped { run: saved.run, why })),
        None => (at >= end).then_some(Due::Tell(CheckpointGoes { run: saved.run, goes_at: at, why })),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NONE: [(u64, Option<Timestamp>); 0] = [];

    fn at(days: u64) -> Timestamp {
        Timestamp(0).plus_ms(days * DAY_MS)
    }

    fn saved(number: u64, since_days: u64, gib: u64, goes: Option<Timestamp>) -> Saved {
        let (run, ended) = (format!("{number:026}").parse().unwrap(), at(since_days));
        Saved { run, requester: did('a'), ended, since: ended, bytes: gib << 30, goes }
    }

    fn did(letter: char) -> Did {
        format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap()
    }

    /// The number of the run, and when it goes; none: now.
    fn told(policy: &LendPolicy, saved: &[Saved], now: Timestamp) -> Vec<(u64, Option<Timestamp>)> {
        let number = |run: &RunId| run.as_str().parse::<u64>().unwrap();
        let told = due(policy, saved.to_vec(), now).into_iter().map(|due| match due {
            Due::Tell(goes) => (number(&goes.run), Some(goes.goes_at)),
            Due::Drop(dropped) => (number(&dropped.run), None),
        });
        told.collect()
    }

    #[test]
    fn one_that_nobody_brings_away_goes_after_some_days_and_not_without_notice() {
        let policy = LendPolicy { saved_days: 30, saved_gib: 10, ..LendPolicy::default() };
        let look = |goes, days| told(&policy, &[saved(1, 0, 1, goes)], at(days));
        assert_eq!(look(None, 26), NONE);
        assert_eq!(look(None, 27), [(1, Some(at(30)))]);
        assert_eq!(look(Some(at(30)), 29), NONE, "it is said once");
        assert_eq!(look(Some(at(30)), 30), [(1, None)]);
        assert_eq!(look(None, 90), [(1, Some(at(93)))], "also where the device was off until now");
        // Its device was heard again on the fifth day.
        let again = |goes, days| told(&policy, &[saved(1, 5, 1, goes)], at(days));
        assert_eq!(again(Some(at(30)), 31), NONE);
        assert_eq!(again(Some(at(30)), 33), [(1, Some(at(36)))]);
    }

    #[test]
    fn of_too_many_the_oldest_go_first_and_not_without_notice() {
        let policy = LendPolicy { saved_days: 30, saved_gib: 10, ..LendPolicy::default() };
        let soon = |days| at(days).plus_ms(SAVED_SIZE_NOTICE_MS);
        let many = |goes| [saved(1, 1, 4, goes), saved(2, 2, 4, None), saved(3, 3, 4, None)];
        assert_eq!(told(&policy, &many(None), at(4)), [(1, Some(soon(4)))], "the two others are within it");
        assert_eq!(told(&policy, &many(Some(soon(4))), at(4)), NONE, "it is said once");
        assert_eq!(told(&policy, &many(Some(soon(4))), soon(4)), [(1, None)]);
        // Nearly too many: it is said, and none goes.
        let nearly = |goes| [saved(1, 1, 5, goes), saved(2, 2, 4, None)];
        assert_eq!(told(&policy, &nearly(None), at(4)), [(1, Some(soon(4)))]);
        assert_eq!(told(&policy, &nearly(Some(soon(4))), at(5)), NONE);
        assert_eq!(told(&policy, &nearly(Some(soon(4))), at(31)), [(2, Some(at(34))), (1, Some(soon(31)))], "by now it is too old too");
        assert_eq!(told(&policy, &nearly(Some(soon(31))), soon(31))[1], (1, None));
    }

    #[test]
    fn what_was_said_long_ago_is_said_again_before_one_goes_for_its_size() {
        let policy = LendPolicy { saved_days: 30, saved_gib: 10, ..LendPolicy::default() };
        // It was to go for its age on the thirtieth day; on the day before its device was heard again.
        let many = |goes| [saved(1, 29, 4, goes), saved(2, 30, 4, None), saved(3, 30, 4, None)];
        let soon = at(31).plus_ms(SAVED_SIZE_NOTICE_MS);
        assert_eq!(told(&policy, &many(Some(at(30))), at(31)), [(1, Some(soon))]);
        assert_eq!(told(&policy, &many(Some(soon)), soon), [(1, None)]);
        assert_eq!(told(&policy, &many(Some(soon))[..1], at(40)), NONE, "there is room again");
        let late = at(40).plus_ms(SAVED_SIZE_NOTICE_MS);
        assert_eq!(told(&policy, &many(Some(soon)), at(40)), [(1, Some(late))], "others came again, days later");
    }

    #[test]
    fn who_has_much_saved_puts_nobody_elses_out() {
        let policy = LendPolicy { saved_days: 30, saved_gib: 10, ..LendPolicy::default() };
        // Of a device that is in touch and brings nothing away; and of one that is away since the first day.
        let many = (10..15).map(|day| Saved { since: at(15), ..saved(day, day, 2, None) });
        let away = Saved { requester: did('b'), ..saved(1, 1, 2, None) };
        let all: Vec<Saved> = many.chain([away]).collect();
        let soon = at(15).plus_ms(SAVED_SIZE_NOTICE_MS);
        assert_eq!(told(&policy, &all, at(15)), [(11, Some(soon)), (10, Some(soon))]);
    }
}
