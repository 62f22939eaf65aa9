//! Which waiting run comes first: by priority, which grows while it waits; among equals by fair share; then the oldest.
//!
//! Fair share is dominant resource fairness: a member's share is that of the resource of which their runs take most, as a part of the
//! mesh; whoever has the smallest share is next, and what is given counts at once (Ghodsi et al., "Dominant Resource Fairness", NSDI
//! 2011, algorithm 1). Among the runs of one member the same holds for their classes, as in hierarchical DRF (Bhattacharya et al., SoCC 2013).

use crate::{Did, RunId, Timestamp, capacity::Resources, limits::AGEING_MS, manifest::Class};
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
    /// Higher goes first.
    pub priority: i32,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// What it asks for.
    pub asked: Resources,
}

impl Waiting {
    /// Its priority with what it gained by waiting: one step for each [`AGEING_MS`]. So it overtakes at last whatever comes later,
    /// and nothing waits for ever.
    pub fn rank(&self, now: Timestamp) -> i64 {
        let waited_ms = u64::try_from(now.0.saturating_sub(self.queued_at.0)).unwrap_or(0);
        i64::from(self.priority).saturating_add(i64::try_from(waited_ms / AGEING_MS).unwrap_or(i64::MAX))
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
