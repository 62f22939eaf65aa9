//! Stop orders: what an owner halts is frozen on every device, with its work saved, until the order is lifted.

use crate::{
    support::{PASSES, beat, clear, command_agent, machine, project, text, work},
    two::{BOBS, Two},
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use tokio::time::Instant;

fn halted(seen: &Value) -> bool {
    seen["reason"]["code"] == "halted" && seen["paused"] == true && seen["checkpoint"].is_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_halted_everywhere_and_goes_on_when_the_order_is_lifted() {
    let two = Two::start().await;
    let run = two.working("halted").await;

    let stop = two.ada.ok(&["stop", "order", "--agent", "beat", "--why", "It deletes tests."]).await;
    let given = Instant::now();
    two.bob.until_run(&run, "it is frozen at Bob's", |seen| seen["reason"]["code"] == "halted" && seen["paused"] == true).await;
    assert!(given.elapsed() < Duration::from_secs(5), "{:?}", given.elapsed());
    two.bob.until_run(&run, "its work is saved", halted).await;
    let frozen = beat(&two.bob, &run).await;
    let seen = two.ada.until_run(&run, "Ada sees why", |seen| seen["reason"]["code"] == "halted").await;
    assert_eq!(seen["reason"]["why"], "It deletes tests.");
    // Nobody lets it go on meanwhile.
    let problem = two.ada.refused(&["run", "resume", &run], 5).await;
    assert!(problem["why"].as_str().unwrap().contains("It deletes tests."), "{problem}");
    // Another run of it does not begin, and whoever asks is told before.
    let seen = two.ada.ok(&["task", "why", "T002", "--agent", "beat"]).await;
    let each = seen["devices"].as_array().unwrap().iter().map(|device| text(&device["why"]));
    let all: Vec<String> = each.chain([text(&seen["why"])]).collect();
    assert!(all.len() == 3 && all.iter().all(|why| why.contains("the agent beat") && why.contains("ada ordered it")), "{all:?}");
    let answer = two.ada.ok(&["task", "run", "T002", "--agent", "beat"]).await;
    assert!(answer["notices"][0].as_str().unwrap().contains("ada ordered it: It deletes tests."), "said at once: {answer}");
    let second = text(&answer["runs"][0]["run"]);
    two.ada.until_run(&second, "it waits", |seen| seen["state"] == "queued" && seen["reason"]["code"] == "halted").await;
    // Bob, who may not give such an order, does not lift it either; and his device remembers it.
    two.bob.refused(&["stop", "lift", &text(&stop["order"]["id"])], 3).await;
    assert_eq!(two.bob.ok(&["stop", "list"]).await[0]["order"]["why"], "It deletes tests.");
    assert_eq!(beat(&two.bob, &run).await, frozen, "nothing of it computes");
    // Lists find it by what they say of it.
    let listed = two.ada.ok(&["run", "list", "--state", "halted"]).await;
    let is_it = |listed: &Value| listed["id"] == run.as_str() && listed["stands"] == "halted";
    assert!(listed.as_array().unwrap().iter().any(is_it), "{listed:#}");
    assert_eq!(two.ada.ok(&["run", "show", &run]).await["stands"], "halted");
    assert_eq!(two.ada.ok(&["task", "show", "T001"]).await["runs"][0]["stands"], "halted");
    assert_eq!(two.ada.ok(&["run", "list", "--state", "working"]).await, json!([]));
    assert_eq!(two.bob.ok(&["pods"]).await[0]["stands"], "halted");

    two.ada.ok(&["stop", "lift", &text(&stop["order"]["id"])]).await;
    let look = || async { if beat(&two.bob, &run).await > frozen { Ok(()) } else { Err(json!(frozen)) } };
    two.ada.until("it goes on", look).await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&run).await["state"], "done", "{}", two.bob.log());
    two.ada.in_state(&second, "working").await;
    two.ada.until_logged(&second, "working now.").await;
    // What a person had paused stays so when an order is lifted.
    two.ada.ok(&["run", "pause", &second]).await;
    two.ada.until_run(&second, "it is paused", |seen| seen["paused"] == true).await;
    let stop = two.ada.ok(&["stop", "order", "--agent", "beat", "--why", "Once more."]).await;
    two.ada.until_run(&second, "it is halted too", |seen| seen["reason"]["code"] == "halted").await;
    two.ada.ok(&["stop", "lift", &text(&stop["order"]["id"])]).await;
    two.ada.until_run(&second, "the pause is left", |seen| seen["reason"].is_null() && seen["paused"] == true).await;
    two.ada.ok(&["run", "resume", &second]).await;
    two.ada.until_run(&second, "it goes on", |seen| seen["paused"] == false).await;
    two.ada.ok(&["run", "stop", &second]).await;
    two.ada.ended(&second).await;
    for up in [&two.ada, &two.bob] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halted_device_changes_nothing_and_hears_of_the_end_also_after_a_restart() {
    let mut two = Two::start().await;
    let run = two.working("device").await;
    // While Bob's device is down it is ordered; it hears of it when it is back, and does not go on before.
    two.bob.kill().await;
    let stop = two.ada.ok(&["stop", "order", "--device", BOBS, "--why", "It was lost."]).await;
    two.bob.begin().await;
    two.bob.until_run(&run, "it is frozen", halted).await;
    let problem = two.bob.refused(&["task", "run", "T002", "--agent", "beat"], 3).await;
    assert_eq!(problem["why"], "ada ordered it: It was lost.");
    // Its lists agree that it hears of nobody, and name the order.
    let order = format!("a stop order halts the device {BOBS}");
    for verb in [["device", "list"], ["journal", "copies"]] {
        let said = two.bob.told(&verb).await.stdout;
        assert!(said.contains(&order) && !said.contains(" reachable"), "{verb:?}: {said}");
    }
    // It is Bob's device, but not his order: he does not lift it.
    two.bob.refused(&["stop", "lift", &text(&stop["order"]["id"])], 3).await;
    // Known there by itself, without anybody's help.
    two.bob.kill().await;
    two.bob.begin().await;
    two.bob.until_run(&run, "it is frozen still", halted).await;
    two.ada.ok(&["stop", "lift", &text(&stop["order"]["id"])]).await;
    two.bob.until_run(&run, "it goes on", |seen| seen["state"] == "working" && seen["paused"] == false).await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&run).await["state"], "done", "{}", two.bob.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_not_lost_whose_requester_is_halted_for_longer_than_its_lease() {
    // Ada's device gives up after seconds what it cannot reach; Bob's goes on for as long as ever.
    let mut two = Two::each_with("short-lease", "").await;
    two.bob.kill().await;
    two.bob.set_now("MESHWORK_LOG", "info,orchestrator::remote::halt=debug");
    two.bob.begin().await;
    two.in_touch().await;
    let run = two.working("refused").await;
    let devices = two.ada.act("device.list", json!({})).await;
    let adas = text(&devices.as_array().unwrap().iter().find(|device| device["here"] == true).unwrap()["name"]);
    let stop = text(&two.ada.ok(&["stop", "order", "--device", &adas, "--why", "It was left on a train."]).await["order"]["id"]);
    // Looked for every two seconds: so many are longer than that lease.
    let look = || async {
        let cuts = two.bob.log().matches("connections were cut because of a stop order").count();
        if cuts >= 12 { Ok(()) } else { Err(json!(cuts)) }
    };
    two.ada.until("it is tried again and again", look).await;
    let warned = format!("the connections of {adas} are cut because of a stop order");
    assert_eq!(two.bob.log().matches(&warned).count(), 1, "it is warned of once");
    assert_eq!(two.ada.act("run.show", json!({ "run": run })).await["state"], "working", "{}", two.ada.log());
    two.ada.ok(&["stop", "lift", &stop]).await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&run).await["state"], "done", "{}", two.ada.log());
    assert!(two.bob.log().contains(&format!("no stop order halts {adas} any more")), "{}", two.bob.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_whole_org_is_halted_new_work_is_refused_and_what_is_queued_says_why_it_waits() {
    let up = machine().await;
    project(&up, "all", "- [ ] T001 One\n- [ ] T002 Two (depends on T001)\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let queued = up.start_task("T002", "echo").await;
    up.until_run(&queued, "it waits for a task", |seen| seen["reason"]["code"] == "waits_for").await;
    let stop = text(&up.ok(&["stop", "order", "--everything", "--why", "An incident."]).await["order"]["id"]);
    let problem = up.refused(&["task", "run", "T001", "--agent", "echo"], 5).await;
    clear(&problem, &format!("meshwork stop lift {stop}"));
    clear(&problem, "ada ordered it: An incident.");
    let seen = up.until_run(&queued, "it waits for the order", |seen| seen["reason"]["code"] == "halted").await;
    assert_eq!((&seen["state"], &seen["reason"]["why"]), (&json!("queued"), &json!("An incident.")));
    assert!(up.ok(&["task", "show", "T002"]).await["why"].to_string().contains("T001"), "the board says what comes first");
    up.ok(&["stop", "lift", &stop]).await;
    up.until_run(&queued, "it waits for the task again", |seen| seen["reason"]["code"] == "waits_for").await;
    up.ok(&["task", "run", "T001", "--agent", "echo"]).await;
}
