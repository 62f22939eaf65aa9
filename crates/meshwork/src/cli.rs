//! The command line's words. What they do is in `verbs`.

mod work;

pub(crate) use work::{OnePatch, Patch, Run, Task};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// Coding agents on your own machines: Spec-Kit tasks in, signed Radicle patches out.
#[derive(Debug, Parser)]
#[command(name = "meshwork", version, propagate_version = true)]
pub(crate) struct Cli {
    /// The folder in which everything of this machine lies.
    #[arg(long, global = true, env = "MESHWORK_DATA_DIR", value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run this machine's part: orchestrator, Radicle node, HTTP.
    Up(Up),
    /// Print a one-time link that signs a browser in.
    Open,
    /// Do the main job on the example: tasks in, merged patches out.
    Demo(Demo),
    /// The org: make it, show it.
    #[command(subcommand)]
    Org(Org),
    /// Projects: add, list, show, share, mirror.
    #[command(subcommand)]
    Project(Project),
    /// Features of a project.
    #[command(subcommand)]
    Feature(Feature),
    /// Agents: add, list, remove.
    #[command(subcommand)]
    Agent(Box<Agent>),
    /// Coding engines: install, list.
    #[command(subcommand)]
    Engine(Engine),
    /// Tasks: list, show, run, write.
    #[command(subcommand)]
    Task(Task),
    /// Runs: list, follow, speak to, stop.
    #[command(subcommand)]
    Run(Run),
    /// Patches: list, read, review, merge.
    #[command(subcommand)]
    Patch(Patch),
    /// Trace a patch, commit or run back to who asked for it, each link checked.
    Trace(Trace),
    /// Credentials, encrypted on this machine.
    #[command(subcommand)]
    Credential(Credential),
    /// Tokens for scripts.
    #[command(subcommand)]
    Token(Token),
    /// The journal: list, verify, rebuild.
    #[command(subcommand)]
    Journal(Journal),
    /// Say it in words: a question is answered, a change is shown and carried out after a yes.
    Ask(Ask),
    /// What this machine lends, and what of it is free.
    Capacity,
    /// What runs on this machine now.
    Pods,
    /// Give the machine back: runs are frozen, saved, and go on later.
    Evict(Evict),
    /// What is missing on this machine, and how to mend it.
    Doctor,
    /// Save keys, journal and repositories into an encrypted file.
    Backup(Backup),
    /// Take a backup up into an empty data folder.
    Restore(Backup),
    /// Call any action of the table by its name, with JSON from standard input or an argument.
    Call(Call),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Where the HTTP server listens.
    #[arg(long, default_value = "127.0.0.1:7420", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Where the Radicle node listens; the usual port, or a free one, where nothing is said.
    #[arg(long, value_name = "ADDR")]
    pub(crate) radicle_listen: Option<SocketAddr>,
    /// Do not open a browser.
    #[arg(long)]
    pub(crate) no_open: bool,
    /// How many runs of agents at once; as many as there are cores where nothing is said.
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Do not ask: review and merge as the demo's member. The journal says so.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The example project; the one that comes with the program where nothing is said.
    #[arg(long, value_name = "DIR")]
    pub(crate) example: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// Make an org, with this machine's member as its owner.
    Create {
        /// Its name.
        name: String,
        /// What people call its founder.
        #[arg(long)]
        member: Option<String>,
        /// An existing Radicle profile (what RAD_HOME names): its key, storage and node are used in place. A passphrase
        /// comes from RAD_PASSPHRASE or is asked for, and is kept encrypted.
        #[arg(long, value_name = "DIR")]
        rad_home: Option<PathBuf>,
    },
    /// Show the org.
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct InProject {
    /// The project; the only one where nothing is said.
    #[arg(long, short)]
    pub(crate) project: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// Make a git working copy a project, or clone one by its Radicle id.
    Add {
        /// Its folder, or rad:z….
        #[arg(default_value = ".")]
        source: String,
        /// Its name in the org.
        #[arg(long)]
        name: Option<String>,
        /// Its default branch.
        #[arg(long)]
        branch: Option<String>,
        /// Everybody may read it.
        #[arg(long)]
        public: bool,
        /// Where to clone from: did:key:…@host:port.
        #[arg(long = "seed")]
        seeds: Vec<String>,
    },
    /// List the projects.
    List,
    /// Show a project.
    Show {
        /// The project.
        project: Option<String>,
    },
    /// Let a Radicle node read a private project.
    Share {
        /// Keys of the nodes.
        #[arg(required = true)]
        with: Vec<String>,
        #[command(flatten)]
        at: InProject,
    },
    /// Push the merged default branch to an ordinary git host, and take changes made there.
    Mirror {
        /// The remote's address; an empty one ends the mirror.
        remote: String,
        #[command(flatten)]
        at: InProject,
    },
    /// Take commits of a working copy (or another git remote) into the default branch.
    Pull {
        /// The working copy's folder.
        #[arg(default_value = ".")]
        from: String,
        #[command(flatten)]
        at: InProject,
    },
    /// Bring a project and its mirror to the same state now.
    Sync(InProject),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Feature {
    /// Make a feature with Spec-Kit's own script.
    New {
        /// A short name.
        name: String,
        /// What it is to do.
        #[arg(default_value = "")]
        description: String,
        #[command(flatten)]
        at: InProject,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Add an agent, or change one.
    Add {
        /// Its name.
        name: String,
        /// codex, copilot, opencode, claude, gemini; or acp, command, replay.
        #[arg(long)]
        engine: String,
        /// For acp and command: what to run. For replay: the recording's path.
        #[arg(long)]
        command: Option<String>,
        /// The model's name.
        #[arg(long)]
        model: Option<String>,
        /// The model's address, as https://api.openai.com/v1.
        #[arg(long)]
        base_url: Option<String>,
        /// The model's wire form.
        #[arg(long)]
        api: Option<Api>,
        /// The credential with its key.
        #[arg(long)]
        credential: Option<String>,
        /// Tokens that one run may use.
        #[arg(long)]
        tokens: Option<u64>,
        /// Model calls that one run may make.
        #[arg(long)]
        calls: Option<u64>,
        /// A person answers the engine's permission requests.
        #[arg(long)]
        ask: bool,
    },
    /// List the agents.
    List,
    /// Remove an agent.
    Remove {
        /// Its name.
        name: String,
    },
    /// Be the runner of one run: started by the orchestrator.
    #[command(hide = true)]
    Run(Runner),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Api {
    /// OpenAI Responses.
    Responses,
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Engine {
    /// Fetch an engine from npm into the data folder.
    Install {
        /// codex, copilot, opencode, …
        name: String,
    },
    /// List engines, and which are installed.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credential {
    /// Keep a credential; its value comes from standard input, or is asked for.
    Set {
        /// Its name.
        name: String,
        /// Whose it is, as openai.
        #[arg(long)]
        provider: Option<String>,
        /// Only in runs of these projects.
        #[arg(long = "project")]
        projects: Vec<String>,
        /// Only in runs of these agents.
        #[arg(long = "agent")]
        agents: Vec<String>,
    },
    /// List the names.
    List,
    /// Ask the provider whether it is good.
    Test {
        /// Its name.
        name: String,
    },
    /// Forget one.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token; it is shown once.
    Create {
        /// owner, maintainer, developer, viewer, reviewer-bot or agent.
        #[arg(long)]
        role: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it counts no more.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List the tokens.
    List,
    /// Revoke a token.
    Revoke {
        /// Its public id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// List events.
    List {
        /// Only those after this number; the newest where nothing is said.
        #[arg(long)]
        after: Option<u64>,
        /// How many at most.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Check every link, hash and signature.
    Verify,
    /// Make what is shown anew from the journal.
    Rebuild,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// What is wanted, as: run T004 to T008.
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Say yes to what is proposed. What the model proposes after it read text of others is asked about all the same.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Understand it without the model.
    #[arg(long)]
    pub(crate) no_model: bool,
    /// Go on with a conversation, so that “it”, “them” and “undo” mean what was spoken of there.
    #[arg(long, value_name = "ID")]
    pub(crate) conversation: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Evict {
    /// The run; all where nothing is said.
    pub(crate) run: Option<String>,
    /// Seconds until processor and memory must be free.
    #[arg(long, default_value_t = 30)]
    pub(crate) grace: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file.
    pub(crate) file: PathBuf,
    /// A file with the passphrase; else it is read from standard input.
    #[arg(long)]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// A patch, a commit or a run: the beginning of its id.
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) at: InProject,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The action, as task.run.
    pub(crate) action: String,
    /// Its input as JSON; `-` reads it from standard input.
    #[arg(default_value = "{}")]
    pub(crate) input: String,
}

#[derive(Debug, Args)]
pub(crate) struct Runner {
    /// The host's socket.
    #[arg(long)]
    pub(crate) socket: PathBuf,
    /// The run.
    #[arg(long)]
    pub(crate) run: String,
    /// The file with the run's secret.
    #[arg(long)]
    pub(crate) token_file: PathBuf,
}
