//! What host and runner tell each other: the work, reports of how it goes, orders.

use super::{CheckResult, Question, Reason};
use crate::{
    Oid, RunId, TaskId, TaskRef,
    agent::{EngineChoice, ModelApi, PermissionMode},
    capacity::Resources,
    manifest::{Class, TimeLimits},
    project::Check,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// Programs and caches of the machine that the sandbox shows.
    pub tools: Tools,
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

impl RunSpec {
    /// Whether what works cannot be spoken to.
    pub fn reads_no_messages(&self) -> bool {
        match &self.job {
            RunnerJob::Agent(job) => matches!(job.engine, EngineChoice::Command { .. }),
            RunnerJob::Checks { .. } => true,
        }
    }
}

/// Programs of the machine, and what it has fetched already, as a run's sandboxes show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// Files and folders that are seen read-only at the same path.
    pub readonly: Vec<PathBuf>,
    /// Those that are seen read-only elsewhere: where on the host, and where inside.
    pub shown: Vec<(PathBuf, PathBuf)>,
    /// A folder of this run that package managers write to.
    pub caches: PathBuf,
    /// Variables that say where all these are; `PATH` among them.
    pub env: Vec<(String, String)>,
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
    Agent(Box<AgentJob>),
    /// Run checks, each in turn, in one fresh sandbox.
    Checks {
        /// The checks.
        checks: Vec<Check>,
    },
}

/// An agent's work at a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentJob {
    /// The engine.
    pub engine: EngineChoice,
    /// The folder into which engines are installed.
    pub engines_dir: PathBuf,
    /// The model's name and wire form, where the engine needs one.
    pub model: Option<(String, ModelApi)>,
    /// What the engine is asked.
    pub prompt: String,
    /// Added to the engine's environment.
    pub env: Vec<(String, String)>,
    /// Checks that are run in the engine's sandbox, as feedback to it.
    pub checks: Vec<Check>,
    /// Who answers its permission requests.
    pub permissions: PermissionMode,
    /// The engine's own session to go on with, where a checkpoint brought one.
    pub session: Option<String>,
    /// The task's mark, which the runner sets when the engine is done.
    pub tick: Tick,
    /// The commit on which the run's own will stand.
    pub base: Oid,
    /// The commit that was laid into the worktree.
    pub from: Oid,
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
        /// What was asked; only what is longer than the longest message of a person is cut.
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
    /// The run's key signed what the checks said.
    ChecksSigned {
        /// The signed envelope.
        envelope: serde_json::Value,
    },
    /// The engine's part is over; the sandbox's processes are gone. Then the runner waits to sign.
    WorkEnded {
        /// Why.
        reason: Reason,
        /// Results of the checks, where the job was checks.
        checks: Vec<CheckResult>,
    },
}

/// What a person wants of a run, as it goes to the device that executes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// That the agent gets a message.
    Message {
        /// The text.
        text: String,
    },
    /// That a question is answered.
    Answer {
        /// The question's id; the only open one where nothing is said.
        question: Option<String>,
        /// The option's id, or `allow` or `deny`.
        option: String,
    },
    /// That it is frozen.
    Pause,
    /// That it goes on.
    Resume,
    /// That it ends.
    End {
        /// Why.
        reason: Reason,
    },
}

/// That a person wants a run paused, or to go on: told apart from a freeze for the machine's owner, or by a stop order, which lasts no
/// longer than its cause. Who wants it is the event's actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // So that the API's document has the event's type beside it.
pub struct PauseAsked {
    /// The run.
    pub run: RunId,
    /// Whether it is to be paused.
    pub paused: bool,
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
