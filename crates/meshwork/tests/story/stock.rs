//! Somebody on another node, with the stock `rad` and `radicle-node`: what they do moves our tasks at once.

use crate::support::{PASSES, command_agent, machine, text};
use domain::{
    Did,
    org::{Device, Member, MemberKey},
    role::Role,
};
use serde_json::{Value, json};
use std::path::Path;
use testkit::{Repository, Stock, Up};

const THREE: &str = "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n";

/// Waits until a task is in a state.
pub async fn until_task(up: &Up, task: &str, state: &str) {
    let look = || async move {
        let seen = up.act("task.show", json!({ "task": task })).await;
        if seen["state"]["state"] == state { Ok(()) } else { Err(seen) }
    };
    up.until(&format!("{task} is {state}"), look).await;
}

/// The events of a type that somebody caused.
async fn events_of(up: &Up, kind: &str, by: &str) -> Vec<Value> {
    let journal = up.journal().await;
    journal.into_iter().map(|e| e["event"].clone()).filter(|e| e["type"] == kind && e["actor"] == by).collect()
}

/// The stopped machine's forge: an owner's hand on the org repository.
fn owner(up: &Up) -> (forge::Forge, domain::Rid) {
    let org = up.data().join("orgs/crew");
    let record: Value = serde_json::from_slice(&std::fs::read(org.join("org.json")).unwrap()).unwrap();
    (forge::Forge::open(&org.join("radicle"), &org.join("member")).unwrap(), text(&record["rid"]).parse().unwrap())
}

/// Lists somebody as a developer of the org.
pub async fn enlist(up: &mut Up, did: &str) {
    up.end().await;
    let (forge, rid) = owner(up);
    let key: Did = did.parse().unwrap();
    let device = Device { name: "far".into(), did: identity::Key::generate().unwrap().did(), owner: "stock".into() };
    let keys = vec![MemberKey { did: key, device: device.did.clone() }];
    let member = Member { name: "stock".into(), roles: vec![Role::Developer], keys };
    let file = |value: String| Some(value.into_bytes());
    let changes = [
        ("members/stock.toml".to_owned(), file(toml::to_string(&member).unwrap())),
        ("devices/far.toml".to_owned(), file(toml::to_string(&device).unwrap())),
    ];
    forge.change_org(&rid, "Enlist", &changes).unwrap();
    drop(forge);
    up.begin().await;
}

async fn dismiss(up: &mut Up) {
    up.end().await;
    let (forge, rid) = owner(up);
    forge.change_org(&rid, "Dismiss", &["members/stock.toml", "devices/far.toml"].map(|path| (path.to_owned(), None))).unwrap();
    drop(forge);
    up.begin().await;
}

/// Gives tasks to an agent, and the patch of each when all are done.
async fn do_all(up: &Up, tasks: &[&str], agent: &str) -> Vec<String> {
    let started = up.ok(&[&["task", "run"][..], tasks, &["--agent", agent]].concat()).await;
    let mut patches = Vec::new();
    for run in started["runs"].as_array().unwrap() {
        let ended = up.ended(run["run"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "done", "{ended:#}");
        patches.push(text(&ended["patch"]));
    }
    patches
}

/// Looks until the stock node has a patch.
fn until_seen(stock: &Stock, clone: &Path, patch: &str) {
    stock.until("the patch is at the stock node", |s| {
        s.command(clone, "rad").args(["patch", "show", patch]).output().unwrap().status.success()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_delegate_does_with_stock_tools_on_another_node_moves_the_tasks_at_once() {
    let Some(mut stock) = Stock::new("story with the stock rad") else { return };
    let by = stock.did();
    let work = Repository::with_tasks(stock.folder().join("theirs"), "001-work", THREE, PASSES);
    let rid = stock.init(work.path(), "theirs");
    let address = stock.start(None);
    let mut up = machine().await;
    enlist(&mut up, &by).await;
    up.ok(&["project", "add", &rid, "--name", "theirs", "--seed", &format!("{by}@{address}")]).await;
    command_agent(&up, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    let patches = do_all(&up, &["T001", "T002", "T003"], "echo").await;
    patches.iter().for_each(|patch| until_seen(&stock, work.path(), patch));

    // A merge, a close that is taken back, a verdict, a comment: each with who did it.
    stock.merge(work.path(), &patches[0]);
    until_task(&up, "T001", "merged").await;
    let merged = events_of(&up, "patch_merged", &by).await;
    assert_eq!(merged.iter().map(|e| &e["patch"]).collect::<Vec<_>>(), [&json!(patches[0])], "{merged:?}");
    stock.rad(work.path(), &["patch", "archive", &patches[1]]);
    until_task(&up, "T002", "rejected").await;
    assert_eq!(events_of(&up, "patch_closed", &by).await.len(), 1);
    stock.rad(work.path(), &["patch", "archive", "--undo", &patches[1]]);
    until_task(&up, "T002", "in_review").await;
    assert_eq!(events_of(&up, "patch_reopened", &by).await.len(), 1);
    stock.rad(work.path(), &["patch", "review", &patches[2], "--reject", "--message", "Not like this."]);
    until_task(&up, "T003", "changes_requested").await;
    stock.rad(work.path(), &["patch", "comment", &patches[1], "--message", "Why two?"]);
    let look = || async {
        let said = events_of(&up, "patch_commented", &by).await;
        if said.len() == 1 { Ok(()) } else { Err(json!(said)) }
    };
    up.until("the comment is in the journal", look).await;
    assert!(up.ok(&["patch", "show", &patches[1]]).await["revisions"][0]["comments"][0]["body"] == "Why two?");

    // Another's acceptance does not take the demand back, as the gate says too.
    up.ok(&["patch", "review", &patches[2], "--accept"]).await;
    assert_eq!(up.act("task.show", json!({"task": "T003"})).await["state"]["state"], "changes_requested");
    let missing = up.ok(&["patch", "show", &patches[2]]).await["missing"].to_string();
    assert!(missing.contains(&by) && missing.contains("asked for changes"), "{missing}");
    // Who is no member any more is not counted any more: noted at the next start.
    dismiss(&mut up).await;
    until_task(&up, "T003", "in_review").await;
    assert_eq!(events_of(&up, "patch_reviewed", &by).await.len(), 2);
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
}
