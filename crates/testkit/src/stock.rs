//! Somebody with the stock `rad` and `radicle-node` on a machine of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A harness fails its test.

use crate::{free_address, root, skip};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long the stock node may take to answer.
const START_TIME: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A Radicle home of the stock tools; its node ends with the test.
#[derive(Debug)]
pub struct Stock {
    tools: PathBuf,
    node: Option<Child>,
    passphrase: String,
    // Removed last.
    dir: TempDir,
}

impl Stock {
    /// Makes one without a passphrase; none, said as skipped, where `MESHWORK_RAD` (default `target/tools/rad/bin`) has no
    /// stock tools.
    pub fn new(suite: &str) -> Option<Self> {
        Self::with_passphrase(suite, "")
    }

    /// Makes one whose key is protected.
    pub fn with_passphrase(suite: &str, passphrase: &str) -> Option<Self> {
        let tools = std::env::var_os("MESHWORK_RAD").map_or_else(|| root().join("target/tools/rad/bin"), PathBuf::from);
        if !["rad", "radicle-node", "git-remote-rad"].iter().all(|tool| tools.join(tool).exists()) {
            skip(suite, &format!("{} has no rad, radicle-node and git-remote-rad (MESHWORK_RAD)", tools.display()));
            return None;
        }
        let dir = tempfile::Builder::new().prefix("mw-stock-").tempdir().unwrap();
        let stock = Self { tools: tools.canonicalize().unwrap(), node: None, passphrase: passphrase.to_owned(), dir };
        stock.rad(stock.folder(), &["auth", "--alias", "stock"]);
        stock.configure(&[], &[]);
        Some(stock)
    }

    /// A folder of its own.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Its `RAD_HOME`.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A stock program, with everything around it that is this somebody's.
    pub fn command(&self, dir: &Path, program: impl AsRef<Path>) -> Command {
        let path = format!("{}:{}", self.tools.display(), std::env::var("PATH").unwrap());
        let own = self.tools.join(program.as_ref());
        let mut command = Command::new(if own.exists() { own } else { program.as_ref().to_owned() });
        command.current_dir(dir).env("PATH", path).env("RAD_HOME", self.home()).env("RAD_PASSPHRASE", &self.passphrase);
        command.env("HOME", self.folder()).env_remove("SSH_AUTH_SOCK").env("EDITOR", "true").stdin(Stdio::null());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "stock").env(format!("GIT_{who}_EMAIL"), "stock@example.org");
        }
        command
    }

    /// Runs `rad`, which must succeed, and gives what it said.
    #[track_caller]
    pub fn rad(&self, dir: &Path, args: &[&str]) -> String {
        self.run(dir, "rad", args)
    }

    /// Runs git with the stock `git-remote-rad` at hand.
    #[track_caller]
    pub fn git(&self, dir: &Path, args: &[&str]) -> String {
        self.run(dir, "git", args)
    }

    #[track_caller]
    fn run(&self, dir: &Path, program: &str, args: &[&str]) -> String {
        let output = self.command(dir, program).args(args).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {args:?}: {said}\n{}", self.log());
        said
    }

    /// Its key.
    pub fn did(&self) -> String {
        self.rad(self.folder(), &["self", "--did"]).trim().to_owned()
    }

    /// Makes a git working copy a public Radicle repository of this somebody, and gives its id.
    pub fn init(&self, work: &Path, name: &str) -> String {
        let args = ["init", "--name", name, "--description", "", "--default-branch", "main", "--public", "--no-confirm", "--scope", "all"];
        self.rad(work, &args);
        self.rad(work, &["inspect", "--rid"]).trim().to_owned()
    }

    /// Starts the node, which knows nobody but `peer` (a key and its address), and gives its own address.
    pub fn start(&mut self, peer: Option<(&str, &str)>) -> SocketAddr {
        // Radicle takes no port 0 from a file, so one is looked up.
        let address = free_address();
        let connect: Vec<String> = peer.iter().map(|(did, at)| format!("{}@{at}", nid(did))).collect();
        self.configure(&connect, &[address]);
        let log = fs::File::create(self.folder().join("node.log")).unwrap();
        let mut node = self.command(self.folder(), "radicle-node");
        self.node = Some(node.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        self.until("the stock node runs", |stock| {
            stock.command(stock.folder(), "rad").args(["node", "status", "--only", "nid"]).output().is_ok_and(|o| o.status.success())
        });
        address
    }

    /// Ends the node.
    pub fn stop(&mut self) {
        if let Some(mut node) = self.node.take() {
            let _ = node.kill();
            let _ = node.wait();
        }
    }

    /// Nobody is spoken to but whom the test names.
    fn configure(&self, connect: &[String], listen: &[SocketAddr]) {
        let config = self.home().join("config.json");
        let mut json: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        json["preferredSeeds"] = json!([]);
        json["node"]["connect"] = json!(connect);
        json["node"]["network"] = "test".into();
        json["node"]["peers"] = json!({"type": "static"});
        json["node"]["listen"] = json!(listen);
        fs::write(&config, json.to_string()).unwrap();
    }

    /// Clones a repository from a node that is connected, and gives the working copy.
    pub fn clone(&self, rid: &str, from: &str) -> PathBuf {
        let work = self.folder().join("clone");
        self.rad(self.folder(), &["clone", rid, "--scope", "all", "--seed", nid(from), work.to_str().unwrap()]);
        work
    }

    /// Looks until something is true.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + START_TIME;
        while !holds(self) {
            assert!(Instant::now() < end, "never: {what}\n{}", self.log());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Merges a patch by hand, as the stock tools do: into the checked-out default branch, which is pushed.
    pub fn merge(&self, clone: &Path, patch: &str) {
        self.rad(clone, &["patch", "checkout", patch, "--force"]);
        let branch = self.git(clone, &["rev-parse", "--abbrev-ref", "HEAD"]);
        self.git(clone, &["checkout", "--quiet", "main"]);
        self.git(clone, &["merge", "--quiet", "--no-edit", branch.trim()]);
        self.git(clone, &["push", "rad", "main"]);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder().join("node.log")).unwrap_or_default()
    }
}

/// A node's id, which is its key without the method.
fn nid(did: &str) -> &str {
    did.trim_start_matches("did:key:")
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.stop();
    }
}
