//! The words for tasks, runs and patches.

use super::InProject;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct InFeature {
    #[command(flatten)]
    pub(crate) at: InProject,
    /// The feature: its name, or its number alone.
    #[arg(long, short)]
    pub(crate) feature: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// List the tasks, and where each is.
    List(InFeature),
    /// Show a task, and why it is where it is.
    Show {
        /// The task.
        task: String,
        #[command(flatten)]
        at: InFeature,
    },
    /// Explain where a task runs, or would: what speaks for and against each device, and what each said that was asked.
    Why {
        /// The task.
        task: String,
        #[command(flatten)]
        at: InFeature,
        /// The agent, where the task has no run yet.
        #[arg(long, short)]
        agent: Option<String>,
        /// A tag that the device must have, where the task has no run yet.
        #[arg(long = "tag", value_name = "NAME=VALUE")]
        tags: Vec<String>,
    },
    /// Give tasks to an agent; none named: all open ones of the feature.
    Run {
        /// The tasks.
        tasks: Vec<String>,
        #[command(flatten)]
        at: InFeature,
        /// The agent.
        #[arg(long, short)]
        agent: Option<String>,
        /// The device that is to execute them; whichever suits best where nothing is said.
        #[arg(long, value_name = "DEVICE")]
        on: Option<String>,
        /// On this device, and no other.
        #[arg(long, conflicts_with = "on")]
        here: bool,
        /// A tag that their device must have, as gpu:true.
        #[arg(long = "tag", value_name = "NAME=VALUE")]
        tags: Vec<String>,
        /// How important they are: the higher goes first, and displaces the lower where there is no room.
        #[arg(long, value_parser = ["low", "normal", "high"], default_value = "normal")]
        priority: String,
        /// A run on whose device they must not be, for a review or a second attempt that is to be independent.
        #[arg(long, value_name = "RUN")]
        apart_from: Option<String>,
        /// Follow until all have ended.
        #[arg(long, short)]
        wait: bool,
    },
    /// Take a task over that another device has claimed: for maintainers.
    Takeover {
        /// The task.
        task: String,
        #[command(flatten)]
        at: InFeature,
    },
    /// Write a new task.
    Add {
        /// What is to be done.
        title: String,
        #[command(flatten)]
        at: InFeature,
        /// The phase's heading, or part of it.
        #[arg(long)]
        phase: Option<String>,
        /// May go beside others of its phase.
        #[arg(long)]
        parallel: bool,
        /// Its user story, as US1.
        #[arg(long)]
        story: Option<String>,
    },
    /// Change what a task says.
    Edit {
        /// The task.
        task: String,
        /// What it is to say.
        title: String,
        #[command(flatten)]
        at: InFeature,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Run {
    /// List runs, newest first.
    List {
        #[command(flatten)]
        at: InProject,
        /// Checks' runs too.
        #[arg(long)]
        all: bool,
        /// Only those in this state; halted, paused, frozen and ending are states too.
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a run.
    Show {
        /// The run: its id, or the end of it.
        run: String,
    },
    /// Print a run's log.
    Logs {
        /// The run.
        run: String,
        /// Go on until it ends.
        #[arg(long, short)]
        follow: bool,
    },
    /// Print what a run changed: its commit, or the last checkpoint of its files.
    Diff {
        /// The run.
        run: String,
    },
    /// Send a message to a running agent.
    Send {
        /// The run.
        run: String,
        /// What to say.
        text: String,
    },
    /// Answer a permission request.
    Answer {
        /// The run.
        run: String,
        /// allow, deny, or an option's id.
        option: String,
        /// The question, where several are open.
        #[arg(long)]
        question: Option<String>,
    },
    /// Freeze a run.
    Pause {
        /// The run.
        run: String,
    },
    /// Let a frozen run go on.
    Resume {
        /// The run.
        run: String,
    },
    /// List folders of runs that are kept because they hold work which is in no patch.
    Kept,
    /// Remove the folder that is kept of a run.
    Drop {
        /// The run.
        run: String,
    },
    /// End a run; its work stays in a checkpoint.
    Stop {
        /// The run.
        run: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Patch {
    /// List the patches.
    List {
        #[command(flatten)]
        at: InProject,
        /// Only those in this state: draft, open, archived, merged.
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a patch.
    Show(OnePatch),
    /// Print a patch's diff.
    Diff {
        #[command(flatten)]
        one: OnePatch,
        /// Of this revision, by its number or id; the latest where nothing is said.
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
        /// What changed since this earlier revision.
        #[arg(long, value_name = "REVISION")]
        since: Option<String>,
    },
    /// Review a patch.
    Review {
        #[command(flatten)]
        one: OnePatch,
        /// It is fit to be merged.
        #[arg(long, group = "verdict")]
        accept: bool,
        /// Changes are needed.
        #[arg(long, group = "verdict")]
        reject: bool,
        /// What you say.
        #[arg(long, short, default_value = "")]
        message: String,
        /// A comment on a line: FILE:LINE:TEXT.
        #[arg(long = "line", value_name = "FILE:LINE:TEXT")]
        lines: Vec<String>,
        /// The revision that you looked at, by its number or id: refused when a newer one has come.
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
    },
    /// Comment on a patch, or answer a comment.
    Comment {
        #[command(flatten)]
        one: OnePatch,
        /// What you say.
        #[arg(long, short)]
        message: String,
        /// The comment that it answers: its id, or the beginning of it.
        #[arg(long, value_name = "COMMENT")]
        reply_to: Option<String>,
    },
    /// Merge a patch, once its gate is open.
    Merge {
        #[command(flatten)]
        one: OnePatch,
        /// The revision that you looked at, by its number or id: refused when a newer one has come.
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
    },
    /// Close a patch without merging it.
    Close(OnePatch),
    /// Open a closed patch again.
    Reopen(OnePatch),
}

#[derive(Debug, Args)]
pub(crate) struct OnePatch {
    /// The patch: the beginning of its id, or its task's.
    pub(crate) patch: String,
    #[command(flatten)]
    pub(crate) at: InProject,
}
