//! Forges, working copies and runs for the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::patch::Trace;
use domain::{Oid, PatchId, Problem, ProjectName, Rid};
use forge::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a condition may take to become true.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A device with its forge.
pub struct Device {
    pub dir: TempDir,
    pub forge: Arc<Forge>,
}

impl Device {
    pub fn new(alias: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let forge = Forge::create(&dir.path().join("rad"), &dir.path().join("member"), alias).unwrap();
        Self { dir, forge: Arc::new(forge) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the node on a free port of loopback.
    pub fn node(&self) -> Node {
        self.forge.start_node(Some("127.0.0.1:0".parse().unwrap()), &self.path("control.sock")).unwrap()
    }

    /// A project with these files, of which others may read.
    pub fn project(&self, name: &str, files: &[(&str, &str)], allow: &[domain::Did]) -> Rid {
        let work = self.path(&format!("copy-{name}"));
        working_copy(&work, files);
        let visibility = Visibility::Private { allow: allow.to_vec() };
        self.forge.init_project(&work, &name.parse().unwrap(), None, &visibility).unwrap().rid
    }

    /// A run from the head of a project: changes files in a worktree, imports, commits and publishes them.
    pub fn run(&self, rid: &Rid, key: &RunKey, name: &str, base: &Oid, existing: Option<&PatchId>, change: impl FnOnce(&Path)) -> Work {
        let dir = self.path(&format!("run-{name}"));
        let repo = RunRepo::create(&dir.join("host.git"), &self.forge, rid).unwrap();
        let work = dir.join("work");
        repo.checkout(base, &work).unwrap();
        let listing = repo.base_tree(base).unwrap();
        change(&work);
        let imported = repo.import(&work, &listing, &ImportLimits::default()).unwrap();
        let commit = repo.commit(&imported.tree, std::slice::from_ref(base), "coder", &format!("{name}\n"), key).unwrap();
        let what = Publication { repo: &repo, commit: &commit, base, title: name, description: "What it does.", existing };
        let published = self.forge.publish(rid, key, &what).unwrap();
        Work { repo, commit, published }
    }
}

/// What a run made.
pub struct Work {
    pub repo: RunRepo,
    pub commit: Oid,
    pub published: Published,
}

/// A run's key in a thread of its own, as in a runner: the forge sees only signatures.
pub struct RunKey {
    public: [u8; 32],
    ask: mpsc::Sender<(Vec<u8>, mpsc::Sender<[u8; 64]>)>,
}

impl RunKey {
    pub fn new() -> Self {
        let (tell, told) = mpsc::channel();
        let (ask, asked) = mpsc::channel::<(Vec<u8>, mpsc::Sender<[u8; 64]>)>();
        thread::spawn(move || {
            let key = identity::Key::generate().unwrap();
            tell.send(key.public()).unwrap();
            for (message, answer) in asked {
                let _ = answer.send(key.sign(&message));
            }
        });
        Self { public: told.recv().unwrap(), ask }
    }

    pub fn did(&self) -> domain::Did {
        identity::did(&self.public)
    }
}

impl RunSigner for RunKey {
    fn key(&self) -> [u8; 32] {
        self.public
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Problem> {
        let (answer, answered) = mpsc::channel();
        self.ask.send((message.to_vec(), answer)).map_err(Problem::internal)?;
        answered.recv().map_err(Problem::internal)
    }
}

pub fn name(text: &str) -> ProjectName {
    text.parse().unwrap()
}

/// Runs git as a person would.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "person").env(format!("GIT_{who}_EMAIL"), "person@example.org");
    }
    let output = git.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A git working copy with one commit of these files on `main`.
pub fn working_copy(dir: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(dir).unwrap();
    git(dir, &["init", "--quiet", "--initial-branch=main"]);
    for (path, content) in files {
        put(dir, path, content);
    }
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message=first"]);
}

pub fn put(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let file = dir.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

/// Waits until something is true, driven by a node's events.
pub fn until(events: &NodeEvents, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        // An event may have come before the subscription, so the condition is looked at now and then anyway.
        assert!(events.next(Duration::from_millis(200)) != Received::Closed, "the node stopped before: {what}");
    }
}

/// All paths and contents of a commit.
pub fn files(forge: &Forge, rid: &Rid, commit: &Oid) -> BTreeMap<String, String> {
    let files = forge.files(rid, commit, &[""]).unwrap();
    files.into_iter().map(|(path, content)| (path, String::from_utf8(content).unwrap())).collect()
}

pub fn trace() -> Trace {
    serde_json::from_value(serde_json::json!({
        "version": 1, "run": "01J00000000000000000000000", "agent": "coder", "engine": "replay",
        "member": "did:key:z6MktWkM9vcfysWFq1c2aaLjJ6j4PYYg93TLPswR4qtuoAeT",
        "task": {"project": "demo", "feature": "001-x", "task": "T001"},
        "spec_hash": "0".repeat(64), "definitions": "2".repeat(40), "manifest": "1".repeat(64), "asked": {"payload": "e30="}, "delegation": {"payload": "e30="}, "checks": []
    }))
    .unwrap()
}
