//! What people are told: the truth on every device, also on those that have no part in what they are asked about, and of what was typed
//! wrong what is wrong with it.

use crate::{
    support::{PASSES, clear, command_agent, machine, project, text},
    two::{BOBS, Two},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_without_part_in_a_run_tells_what_its_checks_said_and_who_merges() {
    let two = Two::start().await;
    project(&two.ada, "shown", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo x > x.txt").await;
    two.share().await;
    let started = two.ada.ok(&["task", "run", "T001", "--agent", "echo", "--here"]).await;
    let ended = two.ada.ended(&text(&started["runs"][0]["run"])).await;
    let patch = text(&ended["patch"]);
    let there = two.ada.act("patch.show", json!({ "patch": patch })).await["gate"].to_string();
    assert!(there.contains("“there” passed") && there.contains(&format!("meshwork patch merge {patch} merges it")), "{there}");

    let look = || async {
        let (_, seen) = two.bob.call("patch.show", json!({ "patch": patch })).await;
        let gate = seen["gate"].to_string();
        assert!(!gate.contains("the project has no checks"), "{gate}");
        if gate.contains("“there” passed") { Ok(gate) } else { Err(seen) }
    };
    let gate = two.bob.until("Bob's device knows what the checks said", look).await;
    assert!(gate.contains("Who may merge it: ada on ") && !gate.contains("merges it"), "{gate}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_run_on_a_device_that_is_away_it_is_said_as_of_when_and_which_device() {
    let mut two = Two::start().await;
    let run = two.working("far").await;
    let listed = two.ada.told(&["run", "list"]).await.stdout;
    assert!(listed.contains("DEVICE") && listed.contains(BOBS) && !listed.contains("is away"), "{listed}");

    two.bob.kill().await;
    let look = || async {
        let all = two.ada.act("run.list", json!({})).await;
        if all[0]["away"]["device"] == two.bob_device.as_str() { Ok(()) } else { Err(all) }
    };
    two.ada.until("Bob's device is away", look).await;
    let away = format!("{BOBS} is away");
    for verb in [&["run", "list"][..], &["run", "show", &run], &["task", "show", "T001"], &["task", "why", "T001"]] {
        let said = two.ada.told(verb).await.stdout;
        assert!(said.contains(&away) && said.contains("as of") && said.contains("waited for until"), "{verb:?}: {said}");
    }
    let beside = two.ada.told(&["run", "logs", &run]).await.stderr;
    assert!(beside.contains(&format!("{away} since ")) && beside.contains("as far as it is known here"), "{beside}");
    clear(&two.ada.refused(&["task", "why", "T001", "--agent", "nope"], 4).await, "nope");
    let problem = two.ada.refused(&["run", "send", &run, "Mind the gap."], 7).await;
    clear(&problem, &format!("The device {BOBS} does not answer now"));
    clear(&problem, "It was there last at");
    let stopped = text(&two.ada.ok(&["run", "stop", &run]).await["message"]);
    assert!(stopped.starts_with(&format!("The order is kept. The device {BOBS} does not answer now.")), "{stopped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_typed_wrong_is_refused_with_what_is_wrong_and_what_there_is() {
    let up = machine().await;
    project(&up, "plain", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    command_agent(&up, "slow", "sleep 100").await;

    let run = ["task", "run", "T001", "--agent", "echo"];
    clear(&up.refused(&[&run[..], &["--tag", "a:1", "--tag", "a=2"]].concat(), 2).await, "a:1 and a:2");
    for bad in ["two words:x", "gpu:", "gpu"] {
        clear(&up.refused(&[&run[..], &["--tag", bad]].concat(), 2).await, &format!("“{bad}” is no tag"));
    }
    clear(&up.refused(&[&run[..], &["--tag", "region:eu"]].concat(), 5).await, "meshwork org device NAME --tag region:eu");
    clear(&up.refused(&[&run[..], &["--tag", "gpu:blue"]].concat(), 5).await, "does not have the tag gpu:blue now");
    assert_eq!(up.ok(&["run", "list"]).await, json!([]), "nothing was started");
    let problem = up.refused(&["quota", "set", "--member", "nobody", "--calls", "5"], 4).await;
    clear(&problem, "There is no member “nobody”");
    clear(&problem, "There are: ada.");
    clear(&up.refused(&["quota", "set", "--agent", "nobody", "--calls", "5"], 4).await, "There are: echo, slow.");
    clear(&up.refused(&["lend", "--slots", "999999999"], 2).await, "between 1 and 1024");
    clear(&up.refused(&["lend", "--away-after", "0"], 2).await, "after 1 s to 86400 s");
    assert!(text(&up.ok(&["release"]).await["message"]).starts_with("This machine was not taken back"));
    up.ok(&["reclaim"]).await;
    assert!(text(&up.ok(&["release"]).await["message"]).starts_with("You lend it again"));

    clear(&up.refused(&["patch", "merge", "T002"], 4).await, "T002 has no patch: it is ready.");
    clear(&up.refused(&["patch", "merge", "T099"], 4).await, "There is no patch “T099”.");
    clear(&up.refused(&["run", "answer", "01JZZZZZZZZZZZZZZZZZWRK001", "allow"], 4).await, "There is no run");

    // How a run was wanted is told of it, so that it can be wanted so again.
    up.ok(&["lend", "--tag", "fast=yes"]).await;
    let wanted = ["--tag", "fast=yes", "--priority", "high", "--here"];
    let started = up.ok(&[&run[..], &wanted].concat()).await;
    let ended = up.ended(&text(&started["runs"][0]["run"])).await;
    assert_eq!((&ended["state"], &ended["tags"], &ended["priority"]), (&json!("done"), &json!({"fast": "yes"}), &json!("high")));
    assert_eq!(ended["on"], ended["device"]);
    clear(&up.refused(&["run", "answer", ended["id"].as_str().unwrap(), "allow"], 5).await, "has ended: it is done");

    let slow = up.start_task("T002", "slow").await;
    up.in_state(&slow, "working").await;
    clear(&up.refused(&["patch", "merge", "T002"], 4).await, "T002 has no patch yet: it is running.");
    clear(&up.refused(&["run", "answer", &slow, "allow"], 4).await, "asks nothing now: it is working");
    let unsaid = up.refused(&["evict"], 2).await;
    clear(&unsaid, &format!("{} (T002)", &slow[18..]));
    clear(&unsaid, "meshwork evict --yes");
    assert_eq!(up.act("run.show", json!({ "run": slow })).await["state"], "working", "nothing was evicted");
    up.ok(&["evict", "--yes"]).await;
    assert_eq!(up.ended(&slow).await["state"], "evicted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_projects_lists_tell_all_and_name_each() {
    let up = machine().await;
    for name in ["first", "second"] {
        project(&up, name, "- [ ] T001 One\n", PASSES).await;
    }
    command_agent(&up, "echo", "echo x > x.txt").await;
    let started = up.ok(&["task", "run", "T001", "--project", "second", "--agent", "echo"]).await;
    up.ended(&text(&started["runs"][0]["run"])).await;
    let told = up.told(&["task", "list"]).await.stdout;
    assert!(told.contains("first/001-work") && told.contains("second/001-work"), "{told}");
    assert!(up.told(&["patch", "list"]).await.stdout.contains(" T001 "));
    assert_eq!(up.ok(&["patch", "list"]).await.as_array().map(Vec::len), Some(1));
    assert_eq!(up.ok(&["patch", "list", "--project", "first"]).await, json!([]));
    clear(&up.refused(&["task", "run", "T001", "--agent", "echo"], 2).await, "several projects");
}
