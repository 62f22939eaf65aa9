//! Anybody can write into a patch. What strangers write there moves no task and steers no engine, and what a revision says of
//! itself opens no gate.

use crate::{
    stock::{enlist, owner},
    support::{PASSES, clear, command_agent, machine, project, text},
};
use domain::{Oid, PatchId, Problem, Rid};
use forge::{Forge, ImportLimits, Publication, RunRepo, RunSigner};
use serde_json::json;
use std::{fs, path::Path};
use testkit::Up;

/// Somebody with a key of their own, as any Radicle node has one.
struct Somebody(identity::Key);

impl Somebody {
    fn new() -> Self {
        Self(identity::Key::generate().unwrap())
    }
}

impl RunSigner for Somebody {
    fn key(&self) -> [u8; 32] {
        self.0.public()
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Problem> {
        Ok(self.0.sign(message))
    }
}

/// The forge of the stopped machine, and a project's repository in it.
async fn stopped(up: &mut Up, name: &str) -> (Forge, Rid) {
    let shown = up.act("project.show", json!({ "project": name })).await;
    let rid = text(&shown["project"]["rid"]).parse().unwrap();
    up.end().await;
    (owner(up).0, rid)
}

/// Lays a revision into the storage, as one that came from another node.
fn revise(forge: &Forge, rid: &Rid, by: &Somebody, repo: &RunRepo, (base, commit): (&Oid, &Oid), existing: Option<&PatchId>) {
    let what = Publication { repo, commit, base, title: "By hand", description: "By hand.", existing };
    forge.publish(rid, by, &what).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_revision_neither_merges_a_task_nor_becomes_an_engines_worktree() {
    let mut up = machine().await;
    project(&up, "open", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let patch = text(&up.do_task("T001", "echo").await["patch"]);
    let stranger = Somebody::new();
    let (forge, rid) = stopped(&mut up, "open").await;
    let repo = RunRepo::create(&up.folder().join("theirs.git"), &forge, &rid).unwrap();
    let head = forge.head(&rid).unwrap();
    revise(&forge, &rid, &stranger, &repo, (&head, &head), Some(&patch.parse().unwrap()));
    drop((repo, forge));
    up.begin().await;
    let seen = || async {
        let journal = up.journal().await;
        let told = journal.iter().any(|e| e["event"]["type"] == "patch_revised" && e["event"]["actor"] == stranger.0.did().as_str());
        if told { Ok(()) } else { Err(json!(journal)) }
    };
    up.until("the revision is seen", seen).await;
    assert_eq!(up.ok(&["task", "show", "T001"]).await["state"]["state"], "in_review", "its head is in the branch, and merged nothing");
    clear(&up.refused(&["patch", "merge", &patch], 3).await, "neither a member's nor a run's");

    up.ok(&["patch", "review", &patch, "--reject", "-m", "Not like this."]).await;
    let run = up.start_task("T001", "echo").await;
    let ended = up.ended(&run).await;
    assert_eq!(ended["state"], "failed", "{ended:#}");
    assert!(ended["why"].as_str().unwrap().contains("neither a member's nor a run's"), "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_names_its_own_commit_as_its_base_brings_no_rules_along() {
    let mut up = machine().await;
    project(&up, "ruled", "- [ ] T001 One\n", PASSES).await;
    let member = Somebody::new();
    enlist(&mut up, member.0.did().as_str()).await;
    let (forge, rid) = stopped(&mut up, "ruled").await;
    let repo = RunRepo::create(&up.folder().join("theirs.git"), &forge, &rid).unwrap();
    let (head, work) = (forge.head(&rid).unwrap(), up.folder().join("work"));
    let rules = commit(&repo, &member, &head, &work);
    let listing = repo.base_tree(&head).unwrap();
    let tree = repo.import(&work, &listing, &ImportLimits::default()).unwrap().tree;
    let on_top = repo.commit(&tree, std::slice::from_ref(&rules), "member", "Again\n", &member).unwrap();
    revise(&forge, &rid, &member, &repo, (&rules, &on_top), None);
    drop((repo, forge));
    up.begin().await;
    let patches = up.ok(&["patch", "list"]).await;
    let patch = text(&patches[0]["id"]);
    let problem = up.refused(&["patch", "merge", &patch], 5).await;
    let said = problem.to_string();
    assert!(said.contains("not merged yet") && said.contains("0 of 1 approvals"), "{problem:#}");
}

/// A commit that takes the project's checks away.
fn commit(repo: &RunRepo, by: &Somebody, base: &Oid, work: &Path) -> Oid {
    repo.checkout(base, work).unwrap();
    let listing = repo.base_tree(base).unwrap();
    fs::write(work.join(".meshwork/project.toml"), "approvals = 0\n").unwrap();
    let tree = repo.import(work, &listing, &ImportLimits::default()).unwrap().tree;
    repo.commit(&tree, std::slice::from_ref(base), "member", "Other rules\n", by).unwrap()
}
