//! The command line's words. What they do is in `verbs`.

mod lend;
mod number;
mod people;
mod policy;
mod project;
pub(crate) mod quota;
mod stop;
mod tailnet;
mod work;

pub(crate) use lend::{Lend, Span, Switch};
pub(crate) use people::{Join, Org};
pub(crate) use policy::Policy;
pub(crate) use project::{Feature, Project};
pub(crate) use stop::Stop;
pub(crate) use tailnet::Tailnet;
pub(crate) use work::{OnePatch, Patch, Run, Task};

use clap::{Args, Parser, Subcommand, ValueEnum};
use number::whole;
use orchestrator::machine;
use std::{net::SocketAddr, path::PathBuf};

/// Coding agents on your own machines: Spec-Kit tasks in, signed Radicle patches out.
#[derive(Debug, Parser)]
#[command(name = "meshwork", version, propagate_version = true)]
pub(crate) struct Cli {
    /// The folder in which everything of this machine lies.
    #[arg(long, global = true, env = "MESHWORK_DATA_DIR", value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The org, where this machine is in several.
    #[arg(long, global = true, env = "MESHWORK_ORG", value_name = "NAME")]
    pub(crate) org: Option<String>,
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
    /// Orgs: make one, list those of this machine, show one; invite, approve, remove, leave.
    #[command(subcommand)]
    Org(Org),
    /// Join an org with a ticket.
    Join(Join),
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
    /// Devices of the org: list them, and whether each can be reached.
    #[command(subcommand)]
    Device(Device),
    /// The tailnet: its server, its machines and whose they are.
    #[command(subcommand)]
    Tailnet(Tailnet),
    /// Trace a patch, commit or run back to who asked for it, each link checked.
    Trace(Trace),
    /// Credentials, encrypted on this machine.
    #[command(subcommand)]
    Credential(Credential),
    /// What models cost, and how much of them may be used.
    #[command(subcommand)]
    Quota(quota::Quota),
    /// Tokens for scripts.
    #[command(subcommand)]
    Token(Token),
    /// Who may what: show, explain, check, set the org's policy.
    #[command(subcommand)]
    Policy(Policy),
    /// Stop orders: halt an agent, a member, a device or everything, everywhere; lift that again.
    #[command(subcommand)]
    Stop(Stop),
    /// The journals: list events, copies of other devices' journals; verify, rebuild, go on after a loss.
    #[command(subcommand)]
    Journal(Journal),
    /// Say it in words: a question is answered, a change is shown and carried out after a yes.
    Ask(Ask),
    /// What each device of the org lends, and what of it is free; this one first.
    Capacity,
    /// What runs on this machine now.
    Pods,
    /// End what runs here: runs are frozen and saved, and go on later.
    Evict(Evict),
    /// What this machine lends to others, and when: shown, or changed.
    Lend(Lend),
    /// Take the machine back from guests: they are frozen, saved and sent away, and none are taken.
    Reclaim(Span),
    /// Lend the machine again that was taken back; with a time, whatever battery, hours and you at it say.
    Release(Span),
    /// What is missing on this machine, and how to mend it.
    Doctor,
    /// Save keys, journal and repositories into an encrypted file.
    Backup(Backup),
    /// Take a backup up into a data folder that does not hold its org.
    Restore(Backup),
    /// Be the process of one org: started by `meshwork up` where the machine is in several.
    #[command(hide = true)]
    OrgProcess(OrgProcess),
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
    #[command(flatten)]
    pub(crate) listens: Listens,
    /// Do not open a browser.
    #[arg(long)]
    pub(crate) no_open: bool,
    /// How many runs of agents at once; as many as there are cores where nothing is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), allow_negative_numbers = true)]
    pub(crate) slots: Option<u32>,
    /// Where it listened before it started its program anew.
    #[arg(long, hide = true, overrides_with = "resumed", value_name = "ADDR")]
    pub(crate) resumed: Option<SocketAddr>,
}

/// Where an org's part listens for others.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Listens {
    /// Where the Radicle node listens; the usual port, or a free one, where nothing is said.
    #[arg(long, value_name = "ADDR")]
    pub(crate) radicle_listen: Option<SocketAddr>,
    /// Where those who were invited knock; it is open only while there are invitations. Port 7423, or a free one, on this machine
    /// alone, where nothing is said.
    #[arg(long, value_name = "ADDR")]
    pub(crate) join_listen: Option<SocketAddr>,
    /// Where other devices of the org are accepted; the usual port of loopback, or a free one, where nothing is said.
    #[arg(long, value_name = "ADDR")]
    pub(crate) mesh_listen: Option<SocketAddr>,
    /// Where the gossip of other devices is heard (UDP); the usual port of loopback, or a free one, where nothing is said.
    #[arg(long, value_name = "ADDR")]
    pub(crate) gossip_listen: Option<SocketAddr>,
}

impl From<Listens> for machine::Listens {
    fn from(asked: Listens) -> Self {
        Self { radicle: asked.radicle_listen, join: asked.join_listen, mesh: asked.mesh_listen, gossip: asked.gossip_listen }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OrgProcess {
    /// Where the machine's HTTP server listens.
    #[arg(long)]
    pub(crate) http: SocketAddr,
    #[command(flatten)]
    pub(crate) listens: Listens,
    /// As of `up`.
    #[arg(long)]
    pub(crate) slots: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// List the devices.
    List,
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

#[derive(Debug, Args)]
pub(crate) struct InProject {
    /// The project; the only one where nothing is said.
    #[arg(long, short)]
    pub(crate) project: Option<String>,
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
        /// For command: a line for the shell. For acp: a program and its arguments, split as a shell does, but run without one.
        /// For replay: the recording's path in the project.
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
        #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true)]
        tokens: Option<u64>,
        /// Model calls that one run may make.
        #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true)]
        calls: Option<u64>,
        /// Money that one run may cost, as 2.50.
        #[arg(long)]
        money: Option<String>,
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
    /// Google Gemini.
    Gemini,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protection {
    /// The key file alone, which only its owner can read.
    KeyFile,
    /// A passphrase of yours.
    Passphrase,
    /// A passphrase in the system's keyring.
    Keyring,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CredentialKind {
    /// A key of a model provider.
    ApiKey,
    /// A token of a service.
    Token,
    /// A login of Codex, Copilot or any OAuth provider: the file that was written at signing in.
    Login,
    /// A token of a git host.
    GitHost,
    /// The passphrase of a Radicle key.
    RadiclePassphrase,
    /// What opens a vault of Obsidian.
    Obsidian,
    /// Anything else.
    Generic,
}

impl CredentialKind {
    /// As the action names it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credential {
    /// Keep a credential; its value comes from standard input, or is asked for.
    Set {
        /// Its name.
        name: String,
        /// What it is.
        #[arg(long, value_enum)]
        kind: Option<CredentialKind>,
        /// Whose it is, as openai; of a git host its name, as github.com.
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
    /// Say what unlocks the vault when Meshwork starts; a passphrase comes from standard input, or is asked for.
    Protect {
        /// What unlocks it.
        #[arg(value_enum)]
        by: Protection,
    },
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
        #[arg(long, value_parser = whole::<u32>, allow_negative_numbers = true)]
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
        #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true)]
        after: Option<u64>,
        /// How many at most.
        #[arg(long, value_parser = whole::<usize>, allow_negative_numbers = true)]
        limit: Option<usize>,
        /// Whose journal, by the device's name or key; this device's where nothing is said.
        #[arg(long)]
        device: Option<String>,
    },
    /// List the journals of all devices: how far each is known here, and as of when.
    Copies,
    /// Print a hash of all runs and claims of the org, as they are known here: to be compared with other devices.
    Hash,
    /// Check every link, hash and signature of this device's journal and of the copies, and the blobs.
    Verify,
    /// Make what is shown anew from the journal.
    Rebuild,
    /// Go on without the events that a damaged journal lost, as a new incarnation. `meshwork up` must not run.
    AcceptLoss,
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
    /// The run; all where nothing is said, which is asked about.
    pub(crate) run: Option<String>,
    /// Say yes to all that run here.
    #[arg(long, short, conflicts_with = "run")]
    pub(crate) yes: bool,
    /// Seconds until processor and memory must be free; at most 600.
    #[arg(long, default_value_t = 30, value_parser = whole::<u64>, allow_negative_numbers = true)]
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
    /// The lock that the org's process holds.
    #[arg(long)]
    pub(crate) org_lock: PathBuf,
}
