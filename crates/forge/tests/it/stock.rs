//! The stock `rad` and `radicle-node` on another node see, check out and review what we make.
//!
//! Runs where the folder in `MESHWORK_RAD` (default `target/tools/rad/bin`) has `rad`, `radicle-node` and `git-remote-rad`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::Did;
use domain::patch::Verdict;
use forge::*;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn tools() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/rad/bin");
    let dir = std::env::var_os("MESHWORK_RAD").map_or(default, PathBuf::from);
    let dir = dir.canonicalize().unwrap_or(dir);
    let all = ["rad", "radicle-node", "git-remote-rad"].iter().all(|tool| dir.join(tool).exists());
    if !all {
        println!("skipped: {} has no rad, radicle-node and git-remote-rad", dir.display());
    }
    all.then_some(dir)
}

/// Somebody with the stock tools; their node ends with the test.
struct Stock {
    dir: tempfile::TempDir,
    tools: PathBuf,
    node: Option<Child>,
}

impl Drop for Stock {
    fn drop(&mut self) {
        if let Some(node) = &mut self.node {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

impl Stock {
    fn new(tools: PathBuf) -> Self {
        let stock = Self { dir: tempfile::tempdir().unwrap(), tools, node: None };
        stock.rad(stock.dir.path(), &["auth", "--alias", "stock"]);
        stock
    }

    fn command(&self, dir: &Path, program: &str) -> Command {
        let mut command = Command::new(self.tools.join(program));
        let path = format!("{}:{}", self.tools.display(), std::env::var("PATH").unwrap());
        command.current_dir(dir).env("PATH", path).env("RAD_HOME", self.dir.path().join("home")).env("RAD_PASSPHRASE", "");
        command.env("HOME", self.dir.path()).env_remove("SSH_AUTH_SOCK").env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "stock").env(format!("GIT_{who}_EMAIL"), "stock@example.org");
        }
        command
    }

    fn rad(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.command(dir, "rad").args(args).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "rad {args:?}: {said}");
        said
    }

    fn did(&self) -> Did {
        self.rad(self.dir.path(), &["self", "--did"]).trim().parse().unwrap()
    }

    /// Starts the stock node, which knows nobody but ours.
    fn start(&mut self, ours: &Did, address: std::net::SocketAddr) {
        let peer = format!("{}@{address}", ours.as_str().trim_start_matches("did:key:"));
        let config = self.dir.path().join("home/config.json");
        let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
        json["preferredSeeds"] = serde_json::json!([]);
        json["node"]["connect"] = serde_json::json!([peer]);
        json["node"]["network"] = "test".into();
        json["node"]["peers"] = serde_json::json!({"type": "static"});
        json["node"]["listen"] = serde_json::json!([]);
        std::fs::write(&config, json.to_string()).unwrap();
        let log = std::fs::File::create(self.dir.path().join("node.log")).unwrap();
        let mut node = self.command(self.dir.path(), "radicle-node");
        self.node = Some(node.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }
}

#[test]
fn the_stock_rad_lists_checks_out_and_reviews_our_patches() {
    let Some(tools) = tools() else { return };
    let mut stock = Stock::new(tools);
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    device.forge.allow(&rid, &[stock.did()]).unwrap();
    let head = device.forge.head(&rid).unwrap();
    let first = device.run(&rid, &RunKey::new(), "Say two", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let patch = first.published.patch.as_str();
    let node = device.node();
    let events = node.events();
    stock.start(&device.forge.device(), node.listen_address().unwrap());
    until(&events, "the stock node at ours", || node.health().peers.iter().any(|p| p.did == stock.did() && p.connected));

    let home = stock.dir.path().to_owned();
    stock.rad(&home, &["clone", rid.as_str(), "--scope", "all", "--seed", device.forge.device().as_str().trim_start_matches("did:key:")]);
    let clone = home.join("demo");
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "one\n");
    assert!(stock.rad(&clone, &["patch", "list"]).contains("Say two"));
    assert!(stock.rad(&clone, &["patch", "show", patch]).contains("Say two"));
    stock.rad(&clone, &["patch", "checkout", patch]);
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "two\n");
    stock.rad(&clone, &["patch", "review", patch, "--accept", "--message", "Fine with the stock tools."]);
    until(&events, "the stock review at ours", || {
        let seen = device.forge.patch(&rid, &name("demo"), &first.published.patch).unwrap();
        seen.revisions[0].reviews.iter().any(|r| r.by == stock.did() && r.verdict == Some(Verdict::Accept))
    });

    // A further revision by another key, announced to the node that is connected.
    let second = device.run(&rid, &RunKey::new(), "again", &head, Some(&first.published.patch), |dir| put(dir, "a.txt", "three\n"));
    let revision = second.published.revision.as_str();
    until(&events, "the second revision at the stock node", || {
        stock.rad(&clone, &["patch", "show", patch, "--verbose"]).contains(&revision[..7])
    });
    stock.rad(&clone, &["patch", "checkout", patch, "--revision", revision, "--force"]);
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "three\n");

    // A merge here is a merge there, and the stock tools bring the new default branch.
    let MergeResult::Ready { commit, revision, .. } =
        device.forge.merge_result(&rid, &first.published.patch, None, &|_, _, _, _| None).unwrap()
    else {
        panic!()
    };
    device.forge.merge(&rid, &first.published.patch, &revision, &commit).unwrap();
    until(&events, "the merge at the stock node", || stock.rad(&clone, &["patch", "list", "--merged"]).contains("Say two"));
    let fetched = stock.command(&clone, "rad").arg("sync").arg("status").status().unwrap();
    assert!(fetched.success());
    let mut pull = Command::new("git");
    let path = format!("{}:{}", stock.tools.display(), std::env::var("PATH").unwrap());
    let pulled = pull
        .current_dir(&clone)
        .args(["fetch", "rad"])
        .env("PATH", path)
        .env("RAD_HOME", home.join("home"))
        .env("RAD_PASSPHRASE", "")
        .output()
        .unwrap();
    assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    assert_eq!(git(&clone, &["rev-parse", "refs/remotes/rad/main"]), commit.as_str());

    // A patch by the stock tools is a patch here.
    git(&clone, &["checkout", "--quiet", "-B", "mine", "refs/remotes/rad/main"]);
    put(&clone, "stock.txt", "by hand\n");
    git(&clone, &["add", "."]);
    git(&clone, &["commit", "--quiet", "--message=By hand"]);
    let mut push = Command::new("git");
    let path = format!("{}:{}", stock.tools.display(), std::env::var("PATH").unwrap());
    let pushed = push
        .current_dir(&clone)
        .args(["push", "rad", "HEAD:refs/patches"])
        .env("PATH", path)
        .env("RAD_HOME", home.join("home"))
        .env("RAD_PASSPHRASE", "")
        .env("EDITOR", "true")
        .output()
        .unwrap();
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    until(&events, "the stock patch at ours", || {
        device.forge.patches(&rid, &name("demo")).unwrap().iter().any(|p| p.title == "By hand" && p.author == stock.did())
    });
}
