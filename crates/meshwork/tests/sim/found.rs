//! What a requester does where a run that it gave up had ended with a patch: that is its end, and the next one is not begun. Both
//! `domain::fence` decides.

use crate::{Fault, world::World};
use domain::{
    Did,
    event::{Event, Told, kind},
    fence,
    run::Run,
};

impl World {
    /// Looks, when a run is about to be asked for, whether the one that it goes on from ended with a patch, by the copy of its device's
    /// journal. Takes that end over then, in place of asking anybody.
    pub fn takes_end(&mut self, at: usize, next: &Run) -> bool {
        let device = &self.devices[at];
        let Some(lost) = next.continues.as_ref().and_then(|id| device.run(id)) else { return false };
        let executor = lost.elsewhere(&device.did).filter(|_| self.settings.fault != Some(Fault::DoneAgain)).cloned();
        let copied = |executor: &Did| device.copies.get(&self.places[executor])?.get::<Run>(kind::RUN, lost.id.as_str());
        let (there, since) = (executor.as_ref().and_then(copied), self.since(at, &lost));
        let end = executor.zip(there).and_then(|(executor, there)| Some((fence::take_end(&lost, &executor, &there, &since)?, executor)));
        let Some((end, executor)) = end else {
            self.oracle.asks_in_place_of(self.clock.now_ms(), at, &lost, &since);
            return false;
        };
        self.tally.found += 1;
        let told = Told { device: executor.clone(), seq: lost.told.map_or(0, |told| told.seq), heard_at: self.now() };
        let by_executor = |body| Event { actor: executor.clone(), told: Some(told.clone()), ..self.event(at, body) };
        let own = end.own.into_iter().map(|body| self.event(at, body));
        let events: Vec<Event> = own.chain(end.told.into_iter().map(by_executor)).collect();
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
