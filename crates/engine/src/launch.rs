//! How an engine is started: program, environment and home files, from its profile and what this run gives it.
//!
//! Everything here is as seen in the sandbox: read-only `/usr` and engines folder, a private home, the worktree, no network
//! but two loopback ports, an empty environment but for what stands here.

use crate::{
    catalog,
    failure::FailureRules,
    install::{Installed, find_node, installed},
    profile::{self, Api, Profile, escaped, fill},
};
use domain::{
    Problem,
    agent::{EngineChoice, ModelApi, PermissionMode},
};
use std::path::{Path, PathBuf};

/// What the engine is given instead of a key; the gateway puts the real one in.
pub const PLACEHOLDER_KEY: &str = "meshwork-placeholder";
/// A good place to show the engine's folder in a sandbox: the host's path may lie where the sandbox has something else.
pub const ENGINE_INSIDE: &str = "/opt/meshwork/engine";
/// Where programs are found in the sandbox.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// The file in the home that holds the prompt of a plain command.
const PROMPT_FILE: &str = ".meshwork-prompt.md";

/// What a run gives to its engine.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The folder into which engines are installed, on the host.
    pub engines_dir: &'a Path,
    /// Where the sandbox shows the engine's own folder, as [`ENGINE_INSIDE`]; none for the same path as on the host.
    pub engine_inside: Option<&'a str>,
    /// The model's name and wire form.
    pub model: Option<(&'a str, ModelApi)>,
    /// The loopback port that speaks the provider's API.
    pub model_port: u16,
    /// The loopback port that serves the context at `/mcp`.
    pub context_port: u16,
    /// The home, as seen inside.
    pub home: &'a str,
    /// The worktree, as seen inside.
    pub work: &'a str,
    /// This program, as seen inside, for replays.
    pub meshwork: &'a str,
    /// The task's id.
    pub task: Option<&'a str>,
    /// What is asked; plain commands find it in a file.
    pub prompt: &'a str,
    /// Who answers permission requests.
    pub permissions: PermissionMode,
}

impl Context<'_> {
    /// Where the engine reaches the context.
    pub fn mcp_url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.context_port)
    }
}

/// What is to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Program and arguments.
    pub command: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Folders outside `/usr` that it must be able to read.
    pub readonly: Vec<Shown>,
    /// Files to lay into its home before it starts: path relative to the home, and content.
    pub home_files: Vec<(String, Vec<u8>)>,
    /// The session's mode to set.
    pub mode: Option<String>,
    /// Whether a session can be taken up again from its files.
    pub resumes: bool,
    /// How failure looks.
    pub failure: FailureRules,
    /// How it is spoken to.
    pub speaks: Speaks,
}

/// A folder of the host that the sandbox shows, read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// On the host.
    pub host: PathBuf,
    /// In the sandbox.
    pub inside: PathBuf,
}

/// How an engine is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// With [`crate::Driver`].
    Acp,
    /// With [`crate::plain()`]: output, then an exit code.
    Plain,
}

/// How to start this engine.
pub fn launch(choice: &EngineChoice, context: &Context<'_>) -> Result<Launch, Problem> {
    match choice {
        EngineChoice::Profile { name } => of_profile(profile::find(name)?, context),
        EngineChoice::Acp { command } => {
            if command.first().is_none_or(String::is_empty) {
                return Err(Problem::invalid("The agent's engine has an empty command.")
                    .next("Name the program that speaks the Agent Client Protocol."));
            }
            Ok(Launch { env: [base_env(context), general_env(context)].concat(), ..bare(command.clone(), Speaks::Acp) })
        }
        EngineChoice::Command { command } => {
            let mut env = [base_env(context), general_env(context)].concat();
            env.push(("MESHWORK_PROMPT".into(), format!("{}/{PROMPT_FILE}", context.home)));
            let home_files = vec![(PROMPT_FILE.to_owned(), context.prompt.as_bytes().to_vec())];
            Ok(Launch { env, home_files, ..bare(vec!["sh".into(), "-c".into(), command.clone()], Speaks::Plain) })
        }
        EngineChoice::Replay { recording } => {
            let recording = recording.replace("{task}", context.task.unwrap_or("task"));
            // A recording that the host laid outside the worktree is named by its whole path.
            let file = if recording.starts_with('/') { recording } else { format!("{}/{recording}", context.work) };
            let command = [context.meshwork, "replay", "--recording", &file].map(str::to_owned).to_vec();
            Ok(Launch { env: base_env(context), ..bare(command, Speaks::Acp) })
        }
    }
}

fn bare(command: Vec<String>, speaks: Speaks) -> Launch {
    Launch {
        command,
        env: Vec::new(),
        readonly: Vec::new(),
        home_files: Vec::new(),
        mode: None,
        resumes: false,
        failure: FailureRules::default(),
        speaks,
    }
}

fn base_env(context: &Context<'_>) -> Vec<(String, String)> {
    let mut env =
        vec![("HOME", context.home), ("PATH", PATH), ("USER", "agent"), ("SHELL", "/bin/sh"), ("LANG", "C.UTF-8"), ("TERM", "dumb")];
    // Nothing else can be reached, so a proxy would only be in the way.
    env.push(("NO_PROXY", "127.0.0.1,localhost"));
    env.extend(context.task.map(|task| ("MESHWORK_TASK", task)));
    env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// For programs that we know nothing of: the names that most of them read.
fn general_env(context: &Context<'_>) -> Vec<(String, String)> {
    let Some((model, api)) = context.model else { return Vec::new() };
    let root = format!("http://127.0.0.1:{}", context.model_port);
    let provider = match api {
        ModelApi::Messages => [("ANTHROPIC_BASE_URL", root), ("ANTHROPIC_API_KEY", PLACEHOLDER_KEY.into())],
        ModelApi::Gemini => [("GOOGLE_GEMINI_BASE_URL", root), ("GEMINI_API_KEY", PLACEHOLDER_KEY.into())],
        ModelApi::Responses | ModelApi::Chat => [("OPENAI_BASE_URL", format!("{root}/v1")), ("OPENAI_API_KEY", PLACEHOLDER_KEY.into())],
    };
    let more = [("MESHWORK_MODEL", model.to_owned()), ("MESHWORK_CONTEXT_URL", context.mcp_url())];
    provider.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_profile(profile: &Profile, context: &Context<'_>) -> Result<Launch, Problem> {
    let engine = ready(profile, context.engines_dir)?;
    let (model, wire) = model(profile, context)?;
    let mode = match context.permissions {
        PermissionMode::Sandbox => profile.mode.sandbox.clone(),
        PermissionMode::Ask => profile.mode.ask.clone(),
    };
    let node = if profile.node.is_some() { Some(find_node()?) } else { None };
    let inside = context.engine_inside.map_or_else(|| engine.path.clone(), PathBuf::from);
    let text = |path: &Path| path.display().to_string();
    let root = format!("http://127.0.0.1:{}", context.model_port);
    let mut values = vec![
        ("engine", text(&inside)),
        ("home", context.home.to_owned()),
        ("work", context.work.to_owned()),
        ("model", model.to_owned()),
        ("model_url", format!("{root}/v1")),
        ("model_root", root),
        ("key", PLACEHOLDER_KEY.to_owned()),
        ("wire", wire),
        ("mode", mode.clone().unwrap_or_default()),
        ("node", node.as_ref().map(|node| text(&node.path)).unwrap_or_default()),
    ];
    values.extend(profile::machine());
    let plain = |template: &String| fill(template, &values, str::to_owned);

    let mut env = base_env(context);
    env.extend(profile.env.iter().map(|(name, template)| (name.clone(), plain(template))));
    let mut home_files: Vec<_> =
        profile.file.iter().map(|file| (file.path.clone(), fill(&file.text, &values, escaped).into_bytes())).collect();
    if let Some(catalog) = &profile.catalog {
        home_files.push((catalog.path.clone(), catalog::one_model(catalog, &engine.path, model)?));
    }
    let mut readonly = vec![Shown { host: engine.path, inside }];
    // Node is found by its path on the host, so it keeps it.
    readonly.extend(node.and_then(|node| node.prefix).map(|prefix| Shown { host: prefix.clone(), inside: prefix }));
    Ok(Launch {
        command: profile.command.iter().map(plain).collect(),
        env,
        readonly,
        home_files,
        mode: mode.filter(|_| !profile.mode.by_environment),
        resumes: profile.resumes,
        failure: profile.failure.clone(),
        speaks: Speaks::Acp,
    })
}

fn ready(profile: &Profile, engines_dir: &Path) -> Result<Installed, Problem> {
    let next = format!("Run `meshwork engine install {}`.", profile.name);
    match installed(&profile.name, engines_dir) {
        Some(engine) if engine.version == profile.npm.version => Ok(engine),
        Some(engine) => Err(Problem::unavailable(format!(
            "The engine {} is installed in version {}, but {} is needed.",
            profile.name, engine.version, profile.npm.version
        ))
        .next(next)),
        None => Err(Problem::unavailable(format!("The engine {} is not installed on this machine.", profile.name)).next(next)),
    }
}

/// The model's name, and how the engine's settings name its wire form.
fn model<'a>(profile: &Profile, context: &Context<'a>) -> Result<(&'a str, String), Problem> {
    let Some((name, api)) = context.model else {
        return Err(Problem::invalid(format!("The engine {} needs a model.", profile.name))
            .next("Give the agent a model: `meshwork agent add --model …`."));
    };
    let wire = profile.api.get(&Api::from(api)).ok_or_else(|| {
        let known: Vec<_> = profile.api.keys().map(|api| format!("{api:?}").to_lowercase()).collect();
        Problem::invalid(format!("The engine {} does not speak to a model over {api:?}.", profile.name))
            .because(format!("It speaks {}.", known.join(", ")))
            .next("Choose another engine for this model, or a model address with another `api`.")
    })?;
    Ok((name, wire.wire.clone()))
}
