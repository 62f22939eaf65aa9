//! Runs: their states, the reasons they end for, what runner and host tell each other.

use crate::{
    AgentName, Did, Hash, LeaseId, Oid, PatchId, Problem, ProjectName, RevisionId, RunId, TaskId, TaskRef, Timestamp,
    agent::{EngineChoice, ModelApi, PermissionMode},
    capacity::Resources,
    manifest::{Class, TimeLimits},
    project::Check,
    usage::Usage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// The device wanted its room back.
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

    /// Whether `next` may follow. A state may be entered again (after a restart); nothing leaves an end.
    pub fn may_become(self, next: Self) -> bool {
        if self.ended() {
            return false;
        }
        next >= self || (self == Self::Verifying && next == Self::Working) || (self == Self::Placing && next == Self::Queued)
    }
}

/// Why a run ended, was refused, or waits. Typed for machines, with words for people in [`Reason::text`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// Done as asked.
    Completed,
    /// Waits until other tasks are done.
    WaitsFor {
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// Waits for a device with room.
    WaitsForRoom {
        /// What the devices said.
        message: String,
    },
    /// No device will ever take it as it is.
    Refused {
        /// What they said.
        message: String,
    },
    /// Too many patches wait for review.
    ReviewLimit {
        /// How many wait.
        waiting: usize,
    },
    /// The engine changed nothing.
    NothingChanged,
    /// The engine ended with an error.
    EngineFailed {
        /// What it said.
        message: String,
    },
    /// The engine is not installed or cannot start.
    EngineMissing {
        /// What is missing.
        message: String,
    },
    /// The engine broke the protocol.
    EngineProtocol {
        /// How.
        message: String,
    },
    /// The model's provider refused or failed.
    ModelFailed {
        /// Its status or words.
        message: String,
    },
    /// Nothing came from the engine for too long.
    Silent {
        /// Seconds.
        seconds: u64,
    },
    /// The wall time is over.
    TookTooLong {
        /// Seconds.
        seconds: u64,
    },
    /// The budget is spent.
    BudgetSpent {
        /// Which limit.
        message: String,
    },
    /// A limit of the sandbox ended it: memory, processes, disk.
    SandboxLimit {
        /// Which.
        message: String,
    },
    /// The sandbox cannot work on this machine.
    SandboxUnavailable {
        /// Why.
        message: String,
    },
    /// A person stopped it.
    Stopped {
        /// Who.
        by: Did,
    },
    /// The owner wanted the machine back, or something more important needed it.
    Evicted {
        /// Why.
        message: String,
    },
    /// The runner or the device vanished.
    Vanished {
        /// What is known.
        message: String,
    },
    /// Git or Radicle refused.
    Forge {
        /// Why.
        message: String,
    },
    /// The disk is full, or the like.
    Storage {
        /// Why.
        message: String,
    },
    /// A fault of Meshwork.
    Internal {
        /// Cause.
        message: String,
    },
}

impl Reason {
    /// In words for a person, with what to do next.
    pub fn text(&self) -> String {
        match self {
            Self::Completed => "Done.".into(),
            Self::WaitsFor { tasks } => format!("It waits for {}.", tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")),
            Self::WaitsForRoom { message } => format!("It waits for room: {message}"),
            Self::Refused { message } => format!("No device takes it as it is: {message}"),
            Self::ReviewLimit { waiting } => {
                format!("{waiting} patches of this project wait for review; review or merge some, and it starts.")
            }
            Self::NothingChanged => {
                "The engine ended without changing a file. Read its log, make the task clearer, and run it again.".into()
            }
            Self::EngineFailed { message } => format!(
                "The engine ended with an error: {message} Its work so far is in the run's checkpoint; run the task again to go on from there."
            ),
            Self::EngineMissing { message } => format!("The engine cannot be started: {message}"),
            Self::EngineProtocol { message } => format!(
                "The engine does not speak the Agent Client Protocol as it should: {message} Check the agent's command and version."
            ),
            Self::ModelFailed { message } => format!(
                "The model's provider answered with a failure: {message} Check the credential and the model's address, then run the task again."
            ),
            Self::Silent { seconds } => format!(
                "Nothing came from the engine for {seconds} s, so it was ended. Its work is in the checkpoint; raise limits.silence_s in .meshwork/project.toml if that is normal."
            ),
            Self::TookTooLong { seconds } => format!(
                "It took longer than {seconds} s. Its work is in the checkpoint; run the task again to go on, or raise limits.wall_s."
            ),
            Self::BudgetSpent { message } => {
                format!("Its budget is spent. {message} Raise the agent's budget, then run the task again to go on from the checkpoint.")
            }
            Self::SandboxLimit { message } => {
                format!("A limit of the sandbox ended it: {message} Raise `resources` in .meshwork/project.toml if it needs more.")
            }
            Self::SandboxUnavailable { message } => {
                format!("The sandbox cannot work on this machine: {message} `meshwork doctor` says how to mend it.")
            }
            Self::Stopped { by } => format!("Stopped by {by}. Its work is in the checkpoint."),
            Self::Evicted { message } => format!("Evicted: {message} It goes on from its checkpoint when there is room."),
            Self::Vanished { message } => format!("It was lost: {message} Its work up to then is in the checkpoint."),
            Self::Forge { message } => format!("Git or Radicle refused: {message}"),
            Self::Storage { message } => {
                format!("Nothing could be written: {message} Free some disk space; nothing that was reported as done is lost.")
            }
            Self::Internal { message } => format!("Something in Meshwork went wrong: {message}"),
        }
    }

    /// From a problem met on the way.
    pub fn from_problem(problem: &Problem) -> Self {
        Self::Internal { message: problem.to_string() }
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
    /// Whether a person paused it.
    #[serde(default)]
    pub paused: bool,
    /// Commit it began from (agents) or checks (ci); known when it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Oid>,
    /// Hash of the spec it works from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<Hash>,
    /// The run that this goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<RunId>,
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
    /// Its key, once born.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Did>,
    /// The last checkpoint of its worktree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Oid>,
    /// The commit that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
    /// The patch that it opened or continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchId>,
    /// The revision that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// What the counting checks said.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    /// What it used of its model.
    #[serde(default)]
    pub usage: Usage,
    /// Questions of the engine that wait for a person.
    #[serde(default)]
    pub questions: Vec<Question>,
    /// What the sandbox stopped.
    #[serde(default)]
    pub violations: Vec<String>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it was leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
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

/// What the host tells the runner to do. Paths are as seen by the runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The run.
    pub run: RunId,
    /// The class.
    pub class: Class,
    /// The task's id, for the engine's environment.
    pub task: Option<TaskRef>,
    /// Folder that holds everything of this run.
    pub dir: PathBuf,
    /// The worktree: the only place, with the home, that the engine can write to.
    pub work: PathBuf,
    /// The engine's private home.
    pub home: PathBuf,
    /// Read-only folders of the host that the sandbox shows at the same path (engines, toolchains).
    pub readonly: Vec<PathBuf>,
    /// The folder that the sandbox shows as the brief.
    pub brief: Option<PathBuf>,
    /// Folder for sockets, whose paths must be short.
    pub sockets: PathBuf,
    /// What is done.
    pub job: RunnerJob,
    /// What it may use of the machine.
    pub resources: Resources,
    /// How long it may take.
    pub limits: TimeLimits,
}

/// Where a task is ticked off. Engines tick as they like; the runner puts the file right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The file, from the worktree's root.
    pub path: String,
    /// The task.
    pub task: TaskId,
    /// The file as it was when the run began.
    pub before: String,
}

/// What a runner does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunnerJob {
    /// Drive an engine through a task.
    Agent {
        /// The engine.
        engine: EngineChoice,
        /// The folder into which engines are installed.
        engines_dir: PathBuf,
        /// The model's name and wire form, where the engine needs one.
        model: Option<(String, ModelApi)>,
        /// What the engine is asked.
        prompt: String,
        /// Added to the engine's environment.
        env: Vec<(String, String)>,
        /// Checks that are run in the engine's sandbox, as feedback to it.
        checks: Vec<Check>,
        /// Who answers its permission requests.
        permissions: PermissionMode,
        /// The engine's own session to go on with, where a checkpoint brought one.
        session: Option<String>,
        /// The task's mark, which the runner sets when the engine is done.
        tick: Tick,
        /// The commit on which the run's own will stand.
        base: Oid,
        /// The commit that was laid into the worktree.
        from: Oid,
    },
    /// Run checks, each in turn, in one fresh sandbox.
    Checks {
        /// The checks.
        checks: Vec<Check>,
    },
}

/// How a turn of an engine ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TurnOutcome {
    /// The engine says that it is done.
    Ended,
    /// It was cancelled.
    Cancelled,
    /// It failed; the reason is typed even where the engine made it look like success.
    Failed {
        /// Why.
        reason: Reason,
    },
}

/// A step of an engine's plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// What.
    pub text: String,
    /// `pending`, `in_progress` or `completed`.
    pub status: String,
}

/// What a runner reports while a run goes on. Content: it lies in the run's log, not in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunnerEvent {
    /// The sandbox accepts connections.
    SandboxReady {
        /// Microseconds from spawn until the bridge accepted.
        ready_us: u64,
        /// How its limits are enforced, as `cgroup v1`.
        limits: String,
    },
    /// The engine introduced itself.
    EngineReady {
        /// Its name and version.
        name: String,
        /// Its session's id.
        session: String,
        /// Whether this is a replay of a recording.
        replay: bool,
    },
    /// A turn begins.
    TurnStarted {
        /// Counts from 1.
        turn: u32,
        /// What was asked, in short.
        prompt: String,
    },
    /// A turn ended.
    TurnEnded {
        /// How.
        #[serde(flatten)]
        outcome: TurnOutcome,
    },
    /// Words of the agent.
    Message {
        /// A piece of it.
        text: String,
    },
    /// The agent thinks aloud.
    Thought {
        /// A piece of it.
        text: String,
    },
    /// The agent's plan, whole.
    Plan {
        /// Its steps.
        steps: Vec<PlanStep>,
    },
    /// A tool is called, or its call goes on. Later ones with the same id add to it.
    Tool {
        /// The call's id.
        id: String,
        /// In words; empty when unchanged.
        title: String,
        /// `pending`, `in_progress`, `completed`, `failed`; empty when unchanged.
        status: String,
        /// Its output, cut.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        output: String,
    },
    /// Output of a process.
    Log {
        /// `stdout`, `stderr` or `runner`.
        stream: String,
        /// Text, perhaps with ANSI colours.
        text: String,
    },
    /// Output was cut because a limit was reached.
    Truncated {
        /// How many bytes were dropped.
        dropped_bytes: u64,
    },
    /// What the engine says of its context window.
    Context {
        /// Tokens in use.
        used: u64,
        /// Tokens there are.
        size: u64,
    },
    /// The engine asks a person.
    Asked {
        /// The question.
        question: Question,
    },
    /// A question was answered.
    Answered {
        /// Its id.
        id: String,
        /// The option chosen; none when it was withdrawn or timed out.
        option: Option<String>,
    },
    /// A check begins.
    CheckStarted {
        /// Which.
        name: String,
    },
    /// A check ended.
    CheckEnded {
        /// How.
        result: CheckResult,
    },
    /// The sandbox stopped something.
    Violation {
        /// What, in words.
        what: String,
    },
    /// Frozen by order.
    Paused,
    /// Goes on.
    Resumed,
    /// A person's message was handed to the engine.
    MessageDelivered {
        /// The order's id.
        order: u64,
    },
    /// The engine's part is over; the sandbox's processes are gone. Then the runner waits to sign.
    WorkEnded {
        /// Why.
        reason: Reason,
        /// Results of the checks, where the job was checks.
        checks: Vec<CheckResult>,
    },
}

/// What the host orders a runner to do. Carried out once each, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Hand a message of a person to the engine: a further turn.
    Message {
        /// The text.
        text: String,
    },
    /// Answer a question.
    Answer {
        /// The question's id.
        question: String,
        /// The option chosen.
        option: String,
    },
    /// Freeze everything in the sandbox.
    Pause,
    /// Let it go on.
    Resume,
    /// End the work; the worktree stays as it is.
    Stop {
        /// Why.
        reason: Reason,
    },
    /// All is published or saved: forget the key and exit.
    Finish,
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
