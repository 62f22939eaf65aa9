//! A gated project: one device alone, or two of three together, move its default branch, for whoever may have that done, once people
//! approved it.

use crate::{
    journals::{device, joined},
    support::{PASSES, clear, command_agent, project, text},
    two::{BOBS, Two, org},
};
use domain::{Kind, Rid};
use forge::Forge;
use serde_json::{Value, json};
use std::fs;
use testkit::{Up, git};

/// Ada's device, by the name that the org has for it.
async fn adas_box(two: &Two) -> String {
    let devices = two.ada.act("device.list", json!({})).await;
    text(&devices.as_array().unwrap().iter().find(|device| device["here"] == true).unwrap()["name"])
}

/// Waits until the repository itself, as it is on this device, lets nobody but the gate move its branch.
async fn until_gated(up: &Up) {
    let look = || async {
        let (_, seen) = up.call("project.show", json!({"project": "guarded"})).await;
        if seen["gate"]["in_force"] == true { Ok(()) } else { Err(seen) }
    };
    up.until("the gate is in force", look).await;
}

pub async fn until_head(up: &Up, commit: &str) {
    let look = || async {
        let seen = up.act("project.show", json!({"project": "guarded"})).await;
        if seen["head"] == commit { Ok(()) } else { Err(seen) }
    };
    up.until("the default branch is there", look).await;
}

/// Waits until every link behind a commit is verified, and gives the chain.
async fn until_sound(up: &Up, commit: &str) -> Value {
    let look = || async {
        let outcome = up.run(&["trace", commit]).await;
        if outcome.code == 0 { Ok(outcome.json()) } else { Err(outcome.json()) }
    };
    up.until("the chain is sound", look).await
}

/// Merges as soon as the gate has heard of everything.
pub async fn until_merged(up: &Up, patch: &str) -> String {
    let look = || async {
        let outcome = up.run(&["patch", "merge", patch]).await;
        if outcome.code == 0 { Ok(outcome.json()) } else { Err(outcome.json()) }
    };
    let merged = up.until("the gate merges", look).await;
    assert_eq!(merged["outcome"], "merged", "{merged}");
    text(&merged["commit"])
}

/// Both have a project that Ada's device gates, and an agent. Gives the gate's name.
pub async fn gated() -> (Two, String) {
    let two = Two::start().await;
    project(&two.ada, "guarded", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    two.share().await;
    let gate = adas_box(&two).await;
    clear(&two.ada.refused(&["project", "gate", "guarded", "--device", "nowhere"], 4).await, "nowhere");
    two.ada.ok(&["project", "gate", "guarded", "--device", &gate]).await;
    until_gated(&two.ada).await;
    until_gated(&two.bob).await;
    (two, gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_merges_for_a_member_who_may_and_only_what_people_approved() {
    let (mut two, gate) = gated().await;
    let bob = text(&two.bob.ok(&["org", "show"]).await["member"]);
    let first = text(&two.bob.do_task("T001", "echo").await["patch"]);
    let second = text(&two.bob.do_task("T002", "echo").await["patch"]);

    // A developer may not merge, at the gate neither; nor does anybody move the branch elsewhere.
    two.bob.refused(&["patch", "merge", &first], 3).await;
    two.ada.ok(&["org", "role", "bob", "--give", "maintainer"]).await;
    let look = || async {
        let outcome = two.bob.run(&["patch", "merge", &first]).await;
        let error = outcome.json()["error"].clone();
        if outcome.code == 5 { Ok(error) } else { Err(error) }
    };
    let problem = two.bob.until("the gate says what is missing", look).await;
    clear(&problem, "0 of 1 approvals");
    clear(&two.bob.refused(&["task", "add", "More"], 3).await, &format!("only {gate} moves its default branch"));

    two.ada.ok(&["patch", "review", &first, "--accept", "-m", "Good."]).await;
    let merged = text(&two.bob.ok(&["patch", "merge", &first]).await["commit"]);
    until_head(&two.ada, &merged).await;
    until_head(&two.bob, &merged).await;
    for up in [&two.ada, &two.bob] {
        let chain = until_sound(up, &merged).await;
        let merge = chain["links"].as_array().unwrap().iter().find(|link| link["step"] == "merge").cloned().unwrap();
        assert!(text(&merge["what"]).ends_with("by bob"), "{merge:#}");
        assert!(merge["how"].to_string().contains("projects/guarded.toml"), "{merge:#}");
    }
    let journal = two.ada.journal().await;
    let told = journal.iter().find(|entry| entry["event"]["type"] == "patch_merged").expect("the gate's journal tells of it");
    assert_eq!((&told["event"]["actor"], &told["event"]["patch"]), (&json!(bob), &json!(first)), "it says who asked");

    // Nothing is merged while the gate is away; what it is then is a real merge, with checks of its own.
    two.ada.ok(&["patch", "review", &second, "--accept", "-m", "Good."]).await;
    two.ada.kill().await;
    clear(&two.bob.refused(&["patch", "merge", &second], 7).await, &format!("{gate}, the gate of guarded, cannot be reached"));
    two.ada.begin().await;
    two.in_touch().await;
    let merged = until_merged(&two.bob, &second).await;
    until_head(&two.bob, &merged).await;
    let chain = until_sound(&two.bob, &merged).await;
    assert_eq!(chain["links"].as_array().unwrap().last().unwrap()["step"], "merge_checks", "{chain:#}");

    // On the gate everything goes as ever, by its key; opened again, by its people's.
    two.ada.ok(&["task", "add", "More"]).await;
    // What says nothing opens nothing.
    let (status, unclear) = two.ada.call("project.gate", json!({})).await;
    assert!(!(200..300).contains(&status), "{unclear}");
    clear(&unclear["error"], "open: true");
    assert_eq!(two.ada.act("project.show", json!({"project": "guarded"})).await["gate"]["in_force"], true);
    two.ada.ok(&["project", "gate", "guarded", "--open"]).await;
    let look = || async {
        let seen = two.ada.run(&["task", "add", "Still more"]).await;
        let shown = two.ada.act("project.show", json!({"project": "guarded"})).await;
        if seen.code == 0 && shown["gate"].is_null() { Ok(()) } else { Err(shown) }
    };
    two.ada.until("the project is open again", look).await;
    for up in [&two.ada, &two.bob] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

/// What somebody does by hand with Bob's device's key alone, while nothing else runs there: a commit on the default branch. Gives it.
async fn by_hand(bob: &Up, rid: &str) -> String {
    let (dir, rid) = (org(bob), rid.parse::<Rid>().unwrap());
    let made = tokio::task::spawn_blocking(move || {
        let forge = Forge::open(&dir.radicle(), &dir.member()).unwrap();
        let past = forge.commit_files(&rid, "Past the gate\n", &[("past.txt".into(), Some(b"x".to_vec()))], None).unwrap_err();
        assert_eq!(past.kind, Kind::Conflict, "{past}");
        let storage = dir.radicle().join("storage").join(rid.as_str().trim_start_matches("rad:"));
        git(&storage, &["rev-parse", &own_branch(forge.device().as_str())]).trim().to_owned()
    });
    made.await.unwrap()
}

fn own_branch(device: &str) -> String {
    format!("refs/namespaces/{}/refs/heads/main", device.trim_start_matches("did:key:"))
}

/// Waits until a device has the review of a patch.
async fn until_reviewed(up: &Up, patch: &str) {
    let look = || async {
        let (_, seen) = up.call("patch.show", json!({ "patch": patch })).await;
        let reviews = seen["revisions"].as_array().into_iter().flatten().filter_map(|one| one["reviews"].as_array());
        if reviews.flatten().next().is_some() { Ok(()) } else { Err(seen) }
    };
    up.until("the review is there", look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_gates_two_sign_each_merge_and_one_alone_moves_nothing() {
    let mut two = Two::start().await;
    let mut carol = joined(&two.ada, "carol", &["--role", "maintainer"], "").await;
    project(&two.ada, "guarded", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    two.share().await;
    two.ada.ok(&["project", "share", &device(&carol).await]).await;
    two.ada.ok(&["org", "role", "bob", "--give", "maintainer"]).await;
    two.in_touch().await;
    let adas = adas_box(&two).await;
    clear(&two.ada.refused(&["project", "gate", "guarded", "--device", &adas, "--device", BOBS], 2).await, "one device, or by 3");
    two.ada.ok(&["project", "gate", "guarded", "--device", &format!("{adas},{BOBS}"), "--device", "carol-box"]).await;
    for up in [&two.ada, &two.bob, &carol] {
        until_gated(up).await;
    }
    let shown = two.ada.act("project.show", json!({"project": "guarded"})).await;
    assert_eq!((&shown["gate"]["needed"], &shown["gate"]["devices"][0]["device"]), (&json!(2), &json!(adas)), "{shown}");
    clear(&two.ada.refused(&["task", "add", "More"], 3).await, "only merges move its default branch");

    let mut patches = vec![];
    for task in ["T001", "T002", "T003"] {
        patches.push(text(&two.ada.do_task(task, "echo").await["patch"]));
    }
    clear(&two.ada.refused(&["patch", "merge", &patches[0]], 5).await, "0 of 1 approvals");
    for patch in &patches {
        two.ada.ok(&["patch", "review", patch, "--accept", "-m", "Good."]).await;
        for up in [&two.bob, &carol] {
            until_reviewed(up, patch).await;
        }
    }
    // Whoever asks, the first gate proposes, and another signs what it judged itself.
    let first = until_merged(&carol, &patches[0]).await;
    for up in [&two.ada, &two.bob, &carol] {
        until_head(up, &first).await;
        until_sound(up, &first).await;
    }

    // With one gate's key alone, by hand, nothing moves, though everybody sees what it signed.
    let rid = text(&shown["project"]["rid"]);
    two.bob.kill().await;
    let past = by_hand(&two.bob, &rid).await;
    two.bob.begin().await;
    two.in_touch().await;
    let storage = |up: &Up| org(up).radicle().join("storage").join(rid.trim_start_matches("rad:"));
    let (adas_storage, bobs_branch) = (storage(&two.ada), own_branch(two.bob_device.as_str()));
    let look = || async {
        // It is announced with whatever Bob's device writes next.
        two.bob.ok(&["patch", "comment", &patches[1], "-m", "Look."]).await;
        let at = git(&adas_storage, &["rev-parse", &bobs_branch]).trim().to_owned();
        if at == past { Ok(()) } else { Err(json!(at)) }
    };
    two.ada.until("what Bob's device signed by hand is at Ada's", look).await;
    for up in [&two.ada, &two.bob, &carol] {
        assert_eq!(up.act("project.show", json!({"project": "guarded"})).await["head"], first.as_str());
    }

    // One gate is away: merges go on. Two are away: nothing is merged, and the words say which.
    carol.kill().await;
    let second = until_merged(&two.ada, &patches[1]).await;
    for up in [&two.ada, &two.bob] {
        until_head(up, &second).await;
    }
    two.bob.kill().await;
    let problem = two.ada.refused(&["patch", "merge", &patches[2]], 7).await;
    clear(&problem, "2 of the 3 gates of guarded cannot be reached");
    clear(&problem, BOBS);
    clear(&problem, "carol-box");
    assert_eq!(two.ada.ok(&["project", "show"]).await["head"], second.as_str());

    // The first is away: the next one proposes. Who missed a merge takes it from the others.
    two.bob.begin().await;
    carol.begin().await;
    two.in_touch().await;
    two.ada.kill().await;
    let third = until_merged(&two.bob, &patches[2]).await;
    for up in [&two.bob, &carol] {
        until_head(up, &third).await;
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_a_project_is_told_which_gate_must_still_sign_and_is_away() {
    let mut two = Two::start().await;
    project(&two.ada, "guarded", "- [ ] T001 One\n", PASSES).await;
    two.share().await;
    two.ada.ok(&["project", "gate", "guarded", "--device", BOBS]).await;
    until_gated(&two.ada).await;
    two.bob.kill().await;
    let message = text(&two.ada.ok(&["project", "gate", "guarded", "--open"]).await["message"]);
    for words in ["is gated no more.", &format!("one signature is missing: {BOBS} (last seen "), "Start meshwork up there"] {
        assert!(message.contains(words), "“{words}” in {message}");
    }
    let shown = two.ada.act("project.show", json!({"project": "guarded"})).await;
    assert!(shown["notices"].to_string().contains(&format!("{BOBS} must sign that")), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_to_the_mirror_passes_no_gate() {
    let (two, _) = gated().await;
    let (host, clone) = (two.ada.folder().join("host.git"), two.ada.folder().join("clone"));
    fs::create_dir(&host).unwrap();
    git(&host, &["init", "--quiet", "--bare", "--initial-branch=main"]);
    two.ada.ok(&["project", "mirror", host.to_str().unwrap()]).await;
    let head = text(&two.ada.ok(&["project", "show"]).await["head"]);
    assert_eq!(git(&host, &["rev-parse", "main"]).trim(), head, "the mirror has the branch");

    git(two.ada.folder(), &["clone", "--quiet", host.to_str().unwrap(), clone.to_str().unwrap()]);
    fs::write(clone.join("from-outside.txt"), "hello").unwrap();
    git(&clone, &["add", "--all"]);
    git(&clone, &["commit", "--quiet", "-m", "From outside"]);
    git(&clone, &["push", "--quiet"]);
    clear(&two.ada.refused(&["project", "sync"], 5).await, "Open a patch");
    assert_eq!(two.ada.ok(&["project", "show"]).await["head"], head.as_str(), "nothing came back");
}
