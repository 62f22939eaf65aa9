//! The queue of this device: which of the runs that wait for its room get it first, whoever asks for them.
//!
//! Nothing of it is in the journal. Each device announces the runs that it has waiting for others (`domain::announcement`). The one of
//! whose room they wait sorts them in with its own (`domain::placement::order`), announces the order, and its admission keeps room for
//! those in front (`room`). Its clock alone says how long somebody waits here.

pub(crate) mod room;

use crate::{admission::DeviceLimits, clock, limits, org::Org, remote};
use domain::{
    Did, Problem, RunId, Timestamp,
    announcement::{Queued, WaitingRun},
    event::kind,
    limits::{ANNOUNCED_QUEUE_MAX, ANNOUNCED_WAITING_MAX, ANNOUNCED_WAITS_AT_MAX},
    manifest::{Class, Manifest},
    pauses::Pauses,
    placement::{self, Ahead, Behind, Keeps, Refusal, Share, Waiting},
    run::{Reason, Run},
};
use forge::OrgState;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// What is remembered of the queue. A restart loses it, and it is known again as soon as everybody was heard.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Something that this device announces of it may have changed.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Runs of this device that wait for room, here or elsewhere.
    own: BTreeMap<RunId, WaitingRun>,
    /// Since when others' runs are known to wait here.
    heard: BTreeMap<RunId, Timestamp>,
    /// For whom room is kept.
    turns: BTreeMap<RunId, Turn>,
    /// For which members room was kept that none of their runs came for.
    missed: BTreeMap<Did, Missed>,
    /// For whom others gave way.
    made: BTreeMap<RunId, (Instant, Waiting)>,
    /// When a device without room was asked to make some for a run.
    asked: BTreeMap<(RunId, Did), Instant>,
    /// Which device said last, and when, that others give way to a run there.
    makes: BTreeMap<RunId, (Did, Instant)>,
    /// What members' runs take of this device, as it was counted last.
    shares: Option<(Instant, Vec<Share>)>,
}

/// Room that is kept for a run.
#[derive(Debug)]
struct Turn {
    begun: Instant,
    /// Since when it is so, enough or not.
    since: Instant,
    gathers: bool,
}

impl Turn {
    fn new(gathers: bool) -> Self {
        Self { begun: Instant::now(), since: Instant::now(), gathers }
    }

    fn lasts(&self) -> Duration {
        if self.gathers { limits::ROOM_GATHERED } else { limits::ROOM_KEPT }
    }

    /// Whether it did not come for the room. After a while it gets another chance.
    fn passed(&self) -> bool {
        let longest = limits::ROOM_GATHERED + limits::ROOM_KEPT;
        (self.since.elapsed() > self.lasts() || self.begun.elapsed() > longest) && !self.is_old()
    }

    fn is_old(&self) -> bool {
        self.since.elapsed() > self.lasts() * 3
    }
}

/// Turns of a member's runs, since one of them came for its room last. Whoever announces runs that never come, under however many names,
/// holds room ever more seldom.
#[derive(Debug)]
struct Missed {
    turns: u32,
    /// No further turn begins before.
    until: Instant,
}

impl Missed {
    /// With one more turn, which begins now; one for which room is gathered keeps much from others, and counts as several.
    fn with(known: Option<&Self>, turn: &Turn) -> Self {
        let more = if turn.gathers { limits::ROOM_TURNS } else { 1 };
        let turns = known.map_or(0, |known| known.turns).saturating_add(more);
        let rests = match turns.checked_sub(limits::ROOM_TURNS) {
            Some(beyond) => Pauses::new(turn.lasts() * 2, limits::ROOM_RESTS_MAX).after(beyond),
            None => Duration::ZERO,
        };
        Self { turns, until: turn.begun + turn.lasts() + rests }
    }

    fn rests(&self) -> bool {
        self.turns >= limits::ROOM_TURNS && Instant::now() < self.until
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a run of this device waits for the room of these devices; none: for nobody's.
    pub(crate) fn waits(&self, run: &Run, manifest: &Manifest, mut at: Vec<Did>) {
        if at.is_empty() {
            return self.waits_otherwise(&run.id);
        }
        at.truncate(ANNOUNCED_WAITS_AT_MAX);
        let waiting = WaitingRun {
            run: run.id.clone(),
            member: run.member.clone(),
            class: run.class,
            priority: run.priority,
            gave_way: run.gave_way,
            asked: manifest.resources,
            at,
        };
        if self.state().own.insert(run.id.clone(), waiting.clone()).as_ref() != Some(&waiting) {
            self.changed.notify_one();
        }
    }

    /// Notes that a run waits for nobody's room: for something else, which may last.
    pub(crate) fn waits_otherwise(&self, run: &RunId) {
        if self.state().own.remove(run).is_some() {
            self.changed.notify_one();
        }
    }

    /// Forgets whatever does not wait any more.
    pub(crate) fn only(&self, waits: impl Fn(&RunId) -> bool) {
        let mut state = self.state();
        let before = state.own.len();
        state.own.retain(|run, _| waits(run));
        if state.own.len() != before {
            self.changed.notify_one();
        }
        state.asked.retain(|(run, _), _| waits(run));
        state.makes.retain(|run, _| waits(run));
        state.turns.retain(|_, turn| !turn.is_old());
        state.missed.retain(|_, missed| missed.until.elapsed() < limits::ROOM_RESTS_MAX);
        state.made.retain(|_, (since, _)| since.elapsed() < limits::ROOM_MADE_FOR);
    }

    /// Notes what a device said to a run: where others give way to it, no further device is asked for the same.
    pub(crate) fn said(&self, run: &RunId, device: &Did, reasons: &[Refusal]) {
        if Refusal::makes_room(reasons) {
            self.state().makes.insert(run.clone(), (device.clone(), Instant::now()));
        }
    }

    /// Whether a device may be asked now to make room for a run: not again and again, and not while another does so. Notes that it is.
    pub(crate) fn may_ask_for_room(&self, run: &RunId, device: &Did) -> bool {
        let (mut state, key) = (self.state(), (run.clone(), device.clone()));
        if state.makes.get(run).is_some_and(|(there, since)| there != device && since.elapsed() < limits::ROOM_MADE_FOR) {
            return false;
        }
        if state.asked.get(&key).is_some_and(|since| since.elapsed() < limits::ROOM_ASKED_EVERY) {
            return false;
        }
        state.asked.insert(key, Instant::now());
        true
    }

    /// Whether no room is kept for a run: it did not come for it before, or its member's runs did so too often. What others gave way to
    /// has its turn in any case.
    fn passed(&self, first: &Waiting) -> bool {
        let state = self.state();
        match state.turns.get(&first.run).filter(|turn| !turn.is_old()) {
            Some(turn) => turn.passed(),
            None => !state.made.contains_key(&first.run) && state.missed.get(&first.member).is_some_and(Missed::rests),
        }
    }

    /// Notes that room is kept for a run.
    fn keeps(&self, keeps: &Keeps) {
        let mut state = self.state();
        if let Some(turn) = state.turns.get_mut(&keeps.run).filter(|turn| !turn.is_old()) {
            // Now that there is enough it has a moment to come for it.
            if turn.gathers && !keeps.gathers {
                turn.since = Instant::now();
            }
            turn.gathers = keeps.gathers;
            return;
        }
        let turn = Turn::new(keeps.gathers);
        let missed = Missed::with(state.missed.get(&keeps.member), &turn);
        state.missed.insert(keeps.member.clone(), missed);
        state.turns.insert(keeps.run.clone(), turn);
    }

    /// Notes that others give way to a run: the room is its own.
    fn made_for(&self, run: Waiting) {
        self.state().made.insert(run.run.clone(), (Instant::now(), run));
    }

    /// Forgets a run that got its room, and what its member's runs missed.
    fn served(&self, run: &RunId, member: Option<&Did>) {
        let mut state = self.state();
        if let Some(member) = member {
            state.missed.remove(member);
        }
        state.turns.remove(run);
        state.made.remove(run);
        state.heard.remove(run);
    }

    /// While runs that give way are being saved and ended here, the room that they will leave stays promised, however long that takes.
    fn still_made_for(&self, active: &[Run]) {
        let mut state = self.state();
        for run in active.iter().filter(|run| run.state.holds_slot()) {
            if let Some(Reason::GaveWay { to, .. }) = &run.ending
                && let Some((since, _)) = state.made.get_mut(to)
            {
                *since = Instant::now();
            }
        }
    }

    /// Puts those in front for whom others gave way.
    fn made_first(&self, waiting: &mut Vec<Waiting>) {
        let state = self.state();
        for (since, made) in state.made.values() {
            if since.elapsed() >= limits::ROOM_MADE_FOR {
                continue;
            }
            let known = waiting.iter().position(|other| other.run == made.run).map(|at| waiting.remove(at));
            waiting.insert(0, known.unwrap_or_else(|| made.clone()));
        }
    }

    fn is_made_for(&self, run: &RunId) -> bool {
        self.state().made.contains_key(run)
    }

    /// The runs of this device that wait for others, as those are told of them.
    pub(crate) fn announced(&self, here: &Did) -> Vec<WaitingRun> {
        let state = self.state();
        let elsewhere = state.own.values().filter(|waiting| waiting.at.iter().any(|device| device != here));
        let mut told: Vec<WaitingRun> = elsewhere.cloned().collect();
        told.sort_by_key(|waiting| (Reverse(waiting.priority.after(waiting.gave_way)), waiting.run.clone()));
        told.truncate(ANNOUNCED_WAITING_MAX);
        told
    }
}

/// The runs that wait for room of this device, the first first. `active` are those that have not ended; `asks` is one that asks just now.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn line(org: &Org, active: &[Run], asks: Option<&Manifest>) -> Result<Vec<Waiting>, Problem> {
    let (state, now) = (org.remote.org(), clock::now());
    let mut waiting = heard(org, &state, now)?;
    waiting.extend(own(org, &state, active));
    if let Some(manifest) = asks.filter(|manifest| !waiting.iter().any(|other| other.run == manifest.run)) {
        waiting.extend(asking(org, &state, manifest, now));
    }
    if waiting.len() > 1 {
        let shares = shares(org, &state, active, now)?;
        placement::order(&mut waiting, &shares, DeviceLimits::of(org).total(), now);
    }
    org.queue.still_made_for(active);
    org.queue.made_first(&mut waiting);
    Ok(waiting)
}

/// Whether nobody but a run that asks just now waits for room of this device, as far as is known: then there is no line to be made.
pub(crate) fn is_alone(org: &Org, run: &RunId) -> bool {
    let nobody_else = {
        let state = org.queue.state();
        state.made.is_empty() && state.own.keys().all(|other| other == run)
    };
    nobody_else && remote::waiting_here(org).iter().all(|(_, other)| other.run == *run)
}

/// Notes that a run got its room.
pub(crate) fn served(org: &Org, manifest: &Manifest) {
    let member = whose(org, &org.remote.org(), &manifest.member).filter(|_| manifest.class != Class::Ci);
    org.queue.served(&manifest.run, member.as_ref());
}

/// A line as it is told to people and to other devices. `name` says what the member with a key is called.
pub(crate) fn told(queue: &Queue, name: &dyn Fn(&Did) -> String, line: &[Waiting], now: Timestamp) -> Vec<Queued> {
    let behind = |first: &Waiting, next: &Waiting| {
        let made = first.priority > next.priority && queue.is_made_for(&first.run);
        Behind { member: name(&first.member), why: if made { Ahead::Priority } else { next.behind(first, now) } }
    };
    let front = [None].into_iter().chain(line.iter().map(Some));
    let each = front.zip(line).map(|(first, next)| Queued { run: next.run.clone(), behind: first.map(|first| behind(first, next)) });
    each.take(ANNOUNCED_QUEUE_MAX).collect()
}

/// What the member with a key is called.
pub(crate) fn name(state: &OrgState, key: &Did) -> String {
    state.member_of(key).map_or_else(|| key.to_string(), |member| member.name.clone())
}

/// Sorts the runs of this device that wait, the one to be placed first in front: checks, which are a part of work that is begun already,
/// and then by the queue.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn sort(org: &Org, runs: Vec<Run>, active: &[Run]) -> Result<Vec<Run>, Problem> {
    let (mut checks, work): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.class == Class::Ci);
    checks.sort_by(|a, b| (a.queued_at, &a.id).cmp(&(b.queued_at, &b.id)));
    if work.len() > 1 {
        let (state, now) = (org.remote.org(), clock::now());
        let asked: HashMap<RunId, _> = org.queue.state().own.iter().map(|(run, waiting)| (run.clone(), waiting.asked)).collect();
        let mut line: Vec<Waiting> = work
            .iter()
            .map(|run| Waiting {
                run: run.id.clone(),
                member: whose(org, &state, &run.member).unwrap_or_else(|| run.member.clone()),
                class: run.class,
                priority: run.standing(),
                queued_at: run.queued_at,
                asked: asked.get(&run.id).copied().unwrap_or_default(),
            })
            .collect();
        placement::order(&mut line, &shares(org, &state, active, now)?, DeviceLimits::of(org).total(), now);
        let mut by_id: HashMap<RunId, Run> = work.into_iter().map(|run| (run.id.clone(), run)).collect();
        checks.extend(line.iter().filter_map(|waiting| by_id.remove(&waiting.run)));
    } else {
        checks.extend(work);
    }
    Ok(checks)
}

/// One key for all that a member asks for here, whichever device of theirs it comes from; none: the org does not list them.
fn whose(org: &Org, state: &OrgState, key: &Did) -> Option<Did> {
    let keys = &state.member_of(key)?.keys;
    keys.iter().find(|key| key.device == org.device).or_else(|| keys.first()).map(|key| key.did.clone())
}

/// Other devices' runs that wait for this one, as those devices announce it in the names of members with a key on them.
fn heard(org: &Org, state: &OrgState, now: Timestamp) -> Result<Vec<Waiting>, Problem> {
    let mut found = Vec::new();
    for (device, waiting) in remote::waiting_here(org) {
        let listed = state.member_of(&waiting.member).is_some_and(|m| m.keys.iter().any(|k| k.did == waiting.member && k.device == device));
        let Some(member) = whose(org, state, &waiting.member).filter(|_| listed && waiting.class != Class::Ci) else { continue };
        // What was leased here meanwhile waits no more, whatever its device said last; and nobody waits under the name of another's run.
        let known: Option<Run> = org.store.get(kind::RUN, waiting.run.as_str())?;
        if known.is_some_and(|run| !run.state.waits() || run.requester != device) {
            continue;
        }
        found.push(Waiting {
            run: waiting.run,
            member,
            class: waiting.class,
            priority: waiting.priority.after(waiting.gave_way),
            queued_at: now,
            asked: waiting.asked,
        });
    }
    let told: BTreeSet<RunId> = found.iter().map(|waiting| waiting.run.clone()).collect();
    let mut remembered = org.queue.state();
    remembered.heard.retain(|run, _| told.contains(run));
    for waiting in &mut found {
        waiting.queued_at = *remembered.heard.entry(waiting.run.clone()).or_insert(now);
    }
    Ok(found)
}

/// Runs of this device that wait for its own room.
fn own(org: &Org, state: &OrgState, active: &[Run]) -> Vec<Waiting> {
    let remembered = org.queue.state();
    let here = remembered.own.values().filter(|waiting| waiting.class != Class::Ci && waiting.at.contains(&org.device));
    here.filter_map(|waiting| {
        let run = active.iter().find(|run| run.id == waiting.run && run.state.waits())?;
        Some(Waiting {
            run: run.id.clone(),
            member: whose(org, state, &run.member)?,
            class: run.class,
            priority: run.standing(),
            queued_at: run.queued_at,
            asked: waiting.asked,
        })
    })
    .collect()
}

/// A run that asks for room just now.
fn asking(org: &Org, state: &OrgState, manifest: &Manifest, now: Timestamp) -> Option<Waiting> {
    let queued: Option<Run> = org.store.get(kind::RUN, manifest.run.as_str()).ok().flatten();
    Some(Waiting {
        run: manifest.run.clone(),
        member: whose(org, state, &manifest.member)?,
        class: manifest.class,
        priority: manifest.standing(),
        queued_at: queued.map_or(now, |run| run.queued_at),
        asked: manifest.resources,
    })
}

/// What members' runs take of this device, and took lately.
fn shares(org: &Org, state: &OrgState, active: &[Run], now: Timestamp) -> Result<Vec<Share>, Problem> {
    if let Some((since, shares)) = &org.queue.state().shares
        && since.elapsed() < limits::SHARES_COUNTED_EVERY
    {
        return Ok(shares.clone());
    }
    let mut runs = org.runs(limits::SHARES_RUNS_MAX)?;
    let older = active.iter().filter(|run| !runs.iter().any(|known| known.id == run.id)).cloned().collect::<Vec<_>>();
    runs.extend(older);
    let of_run = |run: &Run| {
        let (taken, from) = (run.reserved?, run.started_at?);
        let member = whose(org, state, &run.member)?;
        Some(Share::of_run(member, run.class, taken, from, run.ended_at, now))
    };
    let here = |run: &&Run| run.device.as_ref() == Some(&org.device) && run.class != Class::Ci;
    let shares: Vec<Share> = runs.iter().filter(here).filter_map(of_run).collect();
    org.queue.state().shares = Some((Instant::now(), shares.clone()));
    Ok(shares)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{capacity::Resources, manifest::Priority, run::RunState};

    fn run(n: u32) -> RunId {
        format!("{n:026}").parse().unwrap()
    }

    fn did(seed: u8) -> Did {
        identity::Key::from_seed(&[seed; 32]).did()
    }

    fn waiting(n: u32, priority: i32) -> Waiting {
        let asked = Resources { cpu_milli: 1_000, ..Resources::default() };
        Waiting { run: run(n), member: did(1), class: Class::Agent, priority, queued_at: Timestamp(0), asked }
    }

    #[test]
    fn whoever_others_gave_way_to_comes_first_until_it_was_served() {
        let queue = Queue::default();
        queue.made_for(waiting(3, 1));
        let order = |queue: &Queue| {
            let mut line = vec![waiting(1, 5), waiting(2, 0)];
            queue.made_first(&mut line);
            line.into_iter().map(|waiting| waiting.run).collect::<Vec<_>>()
        };
        assert_eq!(order(&queue), [run(3), run(1), run(2)], "also before its device announced that it waits");
        queue.served(&run(3), None);
        assert_eq!(order(&queue), [run(1), run(2)]);
    }

    #[test]
    fn room_stays_promised_while_those_that_give_way_still_leave() {
        let queue = Queue::default();
        queue.made_for(waiting(3, 1));
        queue.state().made.get_mut(&run(3)).unwrap().0 = Instant::now().checked_sub(limits::ROOM_MADE_FOR * 2).unwrap();
        let first = |queue: &Queue| {
            let mut line = vec![waiting(1, 5)];
            queue.made_first(&mut line);
            line[0].run.clone()
        };
        assert_eq!(first(&queue), run(1));
        let plain = crate::admission::new_run(run(9), Class::Agent, "demo".parse().unwrap(), did(2), did(2), Timestamp(0));
        let leaving = Run { ending: Some(Reason::GaveWay { to: run(3), member: did(1) }), state: RunState::Working, ..plain };
        queue.still_made_for(&[leaving]);
        assert_eq!(first(&queue), run(3));
    }

    #[test]
    fn a_device_is_not_asked_for_the_same_room_again_and_again() {
        let queue = Queue::default();
        assert!(queue.may_ask_for_room(&run(1), &did(1)));
        assert!(!queue.may_ask_for_room(&run(1), &did(1)));
        assert!(queue.may_ask_for_room(&run(1), &did(2)) && queue.may_ask_for_room(&run(2), &did(1)));
        queue.only(|_| false);
        assert!(queue.may_ask_for_room(&run(1), &did(1)), "it waited no more in between");
    }

    #[test]
    fn while_one_device_makes_room_no_other_is_asked_to() {
        let queue = Queue::default();
        queue.said(&run(1), &did(1), &[Refusal::NoSlot { slots: 1 }]);
        assert!(queue.may_ask_for_room(&run(1), &did(2)));
        queue.said(&run(1), &did(1), &[Refusal::NoSlot { slots: 1 }, Refusal::MakesRoom { runs: 1 }]);
        assert!(!queue.may_ask_for_room(&run(1), &did(3)) && queue.may_ask_for_room(&run(1), &did(1)));
        assert!(queue.may_ask_for_room(&run(2), &did(3)), "that concerns one run alone");
        queue.only(|_| false);
        assert!(queue.may_ask_for_room(&run(1), &did(3)));
    }

    #[test]
    fn others_are_told_of_the_most_urgent_that_wait_for_them() {
        let told = |n: u32, priority, at: Vec<Did>| {
            let asked = Resources::default();
            (run(n), WaitingRun { run: run(n), member: did(1), class: Class::Agent, priority, gave_way: 0, asked, at })
        };
        let queue = Queue::default();
        queue.state().own = [
            told(1, Priority::Low, vec![did(2)]),
            told(2, Priority::High, vec![did(1), did(2)]),
            told(3, Priority::High, vec![did(1)]),
            told(4, Priority::Normal, vec![did(2)]),
        ]
        .into();
        let runs: Vec<RunId> = queue.announced(&did(1)).into_iter().map(|waiting| waiting.run).collect();
        assert_eq!(runs, [run(2), run(4), run(1)]);
    }

    #[test]
    fn room_is_kept_for_a_while_and_then_again_later() {
        let turn = |gathers, age: Duration| {
            let since = Instant::now().checked_sub(age).unwrap();
            Turn { begun: since, since, gathers }
        };
        assert!(!turn(false, Duration::ZERO).passed());
        assert!(turn(false, limits::ROOM_KEPT * 2).passed());
        assert!(!turn(false, limits::ROOM_KEPT * 4).passed());
        assert!(!turn(true, limits::ROOM_KEPT * 2).passed());
        let begun = Instant::now().checked_sub(limits::ROOM_GATHERED * 2).unwrap();
        assert!(Turn { begun, ..turn(false, Duration::ZERO) }.passed(), "whatever it asks for now and then");
    }

    /// Keeps room for a run of the member, and lets its turn be over.
    fn misses(queue: &Queue, n: u32, gathers: bool) {
        let waits = waiting(n, 0);
        queue.keeps(&Keeps { place: 0, run: waits.run.clone(), member: waits.member, gathers });
        let mut state = queue.state();
        let turn = state.turns.get_mut(&waits.run).unwrap();
        turn.since = turn.since.checked_sub(turn.lasts() * 4).unwrap();
    }

    #[test]
    fn for_runs_that_never_come_room_is_kept_ever_more_seldom_under_whatever_name() {
        let queue = Queue::default();
        let rests = |queue: &Queue| {
            let until = queue.state().missed[&did(1)].until;
            until.saturating_duration_since(Instant::now() + limits::ROOM_KEPT)
        };
        for n in 0..limits::ROOM_TURNS {
            assert!(!queue.passed(&waiting(n, 0)), "{n}");
            misses(&queue, n, false);
        }
        assert!((0..9).all(|n| queue.passed(&waiting(n, 0))), "also those that it had not announced before");
        assert!(!queue.passed(&Waiting { member: did(2), ..waiting(20, 0) }), "others are not concerned");
        let first = rests(&queue);
        misses(&queue, 7, false);
        assert!(rests(&queue) > first + limits::ROOM_KEPT);
        (10..30).for_each(|n| misses(&queue, n, false));
        assert!(rests(&queue) <= limits::ROOM_RESTS_MAX);
        // What others gave way to is not passed over; and whoever comes has a clean sheet.
        queue.made_for(waiting(8, 1));
        assert!(!queue.passed(&waiting(8, 1)) && queue.passed(&waiting(9, 0)));
        queue.served(&run(9), Some(&did(1)));
        assert!(!queue.passed(&waiting(9, 0)));
        misses(&queue, 40, true);
        assert!(queue.passed(&waiting(9, 0)), "gathering keeps more from others");
    }

    #[test]
    fn a_run_that_waits_for_something_else_is_announced_to_nobody() {
        let queue = Queue::default();
        let asked = Resources::default();
        let class = Class::Agent;
        let waits = WaitingRun { run: run(1), member: did(1), class, priority: Priority::Normal, gave_way: 0, asked, at: vec![did(2)] };
        queue.state().own.insert(run(1), waits);
        assert_eq!(queue.announced(&did(1)).len(), 1);
        queue.waits_otherwise(&run(1));
        assert!(queue.announced(&did(1)).is_empty());
    }
}
