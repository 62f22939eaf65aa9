//! Devices that hear late of each other and of the org never spend more than there is, whatever happens in which order.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::{org::Device, quota::Quotas};
use proptest::prelude::*;

const DAY_MS: i64 = 86_400_000;

fn did(n: usize) -> Did {
    let letter = char::from(b'a' + u8::try_from(n).unwrap()).to_string();
    format!("did:key:z6Mk{}", letter.repeat(44)).parse().unwrap()
}

fn name(n: usize) -> String {
    format!("laptop-{n}")
}

fn calls(calls: u64) -> Amounts {
    Amounts { calls, ..Amounts::default() }
}

/// One device, with what it knows.
struct Machine {
    /// The revision that it knows.
    at: usize,
    taken: Option<Taken>,
    /// What it used, by day.
    used: BTreeMap<String, u64>,
    /// The other journals, as they came last.
    copies: BTreeMap<usize, (Option<Taken>, BTreeMap<String, u64>)>,
    /// From this day on it is not of the org.
    gone: Option<String>,
}

/// An org that all changes of come one after the other, and whose devices hear of them some time.
struct World {
    revisions: Vec<Division>,
    machines: Vec<Machine>,
    now: Timestamp,
    /// The largest quota by which anything was spent, by day.
    whole: BTreeMap<String, u64>,
}

impl World {
    fn new(whole: u64, devices: usize) -> Self {
        let quota = Quota { period: Period::Day, tokens: None, calls: Some(whole), money: None };
        let first = Division {
            revision: "0".repeat(40).parse().unwrap(),
            at: Timestamp(0),
            quotas: Quotas { org: Some(quota), ..Quotas::default() },
            devices: vec![],
            members: vec![],
        };
        let mut world = Self { revisions: vec![first], machines: vec![], now: Timestamp(0), whole: BTreeMap::new() };
        (0..devices).for_each(|_| world.join());
        (0..devices).for_each(|n| world.learn(n, usize::MAX));
        world
    }

    fn day(&self) -> String {
        Period::Day.key(self.now)
    }

    fn change(&mut self, change: impl FnOnce(&mut Division)) {
        let mut next = self.revisions.last().unwrap().clone();
        next.revision = format!("{:040x}", self.revisions.len()).parse().unwrap();
        next.at = self.now;
        change(&mut next);
        self.revisions.push(next);
    }

    fn join(&mut self) {
        let n = self.machines.len();
        self.change(|division| division.devices.push(Device::new(name(n), did(n), "ada")));
        let at = self.revisions.len() - 1;
        self.machines.push(Machine { at, taken: None, used: BTreeMap::new(), copies: BTreeMap::new(), gone: None });
    }

    fn remove(&mut self, n: usize) {
        if self.machines[n].gone.is_none() {
            self.machines[n].gone = Some(self.day());
            self.change(|division| {
                division.devices.retain(|device| device.did != did(n));
                division.quotas.shares.remove(&name(n));
            });
        }
    }

    /// Gives the devices parts by name, from these numbers; equal parts where they say so.
    fn shares(&mut self, seed: u64) {
        let mut left = 100;
        let mut shares = BTreeMap::new();
        for n in 0..self.machines.len() {
            if self.machines[n].gone.is_none() {
                let own = (seed >> (7 * n)) % 101;
                shares.insert(name(n), u8::try_from(own.min(left)).unwrap());
                left -= own.min(left);
            }
        }
        let equal = matches!(seed % 5, 0);
        self.change(|division| division.quotas.shares = if equal { BTreeMap::new() } else { shares });
    }

    fn set_whole(&mut self, whole: u64) {
        self.change(|division| division.quotas.org.as_mut().unwrap().calls = Some(whole));
    }

    fn history(&self, n: usize) -> History {
        let mut history = History::new(true);
        self.revisions[..=self.machines[n].at].iter().for_each(|division| history.push(division.clone()));
        history
    }

    /// A device hears of so many further revisions, without telling that it did.
    fn learn(&mut self, n: usize, more: usize) {
        self.machines[n].at = self.machines[n].at.saturating_add(more).min(self.revisions.len() - 1);
    }

    /// It tells that it acts by what it knows.
    fn take(&mut self, n: usize) {
        let used = calls(self.used(n));
        let told = take(&self.history(n), &did(n), self.machines[n].taken.as_ref(), |_, _| used, self.now);
        if told.is_some() {
            self.machines[n].taken = told;
        }
    }

    /// It gets the journal of another as that is now.
    fn hear(&mut self, n: usize, from: usize) {
        let copy = (self.machines[from].taken.clone(), self.machines[from].used.clone());
        self.machines[n].copies.insert(from, copy);
    }

    fn used(&self, n: usize) -> u64 {
        self.machines[n].used.get(&self.day()).copied().unwrap_or_default()
    }

    fn part(&self, n: usize) -> Part {
        let machine = &self.machines[n];
        let of = |taken: &Option<Taken>, used: &BTreeMap<String, u64>| Known {
            taken: taken.clone(),
            used: calls(used.get(&self.day()).copied().unwrap_or_default()),
            as_of: Some(Timestamp(0)),
        };
        let mut known: BTreeMap<Did, Known> = machine.copies.iter().map(|(n, (taken, used))| (did(*n), of(taken, used))).collect();
        known.insert(did(n), of(&machine.taken, &machine.used));
        part(&self.history(n), Scope::Org, &did(n), &known, self.now).unwrap()
    }

    /// It spends up to so many calls, as far as it may.
    fn spend(&mut self, n: usize, most: u64) -> u64 {
        let (part, day) = (self.part(n), self.day());
        let spent = part.budget().calls.saturating_sub(self.used(n)).min(most);
        if spent > 0 {
            let whole = self.whole.entry(day.clone()).or_default();
            *whole = (*whole).max(part.quota.calls.unwrap());
            *self.machines[n].used.entry(day).or_default() += spent;
        }
        spent
    }

    /// What all who are of the org used on each day is no more than there was.
    fn sound(&self) -> Result<(), String> {
        for (day, whole) in &self.whole {
            let of_org = self.machines.iter().filter(|machine| machine.gone.as_ref().is_none_or(|gone| gone >= day));
            let used: u64 = of_org.filter_map(|machine| machine.used.get(day)).sum();
            if used > *whole {
                return Err(format!("{used} of {whole} used on {day}"));
            }
        }
        Ok(())
    }

    /// Everybody hears of everything, and tells.
    fn settle(&mut self) {
        let all = self.machines.len();
        (0..all).for_each(|n| self.learn(n, usize::MAX));
        (0..all).for_each(|n| self.take(n));
        for n in 0..all {
            (0..all).filter(|from| *from != n).for_each(|from| self.hear(n, from));
        }
    }

    fn step(&mut self, (what, who, other, number): (u8, usize, usize, u64)) {
        let all = self.machines.len();
        let (who, other) = (who % all, other % all);
        match what {
            0 if all < 7 => self.join(),
            1 if all > 2 => self.remove(who),
            2 => self.shares(number),
            3 => self.set_whole(10 + number % 60),
            4 => self.now = self.now.plus_ms(DAY_MS.unsigned_abs() / (1 + number % 3)),
            5 | 6 => self.learn(who, 1 + usize::from(number & 1 == 0) * all),
            7 | 8 => self.take(who),
            9 | 10 if who != other => self.hear(who, other),
            11 => self.settle(),
            _ => {
                self.spend(who, number % 40);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Joins, removals, other shares, other quotas, new days, and news that come late, in any order.
    #[test]
    fn a_quota_is_never_overspent(
        whole in 1u64..60,
        devices in 1usize..4,
        steps in prop::collection::vec((0u8..18, any::<usize>(), any::<usize>(), any::<u64>()), 1..100),
    ) {
        let mut world = World::new(whole, devices);
        for step in steps {
            world.step(step);
            let sound = world.sound();
            prop_assert!(sound.is_ok(), "{sound:?}");
        }
    }

    /// Once everybody heard of everything, the next day gives each its share again, and the shares of equal parts are the whole.
    #[test]
    fn what_is_settled_gives_each_its_share(
        whole in 1u64..60,
        steps in prop::collection::vec((0u8..18, any::<usize>(), any::<usize>(), any::<u64>()), 1..60),
    ) {
        let mut world = World::new(whole, 3);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
        // What was removed counts until the end of the day on which that was noticed.
        world.now = world.now.plus_ms(DAY_MS.unsigned_abs());
        for n in 0..world.machines.len() {
            let part = world.part(n);
            prop_assert!(!part.is_short(), "{}", part.words());
        }
    }
}

#[test]
fn who_joins_when_all_is_spent_waits_for_the_next_day_or_a_larger_quota() {
    let mut world = World::new(6, 2);
    world.settle();
    assert_eq!((world.spend(0, 9), world.spend(1, 9)), (3, 3));
    world.join();
    world.settle();
    let part = world.part(2);
    assert_eq!((part.budget().calls, part.is_short()), (0, true));
    let words = part.words();
    for of in [
        "0 calls, and not an equal part for each of 3 devices, because laptop-0 still holds 3 calls (as of 1970-01-01 00:00 UTC)",
        "laptop-1",
    ] {
        assert!(words.contains(of), "{words}");
    }
    world.set_whole(12);
    world.settle();
    assert_eq!(world.part(2).budget().calls, 4);
    world.now = Timestamp(DAY_MS);
    world.set_whole(6);
    world.settle();
    assert_eq!((world.spend(2, 9), world.spend(0, 9), world.spend(1, 9)), (2, 2, 2));
}

#[test]
fn a_larger_share_waits_for_the_word_of_who_has_less_and_a_smaller_one_does_not() {
    let mut world = World::new(100, 2);
    world.settle();
    world.change(|division| division.quotas.shares = [(name(0), 90), (name(1), 10)].into());
    world.learn(0, 1);
    world.take(0);
    assert_eq!(world.part(0).budget().calls, 50, "the other may not know it yet, and spends up to 50");
    assert!(world.part(0).words().contains("laptop-1 still holds 50 calls"), "{}", world.part(0).words());
    world.learn(1, 1);
    assert_eq!(world.part(1).budget().calls, 10, "less counts at once");
    world.take(1);
    world.hear(0, 1);
    assert_eq!(world.part(0).budget().calls, 90);
}

#[test]
fn a_device_that_was_removed_counts_until_the_end_of_the_day() {
    let mut world = World::new(90, 3);
    world.settle();
    world.remove(2);
    (0..2).for_each(|n| world.learn(n, 1));
    (0..2).for_each(|n| world.take(n));
    for (n, from) in [(0, 1), (1, 0)] {
        world.hear(n, from);
    }
    assert_eq!((world.part(0).budget().calls, world.spend(2, 99)), (30, 30), "it does not know");
    world.now = Timestamp(DAY_MS);
    assert_eq!(world.part(0).budget().calls, 45);
}

#[test]
fn a_new_device_with_the_name_of_one_that_is_gone_has_its_part_when_that_has_it_no_more() {
    let mut world = World::new(100, 2);
    world.change(|division| division.quotas.shares = [(name(0), 40), (name(1), 60)].into());
    world.settle();
    assert_eq!(world.spend(1, 50), 50);
    // Set up anew, with another key: removed, and listed by the same name.
    world.machines[1].gone = Some(world.day());
    world.change(|division| division.devices.retain(|device| device.did != did(1)));
    world.join();
    world.change(|division| division.devices[1].name = name(1));
    world.settle();
    assert_eq!((world.part(0).budget().calls, world.part(2).budget().calls), (40, 0), "{}", world.part(0).words());
    world.now = Timestamp(DAY_MS);
    assert_eq!((world.part(0).budget().calls, world.part(2).budget().calls), (40, 60));
}

#[test]
fn who_acts_by_a_revision_that_is_not_known_here_is_believed_what_it_was_given_by_those_that_are() {
    let mut world = World::new(100, 2);
    world.change(|division| division.quotas.shares = [(name(0), 60), (name(1), 40)].into());
    world.settle();
    world.change(|division| division.quotas.shares = [(name(0), 50), (name(1), 50)].into());
    world.learn(1, 1);
    world.take(1);
    world.hear(0, 1);
    assert_eq!(world.part(0).budget().calls, 50, "it said that it holds 50, as it did once before");
    assert_eq!(world.part(1).budget().calls, 40, "and it waits all the same");
}

#[test]
fn a_device_that_tells_that_it_used_more_than_it_was_given_keeps_nobody_from_their_share() {
    let mut world = World::new(90, 3);
    world.settle();
    world.now = Timestamp(DAY_MS);
    let day = world.day();
    world.machines[2].used.insert(day, 1_000);
    let word = Held { period: world.day(), share: calls(1_000), used: calls(1_000) };
    world.machines[2].taken.as_mut().unwrap().held.insert("org".into(), word);
    for known in [true, false] {
        if !known {
            // As if it acted by a revision of which nobody else knows.
            world.machines[2].taken.as_mut().unwrap().revision = "f".repeat(40).parse().unwrap();
        }
        world.hear(0, 2);
        let part = world.part(0);
        assert_eq!((part.budget().calls, part.is_short()), (30, false), "{}", part.words());
        let warning = part.warnings().remove("laptop-2");
        let told = "The device laptop-2 tells that it used 970 calls more than it was ever given";
        assert_eq!(warning.map(|warning| warning.contains(told)), known.then_some(true), "by a newer revision it may have more");
    }
    assert_eq!(world.spend(0, 99), 30);
}

#[test]
fn nobody_is_warned_of_a_device_that_hears_of_a_raised_quota_first() {
    let mut world = World::new(100, 2);
    world.settle();
    world.set_whole(400);
    world.learn(1, 1);
    world.take(1);
    world.hear(0, 1);
    assert!(world.part(0).warnings().is_empty(), "it holds more than is known here");
    world.learn(0, 1);
    world.take(0);
    world.hear(1, 0);
    assert_eq!(world.spend(1, 150), 150);
    world.machines[0].at -= 1;
    world.hear(0, 1);
    assert!(world.part(0).warnings().is_empty(), "it used more than is known here");
}

#[test]
fn what_was_used_before_there_was_a_limit_is_believed() {
    let mut world = World::new(90, 2);
    let quota = world.revisions[0].quotas.org;
    world.revisions.iter_mut().for_each(|division| division.quotas.org = None);
    world.change(|division| division.quotas.org = quota);
    world.settle();
    let day = world.day();
    world.machines[1].used.insert(day, 80);
    world.hear(0, 1);
    assert_eq!(world.part(0).budget().calls, 10, "this day began without a limit");
    assert!(world.part(0).warnings().is_empty());
}
