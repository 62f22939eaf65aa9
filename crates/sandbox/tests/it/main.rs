//! Attempts to get out of real sandboxes, and what must work inside them. Each attempt is made by a shell or Python command
//! from inside; the tests assert that it failed, that it was told where it can be known, and that honest use works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bridge;
mod escape;
mod freeze;
mod limits;
mod other_users;
mod stage;

use domain::capacity::Resources;
use sandbox::{Ended, Sandbox, Spec};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::io::AsyncReadExt;

/// A folder for one sandbox, with worktree and home.
pub(crate) struct Place {
    pub dir: tempfile::TempDir,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub out: String,
    pub err: String,
    pub ended: Ended,
    pub violations: Vec<String>,
}

impl Outcome {
    /// Whether something was told that contains this.
    pub fn told(&self, text: &str) -> bool {
        self.violations.iter().any(|v| v.contains(text))
    }
}

/// Whether bubblewrap is here at all; says so when not.
pub(crate) fn here() -> bool {
    let found = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"].iter().any(|p| Path::new(p).exists());
    if !found {
        testkit::skip("sandbox", "bubblewrap is not installed");
    }
    found
}

/// An example of this crate, built together with its tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let path = deps.parent().unwrap().parent().unwrap().join("examples").join(name);
    // `cargo test` with a name of a test does not build examples, so this one may be missing or old.
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let sources = std::fs::read_dir(testkit::root().join("crates/sandbox/src")).into_iter().flatten().flatten();
    let newest = sources.filter_map(|e| changed(&e.path())).max();
    assert!(changed(&path) >= newest, "{} is missing or old: `cargo build -p sandbox --examples` makes it", path.display());
    path
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sb").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("work")).unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A spec with small limits for a shell script.
    pub fn shell(&self, script: &str) -> Spec {
        self.spec(&["sh", "-c", script])
    }

    pub fn python(&self, script: &str) -> Spec {
        self.spec(&["/usr/bin/python3", "-c", script])
    }

    pub fn spec(&self, command: &[&str]) -> Spec {
        Spec {
            command: command.iter().map(|part| (*part).to_owned()).collect(),
            env: vec![],
            work: self.path("work"),
            home: self.path("home"),
            readonly: vec![],
            shown: vec![],
            caches: None,
            brief: None,
            forwards: vec![],
            bridge: example("bridge"),
            resources: Resources { cpu_milli: 2_000, memory_bytes: 512 << 20, disk_bytes: 256 << 20, gpus: 0 },
            processes_max: 128,
        }
    }

    /// Runs a script to its end.
    pub async fn run(&self, script: &str) -> Outcome {
        run(self.shell(script)).await
    }
}

/// Runs a spec to its end.
pub(crate) async fn run(spec: Spec) -> Outcome {
    let sandbox = Sandbox::spawn(spec).await.unwrap();
    finish(&sandbox).await
}

/// Reads everything and waits for the end.
pub(crate) async fn finish(sandbox: &Sandbox) -> Outcome {
    let mut stdio = sandbox.take_stdio().unwrap();
    drop(stdio.stdin);
    let (mut out, mut err) = (vec![], vec![]);
    let end = async {
        let _ = tokio::join!(stdio.stdout.read_to_end(&mut out), stdio.stderr.read_to_end(&mut err));
        sandbox.wait().await
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), end).await.expect("the sandbox did not end");
    let mut channel = sandbox.take_violations().unwrap();
    let violations = std::iter::from_fn(|| channel.try_recv().ok()).collect();
    Outcome { out: String::from_utf8_lossy(&out).into_owned(), err: String::from_utf8_lossy(&err).into_owned(), ended, violations }
}

/// Waits for a condition of the world; fails when it does not come.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Processes of this machine whose command line contains a text.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).contains(text)))
        .collect()
}
