//! What a device does for the runs that it asked for and another executes: it follows them, and `domain::follow` says when it gives one up.

use crate::{
    Fault,
    device::Following,
    message::{Facts, Message, Then, Timer},
    requester::LEASE_MS,
    world::World,
};
use domain::{
    RunId,
    event::{Body, Event, Told},
    fence,
    follow::{self, Came, GivenUp},
    lease::Reached,
    run::Run,
};

/// How long facts are waited for, in milliseconds.
const WATCH_MS: u64 = 4_000;
/// For how long a device says that it does not have a run until that is given up, in milliseconds.
const RUN_MISSING_MS: u64 = 60_000;

impl World {
    pub fn follow(&mut self, at: usize, run: &Run, to: usize, first: u64) {
        let told_ms = run.told.as_ref().map(|told| u64::try_from(told.heard_at.0).unwrap());
        let heard_ms = told_ms.unwrap_or(self.clock.now_ms());
        let following = Following { to, first, known: follow::Following::begin(heard_ms), call: 0, answered: true };
        self.devices[at].memory.following.insert(run.id.clone(), following);
        self.watch(at, &run.id);
    }

    pub fn watch(&mut self, at: usize, id: &RunId) {
        let call = self.number();
        let Some(run) = self.devices[at].run(id) else { return };
        if run.state.ended() {
            self.devices[at].memory.following.remove(id);
            return self.later(at, Then::TakeUp { run: id.clone() });
        }
        let Some(following) = self.devices[at].memory.following.get_mut(id) else { return };
        (following.call, following.answered) = (call, false);
        let (to, after) = (following.to, run.told.as_ref().map_or(following.first, |told| told.seq));
        self.send(at, to, Message::Watch { call, run: id.clone(), after });
        self.timer(at, WATCH_MS, Timer::Watch { run: id.clone(), call });
    }

    /// The device that executes a run answered.
    pub fn hear(&mut self, at: usize, from: usize, call: u64, id: &RunId, told: Option<Facts>) {
        let (now_ms, teller) = (self.clock.now_ms(), self.devices[from].did.clone());
        let Some(following) = self.devices[at].memory.following.get_mut(id).filter(|following| following.call == call) else { return };
        following.answered = true;
        let Some(Facts { facts, came, over }) = told else {
            if let Some(missing) = following.known.missing(now_ms, RUN_MISSING_MS) {
                self.give_up(at, id, missing);
            }
            return;
        };
        following.known.heard(now_ms);
        self.oracle.heard(now_ms, at, id);
        for (seq, event) in facts {
            let known = self.devices[at].run(id);
            if fence::is_news(known.as_ref(), &event.body, &teller, seq) {
                let told = Told { device: teller.clone(), seq, heard_at: self.now() };
                self.write_events(at, &[Event { told: Some(told), ..event }], vec![]);
            }
        }
        let ended = self.devices[at].run(id).is_some_and(|run| run.state.ended());
        let Some(following) = self.devices[at].memory.following.get_mut(id) else { return };
        if let Some(unheard) = following.known.told(came, over && !ended) {
            return self.give_up(at, id, unheard);
        }
        if came != Came::All || ended {
            self.watch(at, id);
        }
    }

    /// The device that executes a run did not answer.
    pub fn unheard(&mut self, at: usize, id: &RunId, call: u64) {
        let early = matches!(self.settings.fault, Some(Fault::GivenUpEarly | Fault::DoneAgain));
        let (now_ms, lease_ms) = (self.clock.now_ms(), if early { 0 } else { LEASE_MS });
        let following = self.devices[at].memory.following.get_mut(id).filter(|following| following.call == call && !following.answered);
        if let Some(silent) = following.and_then(|following| following.known.broke(now_ms, lease_ms, Reached::No)) {
            self.give_up(at, id, silent);
        }
    }

    /// Gives a run up that another device executes.
    fn give_up(&mut self, at: usize, id: &RunId, why: GivenUp) {
        let Some(run) = self.devices[at].run(id).filter(|run| !run.state.ended()) else { return };
        // What is given up early ends alone more often, which is what that fault is about.
        if self.settings.fault != Some(Fault::DoneAgain) {
            self.oracle.lost(self.clock.now_ms(), at, &run);
        }
        let Some(following) = self.devices[at].memory.following.remove(id) else { return };
        let (to, reason) = why.end(run, &self.devices[following.to].did);
        self.write(at, vec![Body::RunMoved { run: id.clone(), to, reason: Some(reason) }], vec![Then::TakeUp { run: id.clone() }]);
    }
}
