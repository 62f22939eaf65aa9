//! What the stories share.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use testkit::{Repository, Up, git, skip};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_meshwork");
/// Checks that always pass, quickly.
pub const PASSES: &str = "[[checks]]\nname = \"there\"\ncommand = \"test -f README.md\"\ntimeout_s = 30\n";

/// Where engines for tests lie: shared by all tests, kept between runs.
fn engines() -> PathBuf {
    let dir =
        std::env::var_os("MESHWORK_ENGINES").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/engines"), PathBuf::from);
    std::fs::create_dir_all(&dir).unwrap();
    dir.canonicalize().unwrap()
}

/// A machine, running, that founded an org.
pub async fn machine() -> Up {
    let up = idle();
    started(up).await
}

pub async fn started(mut up: Up) -> Up {
    up.begin().await;
    up.org().await;
    up
}

/// A machine that does not run yet.
pub fn idle() -> Up {
    Up::idle(PROGRAM, &[("MESHWORK_ENGINES", engines().to_str().unwrap())])
}

/// A machine, running, in which something is wrong on purpose.
pub async fn faulty(fault: &str) -> Up {
    started(Up::idle(PROGRAM, &[("MESHWORK_ENGINES", engines().to_str().unwrap()), ("MESHWORK_TEST_FAULT", fault)])).await
}

/// While it lives, runs that come into this state are held there.
pub struct Held(PathBuf);

impl Held {
    pub fn new(up: &Up, state: &str) -> Self {
        let file = up.data().join("orgs/crew").join(format!("hold-{state}"));
        std::fs::write(&file, "").unwrap();
        Self(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The beat of the small agent; waits for the first.
pub async fn beat(up: &Up, run: &str) -> u64 {
    let file = work(up, run).join("beat");
    let look = || async {
        let found = std::fs::read_to_string(&file).ok().and_then(|text| text.parse().ok());
        match found {
            Some(beat) => Ok(beat),
            None => Err(up.act("run.show", json!({ "run": run })).await),
        }
    };
    up.until("the agent's beat", look).await
}

/// The events of the journal of one type that are about a run.
pub async fn events_of(up: &Up, run: &str, kind: &str) -> Vec<Value> {
    let about = |entry: &Value| entry["event"]["type"] == kind && entry["event"]["run"] == run;
    up.journal().await.into_iter().filter(about).map(|entry| entry["event"].clone()).collect()
}

/// A project with these tasks and settings, added to the org.
pub async fn project(up: &Up, name: &str, tasks: &str, settings: &str) -> Repository {
    let made = Repository::with_tasks(up.folder().join(name), "001-work", tasks, settings);
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    made
}

/// An agent that runs a shell command.
pub async fn command_agent(up: &Up, name: &str, command: &str) {
    up.ok(&["agent", "add", name, "--engine", "command", "--command", command]).await;
}

/// Whether an engine is there, or can be fetched.
pub async fn have_engine(up: &Up, name: &str) -> bool {
    let outcome = up.run(&["engine", "install", name]).await;
    if outcome.code != 0 {
        skip(&format!("story with {name}"), &outcome.json()["error"]["what"].to_string());
    }
    outcome.code == 0
}

/// A file of a project's default branch, read by plain git from Radicle's storage.
pub async fn published(up: &Up, project: &str, file: &str) -> String {
    let shown = up.act("project.show", json!({ "project": project })).await;
    let rid = shown["project"]["rid"].as_str().unwrap().trim_start_matches("rad:").to_owned();
    git(&storage(up).join(rid), &["show", &format!("refs/heads/main:{file}")])
}

/// Radicle's storage of the only org.
pub fn storage(up: &Up) -> PathBuf {
    let org = std::fs::read_dir(up.data().join("orgs")).unwrap().next().unwrap().unwrap();
    org.path().join("radicle/storage")
}

/// A text field.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A problem must be one clear sentence with a next step.
pub fn clear(problem: &Value, words: &str) {
    let (what, all) = (problem["what"].as_str().unwrap_or_default(), problem.to_string());
    assert!(all.contains(words), "“{words}” is not in {problem:#}");
    assert!(what.ends_with('.') && what.len() > 10, "no sentence: {problem:#}");
    assert!(problem["next"].as_str().is_some_and(|next| next.len() > 10), "no next step: {problem:#}");
    assert_ne!(problem["kind"], "internal", "{problem:#}");
}

/// A project with two independent tasks, and a small agent of the Agent Client Protocol in it.
pub async fn acp_project(up: &Up, name: &str, settings: &str) -> Repository {
    let made = Repository::with_tasks(up.folder().join(name), "001-work", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", settings);
    made.write(".tools/agent.py", include_str!("agent.py"));
    made.commit("The agent");
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    made
}

/// The small agent, in one of its moods.
pub async fn acp_agent(up: &Up, mood: &str, more: &[&str]) {
    up.run_with(&["credential", "set", "unused"], "unused").await;
    let command = format!("python3 .tools/agent.py {mood}");
    let model = ["--model", "none", "--base-url", "http://127.0.0.1:9/v1", "--credential", "unused"];
    up.ok(&[&["agent", "add", mood, "--engine", "acp", "--command", &command][..], &model, more].concat()).await;
}

/// The worktree of a live run, on the host.
pub fn work(up: &Up, run: &str) -> PathBuf {
    up.data().join("orgs/crew/runs").join(run).join("work")
}
