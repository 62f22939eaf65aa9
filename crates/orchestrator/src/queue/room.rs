//! What admission finds of room for one request: enough, kept for others who stand in front, or taken by less important runs that can give
//! way.

use super::{Queue, asking};
use crate::{lending::guests::Owner, lifecycle, org::Org};
use domain::{
    Did, Problem, RunId, Timestamp,
    announcement::{self, GivesWay},
    capacity::Capacity,
    manifest::{Class, Manifest},
    placement::{self, Refusal, Request, Running, Waiting},
    run::{Reason, Run, RunState},
};
use std::{collections::BTreeMap, sync::Arc};

/// One request, and this device as it finds it.
pub(crate) struct Asks<'a> {
    pub(crate) queue: &'a Queue,
    /// What the member with a key is called.
    pub(crate) name: &'a dyn Fn(&Did) -> String,
    pub(crate) manifest: &'a Manifest,
    pub(crate) owner: &'a Owner,
    /// The runs that are on this device.
    pub(crate) here: &'a [Run],
    /// Who waits for its room, the first first.
    pub(crate) line: &'a [Waiting],
    /// What is free for the request beside these of the runs here.
    pub(crate) beside: &'a dyn Fn(&[&Run]) -> Capacity,
    pub(crate) now: Timestamp,
}

/// What there is for a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Enough.
    Room,
    /// What refuses it now, beside what its capacity does.
    Refused(Vec<Refusal>),
    /// Enough, once these runs gave way.
    GivesWay(Vec<RunId>),
}

impl Asks<'_> {
    /// Looks for room.
    pub(crate) fn look(&self) -> Found {
        let all: Vec<&Run> = self.here.iter().collect();
        let free = (self.beside)(&all);
        let ahead: Vec<Waiting> = self.line.iter().take_while(|other| other.run != self.manifest.run).cloned().collect();
        if placement::refusals(self.manifest, &free).is_empty() {
            return if self.kept(&ahead, &free) { Found::Refused(self.place()) } else { Found::Room };
        }
        // What ends anyway needs not be sent away.
        let stay: Vec<&Run> = self.here.iter().filter(|run| run.ending.is_none()).collect();
        let (member, avoid) = ((self.name)(&self.manifest.member), BTreeMap::new());
        let request = Request { manifest: self.manifest, member: &member, engine: None, readers: None, avoid: &avoid, at: self.now };
        match placement::victims(&request, &self.running(&stay), &(self.beside)(&stay)) {
            Some(runs) if !runs.is_empty() => {
                let rest: Vec<&Run> = stay.into_iter().filter(|run| !runs.contains(&run.id)).collect();
                // Who is less important and waits long gets the next room that becomes free by itself, and sends nobody away.
                let as_important = |other: &&Waiting| other.priority >= self.manifest.priority.steps();
                let before: Vec<Waiting> = ahead.iter().filter(as_important).cloned().collect();
                if self.kept(&before, &(self.beside)(&rest)) { Found::Refused(self.place()) } else { Found::GivesWay(runs) }
            }
            _ => {
                let to_it = |run: &&Run| matches!(&run.ending, Some(Reason::GaveWay { to, .. }) if *to == self.manifest.run);
                let leaving = self.here.iter().filter(to_it).count();
                Found::Refused(if leaving > 0 { vec![Refusal::MakesRoom { runs: leaving }] } else { self.place() })
            }
        }
    }

    /// Whether the room is kept for somebody in front.
    fn kept(&self, ahead: &[Waiting], free: &Capacity) -> bool {
        let kept = placement::keeps(ahead, self.manifest.resources, free, self.now, |first| self.queue.passed(first));
        if let Some(keeps) = &kept {
            self.queue.keeps(keeps);
        }
        kept.is_some()
    }

    /// Where it stands, if anybody else waits.
    fn place(&self) -> Vec<Refusal> {
        if self.line.len() < 2 {
            return vec![];
        }
        let told = super::told(self.queue, self.name, self.line, self.now);
        announcement::place_in(&told, &self.manifest.run).map(|place| Refusal::Queue { place }).into_iter().collect()
    }

    fn running(&self, stay: &[&Run]) -> Vec<Running> {
        let can = stay.iter().filter(|run| can_give_way(run));
        can.map(|run| Running {
            run: run.id.clone(),
            member: (self.name)(&run.member),
            guest: is_guest(self.owner, run),
            class: run.class,
            state: run.state,
            priority: run.standing(),
            started_at: run.started_at.unwrap_or(self.now),
            reserved: run.reserved.unwrap_or_default(),
        })
        .collect()
    }
}

/// Whether a run on this device can be sent away for another: checks are a part of other work, and what is being published is done.
fn can_give_way(run: &Run) -> bool {
    run.class != Class::Ci && run.ending.is_none() && run.state.holds_slot() && run.state < RunState::Publishing
}

/// Whether a run, none of checks, is a guest here.
pub(crate) fn is_guest(owner: &Owner, run: &Run) -> bool {
    owner.is_guest(run, |_| Ok(None)).unwrap_or(true)
}

/// What of these runs, which are on this device, gives way to more important work.
pub(crate) fn gives_way(owner: &Owner, here: &[Run]) -> GivesWay {
    let lowest = |guests: bool| here.iter().filter(|run| can_give_way(run) && is_guest(owner, run) == guests).map(Run::standing).min();
    GivesWay { guests: lowest(true), own: lowest(false) }
}

/// Sends runs away for a more important one, to which the room then belongs.
///
/// # Errors
/// When the journal cannot be written.
pub(crate) async fn make(org: &Arc<Org>, manifest: &Manifest, runs: &[RunId], now: Timestamp) -> Result<(), Problem> {
    if let Some(waiting) = asking(org, &org.remote.org(), manifest, now) {
        org.queue.made_for(waiting);
    }
    tracing::info!(run = %manifest.run, gives_way = ?runs, "less important runs give way");
    lifecycle::give_way(org, runs, &manifest.run, &manifest.member).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::admission::new_run;
    use domain::{
        capacity::{Lane, Resources, Runtime},
        manifest::Priority,
    };
    use serde_json::json;

    const CORES: u64 = 4;

    fn did(seed: u8) -> Did {
        identity::Key::from_seed(&[seed; 32]).did()
    }

    fn id(n: u32) -> RunId {
        format!("{n:026}").parse().unwrap()
    }

    fn cores(cores: u64) -> Resources {
        Resources { cpu_milli: cores * 1_000, ..Resources::default() }
    }

    /// A run of a member that works on the device with so many cores.
    fn run(n: u32, member: u8, priority: Priority, taken: u64) -> Run {
        let run = new_run(id(n), Class::Agent, "demo".parse().unwrap(), did(member), did(9), Timestamp(0));
        let started_at = Some(Timestamp(n.into()));
        Run { priority, state: RunState::Working, reserved: Some(cores(taken)), started_at, ..run }
    }

    fn manifest(n: u32, member: u8, priority: Priority, asked: u64) -> Manifest {
        let (commit, run) = ("a".repeat(40), id(n));
        let work = json!({"kind": "checks", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "project": "demo", "commit": commit,
            "definitions": commit});
        let manifest = json!({"version": 1, "org": "acme", "run": run, "requester": did(9), "member": did(member), "at": 0, "expires": 1,
            "class": "agent", "work": work, "resources": cores(asked), "limits": {}, "priority": priority});
        serde_json::from_value(manifest).unwrap()
    }

    fn waiting(n: u32, member: u8, priority: i32, asked: u64) -> Waiting {
        Waiting { run: id(n), member: did(member), class: Class::Agent, priority, queued_at: Timestamp(n.into()), asked: cores(asked) }
    }

    /// What a request finds on a device of the first member with [`CORES`] cores, where so much runs and so many wait.
    fn found(manifest: &Manifest, here: &[Run], line: &[Waiting], queue: &Queue) -> Found {
        let beside = |stay: &[&Run]| {
            let taken: u64 = stay.iter().filter_map(|run| run.reserved).map(|taken| taken.cpu_milli).sum();
            Capacity {
                total: cores(CORES),
                free: Resources { cpu_milli: CORES * 1_000 - taken, ..Resources::default() },
                tags: BTreeMap::new(),
                gpus: vec![],
                runtimes: vec![Runtime::Local],
                classes: vec![Class::Agent],
                slots: 8,
                slots_free: 8,
                others: Lane::default(),
            }
        };
        let (owner, name) = (Owner::with_key(did(1)), |key: &Did| if *key == did(1) { "ada".to_owned() } else { key.to_string() });
        Asks { queue, name: &name, manifest, owner: &owner, here, line, beside: &beside, now: Timestamp(100) }.look()
    }

    #[test]
    fn the_more_important_displaces_the_less_important_as_far_as_needed_and_never_an_equal() {
        let (queue, normal) = (Queue::default(), Priority::Normal);
        let asks = |priority| manifest(50, 2, priority, 2);
        let line = [waiting(50, 2, 1, 2)];
        let here = [run(1, 3, Priority::Low, 2), run(2, 3, normal, 2)];
        assert_eq!(found(&asks(Priority::High), &here, &line, &queue), Found::GivesWay(vec![id(1)]));
        assert_eq!(found(&asks(normal), &here[1..], &line, &queue), Found::Room);
        let equals = [run(1, 3, normal, 2), run(2, 3, Priority::High, 2)];
        assert_eq!(found(&asks(normal), &equals, &line, &queue), Found::Refused(vec![]));
        // The owner's work stays for a guest's; and what gave way often stays.
        let owners = [run(1, 1, Priority::Low, 4)];
        assert_eq!(found(&asks(Priority::High), &owners, &line, &queue), Found::Refused(vec![]));
        assert_eq!(found(&manifest(50, 1, normal, 2), &owners, &line, &queue), Found::GivesWay(vec![id(1)]));
        let often = [Run { gave_way: 2, ..run(1, 3, Priority::Low, 4) }];
        assert_eq!(found(&asks(Priority::High), &often, &line, &queue), Found::Refused(vec![]));
        let published = [Run { state: RunState::Publishing, ..run(1, 3, Priority::Low, 4) }];
        assert_eq!(found(&asks(Priority::High), &published, &line, &queue), Found::Refused(vec![]));
    }

    #[test]
    fn what_ends_already_is_waited_for_and_nothing_more_is_displaced() {
        let asks = manifest(50, 2, Priority::High, 2);
        let to_it = Reason::GaveWay { to: id(50), member: did(2) };
        let here = [Run { ending: Some(to_it), ..run(1, 3, Priority::Low, 2) }, run(2, 3, Priority::Low, 2)];
        let line = [waiting(50, 2, 1, 2)];
        assert_eq!(found(&asks, &here, &line, &Queue::default()), Found::Refused(vec![Refusal::MakesRoom { runs: 1 }]));
    }

    #[test]
    fn room_is_left_to_who_is_in_front_and_only_as_important_ones_keep_others_from_displacing() {
        let (queue, line) = (Queue::default(), [waiting(40, 1, 0, 4), waiting(50, 2, 0, 2)]);
        let Found::Refused(reasons) = found(&manifest(50, 2, Priority::Normal, 2), &[], &line, &queue) else { unreachable!("kept") };
        assert!(
            matches!(reasons.as_slice(), [Refusal::Queue { place }] if place.text().starts_with("2nd of 2 in its queue: a run of ada"))
        );
        assert_eq!(found(&manifest(40, 1, Priority::Normal, 4), &[], &line, &queue), Found::Room);
        let here = [run(1, 3, Priority::Low, 4)];
        let aged = [waiting(40, 1, 0, 4), waiting(50, 2, 1, 2)];
        assert_eq!(found(&manifest(50, 2, Priority::High, 2), &here, &aged, &queue), Found::GivesWay(vec![id(1)]));
        let equals = [waiting(40, 1, 1, 4), waiting(50, 2, 1, 2)];
        assert!(matches!(found(&manifest(50, 2, Priority::High, 2), &here, &equals, &queue), Found::Refused(_)));
    }

    #[test]
    fn a_device_tells_how_important_the_least_important_of_its_runs_is() {
        let checks = Run { class: Class::Ci, ..run(4, 3, Priority::Low, 1) };
        let here = [run(1, 3, Priority::High, 1), run(2, 3, Priority::Normal, 1), run(3, 1, Priority::Low, 1), checks];
        let told = gives_way(&Owner::with_key(did(1)), &here);
        assert_eq!(told, GivesWay { guests: Some(0), own: Some(-1) });
        assert!(told.to(&manifest(9, 2, Priority::High, 1), false) && !told.to(&manifest(9, 2, Priority::Normal, 1), false));
        assert!(told.to(&manifest(9, 1, Priority::Normal, 1), true));
    }
}
