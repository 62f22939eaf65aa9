//! Real engines against the scripted model, without a sandbox.

use super::context_server::ContextServer;
use domain::{
    agent::{EngineChoice, ModelApi, PermissionMode},
    run::RunnerEvent,
};
use engine::{Context, Driver, DriverOrder, Launch, Session, launch};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use testkit::model::ScriptedModel;
use tokio::{process::Child, sync::mpsc};

/// Where engines for tests lie: shared by all tests, kept between runs.
pub fn engines_dir() -> PathBuf {
    match std::env::var_os("MESHWORK_ENGINES") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/engines"),
    }
}

/// Fetches the engine where it is missing.
pub fn have(name: &str) {
    let dir = engines_dir();
    std::fs::create_dir_all(&dir).unwrap();
    engine::install(name, &dir.canonicalize().unwrap(), |line| eprintln!("{line}")).unwrap_or_else(|problem| panic!("{problem}"));
}

/// An engine that runs in folders of its own.
pub struct Running {
    pub driver: Driver,
    pub events: mpsc::Receiver<RunnerEvent>,
    pub orders: mpsc::Sender<DriverOrder>,
    pub received: mpsc::Receiver<DriverOrder>,
    pub launch: Launch,
    pub model: ScriptedModel,
    pub context: ContextServer,
    _child: Child,
    _group: Group,
    // Removed last.
    pub dir: tempfile::TempDir,
}

pub const KEY: &str = engine::PLACEHOLDER_KEY;

pub async fn start(name: &str, api: ModelApi, permissions: PermissionMode) -> Running {
    let model = ScriptedModel::requiring(KEY).await.unwrap();
    start_with(name, api, permissions, model).await
}

pub async fn start_with(name: &str, api: ModelApi, permissions: PermissionMode, model: ScriptedModel) -> Running {
    // Codex refuses a home below /tmp.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let work = dir.path().join("work");
    std::fs::create_dir_all(&work).unwrap();
    git_init(&work);
    start_in(name, api, permissions, model, dir, None).await
}

pub async fn start_in(
    name: &str,
    api: ModelApi,
    permissions: PermissionMode,
    model: ScriptedModel,
    dir: tempfile::TempDir,
    resume: Option<String>,
) -> Running {
    have(name);
    let (home, work) = (dir.path().join("home"), dir.path().join("work"));
    let context = ContextServer::start().await;
    let engines = engines_dir().canonicalize().unwrap();
    let given = Context {
        engines_dir: &engines,
        engine_inside: None,
        model: Some(("scripted-1", api)),
        model_port: model.port(),
        context_port: context.port,
        home: home.to_str().unwrap(),
        work: work.to_str().unwrap(),
        meshwork: "/nowhere",
        task: Some("T001"),
        prompt: "",
        permissions,
    };
    let launch = launch(&EngineChoice::Profile { name: name.into() }, &given).unwrap_or_else(|problem| panic!("{problem}"));
    let mcp_url = given.mcp_url();
    for (path, content) in &launch.home_files {
        let path = home.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let mut command = tokio::process::Command::new(&launch.command[0]);
    command.args(&launch.command[1..]).env_clear().envs(launch.env.clone()).current_dir(&work);
    let stderr = std::fs::File::create(dir.path().join("stderr")).unwrap();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let session = Session {
        cwd: work.to_str().unwrap().into(),
        mcp_url: Some(mcp_url),
        resume,
        mode: launch.mode.clone(),
        permissions,
        permission_wait: Duration::from_secs(60),
        failure: launch.failure.clone(),
    };
    let (sender, events) = mpsc::channel(10_000);
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let driver = Driver::start(stdin, stdout, session, sender).await;
    let driver = driver.unwrap_or_else(|reason| panic!("{reason:?}\n{}", std::fs::read_to_string(dir.path().join("stderr")).unwrap()));
    let (orders, received) = mpsc::channel(16);
    let group = Group(child.id());
    Running { driver, events, orders, received, launch, model, context, _child: child, _group: group, dir }
}

/// Ends an engine with its helpers.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).stderr(Stdio::null()).status();
        }
    }
}

fn git_init(work: &Path) {
    let done = std::process::Command::new("git").args(["init", "-q", "-b", "main"]).current_dir(work).status().unwrap();
    assert!(done.success());
}

impl Running {
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub async fn turn(&mut self, prompt: &str) -> domain::run::TurnOutcome {
        tokio::time::timeout(Duration::from_secs(120), self.driver.turn(prompt, &mut self.received)).await.expect("the turn ends")
    }

    /// The events that came so far.
    pub fn so_far(&mut self) -> Vec<RunnerEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Ends the engine as an eviction does, and keeps its files.
    pub async fn stop(self) -> (tempfile::TempDir, ScriptedModel) {
        let Self { dir, model, _group, mut _child, driver, .. } = self;
        drop(driver);
        drop(_group);
        _child.wait().await.unwrap();
        (dir, model)
    }

    /// Takes events until one fits.
    pub async fn until(events: &mut mpsc::Receiver<RunnerEvent>, fits: impl Fn(&RunnerEvent) -> bool) -> RunnerEvent {
        let found = async {
            loop {
                let event = events.recv().await.expect("an event");
                if fits(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found).await.expect("the event comes")
    }
}
