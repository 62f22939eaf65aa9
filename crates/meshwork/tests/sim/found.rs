//! What a requester does where a run that it gave up had ended with a patch: that is its end, and the next one is not begun.

use crate::{Fault, world::World};
use domain::{
    event::{Body, Event, Told, kind},
    fence,
    run::{Reason, Run, RunState},
};

impl World {
    /// Looks, when a run is about to be asked for, whether the one that it goes on from ended with a patch, by the copy of its device's
    /// journal. Takes that end over then, in place of asking anybody.
    pub fn takes_end(&mut self, at: usize, next: &Run) -> bool {
        let device = &self.devices[at];
        let Some(lost) = next.continues.as_ref().and_then(|id| device.run(id)) else { return false };
        let copy = lost.elsewhere(&device.did).and_then(|there| device.copies.get(&self.places[there]));
        let there: Option<Run> = copy.and_then(|copy| copy.get(kind::RUN, lost.id.as_str()));
        let (since, looks) = (self.since(at, &lost), self.settings.fault != Some(Fault::DoneAgain));
        let Some(there) = there.filter(|there| looks && fence::takes_end(&lost, there, &since)) else {
            self.oracle.asks_in_place_of(self.clock.now_ms(), at, &lost, &since);
            return false;
        };
        self.tally.found += 1;
        let (run, device) = (lost.id.clone(), there.device.clone().unwrap());
        let told = Told { device: device.clone(), seq: lost.told.map_or(0, |told| told.seq), heard_at: self.now() };
        let published = Body::PatchPublished {
            run: run.clone(),
            patch: there.patch.unwrap(),
            revision: there.revision.unwrap(),
            commit: there.commit.unwrap(),
        };
        let done = Body::RunMoved { run: run.clone(), to: RunState::Done, reason: Some(Reason::Completed) };
        let waiting = since.iter().filter(|next| next.state.waits());
        let reason = || Some(Reason::FoundDone { run: run.clone(), device: device.clone() });
        let cancelled = waiting.map(|next| Body::RunMoved { run: next.id.clone(), to: RunState::Cancelled, reason: reason() });
        let mut events: Vec<Event> = cancelled.map(|body| self.event(at, body)).collect();
        let by_device = |body| Event { actor: device.clone(), told: Some(told.clone()), ..self.event(at, body) };
        events.extend([published, done].map(by_device));
        self.write_events(at, &events, vec![]);
        true
    }

    /// The runs that were queued at the task of a run after it.
    fn since(&self, at: usize, run: &Run) -> Vec<Run> {
        let device = &self.devices[at];
        let own = run.task.as_ref().and_then(|task| device.claim(&task.to_string()));
        let runs = own.map(|own| own.claim.runs).unwrap_or_default();
        runs.iter().skip_while(|id| **id != run.id).skip(1).filter_map(|id| device.run(id)).collect()
    }
}
