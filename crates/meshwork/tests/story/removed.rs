//! A device that was removed from the org: what it had at work is over, and what it made before stays.

use crate::{
    rivals::{made, until_known, until_marked, until_ok, until_open},
    support::{PASSES, clear, command_agent, project, text},
    two::{BOBS, Two},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tasks_of_a_removed_device_are_free_its_runs_are_over_and_what_it_made_before_merges() {
    let two = Two::start().await;
    project(&two.ada, "left", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    command_agent(&two.ada, "slow", "sleep 100").await;
    two.share().await;
    until_known(&two.bob).await;
    let patch = made(&two.bob).await;
    until_marked(&two, &patch, true).await;
    until_open(&two.ada, &patch).await;
    let started = until_ok(&two.bob, &["task", "run", "T002", "--agent", "slow", "--here"]).await;
    let run = text(&started["runs"][0]["run"]);
    let works = || async {
        let listed = two.ada.act("run.list", json!({})).await;
        let seen = listed.as_array().unwrap().iter().any(|one| one["id"] == run.as_str() && one["state"] == "working");
        if seen { Ok(()) } else { Err(listed) }
    };
    two.ada.until("Ada's device knows that it works", works).await;
    clear(&two.ada.refused(&["task", "run", "T002", "--agent", "echo"], 5).await, "is claimed by the device");

    two.ada.ok(&["org", "remove", BOBS, "--device", "--why", "sold"]).await;
    let over = two.ada.ended(&run).await;
    assert_eq!((&over["state"], &over["whose"]["removed"]), (&json!("lost"), &json!(true)), "{over:#}");
    let called = format!("{BOBS} (removed)");
    for verb in [&["run", "list"][..], &["run", "show", &run], &["task", "show", "T002"], &["task", "why", "T002"]] {
        let said = two.ada.told(verb).await.stdout;
        assert!(said.contains(&called) && !said.contains("is away"), "{verb:?}: {said}");
    }
    clear(&two.ada.refused(&["run", "stop", &run], 5).await, "was removed from the org");
    clear(&two.ada.refused(&["run", "logs", &run], 4).await, "was removed from the org");
    assert_eq!(two.ada.do_task("T002", "echo").await["state"], "done");

    // Closed by whoever may, its task may be run again; opened again, it merges as before.
    two.ada.ok(&["patch", "close", &patch]).await;
    assert_eq!(two.ada.ok(&["task", "show", "T001"]).await["state"]["state"], "rejected");
    two.ada.ok(&["patch", "reopen", &patch]).await;
    until_open(&two.ada, &patch).await;
    assert_eq!(two.ada.ok(&["patch", "merge", &patch]).await["outcome"], "merged");
}
