//! Somebody on another node, with the stock `rad` and `radicle-node`: what they do moves our tasks at once.

use crate::support::{PASSES, PROGRAM, clear, command_agent, idle, machine, project, text};
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
pub fn owner(up: &Up) -> (forge::Forge, domain::Rid) {
    let org = up.data().join("orgs/crew");
    let record: Value = serde_json::from_slice(&std::fs::read(org.join("org.json")).unwrap()).unwrap();
    (forge::Forge::open(&org.join("radicle"), &org.join("member")).unwrap(), text(&record["rid"]).parse().unwrap())
}

/// Lists somebody as a developer of the org.
pub async fn enlist(up: &mut Up, did: &str) {
    up.end().await;
    let (forge, rid) = owner(up);
    let key: Did = did.parse().unwrap();
    let device = Device::new("far", identity::Key::generate().unwrap().did(), "stock");
    let keys = vec![MemberKey { did: key, device: device.did.clone() }];
    let member = Member { name: "stock".into(), roles: vec![Role::Developer], standby: None, keys };
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
    assert!(missing.contains("asked for changes") && !missing.contains("did:key:"), "members have names: {missing}");
    // Who is no member any more is not counted any more: noted at the next start.
    dismiss(&mut up).await;
    until_task(&up, "T003", "in_review").await;
    assert_eq!(events_of(&up, "patch_reviewed", &by).await.len(), 2);
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
}

/// Runs a verb as somebody who has this passphrase in the environment.
fn create_with(stock: &Stock, up: &Up, passphrase: &str) -> (i32, Value) {
    let home = stock.home();
    let args = ["--json", "org", "create", "crew", "--member", "ada", "--rad-home", home.to_str().unwrap()];
    let mut command = std::process::Command::new(PROGRAM);
    command.arg("--data-dir").arg(up.data()).args(args).env("RAD_PASSPHRASE", passphrase).stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_lives_in_a_persons_existing_profile_whose_stock_rad_works_on() {
    let Some(mut stock) = Stock::with_passphrase("an org in a profile of the stock rad", "open sesame") else { return };
    let (by, home) = (stock.did(), stock.home());
    let mut up = idle();
    up.begin().await;
    let create = ["org", "create", "crew", "--member", "ada", "--rad-home", home.to_str().unwrap()];
    clear(&up.refused(&create, 3).await, "protected by a passphrase");
    clear(&create_with(&stock, &up, "wrong").1["error"], "does not open the key");
    clear(&up.refused(&["org", "create", "crew", "--rad-home", up.folder().to_str().unwrap()], 4).await, "no Radicle profile");
    stock.start(None);
    let (code, refused) = create_with(&stock, &up, "open sesame");
    assert_eq!(code, 5, "{refused}");
    clear(&refused["error"], "node runs on the profile");
    stock.stop();
    let (code, org) = create_with(&stock, &up, "open sesame");
    assert_eq!(code, 0, "{org}");
    assert_eq!((&org["member"], &org["node"], org["rad_home"].as_str()), (&json!(by), &json!(by), home.to_str()));
    let own = up.data().join("orgs/crew");
    assert!(!own.join("radicle/storage").exists() && !own.join("member").exists(), "never both");

    // The person's own `rad`, beside `up`, on the one profile: it speaks to our node, and the task follows.
    let work = project(&up, "mine", THREE, PASSES).await;
    command_agent(&up, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    let patches = do_all(&up, &["T001", "T002"], "echo").await;
    assert!(stock.rad(work.path(), &["patch", "list"]).contains(&patches[0][..7]));
    stock.rad(work.path(), &["patch", "review", &patches[1], "--reject", "--message", "By hand."]);
    let begun = std::time::Instant::now();
    until_task(&up, "T002", "changes_requested").await;
    stock.merge(work.path(), &patches[0]);
    until_task(&up, "T001", "merged").await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(45), "at once, and not by the slow pass: {:?}", begun.elapsed());
    assert_eq!(events_of(&up, "patch_merged", &by).await.len(), 1);

    // An unattended restart opens the key; a foreign node is still respected.
    up.end().await;
    stock.start(None);
    clear(&up.refused(&["up", "--listen", "127.0.0.1:0", "--no-open"], 5).await, "node runs on the profile");
    stock.stop();
    up.begin().await;
    let merged = up.merge(&text(&up.do_task("T003", "echo").await["patch"])).await;
    assert_eq!(stock.git(work.path(), &["ls-remote", "rad", "refs/heads/main"]).split('\t').next(), merged["commit"].as_str());
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    let saved = own.join("profile");
    let clear_text = std::fs::read_dir(&saved)
        .unwrap()
        .any(|file| std::fs::read(file.unwrap().path()).is_ok_and(|bytes| bytes.windows(11).any(|part| part == b"open sesame")));
    assert!(saved.exists() && !clear_text, "the passphrase is encrypted");

    // Two who could each move the branch alone could each accept a patch of one task: nothing is merged any more.
    let second = identity::Key::generate().unwrap().did();
    let make = ["id", "update", "--title", "Two", "--description", "", "--delegate", second.as_str(), "--threshold", "1", "--no-confirm"];
    stock.rad(work.path(), &make);
    let refused = up.refused(&["patch", "merge", &patches[1]], 5).await;
    clear(&refused, "1 of its 2 delegates");
    clear(&refused, "meshwork project gate");
}
