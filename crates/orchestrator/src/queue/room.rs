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
use forge::OrgState;
use std::{collections::BTreeMap, sync::Arc};

/// One request, and this device as it finds it.
pub(crate) struct Asks<'a> {
    pub(crate) org: &'a Org,
    pub(crate) state: &'a OrgState,
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
        match placement::victims(&self.request(&BTreeMap::new()), &self.running(&stay), &(self.beside)(&stay)) {
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
        let queue: &Queue = &self.org.queue;
        let kept = placement::keeps(ahead, self.manifest.resources, free, self.now, |run| queue.passed(run));
        if let Some(keeps) = &kept {
            queue.keeps(keeps);
        }
        kept.is_some()
    }

    /// Where it stands, if anybody else waits.
    fn place(&self) -> Vec<Refusal> {
        if self.line.len() < 2 {
            return vec![];
        }
        let told = super::told(self.org, self.state, self.line);
        announcement::place_in(&told, &self.manifest.run).map(|place| Refusal::Queue { place }).into_iter().collect()
    }

    fn request<'r>(&'r self, nobody: &'r BTreeMap<Did, placement::Avoid>) -> Request<'r> {
        let member = self.state.member_of(&self.manifest.member).map_or("", |member| member.name.as_str());
        Request { manifest: self.manifest, member, engine: None, readers: None, avoid: nobody, at: self.now }
    }

    fn running(&self, stay: &[&Run]) -> Vec<Running> {
        let can = stay.iter().filter(|run| can_give_way(run));
        can.map(|run| Running {
            run: run.id.clone(),
            member: self.state.member_of(&run.member).map(|member| member.name.clone()).unwrap_or_default(),
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
