//! Two members with three devices in two orgs: who was invited works, a run is done with a key that stays where it is, and a device
//! that was removed does nothing any more.

use crate::{
    elsewhere::holds,
    support::{PASSES, have_engine, idle, project, text},
    two::BOBS,
};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Up, model::ScriptedModel, random_name};
use tokio::time::Instant;

const CREW: [&str; 2] = ["--org", "crew"];
const BETA: [&str; 2] = ["--org", "beta"];

/// Does something in one of a device's orgs.
async fn of(up: &Up, org: [&str; 2], args: &[&str]) -> Value {
    up.ok(&[&org[..], args].concat()).await
}

/// Joins an org with a ticket, and is let in by a machine that may be in several itself.
async fn join(up: &Up, name: &str, device: &str, owner: &Up, org: [&str; 2], args: &[&str]) {
    let ticket = text(&of(owner, org, &[&["org", "invite"], args].concat()).await["ticket"]);
    up.ok(&["join", &ticket, "--name", name, "--device", device, "--no-wait"]).await;
    let look = || async {
        let joiners = of(owner, org, &["org", "joiners"]).await;
        let waits = joiners.as_array().unwrap().iter().any(|one| one["device_name"] == device && one["state"] == "waiting");
        if waits { Ok(()) } else { Err(joiners) }
    };
    owner.until(&format!("{device} knocks"), look).await;
    of(owner, org, &["org", "approve", device]).await;
    let look = || async {
        let orgs = up.ok(&["org", "list"]).await;
        let up = orgs.as_array().unwrap().iter().any(|one| one["name"] == org[1] && one["state"] == "up");
        if up { Ok(()) } else { Err(orgs) }
    };
    up.until(&format!("{device} is in {}", org[1]), look).await;
}

/// Waits until a device of an org reaches all the others.
async fn in_touch(up: &Up, org: [&str; 2], devices: usize) {
    let look = || async {
        let seen = of(up, org, &["device", "list"]).await;
        let all = seen.as_array().is_some_and(|all| all.len() == devices && all.iter().all(|one| one["reachable"] == true));
        if all { Ok(()) } else { Err(seen) }
    };
    up.until("every device is reachable", look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_devices_of_two_members_in_two_orgs() {
    let (key, word) = (random_name("sk-real"), random_name("word"));
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let device = || idle().listening();
    let (mut laptop, mut desk, mut bob) = (device(), device(), device());
    for up in [&mut laptop, &mut desk, &mut bob] {
        up.begin().await;
    }
    laptop.org().await;
    bob.ok(&["org", "create", "beta", "--member", "bob"]).await;
    if !have_engine(&laptop, "codex").await {
        return;
    }
    // Bob is in an org of his own already.
    join(&bob, "bob", BOBS, &laptop, CREW, &["--role", "developer"]).await;
    join(&desk, "desk", "adas-desk", &laptop, CREW, &["--device"]).await;

    laptop.run_with(&["credential", "set", "scripted"], &key).await;
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "scripted"];
    laptop.ok(&[&["agent", "add", "codex", "--engine", "codex"][..], &about].concat()).await;
    let task = format!("- [ ] T001 Write it [[write:{word}.txt={word}]] [[say:Written.]]\n");
    project(&laptop, "far", &task, PASSES).await;
    let bobs_key = text(&of(&bob, CREW, &["org", "show"]).await["device"]);
    laptop.ok(&["project", "share", &bobs_key]).await;
    // Ada in his, with the laptop alone.
    join(&laptop, "ada", "adas-laptop", &bob, BETA, &["--role", "viewer"]).await;
    in_touch(&laptop, CREW, 3).await;
    in_touch(&bob, CREW, 3).await;
    in_touch(&laptop, BETA, 2).await;

    let answer = of(&laptop, CREW, &["task", "run", "T001", "--agent", "codex", "--on", BOBS]).await;
    let run = text(&answer["runs"][0]["run"]);
    let look = || async {
        let seen = of(&laptop, CREW, &["run", "show", &run]).await;
        if seen["state"] == "done" { Ok(seen) } else { Err(seen) }
    };
    let ended = laptop.until("the run is done at Bob's", look).await;
    assert_eq!(ended["device"], bobs_key.as_str());
    assert_eq!(model.keys(), [key.clone()].into(), "only Ada's key reached the provider");
    assert_eq!(holds(bob.folder(), key.as_bytes()), None, "her key is nowhere on Bob's machine");
    assert!(holds(bob.folder(), run.as_bytes()).is_some(), "the search works");

    let patch = text(&ended["patch"]);
    of(&laptop, CREW, &["patch", "review", &patch, "--accept", "-m", "Good."]).await;
    let merged = of(&laptop, CREW, &["patch", "merge", &patch]).await;
    let trace = of(&laptop, CREW, &["trace", &text(&merged["commit"])]).await;
    let links: Vec<&Value> = trace["links"].as_array().unwrap().iter().collect();
    assert!(links.len() >= 6 && links.iter().all(|link| link["verdict"]["verdict"] != "broken"), "{trace:#}");
    // What is of the one org is nothing in the other.
    assert!(laptop.run(&[&BETA[..], &["run", "show", &run]].concat()).await.code != 0);
    assert_eq!(of(&laptop, BETA, &["agent", "list"]).await, json!([]));

    of(&laptop, CREW, &["org", "remove", "adas-desk", "--device"]).await;
    let removed = Instant::now();
    let look = || async {
        let seen = desk.act("device.list", json!({})).await;
        let others = seen.as_array().unwrap().iter().filter(|one| one["here"] != true);
        if others.clone().all(|one| one["reachable"] != true) { Ok(()) } else { Err(seen) }
    };
    desk.until("the removed device is cut off", look).await;
    assert!(removed.elapsed() < Duration::from_secs(5), "{:?}", removed.elapsed());
    let told = of(&laptop, CREW, &["journal", "list", "--device", "adas-desk"]).await;
    assert!(told.as_array().is_some_and(|told| !told.is_empty()), "what it told is found by its name: {told:#}");
    for (up, org) in [(&laptop, CREW), (&laptop, BETA), (&bob, CREW), (&bob, BETA)] {
        assert_eq!(of(up, org, &["journal", "verify"]).await["sound"], true);
    }
}
