//! Runs: their states, the reasons they end for, what runner and host tell each other.

mod ending;
mod reason;
mod runner;
mod saved;
mod stands;
mod why;

pub use ending::EndAsked;
pub use reason::Reason;
pub use runner::{AgentJob, Order, PauseAsked, PlanStep, RunSpec, RunnerEvent, RunnerJob, Tick, Tools, TurnOutcome, Wish};
pub use saved::{CheckpointDropped, CheckpointGoes, LeftBehind, SavedWork};
pub use stands::{RunView, Stands};

use crate::{
    AgentName, Did, Hash, LeaseId, Oid, PatchId, ProjectName, RevisionId, RunId, TaskRef, Timestamp,
    capacity::Resources,
    event::Told,
    limits::RESUME_ATTEMPTS_MAX,
    manifest::{Apart, Class, Priority, Work},
    placement::Refusal,
    usage::Usage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for room or for its turn.
    Queued,
    /// A device is being chosen and asked.
    Placing,
    /// Leased; the runner is being started.
    Starting,
    /// Worktree and brief are being laid.
    Preparing,
    /// The engine works.
    Working,
    /// Checks run on the commit.
    Verifying,
    /// Commit and patch are being signed and announced.
    Publishing,
    /// Its work is published.
    Done,
    /// It ended without a result that counts.
    Failed,
    /// A person ended it.
    Cancelled,
    /// Its device sent it away: its work is saved.
    Evicted,
    /// The device or the runner vanished.
    Lost,
}

impl RunState {
    /// Whether nothing follows.
    pub fn ended(self) -> bool {
        self >= Self::Done
    }

    /// Whether it holds a slot of its device.
    pub fn holds_slot(self) -> bool {
        (Self::Starting..=Self::Publishing).contains(&self)
    }

    /// Whether it has no device yet.
    pub fn waits(self) -> bool {
        self <= Self::Placing
    }

    /// Whether its engine, or its checks, may use processor and memory.
    pub fn computes(self) -> bool {
        (Self::Starting..=Self::Working).contains(&self)
    }

    /// Whether `next` may follow. A state may be entered again (after a restart); nothing leaves an end, except that a run which was lost
    /// is done where its executor tells so (`event::projection`).
    pub fn may_become(self, next: Self) -> bool {
        if self.ended() {
            return false;
        }
        // What could not be begun waits again.
        let waits_again = next == Self::Queued && self <= Self::Preparing;
        next >= self || waits_again || (self == Self::Verifying && next == Self::Working)
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Which.
    pub name: String,
    /// Whether it succeeded.
    pub passed: bool,
    /// Its exit code; none when it was ended by a signal or a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The end of its output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

/// A run as everybody sees it: projected from events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The class of workload.
    pub class: Class,
    /// Its project.
    pub project: ProjectName,
    /// Its task, for agents' runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRef>,
    /// Its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// For whom.
    pub member: Did,
    /// Which device asked.
    pub requester: Did,
    /// Which device was asked for, where the person named one; it may be the requester itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Did>,
    /// Tags that its device must have, beside those of its project.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How important it is.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// How often its work gave way to more important work before this run took it up again.
    #[serde(default, skip_serializing_if = "never")]
    pub gave_way: u32,
    /// The run on whose device it must not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// Which device is asked for it, or was asked last while none has it: written before it is asked, so that after a crash the very
    /// same one is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Did>,
    /// Devices that refused it, and why: of each the last time, the latest at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// What the device that executes it told last, where that is another: as of then everything here is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Which device executes, once leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Did>,
    /// Hash of the manifest, once it was made for placing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Hash>,
    /// The blob that holds the manifest's signed envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Hash>,
    /// Where it is.
    pub state: RunState,
    /// Why it is there, where that says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Whether it is frozen, whoever wanted that; of one that waits, whether it is not placed because a person paused it.
    #[serde(default)]
    pub paused: bool,
    /// Who paused it, until a person lets it go on: so its work stays paused also where another run goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<Did>,
    /// Commit it began from (agents) or checks (ci); known when it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Oid>,
    /// Hash of the spec it works from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<Hash>,
    /// The run that this goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<RunId>,
    /// The saved work that it begins with; known when it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SavedWork>,
    /// The saved work that it does without, because it could not be had; known when it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftBehind>,
    /// Whether it does the patch's work anew on the present default branch, because merging it met conflicts.
    #[serde(default)]
    pub rebase: bool,
    /// The run whose work this judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<RunId>,
    /// How often this task was taken up by itself after a loss.
    #[serde(default)]
    pub attempt: u32,
    /// Its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// The lease ends then, unless its runner is heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// What of its device is reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Resources>,
    /// Why it is to end, where somebody asked for that; it ends once its work is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Reason>,
    /// How often it was put back into the queue because something that passes kept it from starting.
    #[serde(default)]
    pub tries: u32,
    /// How often it was found without anything that drove it, and taken up.
    #[serde(default)]
    pub recovered: u32,
    /// Its key, once born.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Did>,
    /// The blob that holds the delegation of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Hash>,
    /// The last checkpoint of its worktree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Oid>,
    /// The checkpoint of it that lies on the device whose journal tells this: where it was executed; and, as soon as it arrived there,
    /// where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Oid>,
    /// From when on that checkpoint may be removed from this device, where it is a guest's that nobody brings away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes: Option<Timestamp>,
    /// The commit that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
    /// What was left out of its commit, or is odd there, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Files that are in neither commit nor checkpoint: its folder is kept aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<LeftOut>,
    /// The patch that it opened or continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchId>,
    /// The revision that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// What the counting checks said.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    /// The blob that holds these results as the `ci` run signed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Hash>,
    /// What it used of its model.
    #[serde(default)]
    pub usage: Usage,
    /// Questions of the engine that wait for a person.
    #[serde(default)]
    pub questions: Vec<Question>,
    /// How many more there were than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub questions_more: u64,
    /// Messages of people that the agent did not get, or not yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// How many more there were than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_more: u64,
    /// What the sandbox stopped.
    #[serde(default)]
    pub violations: Vec<String>,
    /// How many more there were than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub violations_more: u64,
    /// Where it was, and since when; oldest first.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it was leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Run {
    /// Its standing among others that want the same room, before what it gained by waiting.
    pub fn standing(&self) -> i32 {
        self.priority.after(self.gave_way)
    }

    /// The device that executes it, or is asked to, or has to be.
    pub fn place(&self) -> Option<&Did> {
        self.device.as_ref().or(self.asked.as_ref()).or(self.on.as_ref())
    }

    /// The other device that executes it, or is asked to, for this one that asks.
    pub fn elsewhere(&self, here: &Did) -> Option<&Did> {
        let there = self.place()?;
        (self.requester == *here && there != here).then_some(there)
    }

    /// Whether the device that asked for it takes it up again by itself: work at a task, which was evicted, or was lost and not too often
    /// before. Gives which attempt the next run is: an eviction is nobody's fault, only losses count.
    pub fn next_attempt(&self, here: &Did) -> Option<u32> {
        let ours = self.class == Class::Agent && self.requester == *here;
        match self.state {
            RunState::Evicted if ours => Some(self.attempt),
            RunState::Lost if ours && self.attempt < RESUME_ATTEMPTS_MAX => Some(self.attempt + 1),
            _ => None,
        }
    }

    /// Notes that a device refused it; of each device the last refusal is remembered.
    pub fn note_refusal(&mut self, refused: Refused) {
        self.refused.retain(|before| before.device != refused.device);
        if self.refused.len() >= crate::limits::REFUSALS_KEPT_MAX {
            self.refused.remove(0);
        }
        self.refused.push(refused);
    }
}

/// A device's refusal of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The device.
    pub device: Did,
    /// Why.
    pub reasons: Vec<Refusal>,
    /// When.
    pub at: Timestamp,
}

/// How a run was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// The manifest's hash.
    pub manifest: Hash,
    /// The blob that holds its envelope.
    pub envelope: Hash,
    /// The commit that it begins from.
    pub base: Oid,
    /// Hash of the spec that it works from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<Hash>,
    /// The saved work that it begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SavedWork>,
    /// The saved work that it does without, because it could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftBehind>,
    /// The device that is asked for it from now on; older journals do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Did>,
}

impl Placed {
    /// What a manifest of this work is placed with, by its hash and its blob, at a device.
    pub fn of(work: &Work, manifest: Hash, envelope: Hash, device: Did) -> Self {
        let (base, spec_hash, from) = match work {
            Work::Task { base, spec_hash, from, .. } => (base.clone(), Some(spec_hash.clone()), from.clone()),
            Work::Checks { commit, .. } => (commit.clone(), None, None),
        };
        Self { manifest, envelope, base, spec_hash, from, left: None, device: Some(device) }
    }
}

/// A state that a run entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Which.
    pub state: RunState,
    /// When.
    pub at: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn never(count: &u32) -> bool {
    *count == 0
}

/// A message of a person to an agent. Its text is a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The order's number within the run.
    pub order: u64,
    /// Who sent it.
    pub by: Did,
    /// When.
    pub at: Timestamp,
    /// The text.
    pub text: Hash,
    /// Why the agent will not get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How it is written that all of a run's files are in no commit.
const EVERYTHING: &str = "everything: ";

/// Files that are in no commit: ignored, too large, unreadable, or of a kind that git does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Which, with the reason where it is not that they are ignored.
    pub files: Vec<String>,
    /// How many more.
    pub more: u64,
}

impl LeftOut {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Adds one, within the bound.
    pub fn add(&mut self, file: String) {
        // No file of that name passes for all that there is.
        let file = if file.starts_with(EVERYTHING) { format!("./{file}") } else { file };
        if self.files.len() < crate::limits::LEFT_OUT_MAX { self.files.push(file) } else { self.more += 1 }
    }

    /// All that a run had made at its end: for this reason it could not be saved.
    pub fn everything(why: &str) -> Self {
        Self { files: vec![format!("{EVERYTHING}{why}")], more: 0 }
    }

    /// Why nothing of it could be saved at its end; none: it was.
    pub fn why_everything(&self) -> Option<&str> {
        self.files.iter().find_map(|file| file.strip_prefix(EVERYTHING))
    }
}

/// A permission request of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// Its id within the run.
    pub id: String,
    /// What the engine wants to do.
    pub title: String,
    /// The answers that it offers.
    pub options: Vec<Choice>,
}

/// One answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// Its id.
    pub id: String,
    /// In words.
    pub label: String,
    /// Whether it allows.
    pub allows: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_an_end_and_states_go_forward() {
        use RunState as S;
        let table = [
            (S::Queued, S::Placing, true),
            (S::Placing, S::Queued, true),
            (S::Working, S::Verifying, true),
            (S::Verifying, S::Working, true),
            (S::Working, S::Lost, true),
            (S::Working, S::Preparing, false),
            (S::Preparing, S::Queued, true),
            (S::Working, S::Queued, false),
            (S::Done, S::Failed, false),
            (S::Lost, S::Working, false),
        ];
        for (from, to, expected) in table {
            assert_eq!(from.may_become(to), expected, "{from:?} -> {to:?}");
        }
    }

    #[test]
    fn runner_events_keep_their_form() {
        let event = RunnerEvent::TurnEnded { outcome: TurnOutcome::Failed { reason: Reason::Silent { seconds: 5 } } };
        let json = serde_json::to_string(&event).unwrap_or_default();
        assert_eq!(json, r#"{"type":"turn_ended","outcome":"failed","reason":{"code":"silent","seconds":5}}"#);
        assert_eq!(serde_json::from_str::<RunnerEvent>(&json).ok(), Some(event));
    }
}
