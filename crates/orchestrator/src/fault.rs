//! Faults that tests put in on purpose, to show that they would be noticed. Only builds with the feature `faults` know them:
//! those of the tests.

use crate::{limits, org::Org};
use domain::{Problem, run::RunState};
use proto::mesh::JournalPiece;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names the fault.
pub const VARIABLE: &str = "MESHWORK_TEST_FAULT";

/// How often an end cannot be written.
const UNWRITTEN: u32 = 2;

/// How long a short lease lasts: longer than the pause between heartbeats.
const SHORT_LEASE_MS: u64 = 8_000;

static COUNTED: AtomicU32 = AtomicU32::new(0);

/// How long a lease lasts without a heartbeat.
pub fn lease_ms() -> u64 {
    if Fault::asked() == Fault::ShortLease { SHORT_LEASE_MS } else { domain::limits::LEASE_MS }
}

/// Ends what calls it, once, where that was asked for.
pub fn dies_once() {
    if Fault::asked() == Fault::DriveDies && COUNTED.fetch_add(1, Ordering::Relaxed) == 0 {
        std::panic::resume_unwind(Box::new("a fault that a test put in"));
    }
}

/// Waits for as long as a test holds runs that are in this state, by a file in the org's folder.
pub async fn held(org: &Org, state: RunState) {
    if !cfg!(debug_assertions) {
        return;
    }
    let file = org.dir.root.join(format!("hold-{state:?}").to_lowercase());
    while file.exists() {
        tokio::time::sleep(limits::RUNNER_LOOK_EVERY).await;
    }
}

/// Fails a few times, where that was asked for.
///
/// # Errors
/// Then.
pub fn end_unwritten() -> Result<(), Problem> {
    if Fault::asked() == Fault::EndUnwritten && COUNTED.fetch_add(1, Ordering::Relaxed) < UNWRITTEN {
        return Err(Problem::unavailable("A test keeps this from being written."));
    }
    Ok(())
}

/// Changes a byte of what is told of a journal, where that was asked for.
pub fn alter_journal(pieces: &mut [JournalPiece]) {
    let first = pieces.first_mut().and_then(|piece| piece.events_json.first_mut()).and_then(|event| event.last_mut());
    if let Some(byte) = first.filter(|_| Fault::asked() == Fault::JournalAltered) {
        *byte ^= 1;
    }
}

/// What is done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The journal answers writes before they are committed.
    AnswerBeforeCommit,
    /// Nobody looks after a start at runs that were under way.
    NoRecovery,
    /// What drives the first run that works ends in the midst of it.
    DriveDies,
    /// The first ends of runs cannot be written.
    EndUnwritten,
    /// Messages to agents are journaled, and not given to runners.
    MessageNotGiven,
    /// Leases last for seconds only.
    ShortLease,
    /// Journals are given to others with one byte changed.
    JournalAltered,
}

impl Fault {
    /// The fault that was asked for; in builds without the feature `faults` always none.
    pub fn asked() -> Self {
        if !cfg!(feature = "faults") {
            return Self::None;
        }
        match std::env::var(VARIABLE).as_deref() {
            Ok("answer-before-commit") => Self::AnswerBeforeCommit,
            Ok("no-recovery") => Self::NoRecovery,
            Ok("drive-dies") => Self::DriveDies,
            Ok("message-not-given") => Self::MessageNotGiven,
            Ok("short-lease") => Self::ShortLease,
            Ok("journal-altered") => Self::JournalAltered,
            Ok("end-unwritten") => Self::EndUnwritten,
            _ => Self::None,
        }
    }
}
