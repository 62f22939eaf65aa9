//! Which waiting run comes first: by priority, which grows while it waits; among equals by fair share; then the oldest.
//!
//! Fair share is dominant resource fairness: a member's share is that of the resource of which their runs take most, as a part of the
//! mesh; whoever has the smallest share is next, and what is given counts at once (Ghodsi et al., "Dominant Resource Fairness", NSDI
//! 2011, algorithm 1). Among the runs of one member the same holds for their classes, as in hierarchical DRF (Bhattacharya et al., SoCC 2013).

use crate::{
    Did, RunId, Timestamp,
    capacity::Resources,
    limits::{AGEING_MS, SHARE_SPAN_MS},
    manifest::Class,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A run that waits for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// For whom.
    pub member: Did,
    /// Its class.
    pub class: Class,
    /// Higher goes first: the steps of its priority, with those for having given way.
    pub priority: i32,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// What it asks for.
    pub asked: Resources,
}

impl Waiting {
    /// How long it waits, in milliseconds.
    pub fn waited_ms(&self, now: Timestamp) -> u64 {
        u64::try_from(now.0.saturating_sub(self.queued_at.0)).unwrap_or(0)
    }

    /// Its priority with what it gained by waiting: one step for each [`AGEING_MS`]. So it overtakes at last whatever comes later,
    /// and nothing waits for ever.
    pub fn rank(&self, now: Timestamp) -> i64 {
        i64::from(self.priority).saturating_add(i64::try_from(self.waited_ms(now) / AGEING_MS).unwrap_or(i64::MAX))
    }

    /// Why this one, which stands in the queue behind another, does so.
    pub fn behind(&self, first: &Self, now: Timestamp) -> Ahead {
        let younger = first.queued_at > self.queued_at;
        match (first.rank(now) == self.rank(now), first.priority > self.priority) {
            (false, true) => Ahead::Priority,
            (true, _) if younger && first.member != self.member => Ahead::Share,
            (true, _) if younger => Ahead::Class,
            _ => Ahead::Waited,
        }
    }
}

/// Why a run stands in front of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ahead {
    /// It is more important.
    Priority,
    /// It waits longer.
    Waited,
    /// Its member's runs take, or took lately, less of the machine.
    Share,
    /// It is of another class, of which that member's runs take less.
    Class,
}

/// What stands in front of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueuedBehind")]
pub struct Behind {
    /// The name of the member whose run that is.
    pub member: String,
    /// Why it is in front.
    pub why: Ahead,
}

/// A run's place in the queue of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueuePlace {
    /// From 1.
    pub place: u32,
    /// How many wait there.
    pub of: u32,
    /// The one just in front of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
}

impl QueuePlace {
    /// In words for a person: `3rd of 5 in its queue: bob's runs take, or took lately, less of this machine`.
    pub fn text(&self) -> String {
        let Self { place, of, behind } = self;
        let end = match (place % 100, place % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        let why = behind.as_ref().map(|Behind { member, why }| match why {
            Ahead::Priority => format!(": a run of {member} is more important"),
            Ahead::Waited => format!(": a run of {member} waits longer"),
            Ahead::Share => format!(": {member}'s runs take, or took lately, less of this machine"),
            Ahead::Class => format!(": {member}'s work of another class takes, or took lately, less of this machine"),
        });
        format!("{place}{end} of {of} in its queue{}", why.unwrap_or_default())
    }
}

/// What runs of a member and a class take of the mesh now. There may be several of one kind; they add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose runs.
    pub member: Did,
    /// Of which class.
    pub class: Class,
    /// What they take.
    pub taken: Resources,
}

impl Share {
    /// What counts of a run that took something until a moment, or still does: all of it while it does, and beside that so much of it as
    /// was its part of the last [`SHARE_SPAN_MS`]. Without that nobody would have a share when the only slot of a machine becomes free,
    /// and whoever asked for most at once would be served first.
    pub fn of_run(member: Did, class: Class, taken: Resources, from: Timestamp, until: Option<Timestamp>, now: Timestamp) -> Self {
        let begin = now.0.saturating_sub(i64::try_from(SHARE_SPAN_MS).unwrap_or(i64::MAX)).max(from.0);
        let used_ms = u64::try_from(until.map_or(now.0, |until| until.0.min(now.0)).saturating_sub(begin)).unwrap_or(0);
        let part = |amount: u64| u64::try_from(u128::from(amount) * u128::from(used_ms) / u128::from(SHARE_SPAN_MS)).unwrap_or(amount);
        let lately = Resources {
            cpu_milli: part(taken.cpu_milli),
            memory_bytes: part(taken.memory_bytes),
            disk_bytes: part(taken.disk_bytes),
            gpus: u32::try_from(part(taken.gpus.into())).unwrap_or(taken.gpus),
        };
        let all = if until.is_some() { lately } else { taken.plus(lately) };
        Self { member, class, taken: all }
    }
}

/// Sorts waiting runs, the one to be placed first in front. `total` is what the whole mesh lends (of a resource that it does not
/// have, nobody has a share).
pub fn order(waiting: &mut Vec<Waiting>, running: &[Share], total: Resources, now: Timestamp) {
    let mut shares = Shares { total, members: BTreeMap::new() };
    for share in running {
        shares.add(&share.member, share.class, share.taken);
    }
    waiting.sort_by(|a, b| b.rank(now).cmp(&a.rank(now)).then_with(|| a.queued_at.cmp(&b.queued_at)).then_with(|| a.run.cmp(&b.run)));
    let mut rest = std::mem::take(waiting).into_iter().peekable();
    while let Some(first) = rest.next() {
        let rank = first.rank(now);
        let mut equals = vec![first];
        while let Some(next) = rest.next_if(|run| run.rank(now) == rank) {
            equals.push(next);
        }
        waiting.extend(shares.fairly(equals));
    }
}

/// A member's waiting runs by class, the oldest first.
type Lines = BTreeMap<Class, VecDeque<Waiting>>;
/// When it is a member's turn: by their share, then by the age of the run that would be theirs.
type Turn = (u64, Timestamp, RunId, Did);

/// What members take, with what is given to them meanwhile.
struct Shares {
    total: Resources,
    members: BTreeMap<Did, Taken>,
}

#[derive(Default)]
struct Taken {
    all: Resources,
    classes: BTreeMap<Class, Resources>,
}

impl Shares {
    fn add(&mut self, member: &Did, class: Class, taken: Resources) {
        let of = self.members.entry(member.clone()).or_default();
        of.all = of.all.plus(taken);
        let class = of.classes.entry(class).or_default();
        *class = class.plus(taken);
    }

    /// Runs of one rank, which come sorted by age, in the order in which their members' shares let them.
    fn fairly(&mut self, equals: Vec<Waiting>) -> Vec<Waiting> {
        let mut sorted = Vec::with_capacity(equals.len());
        let mut lines: BTreeMap<Did, Lines> = BTreeMap::new();
        for run in equals {
            lines.entry(run.member.clone()).or_default().entry(run.class).or_default().push_back(run);
        }
        let mut turns: BTreeSet<Turn> = lines.iter().filter_map(|(member, lines)| self.turn(member, lines)).collect();
        while let Some((_, _, _, member)) = turns.pop_first() {
            let Some(of_member) = lines.get_mut(&member) else { continue };
            let next = self.class(&member, of_member).and_then(|class| of_member.get_mut(&class)?.pop_front());
            let Some(run) = next else { continue };
            self.add(&member, run.class, run.asked);
            sorted.push(run);
            turns.extend(self.turn(&member, of_member));
        }
        sorted
    }

    fn turn(&self, member: &Did, lines: &Lines) -> Option<Turn> {
        let first = lines.get(&self.class(member, lines)?)?.front()?;
        let share = self.members.get(member).map_or(0, |taken| dominant(taken.all, self.total));
        Some((share, first.queued_at, first.run.clone(), member.clone()))
    }

    /// Of which class a member's next run is: of that which has the smallest share.
    fn class(&self, member: &Did, lines: &Lines) -> Option<Class> {
        let taken = self.members.get(member);
        let share = |class: &Class| taken.and_then(|t| t.classes.get(class)).map_or(0, |taken| dominant(*taken, self.total));
        let heads = lines.iter().filter_map(|(class, line)| Some((*class, line.front()?)));
        heads.min_by_key(|(class, first)| (share(class), first.queued_at, first.run.clone())).map(|(class, _)| class)
    }
}

/// The whole of a resource, in the measure of shares.
const WHOLE: u128 = 1 << 32;

/// The largest part that something takes of any resource.
fn dominant(taken: Resources, total: Resources) -> u64 {
    let part = |taken: u64, total: u64| {
        let part = (u128::from(taken) * WHOLE).checked_div(u128::from(total)).unwrap_or(0);
        u64::try_from(part).unwrap_or(u64::MAX)
    };
    part(taken.cpu_milli, total.cpu_milli)
        .max(part(taken.memory_bytes, total.memory_bytes))
        .max(part(taken.disk_bytes, total.disk_bytes))
        .max(part(taken.gpus.into(), total.gpus.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::tests::did;
    use proptest::prelude::*;

    const MINUTE_MS: i64 = 60_000;
    const TOTAL: Resources = Resources { cpu_milli: 9_000, memory_bytes: 18, disk_bytes: 0, gpus: 0 };

    fn run(n: u32) -> RunId {
        format!("{n:026}").parse().unwrap_or_else(|p| unreachable!("{p}"))
    }

    fn waiting(n: u32, member: u8, cpu_milli: u64, memory_bytes: u64) -> Waiting {
        let asked = Resources { cpu_milli, memory_bytes, ..Resources::default() };
        Waiting { run: run(n), member: did(member), class: Class::Agent, priority: 0, queued_at: Timestamp(n.into()), asked }
    }

    fn ordered(mut runs: Vec<Waiting>, running: &[Share], now: i64) -> Vec<RunId> {
        order(&mut runs, running, TOTAL, Timestamp(now));
        runs.into_iter().map(|w| w.run).collect()
    }

    #[test]
    fn priority_goes_first_and_waiting_raises_it() {
        let low = waiting(1, 1, 1, 1);
        let high = Waiting { priority: 1, ..waiting(2, 2, 1, 1) };
        assert_eq!(ordered(vec![low.clone(), high.clone()], &[], 3), [run(2), run(1)]);
        let late = Waiting { queued_at: Timestamp(25 * MINUTE_MS), ..high };
        assert_eq!(ordered(vec![late, low], &[], 26 * MINUTE_MS), [run(1), run(2)], "two steps by waiting");
    }

    #[test]
    fn shares_are_filled_as_in_the_paper_about_dominant_resource_fairness() {
        // 9 processors and 18 GB; one user's tasks want 1 and 4, the other's 3 and 1: three of the one and two of the other.
        let of_a = (1..=4).map(|n| waiting(n, 1, 1_000, 4));
        let of_b = (5..=8).map(|n| waiting(n, 2, 3_000, 1));
        let first = ordered(of_a.chain(of_b).collect(), &[], 9);
        assert_eq!(first[..5], [run(1), run(5), run(2), run(6), run(3)]);
    }

    #[test]
    fn who_takes_much_already_comes_later_and_so_do_their_classes() {
        let share = |member, class| Share { member: did(member), class, taken: Resources { cpu_milli: 2_000, ..Resources::default() } };
        let two = vec![waiting(1, 1, 1_000, 1), waiting(2, 2, 1_000, 1)];
        assert_eq!(ordered(two, &[share(1, Class::Ci)], 3), [run(2), run(1)]);
        let classes = vec![waiting(1, 1, 1_000, 1), Waiting { class: Class::Scan, ..waiting(2, 1, 1_000, 1) }];
        assert_eq!(ordered(classes, &[share(1, Class::Agent)], 3), [run(2), run(1)]);
    }

    #[test]
    fn who_had_the_only_slot_lately_comes_after_who_had_not() {
        let (hour, taken) = (60 * MINUTE_MS, Resources { cpu_milli: 3_000, ..Resources::default() });
        let share = |from, until: Option<i64>| {
            Share::of_run(did(1), Class::Agent, taken, Timestamp(from), until.map(Timestamp), Timestamp(2 * hour)).taken.cpu_milli
        };
        assert_eq!(share(2 * hour - 30 * MINUTE_MS, Some(2 * hour - 20 * MINUTE_MS)), 500);
        assert_eq!(share(0, Some(hour + 20 * MINUTE_MS)), 1_000, "only what lies within the span");
        assert_eq!(share(0, Some(hour)), 0, "that is over");
        assert_eq!(share(hour + 40 * MINUTE_MS, None), 4_000, "what it takes now, and what it took");
        let three = vec![waiting(1, 1, 1_000, 1), waiting(2, 1, 1_000, 1), waiting(3, 2, 1_000, 1)];
        let had = Share::of_run(did(1), Class::Agent, taken, Timestamp(0), Some(Timestamp(10_000)), Timestamp(20_000));
        assert_eq!(ordered(three, &[had], 20_000), [run(3), run(1), run(2)]);
    }

    #[test]
    fn a_place_is_told_with_what_stands_in_front() {
        let (old, young) = (waiting(1, 1, 1, 1), waiting(2, 2, 1, 1));
        let high = Waiting { priority: 1, ..young.clone() };
        let now = Timestamp(3);
        assert_eq!(old.behind(&high, now), Ahead::Priority);
        assert_eq!(old.behind(&young, now), Ahead::Share);
        assert_eq!(young.behind(&old, now), Ahead::Waited);
        assert_eq!(old.behind(&Waiting { member: did(1), ..young.clone() }, now), Ahead::Class);
        assert_eq!(high.behind(&old, Timestamp(25 * MINUTE_MS)), Ahead::Waited);
        let behind = |why| Some(Behind { member: "bob".into(), why });
        let text = |place, behind| QueuePlace { place, of: 123, behind }.text();
        assert_eq!(text(3, behind(Ahead::Share)), "3rd of 123 in its queue: bob's runs take, or took lately, less of this machine");
        assert_eq!(
            [1, 2, 4, 11, 12, 13, 21, 111].map(|place| text(place, None)[..5].to_owned()),
            ["1st o", "2nd o", "4th o", "11th ", "12th ", "13th ", "21st ", "111th"]
        );
    }

    fn some() -> impl Strategy<Value = Vec<Waiting>> {
        let class = prop_oneof![Just(Class::Agent), Just(Class::Ci), Just(Class::Job)];
        let one = (0u8..4, class, -2i32..3, 0i64..100 * MINUTE_MS, 0u64..5_000, 0u64..9);
        prop::collection::vec(one, 1..20).prop_map(|runs| {
            let numbered = (0u32..).zip(runs);
            let made = numbered.map(|(n, (member, class, priority, at, cpu_milli, memory_bytes))| Waiting {
                class,
                priority,
                queued_at: Timestamp(at),
                ..waiting(n, member, cpu_milli, memory_bytes)
            });
            made.collect::<Vec<_>>()
        })
    }

    fn taken() -> impl Strategy<Value = Vec<Share>> {
        let one = (0u8..4, 0u64..9_000).prop_map(|(member, cpu_milli)| Share {
            member: did(member),
            class: Class::Agent,
            taken: Resources { cpu_milli, ..Resources::default() },
        });
        prop::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn the_order_does_not_depend_on_how_the_runs_come(
            (runs, other) in some().prop_flat_map(|runs| (Just(runs.clone()), Just(runs).prop_shuffle())),
            running in taken(),
            now in 0i64..200 * MINUTE_MS,
        ) {
            let sorted = ordered(runs.clone(), &running, now);
            prop_assert_eq!(&sorted, &ordered(other, &running, now));
            let (mut before, mut after): (Vec<RunId>, _) = (runs.into_iter().map(|w| w.run).collect(), sorted);
            before.sort();
            after.sort();
            prop_assert_eq!(before, after, "none is lost and none comes twice");
        }

        #[test]
        fn a_higher_rank_never_comes_after_a_lower_one(runs in some(), running in taken(), now in 0i64..200 * MINUTE_MS) {
            let mut sorted = runs;
            order(&mut sorted, &running, TOTAL, Timestamp(now));
            prop_assert!(sorted.windows(2).all(|two| two[0].rank(Timestamp(now)) >= two[1].rank(Timestamp(now))));
        }

        #[test]
        fn whatever_comes_later_each_run_is_first_at_last(later in some(), running in taken(), priority in -2i32..3) {
            let old = Waiting { priority, queued_at: Timestamp(-1), ..waiting(999, 0, 9_000, 18) };
            // Only what comes within the steps between their priorities can be in front of it.
            let steps = later.iter().map(|w| i64::from(w.priority - priority)).max().unwrap_or(0).max(0) + 1;
            let shift = steps * i64::try_from(AGEING_MS).unwrap_or(i64::MAX);
            let mut all: Vec<Waiting> =
                later.into_iter().map(|w| Waiting { queued_at: Timestamp(w.queued_at.0 + shift), ..w }).collect();
            all.push(old);
            let sorted = ordered(all, &running, shift + 200 * MINUTE_MS);
            prop_assert_eq!(&sorted[0], &run(999));
        }
    }
}
