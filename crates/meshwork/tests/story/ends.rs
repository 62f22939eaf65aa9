//! How runs end: by a person's or the owner's wish in every state, and also when what drove them broke.

use crate::{
    disk::{gone, runner, signal},
    support::{Held, PASSES, acp_agent, acp_project, beat, command_agent, events_of, faulty, machine, project, text, work},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, process::Command};
use testkit::{Repository, Up};

/// Quick as feedback, where the engine left a file that is ignored; long on a clean clone, which has none.
const LONG: &str = "[[checks]]\nname = \"long\"\ncommand = \"test -f quick || sleep 100\"\ntimeout_s = 120\n";
const LEAVES_QUICK: &str = "touch quick; echo $MESHWORK_TASK > $MESHWORK_TASK.txt";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_drive_broke_is_taken_up_without_a_restart() {
    let up = faulty("drive-dies").await;
    acp_project(&up, "broken", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    let before = beat(&up, &run).await;
    let look = || async { events_of(&up, &run, "run_recovered").await.first().cloned().ok_or(json!("not taken up")) };
    let told = up.until("it is taken up", look).await;
    assert!(told["message"].as_str().unwrap().contains("drove it"), "{told}");
    let look = || async { if beat(&up, &run).await > before { Ok(()) } else { Err(json!(before)) } };
    up.until("the same agent goes on", look).await;
    fs::write(work(&up, &run).join("go"), "").unwrap();
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), &ended["recovered"]), (Some("done"), &json!(1)), "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_could_not_be_written_is_written_later() {
    let up = faulty("end-unwritten").await;
    project(&up, "late", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "no", "echo half > half.txt; exit 3").await;
    let run = up.start_task("T001", "no").await;
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("failed"), Some("engine_failed")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    let told = events_of(&up, &run, "run_recovered").await;
    assert!(told.len() == 2 && told[0]["message"].as_str().unwrap().contains("could not be written"), "{told:#?}");
    assert_eq!(up.ok(&["capacity"]).await[0]["capacity"]["slots_free"], up.ok(&["capacity"]).await[0]["capacity"]["slots"]);
}

/// Has a run end its work while `up` stands still, and kills that: nothing of the end has arrived. Returns once its runner has waited for
/// longer than one does whose work is not done.
async fn ends_its_work_alone(up: &mut Up, run: &str) {
    let folder = work(up, run).parent().unwrap().to_owned();
    beat(up, run).await;
    up.freeze();
    fs::write(folder.join("work/go"), "").unwrap();
    let ticked = || async {
        let tasks = fs::read_to_string(folder.join("work/specs/001-work/tasks.md")).unwrap_or_default();
        if tasks.contains("[X] T001") || tasks.contains("[x] T001") { Ok(()) } else { Err(json!(tasks)) }
    };
    up.until("its work is done", ticked).await;
    up.kill().await;
    let waited = || async {
        let said = fs::read_to_string(folder.join("runner.log")).unwrap_or_default();
        if said.contains("the work is done and waits") { Ok(()) } else { Err(json!(said)) }
    };
    up.until("its runner waits on", waited).await;
    let laid = fs::read_to_string(folder.join("undelivered.json")).unwrap();
    assert!(laid.contains("work_ended"), "{laid}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_done_while_up_was_away_for_long_is_published_once_and_not_done_again() {
    let mut up = faulty("host-given-up-soon").await;
    acp_project(&up, "away", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    ends_its_work_alone(&mut up, &run).await;
    up.begin().await;
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["patch"].is_string()), (Some("done"), true), "{ended:#}");
    let log = up.run_log(&run).await;
    assert_eq!(log.matches("\"work_ended\"").count(), 1, "{log}");
    let runs = up.act("run.list", json!({"all": true})).await;
    assert_eq!(runs.as_array().unwrap().iter().filter(|run| run["class"] == "agent").count(), 1, "{runs:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_runner_told_while_up_was_away_is_in_its_log_though_it_died() {
    let mut up = faulty("host-given-up-soon").await;
    acp_project(&up, "died", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    ends_its_work_alone(&mut up, &run).await;
    let pid = runner(&up, &run);
    signal(pid, Signal::KILL);
    gone(&up, pid).await;
    up.begin().await;
    let ended = up.ended(&run).await;
    assert_eq!(ended["state"], "lost", "its key died with its runner: {ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    let log = up.run_log(&run).await;
    assert_eq!(log.matches("\"work_ended\"").count(), 1, "{log}");
}

/// A run that is stopped while it is held in this state.
async fn stopped_in(up: &Up, task: &str, state: &str) -> (Value, Value) {
    let held = Held::new(up, state);
    let run = up.start_task(task, "echo").await;
    up.in_state(&run, state).await;
    let said = up.ok(&["run", "stop", &run]).await;
    drop(held);
    (up.ended(&run).await, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_stopped_in_every_state_before_it_is_published() {
    let up = machine().await;
    let tasks = "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n- [ ] T004 [P] Four\n";
    project(&up, "stops", tasks, PASSES).await;
    command_agent(&up, "echo", "echo $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    for (task, state) in [("T001", "placing"), ("T002", "starting"), ("T003", "preparing")] {
        let (ended, said) = stopped_in(&up, task, state).await;
        assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("cancelled"), Some("stopped")), "{state}: {ended:#}");
        assert!(ended["reason"]["by"].as_str().unwrap().starts_with("did:key:"), "{ended:#}");
        assert!(ended["patch"].is_null() && said["message"].is_string(), "{state}: {ended:#}");
        assert!(!work(&up, &text(&ended["id"])).exists(), "{state}: nothing is left");
        let told = up.told(&["task", "show", task]).await.stdout;
        assert!(told.contains("stopped") && !told.contains("failed"), "{state}: {told}");
    }
    let (ended, said) = stopped_in(&up, "T004", "publishing").await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    assert!(said["message"].as_str().unwrap().contains("past stopping"), "{said}");
    assert!(up.ok(&["pods"]).await.as_array().unwrap().is_empty());
    assert_eq!(up.do_task("T002", "echo").await["state"], "done", "a stopped task can be run again");
}

/// A run whose checks go on for long, with these checks' run.
async fn checked_for_long(up: &Up, task: &str) -> (String, String) {
    let run = up.start_task(task, "quick").await;
    up.in_state(&run, "verifying").await;
    let look = || async {
        let runs = up.act("run.list", json!({"all": true, "state": "working"})).await;
        let checks = runs.as_array().unwrap().iter().find(|r| r["class"] == "ci" && r["subject"] == *run);
        checks.map(|r| text(&r["id"])).ok_or(runs.clone())
    };
    let checks = up.until("its checks run", look).await;
    (run, checks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_checked_a_run_is_paused_stopped_or_evicted_and_its_checks_with_it() {
    let up = machine().await;
    let tasks = "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n";
    let made = Repository::with_tasks(up.folder().join("checked"), "001-work", tasks, LONG);
    made.write(".gitignore", "quick\n");
    made.commit("Ignore");
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    command_agent(&up, "quick", LEAVES_QUICK).await;

    let (run, checks) = checked_for_long(&up, "T001").await;
    up.ok(&["run", "pause", &run]).await;
    up.until_run(&checks, "the checks are frozen", |seen| seen["paused"] == true).await;
    up.ok(&["run", "stop", &run]).await;
    let (ended, its) = (up.ended(&run).await, up.ended(&checks).await);
    assert_eq!((&ended["state"], &its["state"]), (&json!("cancelled"), &json!("cancelled")), "{ended:#} {its:#}");
    assert!(ended["checkpoint"].is_string() && ended["patch"].is_null(), "{ended:#}");

    // The checks alone: no verdict is no success, and the work is published all the same.
    let (run, checks) = checked_for_long(&up, "T002").await;
    up.ok(&["run", "stop", &checks]).await;
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), &ended["checks"][0]["passed"]), (Some("done"), &json!(false)), "{ended:#}");
    assert_eq!(up.ended(&checks).await["state"], "cancelled");

    let (run, checks) = checked_for_long(&up, "T003").await;
    up.ok(&["evict", &run]).await;
    let (ended, its) = (up.ended(&run).await, up.ended(&checks).await);
    assert_eq!((&ended["state"], &its["state"]), (&json!("evicted"), &json!("evicted")), "{ended:#} {its:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    let look = || async {
        let runs = up.act("run.list", json!({})).await;
        let next = runs.as_array().unwrap().iter().find(|r| r["continues"] == *run).map(|r| text(&r["id"]));
        next.ok_or(runs)
    };
    let next = up.until("a run goes on from it", look).await;
    up.ok(&["run", "stop", &next]).await;
    assert_eq!(up.ended(&next).await["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_keeps_a_run_queued_with_its_reason_until_it_is_over() {
    let up = machine().await;
    project(&up, "passing", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let runs = up.data().join("orgs/crew/runs");
    fs::remove_dir(&runs).unwrap();
    fs::write(&runs, "in the way").unwrap();
    let run = up.start_task("T001", "echo").await;
    let seen = up.until_run(&run, "it waits", |seen| seen["reason"]["code"] == "tries_again").await;
    assert_eq!((seen["state"].as_str(), &seen["tries"]), (Some("queued"), &json!(1)), "{seen:#}");
    assert!(seen["why"].as_str().unwrap().contains("tried 1 of 8 times") && seen["device"].is_null(), "{seen:#}");
    assert_eq!(up.ok(&["capacity"]).await[0]["capacity"]["slots_free"], up.ok(&["capacity"]).await[0]["capacity"]["slots"]);
    fs::remove_file(&runs).unwrap();
    fs::create_dir(&runs).unwrap();
    assert_eq!(up.ended(&run).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_goes_on_while_the_runner_is_heard_of_and_ends_when_it_is_silent() {
    let up = faulty("short-lease").await;
    acp_project(&up, "leased", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    beat(&up, &run).await;
    fs::write(work(&up, &run).join("half.txt"), "half of it").unwrap();
    let renewed = || async { if events_of(&up, &run, "lease_renewed").await.len() < 2 { Err(json!("not yet")) } else { Ok(()) } };
    up.until("its lease is renewed", renewed).await;
    assert_eq!(up.ok(&["run", "show", &run]).await["state"], "working");

    let pid = fs::read_to_string(up.data().join("orgs/crew/runs").join(&run).join("runner.pid")).unwrap();
    let pid = pid.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-STOP", pid]).status().unwrap().success());
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("lost"), Some("runner_silent")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    let look = || async {
        let runs = up.act("run.list", json!({})).await;
        let next = runs.as_array().unwrap().iter().find(|r| r["continues"] == *run).map(|r| text(&r["id"]));
        next.ok_or(runs)
    };
    let next = up.until("a run goes on from it", look).await;
    beat(&up, &next).await;
    // The beat may be the one that was saved: the rest is laid out after it.
    let half = || async {
        let found = fs::read_to_string(work(&up, &next).join("half.txt")).unwrap_or_default();
        if found == "half of it" { Ok(()) } else { Err(json!(found)) }
    };
    up.until("what was half done is there", half).await;
    fs::write(work(&up, &next).join("go"), "").unwrap();
    assert_eq!(up.ended(&next).await["state"], "done");

    // Its work is in a patch now: the checkpoint is not needed any more.
    up.until_run(&run, "its checkpoint is dropped", |seen| seen["checkpoint"].is_null()).await;
    let checkpoints = up.data().join("orgs/crew/radicle/checkpoints");
    let look = || async { if checkpoints.read_dir().unwrap().any(|_| true) { Err(json!("some are there")) } else { Ok(()) } };
    up.until("its objects are gone", look).await;
    let found = up.ok(&["doctor"]).await;
    assert!(found.to_string().contains("0 checkpoints"), "{found:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_ask_for_is_reserved_and_what_does_not_fit_waits_in_numbers() {
    let up = machine().await;
    let total = up.ok(&["capacity"]).await[0]["capacity"]["total"].clone();
    let memory = total["memory_bytes"].as_u64().unwrap() * 3 / 5;
    let asks = format!("[resources]\ncpu_milli = 500\nmemory_bytes = {memory}\ndisk_bytes = 100000000\ngpus = 0\n{PASSES}");
    acp_project(&up, "hungry", &asks).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    beat(&up, &run).await;
    let capacity = up.ok(&["capacity"]).await[0]["capacity"].clone();
    assert_eq!(capacity["free"]["memory_bytes"].as_u64().unwrap(), total["memory_bytes"].as_u64().unwrap() - memory, "{capacity:#}");
    assert_eq!(capacity["free"]["cpu_milli"].as_u64().unwrap(), total["cpu_milli"].as_u64().unwrap() - 500);
    let other = up.start_task("T002", "beat").await;
    let seen = up.until_run(&other, "it waits", |seen| seen["reason"]["code"] == "waits_for_room").await;
    assert!(seen["why"].as_str().unwrap().contains("GiB of memory are free, and"), "{seen:#}");
    fs::write(work(&up, &run).join("go"), "").unwrap();
    assert_eq!(up.ended(&run).await["state"], "done", "its checks fit although they ask for the same");
    beat(&up, &other).await;
    fs::write(work(&up, &other).join("go"), "").unwrap();
    assert_eq!(up.ended(&other).await["state"], "done");
}
