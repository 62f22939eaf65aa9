//! What the tests share: a device's key, events, children that are this very program.

use domain::{
    Did, RunId, TaskRef, Timestamp,
    event::{self, Body, Event},
    run::Run,
};
use identity::Key;
use serde_json::json;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};
use store::{Signer, Store, fault::Fault};

/// The signer of a device; devices are told apart by a number.
pub fn signer(device: u8) -> Signer {
    let key = Key::from_seed(&[device; 32]);
    Signer { device: key.did(), sign: Arc::new(move |bytes| Ok(key.sign(bytes))) }
}

pub fn me() -> Did {
    signer(1).device
}

pub fn open(dir: &Path) -> Store {
    Store::open(dir, signer(1)).unwrap()
}

pub fn open_with(dir: &Path, fault: Fault) -> Store {
    Store::open_with_fault(dir, signer(1), fault).unwrap()
}

pub fn event(body: Body) -> Event {
    Event { version: event::VERSION, at: Timestamp(1_700_000_000_000), actor: me(), via: None, told: None, body }
}

/// An event that changes nothing and carries a text.
pub fn marked(text: &str) -> Event {
    event(Body::DeviceStarted { version: text.to_owned(), demo: false })
}

/// The text of such an event.
pub fn mark(event: &Event) -> Option<&str> {
    match &event.body {
        Body::DeviceStarted { version, .. } => Some(version),
        _ => None,
    }
}

pub fn run_id(n: u64) -> RunId {
    format!("{n:026}").parse().unwrap()
}

pub fn task(n: u64) -> TaskRef {
    serde_json::from_value(json!({"project": "demo", "feature": "001-hello", "task": format!("T{n:03}")})).unwrap()
}

/// A run at a task is queued: makes a run and a claim.
pub fn queued(run: u64, at: &TaskRef) -> Event {
    let run: Run = serde_json::from_value(json!({
        "id": run_id(run), "class": "agent", "project": "demo", "task": at, "agent": "coder",
        "member": me(), "requester": me(), "state": "queued", "queued_at": 0,
    }))
    .unwrap();
    event(Body::RunQueued { run: Box::new(run) })
}

/// Something that changes a run.
pub fn stopped(run: u64, what: &str) -> Event {
    event(Body::SandboxStopped { run: run_id(run), what: what.to_owned() })
}

/// The whole org is halted.
pub fn halted() -> Event {
    let body: Body = serde_json::from_value(json!({
        "type": "stop_ordered", "by": me(), "envelope": "0".repeat(64),
        "order": {
            "version": domain::stop::VERSION, "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "org": "crew", "scope": {"what": "org"},
            "why": "An incident.", "at": 0, "lifts": false,
        },
    }))
    .unwrap();
    event(body)
}

/// By which version of events a journal was projected.
pub fn projected_by(dir: &Path) -> i64 {
    let database = sqlite::open(dir.join("journal.db")).unwrap();
    let mut rows = database.prepare("SELECT version FROM projected_by").unwrap();
    rows.next().unwrap();
    rows.read(0).unwrap()
}

/// A child process that does not outlive its test.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command that runs one ignored test of this program as a child, perhaps through `wrapper`.
pub fn child(wrapper: &[&str], test: &str) -> Command {
    let me = std::env::current_exe().unwrap();
    let mut command = match wrapper.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(me);
            command
        }
        None => Command::new(me),
    };
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]).stdin(Stdio::null());
    command
}

/// A variable that the parent set; children that are not started by a parent have nothing to do.
pub fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
