//! Faults that tests put in on purpose, to show that they would be noticed, and what a build of another version would do. Only builds
//! with the feature `faults` know them: those of the tests.

use crate::{clock, limits, org::Org};
use domain::{
    Hash, Problem, RunId,
    event::{Body, Event},
    run::RunState,
};
use proto::mesh::JournalPiece;
use serde::Serialize;
use serde_json::Value;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// The variable that names the fault.
pub const VARIABLE: &str = "MESHWORK_TEST_FAULT";

/// The fault by which runners give their host up soon.
const GIVEN_UP_SOON: &str = "host-given-up-soon";

/// How often an end cannot be written.
const UNWRITTEN: u32 = 2;

/// How many messages of a checkpoint go through before its way breaks.
const PARTS_UNBROKEN: usize = 2;

/// How long a short lease lasts: longer than the pause between heartbeats.
const SHORT_LEASE_MS: u64 = 8_000;

/// For how long a run is missing at its device until it is given up, where that is short.
const SHORT_MISSING_MS: u64 = 2_000;

/// For how long a runner looks for its host, where that is short: longer than one takes to know its runs again.
const SHORT_RETURN: Duration = Duration::from_secs(10);

/// The kind of an event that only a newer build knows.
const TOMORROW: &str = "run_of_tomorrow";

/// A field that only a newer build knows.
const FIELD: &str = "of_tomorrow";

static COUNTED: AtomicU32 = AtomicU32::new(0);

/// How far this device's clock is ahead, in milliseconds: by a minute, where that was asked for.
pub fn clock_ahead_ms() -> i64 {
    if Fault::asked() == Fault::ClockAhead { 60_000 } else { 0 }
}

/// How long a lease lasts without a heartbeat.
pub fn lease_ms() -> u64 {
    if Fault::asked() == Fault::ShortLease { SHORT_LEASE_MS } else { domain::limits::LEASE_MS }
}

/// For how long the device of a run elsewhere says that it does not have it until the run is given up.
pub fn run_missing_ms() -> u64 {
    if Fault::asked() == Fault::MissingSoon { SHORT_MISSING_MS } else { limits::RUN_MISSING_MS }
}

/// How long a runner whose work is not done looks for its host.
pub fn host_return_wait() -> Duration {
    if Fault::asked() == Fault::HostGivenUpSoon { SHORT_RETURN } else { limits::HOST_RETURN_WAIT }
}

/// What a runner is told of the fault: those of its own.
pub fn of_runners() -> Option<(&'static str, &'static str)> {
    (Fault::asked() == Fault::HostGivenUpSoon).then_some((VARIABLE, GIVEN_UP_SOON))
}

/// Ends what calls it, once, where that was asked for.
pub fn dies_once() {
    if Fault::asked() == Fault::DriveDies && COUNTED.fetch_add(1, Ordering::Relaxed) == 0 {
        std::panic::resume_unwind(Box::new("a fault that a test put in"));
    }
}

/// Waits for as long as a test holds runs that are in this state, by a file in the org's folder.
pub async fn held(org: &Org, state: RunState) {
    while_there(org, &format!("hold-{state:?}").to_lowercase()).await;
}

/// Waits for as long as a test holds fetches of what runs of other devices work at, by a file in the org's folder.
pub async fn fetch_held(org: &Org) {
    while_there(org, "hold-fetch").await;
}

/// Waits for as long as a test holds journals back, by a file in the org's folder.
pub async fn journal_held(org: &Org) {
    while_there(org, "hold-journal").await;
}

async fn while_there(org: &Org, name: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let file = org.dir.root.join(name);
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

/// Has this process speak to other devices as a newer build, where that was asked for.
pub fn speak() {
    let next = mesh::VERSION + 1;
    match Fault::asked() {
        Fault::Newer => mesh::speak_as(next, mesh::OLDEST),
        Fault::NewerOnly => mesh::speak_as(next, next),
        _ => return,
    }
    proto::codec::say_more();
}

/// What another device is sent as JSON: as it is, or as of the next version and with a field that only that knows, where that was
/// asked for.
pub fn said(json: String) -> String {
    if Fault::asked() != Fault::Newer {
        return json;
    }
    serde_json::from_str(&json).map_or(json, |value| more(value).to_string())
}

/// What is signed as a statement: as [`said`].
///
/// # Errors
/// When it cannot be written.
pub fn stated(statement: &impl Serialize) -> Result<Value, Problem> {
    let value = serde_json::to_value(statement).map_err(Problem::internal)?;
    Ok(if Fault::asked() == Fault::Newer { more(value) } else { value })
}

fn more(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.insert(FIELD.into(), serde_json::json!({"more": [1, 2]}));
        if let Some(version) = fields.get_mut("version") {
            *version = (domain::event::VERSION + 1).into();
        }
    }
    value
}

/// What this device writes of itself into the org repository, as TOML: as it is, or with a field that only a newer build knows, where that
/// was asked for.
pub fn written(toml: String) -> String {
    if Fault::asked() == Fault::Newer { format!("{FIELD} = {{ more = [1, 2] }}\n{toml}") } else { toml }
}

/// A fact about a run that only a newer build knows, for its journal; none where that was not asked for.
pub fn fact_of_tomorrow(org: &Org, run: &RunId) -> Option<Event> {
    let made = || {
        let fields = serde_json::json!({
            "version": domain::event::VERSION + 1, "at": clock::now(), "actor": org.device, "type": TOMORROW, "run": run, "mood": "hopeful",
        });
        Event::read(fields.to_string().as_bytes()).ok()
    };
    (Fault::asked() == Fault::Newer).then(made).flatten()
}

/// Whether this is such a fact, which a newer build tells.
pub fn tells(event: &Event) -> bool {
    Fault::asked() == Fault::Newer && matches!(event.body, Body::Unknown(_))
}

/// How much later it is for what is kept for days, in milliseconds: as a test says it by a file in the org's folder.
pub fn later_ms(org: &Org) -> u64 {
    if !cfg!(debug_assertions) {
        return 0;
    }
    let days = std::fs::read_to_string(org.dir.root.join("days-later")).ok().and_then(|text| text.parse::<u64>().ok());
    days.unwrap_or_default().saturating_mul(24 * 60 * 60 * 1000)
}

/// Keeps a checkpoint from being given to another device, where that was asked for.
///
/// # Errors
/// Then.
pub fn checkpoint_kept() -> Result<(), Problem> {
    if Fault::asked() == Fault::CheckpointKept {
        return Err(Problem::unavailable("A test keeps checkpoints where they are."));
    }
    Ok(())
}

/// Breaks the way of a checkpoint to another device each time when so many messages of it were sent, where that was asked for.
///
/// # Errors
/// Then.
pub fn checkpoint_breaks(sent: usize) -> Result<(), Problem> {
    if Fault::asked() == Fault::CheckpointBreaks && sent >= PARTS_UNBROKEN {
        return Err(Problem::unavailable("A test breaks the way of checkpoints."));
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

/// How many events of a journal another device must lack to be told what it comes to.
pub fn summary_from() -> u64 {
    match Fault::asked() {
        Fault::Summarised | Fault::SummaryWrong => 0,
        _ => limits::JOURNAL_SUMMARY_FROM,
    }
}

/// The event to which a summary says that the journal leads: another one, where that was asked for.
pub fn summary_hash(hash: Hash) -> Hash {
    if Fault::asked() == Fault::SummaryWrong { identity::envelope::hash_bytes(b"another") } else { hash }
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
    /// Runs that their devices say they do not have are given up after seconds.
    MissingSoon,
    /// Runners whose work is not done look for a host that is away for seconds only.
    HostGivenUpSoon,
    /// No fault, but another build: it speaks the next version of the protocol, understands this one, and says more than this one knows.
    Newer,
    /// As that, but it understands the next version only.
    NewerOnly,
    /// Journals are given to others with one byte changed.
    JournalAltered,
    /// No fault: journals of any length are summed up for others.
    Summarised,
    /// As that, and the summary leads to an event that is not in the journal.
    SummaryWrong,
    /// Checkpoints are given to no other device.
    CheckpointKept,
    /// The clock is a minute ahead.
    ClockAhead,
    /// The way of a checkpoint to another device breaks again and again.
    CheckpointBreaks,
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
            Ok("missing-soon") => Self::MissingSoon,
            Ok(GIVEN_UP_SOON) => Self::HostGivenUpSoon,
            Ok("journal-altered") => Self::JournalAltered,
            Ok("summarised") => Self::Summarised,
            Ok("summary-wrong") => Self::SummaryWrong,
            Ok("checkpoint-kept") => Self::CheckpointKept,
            Ok("clock-ahead") => Self::ClockAhead,
            Ok("checkpoint-breaks") => Self::CheckpointBreaks,
            Ok("end-unwritten") => Self::EndUnwritten,
            Ok("newer") => Self::Newer,
            Ok("newer-only") => Self::NewerOnly,
            _ => Self::None,
        }
    }
}
