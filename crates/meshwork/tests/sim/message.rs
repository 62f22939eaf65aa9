//! What devices say to each other, and what happens in the simulated world.

use domain::{
    Did, Hash, RunId, Timestamp,
    capacity::Capacity,
    event::{Body, Event},
    follow::Came,
    lease::Admission,
    usage::Usage,
};
use identity::Envelope;
use std::{collections::BTreeMap, rc::Rc};
use store::{Piece, Point};

/// What a device announced, and when that was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub number: u64,
    pub capacity: Rc<Capacity>,
    pub at_ms: u64,
}

/// What a device tells of a run at once.
#[derive(Clone, Debug)]
pub struct Facts {
    pub facts: Vec<(u64, Event)>,
    pub came: Came,
    /// Whether the run is over there.
    pub over: bool,
}

/// What one device says to another.
#[derive(Clone, Debug)]
pub enum Message {
    Probe {
        call: u64,
        run: RunId,
    },
    Probed {
        call: u64,
        run: RunId,
    },
    Schedule {
        call: u64,
        sealed: Rc<Envelope>,
    },
    Scheduled {
        call: u64,
        run: RunId,
        admission: Admission,
        after: u64,
    },
    Delegate {
        run: RunId,
        key: Did,
    },
    /// Without an envelope: refused.
    Delegated {
        run: RunId,
        key: Did,
        sealed: Option<Rc<Envelope>>,
    },
    Watch {
        call: u64,
        run: RunId,
        after: u64,
    },
    /// Without facts: it does not have the run.
    Told {
        call: u64,
        run: RunId,
        facts: Option<Facts>,
    },
    /// A call of a model, through the gateway of the device that asked for the run.
    Spend {
        run: RunId,
        number: u64,
    },
    Spent {
        run: RunId,
        number: u64,
        granted: bool,
    },
    Journal {
        after: Point,
    },
    /// What follows in a journal after a place.
    Pieces {
        after: Point,
        pieces: Vec<Rc<Piece>>,
    },
    Gossip {
        heard: Rc<BTreeMap<usize, Heard>>,
    },
}

/// What follows once a group of events is on disk.
#[derive(Clone, Debug)]
pub enum Then {
    Send {
        to: usize,
        message: Message,
    },
    /// A device is asked for a run.
    Ask {
        run: RunId,
        call: u64,
        to: usize,
    },
    /// A run that was leased is driven.
    Drive {
        run: RunId,
    },
    /// The engine of a run begins.
    Begin {
        run: RunId,
    },
    /// The rest of what publishing writes.
    Publish {
        run: RunId,
        bodies: Vec<Body>,
    },
    /// A call is counted: what it held is free again.
    GiveBack {
        ids: Vec<String>,
        call: Usage,
    },
    /// A run has ended: its task is taken up again, where that is wanted.
    TakeUp {
        run: RunId,
    },
}

/// What a device waits for by itself; a crash ends it.
#[derive(Clone, Debug)]
pub enum Timer {
    /// The answer to a probe or a request is late.
    Answer { run: RunId, call: u64 },
    /// The answer of the device that executes a run is late.
    Watch { run: RunId, call: u64 },
    /// The delegation is asked for again.
    Delegate { run: RunId },
    /// The engine goes on.
    Engine { run: RunId },
    /// The gateway's answer is late.
    Spend { run: RunId, number: u64 },
    /// The provider has answered a call.
    Settle { run: RunId, number: u64, by: usize, ids: Vec<String>, held: (Usage, Timestamp) },
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Happens {
    Tick {
        device: usize,
    },
    Arrives {
        from: usize,
        to: usize,
        message: Message,
    },
    Written {
        device: usize,
        boot: u64,
    },
    Timer {
        device: usize,
        boot: u64,
        timer: Timer,
    },
    Restart {
        device: usize,
    },
    /// An older copy of a device's journal, of so many groups, is put in its place.
    Restore {
        device: usize,
        kept: usize,
    },
    /// The owner of a device lends it again.
    Lent {
        device: usize,
    },
    /// People begin tasks, and accept patches.
    People,
    /// Something breaks.
    Breaks,
    Joined,
    QuickDisk {
        device: usize,
    },
    /// From now on nothing breaks, and nobody begins anything.
    Heal,
    /// It is looked whether everything has come to rest.
    Rest,
}

/// The name of a blob.
pub fn blob(sealed: &Envelope) -> Hash {
    identity::envelope::hash_bytes(&sealed.to_json().unwrap())
}
