//! A real `meshwork up` on a folder of its own and free ports, with its command line and its HTTP door.
//!
//! When it is dropped everything that it started is ended by its id; when its test failed, its log is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A harness fails its test.

use crate::{free_address, processes::end_all_of};
use futures::StreamExt;
use reqwest::{Method, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Whatever port is free.
const ANY_PORT: &str = "127.0.0.1:0";
/// How long `up` may take to begin and to end.
const START_TIME: Duration = Duration::from_secs(60);
/// How long anything that is waited for may take.
const WAIT: Duration = Duration::from_secs(120);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// The same in a network namespace, where each look is a process and what is waited for comes through a tailnet.
const WAIT_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY_WITHIN: Duration = Duration::from_millis(400);
/// How much of the log is printed.
const LOG_BYTES: usize = 24 * 1024;

/// What a command of the command line gave.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The last line of standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.stdout.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A running `meshwork up`.
#[derive(Debug)]
pub struct Up {
    program: PathBuf,
    child: Option<Child>,
    url: String,
    sign_in: String,
    listen: SocketAddr,
    env: Vec<(String, String)>,
    /// Where the Radicle node and other devices are listened to.
    others_at: [String; 2],
    /// Where their gossip is heard.
    gossip_at: String,
    /// The network namespace in which it runs; its HTTP door is then reached by its command line alone.
    namespace: Option<PathBuf>,
    http: reqwest::Client,
    // Removed last.
    dir: TempDir,
}

impl Up {
    /// Starts one in a new folder. `program` is the `meshwork` to start.
    pub async fn start(program: &str) -> Self {
        Self::with(program, &[]).await
    }

    /// Starts one with these environment variables.
    pub async fn with(program: &str, env: &[(&str, &str)]) -> Self {
        let mut up = Self::idle(program, env);
        up.begin().await;
        up
    }

    /// Makes the folder and starts nothing.
    pub fn idle(program: &str, env: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let dir = tempfile::Builder::new().prefix("mw-test-").tempdir().unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self {
            program: program.into(),
            child: None,
            url: String::new(),
            sign_in: String::new(),
            listen: free_address(),
            env,
            others_at: [ANY_PORT, ANY_PORT].map(str::to_owned),
            gossip_at: ANY_PORT.to_owned(),
            namespace: None,
            http,
            dir,
        }
    }

    /// Sets a variable of its environment; an empty one counts as not set.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.set_now(name, value);
        self
    }

    /// As [`Up::set`], for whatever it starts from now on.
    pub fn set_now(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Has the Radicle node and the port for other devices listen at addresses that stay the same, as others are told them.
    #[must_use]
    pub fn listening(mut self) -> Self {
        self.others_at = [free_address(), free_address()].map(|address| address.to_string());
        self
    }

    /// Has it and its command line run in a network namespace, as `/run/netns/a`.
    #[must_use]
    pub fn within(mut self, namespace: &Path) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Starts `up` on the folder, and waits until it serves.
    pub async fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = self.command();
        let (listen, [radicle, mesh]) = (self.listen.to_string(), &self.others_at);
        command.args(["--json", "up", "--listen", &listen, "--radicle-listen", radicle, "--mesh-listen", mesh, "--no-open"]);
        command.args(["--gossip-listen", &self.gossip_at]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.child = Some(child);
        let line = timeout(START_TIME, lines.next_line()).await.expect("up says where it is").unwrap().unwrap_or_default();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("up said “{line}”: {e}"));
        let text = |name: &str| said[name].as_str().unwrap_or_else(|| panic!("up said {said}")).to_owned();
        (self.url, self.sign_in) = (text("url"), text("sign_in"));
    }

    /// Ends `up` as Ctrl-C does, and waits for it.
    pub async fn end(&mut self) -> i32 {
        let mut child = self.child.take().expect("it runs");
        signal(&child, Signal::TERM);
        let status = timeout(START_TIME, child.wait()).await.expect("up ends when it is told to").unwrap();
        status.code().unwrap_or(-1)
    }

    /// Ends `up` as a power cut does.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        signal(&child, Signal::KILL);
        child.wait().await.unwrap();
    }

    /// Has `up` stand still where it is, as on a machine that is far too busy: until it is killed.
    pub fn freeze(&self) {
        signal(self.child.as_ref().expect("it runs"), Signal::STOP);
    }

    /// Ends all that runs on its machine, runners and engines too, as a power cut does.
    pub async fn pull(&mut self) {
        let mut child = self.child.take().expect("it runs");
        end_all_of(self.dir.path());
        timeout(START_TIME, child.wait()).await.expect("nothing outlives a power cut").unwrap();
    }

    /// The folder of the test; the data folder is in it.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The folder below which its sensors look, as they would below `/`. There is nothing, unless a test lays something there.
    pub fn sensors(&self) -> PathBuf {
        self.dir.path().join("sensors")
    }

    /// What its orgs' folders for sockets are called.
    pub fn socket_folders(&self) -> Vec<String> {
        let found = fs::read_dir(self.dir.path().join("r/meshwork")).into_iter().flatten().flatten();
        found.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The one-time link that it printed.
    pub fn sign_in(&self) -> &str {
        &self.sign_in
    }

    /// The command line's own token.
    pub fn token(&self) -> String {
        fs::read_to_string(self.data().join("cli.token")).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("up.log")
    }

    fn command(&self) -> Command {
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", namespace.display())).arg("--").arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.arg("--data-dir").arg(self.data()).current_dir(self.dir.path());
        // Sockets go there: so they go with the test.
        let sockets = self.dir.path().join("r");
        let _ = fs::create_dir_all(&sockets);
        // What the real machine's battery and its owner do is no part of a test.
        command.env("MESHWORK_SENSORS_ROOT", self.sensors());
        command.env("XDG_RUNTIME_DIR", sockets).env_remove("MESHWORK_DATA_DIR").env_remove("MESHWORK_LOG");
        command.envs(self.env.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        command
    }

    /// Runs a verb, with `--json`.
    pub async fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, "").await
    }

    /// Runs a verb, with `--json` and this on standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> Outcome {
        let mut command = self.command();
        command.arg("--json").args(args);
        finish(command, args, input).await
    }

    /// Runs a verb as a person does, who reads what it says.
    pub async fn told(&self, args: &[&str]) -> Outcome {
        let mut command = self.command();
        command.args(args);
        finish(command, args, "").await
    }

    /// Begins a verb as a person does, of which the output is read while it runs.
    pub fn begun(&self, args: &[&str]) -> Child {
        self.command().args(args).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a verb as a person does at a terminal, with these variables too; its output is what the terminal gets. The
    /// terminal is made by `script` (util-linux).
    pub async fn on_terminal(&self, env: &[(&str, &str)], args: &[&str]) -> Outcome {
        let plain = self.command();
        let words = std::iter::once(plain.as_std().get_program()).chain(plain.as_std().get_args());
        let words: Vec<_> = words.map(|w| w.to_string_lossy().into_owned()).chain(args.iter().map(|a| (*a).to_owned())).collect();
        assert!(words.iter().all(|w| !w.contains(['\'', ' '])), "{words:?}");
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]).current_dir(self.dir.path()).kill_on_drop(true);
        command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("PAGER").env_remove("LESS").env_remove("MESHWORK_DATA_DIR");
        command.envs(env.iter().copied());
        finish(command, args, "").await
    }

    /// Runs a verb that must succeed, and gives its answer.
    pub async fn ok(&self, args: &[&str]) -> Value {
        let outcome = self.run(args).await;
        assert_eq!(outcome.code, 0, "meshwork {args:?}: {outcome:?}");
        outcome.json()
    }

    /// Runs a verb that must be refused with this exit code, and gives the problem.
    pub async fn refused(&self, args: &[&str], code: i32) -> Value {
        let outcome = self.run(args).await;
        assert_eq!(outcome.code, code, "meshwork {args:?}: {outcome:?}");
        outcome.json()["error"].clone()
    }

    /// Sends a request; `token` may be empty.
    pub async fn request(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).timeout(WAIT);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A client for requests of any form.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Calls an action as the command line does: status and answer. In a network namespace, by the command line itself: a refusal has
    /// status 400 then, whatever it is.
    pub async fn call(&self, action: &str, input: Value) -> (u16, Value) {
        if self.namespace.is_some() {
            let outcome = self.run(&["call", action, &input.to_string()]).await;
            return (if outcome.code == 0 { 200 } else { 400 }, outcome.json());
        }
        let path = format!("/api/v1/{}", action.replacen('.', "/", 1));
        let response = self.request(Method::POST, &path, &self.token(), Some(input)).await;
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// Calls an action that must succeed.
    pub async fn act(&self, action: &str, input: Value) -> Value {
        let (status, answer) = self.call(action, input.clone()).await;
        assert_eq!(status, 200, "{action} {input}: {answer}");
        answer
    }

    /// Makes the org.
    pub async fn org(&self) {
        self.act("org.create", json!({"name": "crew", "member": "ada"})).await;
    }

    /// Lets another machine, which is up, into the org of this one, by a ticket that is asked for with these words.
    pub async fn let_in(&self, other: &Self, name: &str, device: &str, invite: &[&str]) {
        let invited = self.ok(&[&["org", "invite"], invite].concat()).await;
        other.ok(&["join", invited["ticket"].as_str().unwrap(), "--name", name, "--device", device, "--no-wait"]).await;
        other.until_joining("waiting").await;
        self.ok(&["org", "approve", device]).await;
        other.until_joining("joined").await;
    }

    async fn until_joining(&self, wanted: &str) {
        let look = || async {
            let seen = self.act("org.joining", json!({})).await;
            if seen["state"] == wanted { Ok(()) } else { Err(seen) }
        };
        self.until(&format!("joining is {wanted}"), look).await;
    }

    /// Looks until there is something, and fails with what was seen last.
    pub async fn until<T, F: Future<Output = Result<T, Value>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        let (wait, pause) = if self.namespace.is_some() { (WAIT_WITHIN, LOOK_EVERY_WITHIN) } else { (WAIT, LOOK_EVERY) };
        let deadline = Instant::now() + wait;
        loop {
            match look().await {
                Ok(found) => return found,
                Err(seen) => assert!(Instant::now() < deadline, "{what}: not within {wait:?}; last seen: {seen:#}"),
            }
            sleep(pause).await;
        }
    }

    /// Waits until a run fits.
    pub async fn until_run(&self, run: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let fits = &fits;
        let look = || async move {
            let seen = self.act("run.show", json!({ "run": run })).await;
            if fits(&seen) { Ok(seen) } else { Err(seen) }
        };
        self.until(what, look).await
    }

    /// Waits until a run has ended.
    pub async fn ended(&self, run: &str) -> Value {
        let ends = ["done", "failed", "cancelled", "evicted", "lost"];
        self.until_run(run, "the run ends", |seen| ends.contains(&seen["state"].as_str().unwrap_or_default())).await
    }

    /// Waits until a run is in a state; fails at once when it ended in another.
    pub async fn in_state(&self, run: &str, state: &str) -> Value {
        let ends = ["done", "failed", "cancelled", "evicted", "lost"];
        let seen =
            self.until_run(run, state, |seen| seen["state"] == state || ends.contains(&seen["state"].as_str().unwrap_or_default())).await;
        assert_eq!(seen["state"], state, "{seen:#}\n{}", self.run_log(run).await);
        seen
    }

    /// A run's log as lines of JSON.
    pub async fn run_log(&self, run: &str) -> String {
        let page = self.act("run.logs", json!({ "run": run })).await;
        page["lines"].as_array().into_iter().flatten().map(|line| format!("{}\n", line["event"])).collect()
    }

    /// Waits until something is in a run's log.
    pub async fn until_logged(&self, run: &str, words: &str) {
        let look = || async move {
            let log = self.run_log(run).await;
            if log.contains(words) { Ok(()) } else { Err(Value::String(log)) }
        };
        self.until(&format!("“{words}” in the run's log"), look).await;
    }

    /// Gives a task to an agent, and gives the run's id.
    pub async fn start_task(&self, task: &str, agent: &str) -> String {
        let answer = self.ok(&["task", "run", task, "--agent", agent]).await;
        answer["runs"][0]["run"].as_str().unwrap_or_else(|| panic!("nothing was started: {answer}")).to_owned()
    }

    /// Gives a task to an agent, waits for the end, and gives the run, which must be done.
    pub async fn do_task(&self, task: &str, agent: &str) -> Value {
        let run = self.start_task(task, agent).await;
        let ended = self.ended(&run).await;
        assert_eq!(ended["state"], "done", "{ended:#}\n{}", self.run_log(&run).await);
        ended
    }

    /// Accepts and merges a patch.
    pub async fn merge(&self, patch: &str) -> Value {
        self.ok(&["patch", "review", patch, "--accept", "-m", "Good."]).await;
        self.ok(&["patch", "merge", patch]).await
    }

    /// The journal's events after a number.
    pub async fn journal(&self) -> Vec<Value> {
        self.act("journal.list", json!({"limit": 1000})).await.as_array().cloned().unwrap_or_default()
    }

    /// Reads so many server-sent events: the id and data of each.
    pub async fn events(&self, path: &str, last: Option<&str>, count: usize) -> Vec<(u64, Value)> {
        let mut request = self.http.get(format!("{}{path}", self.url)).bearer_auth(self.token());
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let mut bytes = request.send().await.unwrap().error_for_status().unwrap().bytes_stream();
        let (mut pending, mut found) = (String::new(), Vec::new());
        while found.len() < count {
            let piece = timeout(WAIT, bytes.next()).await.expect("an event comes").expect("the stream goes on").unwrap();
            pending.push_str(&String::from_utf8_lossy(&piece));
            while let Some((event, rest)) = pending.split_once("\n\n").map(|(e, r)| (e.to_owned(), r.to_owned())) {
                pending = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                    found.push((id.parse().unwrap(), serde_json::from_str(data).unwrap()));
                }
            }
        }
        found.truncate(count);
        found
    }
}

async fn finish(mut command: Command, args: &[&str], input: &str) -> Outcome {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = timeout(WAIT, child.wait_with_output()).await.unwrap_or_else(|_| panic!("meshwork {args:?} does not end")).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = (log.len().saturating_sub(LOG_BYTES)..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or_default();
            eprintln!("--- the log of meshwork up in {} ---\n{}", self.dir.path().display(), &log[from..]);
        }
        // Killed with its whole folder: the runners outlive `up` by design.
        end_all_of(self.dir.path());
        // What an org's own tailscaled was in, named as its folder for sockets.
        for word in self.socket_folders() {
            let namespace = format!("mw-{word}");
            if Path::new("/run/netns").join(&namespace).exists() {
                let _ = std::process::Command::new("ip").args(["netns", "del", &namespace]).output();
            }
        }
    }
}
