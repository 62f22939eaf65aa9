//! Nothing is lost in silence: messages of people, and what engines made.

use crate::support::{
    PASSES, acp_agent, acp_project, beat, clear, command_agent, events_of, faulty, machine, published, storage, text, work,
};
use serde_json::{Value, json};
use std::fs;
use testkit::{Repository, Up, git};

/// A check that goes on until the test lays the file `open` into the worktree.
const WAITS: &str =
    "[[checks]]\nname = \"waits\"\ncommand = \"touch checking; while ! test -f open; do sleep 0.05; done\"\ntimeout_s = 60\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_nobody_can_read_is_refused_and_one_during_the_last_checks_is_delivered() {
    let up = machine().await;
    acp_project(&up, "spoken", WAITS).await;
    command_agent(&up, "deaf", "while ! test -f go; do sleep 0.05; done").await;
    let run = up.start_task("T002", "deaf").await;
    up.in_state(&run, "working").await;
    clear(&up.refused(&["run", "send", &run, "Hello?"], 5).await, "reads no messages");
    up.ok(&["run", "stop", &run]).await;
    assert!(up.ended(&run).await["messages"].is_null(), "what was refused at once is no message");

    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    beat(&up, &run).await;
    fs::write(work(&up, &run).join("go"), "").unwrap();
    let checking = work(&up, &run).join("checking");
    up.until("its work is checked", || async { if checking.exists() { Ok(()) } else { Err(json!("not yet")) } }).await;
    up.ok(&["run", "send", &run, "One thing more."]).await;
    fs::write(work(&up, &run).join("open"), "").unwrap();
    let ended = up.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    assert!(ended["messages"].is_null() && ended["undelivered"].is_null(), "{ended:#}");
    assert_eq!(events_of(&up, &run, "message_delivered").await.len(), 1);
    up.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&up, "spoken", "message.txt").await, "One thing more.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_not_delivered_when_up_died_is_delivered_after_it_came_back() {
    let mut up = faulty("message-not-given").await;
    acp_project(&up, "again", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    beat(&up, &run).await;
    up.ok(&["run", "send", &run, "Do not forget."]).await;
    up.kill().await;
    up.begin().await;
    // Orders are carried out in their order: once this one is, the runner has the message.
    let frozen = || async {
        let (status, answer) = up.call("run.pause", json!({ "run": run })).await;
        if status == 200 { Ok(()) } else { Err(answer) }
    };
    up.until("its runner is back", frozen).await;
    up.until_run(&run, "it is paused", |seen| seen["paused"] == true).await;
    assert_eq!(up.ok(&["run", "resume", &run]).await["message"], "It goes on.");
    up.until_run(&run, "it goes on", |seen| seen["paused"] == false).await;
    assert_eq!(up.ok(&["run", "resume", &run]).await["message"], "It was not paused: it goes on as before.");
    fs::write(work(&up, &run).join("go"), "").unwrap();
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["undelivered"].is_null()), (Some("done"), true), "{ended:#}");
    up.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&up, "again", "message.txt").await, "Do not forget.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_a_stopped_run_did_not_get_is_shown_and_handed_on() {
    let up = machine().await;
    acp_project(&up, "handed", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    beat(&up, &run).await;
    up.ok(&["run", "send", &run, "Use the blue one."]).await;
    up.ok(&["run", "stop", &run]).await;
    let ended = up.ended(&run).await;
    assert_eq!(ended["undelivered"], json!([{"text": "Use the blue one.", "why": "The run ended before."}]), "{ended:#}");
    let next = up.start_task("T001", "beat").await;
    up.in_state(&next, "working").await;
    let brief = fs::read_to_string(up.data().join("orgs/crew/runs").join(&next).join("welcome.json")).unwrap();
    assert!(brief.contains("Use the blue one."), "{brief}");
    let why = up.ok(&["run", "show", &run]).await["undelivered"][0]["why"].clone();
    assert!(why.as_str().unwrap().contains(&next), "{why}");
    up.ok(&["run", "stop", &next]).await;
    up.ended(&next).await;
}

async fn ignoring(up: &Up) {
    let made = Repository::with_tasks(up.folder().join("ignoring"), "001-work", "- [ ] T011 [P] One\n- [ ] T012 [P] Two\n", PASSES);
    made.write(".gitignore", "build/\n");
    made.commit("Ignore");
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
}

fn lists(value: &Value, words: &str) -> bool {
    value.as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_in_no_commit_are_kept_aside_told_and_dropped_on_demand() {
    let up = machine().await;
    ignoring(&up).await;
    let beside = "git checkout -qb wip; echo w > w.txt; git add w.txt; git commit -qm wip; git checkout -q -";
    command_agent(&up, "odd", &format!("{beside}; echo x > x.txt; mkdir build; echo made > build/out.bin; mkfifo pipe")).await;
    command_agent(&up, "large", "echo x > y.txt; truncate -s 105M large.bin").await;

    let run = up.start_task("T011", "odd").await;
    let ended = up.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    assert!(lists(&ended["kept"]["files"], "build/") && lists(&ended["notes"], "FIFO"), "{ended:#}");
    assert!(lists(&ended["kept"]["files"], "the commits of the branch wip"), "{ended:#}");
    let patch = up.ok(&["patch", "show", ended["patch"].as_str().unwrap()]).await;
    assert!(patch.to_string().contains("pipe is left out: it is a FIFO"), "{patch:#}");
    let look = || async {
        let seen = up.ok(&["run", "show", &run]).await;
        seen["kept_in"].as_str().map(str::to_owned).ok_or(seen)
    };
    let folder = up.until("its folder is kept", look).await;
    assert_eq!(fs::read_to_string(format!("{folder}/work/build/out.bin")).unwrap(), "made\n");
    assert!(fs::exists(format!("{folder}/work/.git/refs/heads/wip")).unwrap());
    assert_eq!(events_of(&up, &run, "work_kept").await.len(), 1);

    let run_large = up.start_task("T012", "large").await;
    let ended = up.ended(&run_large).await;
    assert_eq!(ended["state"], "failed", "a commit with it is refused: {ended:#}");
    assert!(ended["checkpoint"].is_string() && lists(&ended["kept"]["files"], "large.bin has 105 MiB"), "{ended:#}");
    let look = || async {
        let kept = up.ok(&["run", "kept"]).await;
        if kept.as_array().unwrap().len() == 2 { Ok(kept) } else { Err(kept) }
    };
    let kept = up.until("both are listed", look).await;
    assert_eq!((kept[0]["run"].as_str(), kept[1]["run"].as_str()), (Some(run.as_str()), Some(run_large.as_str())), "{kept:#}");
    up.ok(&["run", "drop", &run]).await;
    assert!(!fs::exists(&folder).unwrap() && up.ok(&["run", "show", &run]).await["kept"].is_null());
    clear(&up.refused(&["run", "drop", &run], 4).await, "is kept");
}

/// What the doctor says of kept work.
async fn kept_work(up: &Up) -> String {
    let found = up.act("device.doctor", json!({})).await;
    found.as_array().unwrap().iter().find(|one| one["what"] == "kept work").map(|one| text(&one["detail"])).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_checkpoint_the_disk_lost_by_half_is_begun_anew_and_what_is_left_is_kept() {
    let up = machine().await;
    acp_project(&up, "half", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    beat(&up, &run).await;
    up.ok(&["run", "stop", &run]).await;
    let commit = text(&up.ended(&run).await["held"]);
    let kept = fs::read_dir(storage(&up).join("../checkpoints")).unwrap().next().unwrap().unwrap().path();
    let file = git(&kept, &["rev-parse", &format!("{commit}:work/beat")]).trim().to_owned();
    fs::remove_file(kept.join("objects").join(&file[..2]).join(&file[2..])).unwrap();
    let doctor = kept_work(&up).await;
    assert!(doctor.contains("damaged: what was saved") && doctor.contains(&run), "{doctor}");
    let aside = kept.with_extension("aside");
    fs::rename(&kept, &aside).unwrap();
    fs::write(&kept, "no repository").unwrap();
    let asked = up.run(&["doctor"]).await;
    let found = asked.json();
    let found = found.as_array().unwrap();
    let unread = found.iter().find(|one| one["what"] == "kept work").unwrap();
    assert!(asked.code == 7 && unread["ok"] == false && text(&unread["detail"]).contains("cannot be read"), "{found:#?}");
    fs::remove_file(&kept).unwrap();
    fs::rename(&aside, &kept).unwrap();

    let next = up.start_task("T001", "beat").await;
    let seen = up.in_state(&next, "working").await;
    let why = text(&seen["left"]["why"]);
    assert!(seen["from"].is_null() && seen["continues"] == run.as_str() && why.contains("work/beat is missing"), "{seen:#}");
    let dropped = events_of(&up, &run, "checkpoint_dropped").await;
    assert!(dropped.len() == 1 && dropped[0]["why"] == why.as_str() && up.log().contains("nothing goes on from"), "{dropped:#?}");
    let shown = up.ok(&["run", "show", &run]).await;
    let folder = text(&shown["kept_in"]);
    assert!(
        lists(&shown["kept"]["files"], "work/beat is missing") && fs::exists(format!("{folder}/checkpoint.git/HEAD")).unwrap(),
        "{shown:#}"
    );
    assert!(kept_work(&up).await.contains(&format!("set aside: what is left of the damaged checkpoint of run {run}")));
    up.ok(&["run", "drop", &run]).await;
    assert!(!fs::exists(&folder).unwrap());
}
