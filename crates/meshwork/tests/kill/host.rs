//! The machine under test: a real `meshwork up` that is killed and started again on the same folder.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tempfile::TempDir;
use testkit::{Repository, end_all_of};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long `up` may take to begin or end.
const START_TIME: Duration = Duration::from_secs(60);
/// How long one call may take.
const CALL_TIME: Duration = Duration::from_secs(60);
/// How many features, and tasks in each.
pub const FEATURES: usize = 40;
const TASKS: usize = 8;
const SETTINGS: &str =
    "approvals = 1\n[[checks]]\nname = \"there\"\ncommand = \"ls out/*.b\"\ntimeout_s = 30\n[limits]\nsilence_s = 60\nwall_s = 120\n";
/// Works for a while that depends on the task; the first half of the work is not done again by a later run.
const COMMAND: &str = "mkdir -p out && t=$MESHWORK_TASK && if [ ! -f out/$t.a ]; then od -An -N8 -tx8 /dev/urandom > out/$t.a; echo made $(cat out/$t.a); fi && sleep 0.$(( (1${t#T} * 37) % 60 + 10 )) && cp out/$t.a out/$t.b && od -An -N8 -tx8 /dev/urandom > out/$t.c";
const RECORDING: &str = "{\"recording\": 1}\n{\"message\": \"working\"}\n{\"run\": \"mkdir -p out; [ -f out/TASK.a ] || od -An -N8 -tx8 /dev/urandom > out/TASK.a\"}\n{\"pause_ms\": 250}\n{\"run\": \"cp out/TASK.a out/TASK.b; od -An -N8 -tx8 /dev/urandom > out/TASK.c\"}\n{\"end\": \"end_turn\"}\n";

/// Where `up` answers now; everybody who talks to it shares this.
#[derive(Clone, Debug)]
pub struct Door {
    http: reqwest::Client,
    at: Arc<Mutex<Option<(String, String)>>>,
}

impl Door {
    fn set(&self, at: Option<(String, String)>) {
        *self.at.lock().unwrap() = at;
    }

    /// Calls an action. None: `up` is away, or went away before it answered.
    pub async fn call(&self, action: &str, input: Value) -> Option<(u16, Value)> {
        let (url, token) = self.at.lock().unwrap().clone()?;
        let url = format!("{url}/api/v1/{}", action.replacen('.', "/", 1));
        let response = self.http.post(url).bearer_auth(token).json(&input).timeout(CALL_TIME).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.json().await.ok()?))
    }

    /// An action's answer; none when it was refused, or `up` is away.
    pub async fn ask(&self, action: &str, input: Value) -> Option<Value> {
        self.call(action, input).await.filter(|(status, _)| *status == 200).map(|(_, answer)| answer)
    }

    /// The stream of the journal, from now on.
    pub async fn follow(&self) -> Option<reqwest::Response> {
        let (url, token) = self.at.lock().unwrap().clone()?;
        self.http.get(format!("{url}/events")).bearer_auth(token).send().await.ok()?.error_for_status().ok()
    }
}

/// How often it is looked which runners there are.
const RUNNERS_EVERY: Duration = Duration::from_millis(20);

pub struct Host {
    child: Option<Child>,
    /// The process ids of every `up` and every runner so far.
    pids: Arc<Mutex<BTreeSet<i32>>>,
    door: Door,
    env: Vec<(String, String)>,
    dir: TempDir,
}

impl Host {
    /// One with an org, a project and two agents.
    pub async fn founded(env: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let dir = tempfile::Builder::new().prefix("mw-kill-").tempdir().unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut host = Self { child: None, pids: Arc::default(), door: Door { http, at: Arc::default() }, env, dir };
        tokio::spawn(note_runners(host.org_folder().join("runs"), Arc::downgrade(&host.pids)));
        host.begin().await;
        let project = host.project();
        host.must("org.create", json!({"name": "crew", "member": "ada"})).await;
        host.must("project.add", json!({"source": project, "name": "things"})).await;
        host.must("agent.add", json!({"name": "shell", "engine": "command", "command": COMMAND})).await;
        host.must("agent.add", json!({"name": "tape", "engine": "replay", "command": ".meshwork/replay/{task}.jsonl"})).await;
        host
    }

    fn project(&self) -> PathBuf {
        let made = Repository::new(self.dir.path().join("things"));
        made.write(".meshwork/project.toml", SETTINGS);
        for feature in 1..=FEATURES {
            let ids: Vec<String> = (1..=TASKS).map(|task| format!("T{feature}{task:02}")).collect();
            let line = |id: &String| format!("- [ ] {id} [P] Make out/{id}.b\n");
            made.feature(&format!("{feature:03}-part"), &ids.iter().map(line).collect::<String>());
            for id in ids {
                made.write(&format!(".meshwork/replay/{id}.jsonl"), &RECORDING.replace("TASK", &id));
            }
        }
        made.commit("Begin");
        made.path().to_owned()
    }

    pub fn door(&self) -> Door {
        self.door.clone()
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn org_folder(&self) -> PathBuf {
        self.dir.path().join("data/orgs/crew")
    }

    /// Calls an action that must succeed.
    pub async fn must(&self, action: &str, input: Value) -> Value {
        let answer = self.door.call(action, input).await.unwrap_or_else(|| panic!("{action}: no answer"));
        assert_eq!(answer.0, 200, "{action}: {}", answer.1);
        answer.1
    }

    /// Starts `up`, and waits until it serves: it must always come back.
    pub async fn begin(&mut self) {
        self.spawn();
        let child = self.child.as_mut().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(START_TIME, lines.next_line()).await.expect("up comes back in time").unwrap().unwrap_or_default();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("up did not come back: {e}: “{line}”"));
        let token = fs::read_to_string(self.dir.path().join("data/cli.token")).unwrap();
        let url = said["url"].as_str().unwrap_or_else(|| panic!("up did not come back: {said}"));
        self.door.set(Some((url.to_owned(), token)));
    }

    /// Starts `up` and does not wait.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none());
        let sockets = self.dir.path().join("r");
        fs::create_dir_all(&sockets).unwrap();
        let log = File::options().create(true).append(true).open(self.dir.path().join("up.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshwork"));
        command.arg("--data-dir").arg(self.dir.path().join("data"));
        command.args(["--json", "up", "--listen", "127.0.0.1:0", "--radicle-listen", "127.0.0.1:0", "--no-open"]);
        command.env("XDG_RUNTIME_DIR", sockets).env_remove("MESHWORK_DATA_DIR");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap();
        self.pids.lock().unwrap().insert(child.id().unwrap().cast_signed());
        self.child = Some(child);
    }

    /// Kills `up`, and waits for its end.
    pub async fn kill_up(&mut self) {
        let mut child = self.child.take().unwrap();
        signal(child.id().unwrap().cast_signed(), Signal::KILL);
        child.wait().await.unwrap();
        self.door.set(None);
    }

    /// Ends `up` in order.
    pub async fn end(&mut self) {
        let mut child = self.child.take().unwrap();
        self.door.set(None);
        signal(child.id().unwrap().cast_signed(), Signal::TERM);
        let status = timeout(START_TIME, child.wait()).await.expect("up ends when it is told to").unwrap();
        assert!(status.success(), "{status}");
    }

    /// Runs with a runner that lives, with its process id.
    pub fn runners(&self) -> Vec<(String, i32)> {
        let folders = fs::read_dir(self.org_folder().join("runs")).into_iter().flatten().flatten();
        let runner = |folder: fs::DirEntry| {
            let pid = noted_runner(&folder.path())?;
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            // Not another process that got the number since.
            String::from_utf8_lossy(&line).contains("mw-kill-").then_some((folder.file_name().into_string().ok()?, pid))
        };
        folders.filter_map(runner).collect()
    }

    /// Whether this was the process id of an `up` or a runner of ours.
    pub fn had(&self, pid: i32) -> bool {
        self.pids.lock().unwrap().contains(&pid)
    }

    /// All runs that have not ended.
    pub async fn open_runs(&self) -> Value {
        let runs = self.door.ask("run.list", json!({"all": true, "limit": 10_000})).await.unwrap_or_default();
        let open = |run: &&Value| !ended(run["state"].as_str().unwrap_or_default());
        runs.as_array().into_iter().flatten().filter(open).cloned().collect()
    }
}

/// The process id of the runner of the run with this folder.
fn noted_runner(folder: &Path) -> Option<i32> {
    fs::read_to_string(folder.join("runner.pid")).ok()?.split_whitespace().next()?.parse().ok()
}

/// Notes the runners for as long as somebody wants to know.
async fn note_runners(runs: PathBuf, pids: Weak<Mutex<BTreeSet<i32>>>) {
    while let Some(pids) = pids.upgrade() {
        let folders = fs::read_dir(&runs).into_iter().flatten().flatten();
        pids.lock().unwrap().extend(folders.filter_map(|folder| noted_runner(&folder.path())));
        drop(pids);
        sleep(RUNNERS_EVERY).await;
    }
}

/// Whether a run in this state has ended.
pub fn ended(state: &str) -> bool {
    ["done", "failed", "cancelled", "evicted", "lost"].contains(&state)
}

/// Signals a process of ours.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("up.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of the log ---\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
            if std::env::var_os("KILL_KEEP").is_some() {
                let kept = std::env::temp_dir().join("mw-killed");
                let _ = fs::remove_dir_all(&kept);
                let _ = std::process::Command::new("cp").arg("-a").arg(self.dir.path()).arg(&kept).status();
                eprintln!("kept in {}", kept.display());
            }
        }
        end_all_of(self.dir.path());
    }
}
