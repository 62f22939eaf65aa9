//! Whether free room is kept for others that stand in front in a device's queue.

use super::Waiting;
use crate::{
    Did, RunId, Timestamp,
    capacity::{Capacity, Resources},
    limits::AGEING_MS,
};

/// For whom room is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeps {
    /// Its place among those in front, from 0.
    pub place: usize,
    /// The run.
    pub run: RunId,
    /// For whom that is.
    pub member: Did,
    /// Whether there is not yet enough for it: then what becomes free is gathered, once it has waited for [`AGEING_MS`]. Before that,
    /// smaller work that comes later may pass by.
    pub gathers: bool,
}

/// The one in front for whom so much of the free room is kept that `asked` does not fit beside it; none: it may have the room. `capacity`
/// is as its admission has it, `ahead` those in front, the first first; `passed` says of whom it is known that they do not come for it.
pub fn keeps(ahead: &[Waiting], asked: Resources, capacity: &Capacity, now: Timestamp, passed: impl Fn(&Waiting) -> bool) -> Option<Keeps> {
    let (mut slots, mut free) = (capacity.slots_free, capacity.free);
    for (place, first) in ahead.iter().enumerate().filter(|(_, first)| !passed(first)) {
        let fits = slots > 0 && !free.lacks(first.asked);
        let gathers = !fits && first.waited_ms(now) >= AGEING_MS && !capacity.total.lacks(first.asked);
        if !fits && !gathers {
            continue;
        }
        (slots, free) = (slots.saturating_sub(1), free.minus(first.asked));
        if slots == 0 || free.lacks(asked) {
            return Some(Keeps { place, run: first.run.clone(), member: first.member.clone(), gathers });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capacity::{Lane, Runtime},
        manifest::Class,
        placement::tests::did,
    };

    fn cores(cores: u64) -> Resources {
        Resources { cpu_milli: cores * 1_000, ..Resources::default() }
    }

    fn first(n: u32, asked: u64) -> Waiting {
        let run = format!("{n:026}").parse().unwrap_or_else(|p| unreachable!("{p}"));
        Waiting { run, member: did(1), class: Class::Agent, priority: 0, queued_at: Timestamp(0), asked: cores(asked) }
    }

    fn capacity(free: u64, slots_free: u32) -> Capacity {
        Capacity {
            total: cores(8),
            free: cores(free),
            tags: [].into(),
            gpus: vec![],
            runtimes: vec![Runtime::Local],
            classes: vec![Class::Agent],
            slots: 4,
            slots_free,
            others: Lane::default(),
        }
    }

    #[test]
    fn room_is_kept_for_who_is_in_front_and_can_take_it() {
        let aged = Timestamp(i64::try_from(AGEING_MS).unwrap_or(i64::MAX));
        #[allow(clippy::type_complexity)]
        let table: [(&str, Vec<Waiting>, Capacity, Timestamp, Option<(usize, bool)>); 8] = [
            ("nobody is in front", vec![], capacity(2, 1), Timestamp(1), None),
            ("the only slot", vec![first(1, 2)], capacity(8, 1), Timestamp(1), Some((0, false))),
            ("a slot for each", vec![first(1, 2)], capacity(8, 2), Timestamp(1), None),
            ("too few cores for both", vec![first(1, 2)], capacity(3, 2), Timestamp(1), Some((0, false))),
            ("the second of those in front", vec![first(1, 2), first(2, 2)], capacity(5, 4), Timestamp(1), Some((1, false))),
            ("small work passes by large work", vec![first(1, 8)], capacity(4, 4), Timestamp(1), None),
            ("not by large work that waited long", vec![first(1, 8)], capacity(4, 4), aged, Some((0, true))),
            ("what never fits is not waited for", vec![first(1, 9)], capacity(4, 4), aged, None),
        ];
        for (what, ahead, capacity, now, expected) in table {
            let found = keeps(&ahead, cores(2), &capacity, now, |_| false);
            assert_eq!(found.map(|kept| (kept.place, kept.gathers)), expected, "{what}");
        }
        let gone = first(1, 2);
        assert_eq!(keeps(std::slice::from_ref(&gone), cores(2), &capacity(8, 1), Timestamp(1), |first| first.run == gone.run), None);
    }
}
