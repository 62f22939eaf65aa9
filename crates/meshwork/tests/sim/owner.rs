//! Owners who want their machines back, and lend them again: `domain::lend` says whose a machine is then, `domain::run` who has to go.
//! Guests are ended at once, and none is taken; that a device does not announce it in time is what always happens here.

use crate::{Fault, device::Device, world::World};
use domain::{
    lend::{Click, Condition, LendPolicy, LocalTime, Reclaim, stance},
    run::{EndAsked, Reason, Run},
};

impl Device {
    /// Why it is its owner's alone; none: it takes guests.
    pub fn reclaimed(&self) -> Option<Reclaim> {
        let monday = LocalTime { weekday: 0, minute: 0 };
        stance(&LendPolicy::default(), &Condition::default(), self.click.as_ref(), monday)
    }
}

impl World {
    /// The owner of a device wants it for themselves.
    pub fn reclaim(&mut self, at: usize) {
        self.tally.reclaims += 1;
        self.devices[at].click = Some(Click::Reclaimed { until: None });
        self.oracle.reclaimed(self.clock.now_ms(), at);
        if self.devices[at].up {
            self.send_guests_away(at);
        }
    }

    /// Its owner lends it again.
    pub fn lend(&mut self, at: usize) {
        self.devices[at].click = None;
        self.oracle.lent(at);
    }

    /// Ends guests that run here, or are about to, while the device is its owner's alone. What is being published is past that.
    pub fn send_guests_away(&mut self, at: usize) {
        let device = &self.devices[at];
        let Some(why) = device.reclaimed().filter(|_| self.settings.fault != Some(Fault::GuestsStay)) else { return };
        let reason = Reason::Evicted { message: why.text() };
        let guest = |run: &Run| run.requester != device.did && run.device.as_ref() == Some(&device.did);
        let leaves = |run: &Run| guest(run) && EndAsked::of(run, &reason) == Some(EndAsked::Ending);
        let leaving: Vec<Run> = device.active().into_iter().filter(leaves).collect();
        for run in leaving {
            self.end(at, &run.id, reason.ends_as(), reason.clone());
        }
    }
}
