//! Tasks side by side, conflicts, stacks, red checks: with plain commands as engines.

use crate::support::{PASSES, clear, command_agent, machine, project, published, text};
use serde_json::{Value, json};
use testkit::Up;

const LIST: &str = "specs/001-work/tasks.md";
const TWO: &str = "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n";

/// Starts tasks together, and gives the patch of each when all are done.
async fn do_both(up: &Up, agent: &str) -> Vec<String> {
    let started = up.ok(&["task", "run", "T001", "T002", "--agent", agent]).await;
    let mut patches = Vec::new();
    for run in started["runs"].as_array().unwrap() {
        let ended = up.ended(run["run"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "done", "{ended:#}");
        patches.push(text(&ended["patch"]));
    }
    patches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_side_by_side_tick_neighbouring_lines_and_both_merge() {
    let up = machine().await;
    project(&up, "beside", TWO, PASSES).await;
    command_agent(&up, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    for patch in do_both(&up, "echo").await {
        assert_eq!(up.merge(&patch).await["outcome"], "merged");
    }
    let list = published(&up, "beside", LIST).await;
    assert!(!list.contains("- [ ]") && list.to_lowercase().matches("- [x]").count() == 2, "{list}");
    for task in ["T001", "T002"] {
        assert!(published(&up, "beside", &format!("{task}.txt")).await.contains(task));
        assert_eq!(up.ok(&["task", "show", task]).await["state"]["state"], "merged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_starts_a_run_that_does_the_work_anew_and_then_merges() {
    let up = machine().await;
    project(&up, "clash", TWO, PASSES).await;
    command_agent(&up, "same", "echo by $MESHWORK_TASK > same.txt").await;
    let patches = do_both(&up, "same").await;
    assert_eq!(up.merge(&patches[0]).await["outcome"], "merged");
    let refused = up.merge(&patches[1]).await;
    assert_eq!((refused["outcome"].as_str(), &refused["paths"]), (Some("rebasing"), &json!(["same.txt"])), "{refused}");
    let rebase = up.ended(refused["run"].as_str().unwrap()).await;
    assert_eq!((rebase["state"].as_str(), rebase["patch"].as_str()), (Some("done"), Some(patches[1].as_str())), "{rebase:#}");
    assert_eq!(up.ok(&["patch", "show", &patches[1]]).await["revisions"].as_array().unwrap().len(), 2);
    who_looked_at_the_first_revision_is_told_of_the_second(&up, &patches[1]).await;
    assert_eq!(up.ok(&["patch", "merge", &patches[1], "--revision", "2"]).await["outcome"], "merged");
    assert!(published(&up, "clash", "same.txt").await.contains("T002"));
    assert!(!published(&up, "clash", LIST).await.contains("- [ ]"));
}

async fn who_looked_at_the_first_revision_is_told_of_the_second(up: &Up, patch: &str) {
    for deed in [&["review", patch, "--accept", "--revision", "1"][..], &["merge", patch, "--revision", "1"]] {
        let refused = up.refused(&[&["patch"], deed].concat(), 5).await;
        clear(&refused, "Revision 2 has come since you looked at revision 1");
    }
    let diff = async |more: &[&str]| up.ok(&[&["patch", "diff", patch], more].concat()).await;
    let first = diff(&["--revision", "1"]).await;
    assert!(text(&first["diff"]).contains("+by T002") && first["note"].is_null(), "{first:#}");
    // The first conflicts where the second begins; both write the same, and the branch's own tick is what differs.
    let between = diff(&["--since", "1"]).await;
    assert!(text(&between["note"]).contains("different commits") && !text(&between["diff"]).contains("same.txt"), "{between:#}");
    assert!(text(&between["diff"]).contains("tasks.md"), "{between:#}");
    assert_eq!(up.refused(&["patch", "diff", patch, "--revision", "3"], 4).await["kind"], "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stacked_task_starts_on_a_patch_that_is_still_in_review() {
    let up = machine().await;
    project(&up, "tower", "- [ ] T001 Ground\n- [ ] T002 Upon it\n", &format!("stack = true\n{PASSES}")).await;
    command_agent(&up, "pile", "cat pile.txt 2>/dev/null > was.txt; echo $MESHWORK_TASK >> pile.txt").await;
    let patches = do_both(&up, "pile").await;
    assert_eq!(up.ok(&["task", "show", "T001"]).await["state"]["state"], "in_review", "nobody merged it");
    let (below, above) = (up.ok(&["patch", "show", &patches[0]]).await, up.ok(&["patch", "show", &patches[1]]).await);
    assert_eq!(above["base"], below["head"], "it stands on the other");
    assert!(above["missing"].to_string().contains("not merged yet"), "{above:#}");
    let problem = up.refused(&["patch", "merge", &patches[1]], 5).await;
    assert!(problem.to_string().contains("stands on work that is not merged yet"), "it would bring the other along: {problem}");
    for patch in patches {
        assert_eq!(up.merge(&patch).await["outcome"], "merged");
    }
    assert_eq!(published(&up, "tower", "pile.txt").await.lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_red_check_is_published_with_the_patch_and_refuses_the_merge() {
    let up = machine().await;
    let checks = "[[checks]]\nname = \"red\"\ncommand = \"echo it is missing; test -f never.txt\"\ntimeout_s = 30\n";
    project(&up, "red", TWO, checks).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    command_agent(&up, "idle", "true").await;
    let run = up.do_task("T001", "echo").await;
    let patch = text(&run["patch"]);
    assert_eq!((&run["checks"][0]["passed"], &run["checks"][0]["name"]), (&Value::Bool(false), &json!("red")));
    let all = up.ok(&["run", "list", "--all"]).await;
    let judged = all.as_array().unwrap().iter().find(|r| r["subject"] == run["id"]).expect("the run that checked it");
    up.until_logged(&text(&judged["id"]), "it is missing").await;
    up.ok(&["patch", "review", &patch, "--accept", "-m", "I like it."]).await;
    let problem = up.refused(&["patch", "merge", &patch], 5).await;
    assert!(problem["why"].as_str().unwrap().contains("“red” failed"), "{problem}");
    clear(&problem, "cannot be merged");
    let waiting = up.act("attention.list", json!({})).await;
    assert_eq!(waiting[0]["standing"], "checks_failed", "{waiting:#}");
    assert_eq!(waiting[0]["heading"], "A patch cannot be merged, since its checks failed");
    assert_eq!(up.ok(&["patch", "list"]).await[0]["standing"], "checks_failed");
    assert_eq!(up.ok(&["patch", "show", &patch]).await["standing"], "checks_failed");
    assert_eq!(up.call("patch.merge", json!({"patch": patch})).await.0, 409);
    assert!(published(&up, "red", LIST).await.contains("- [ ] T001"), "nothing was merged");

    let idle = up.start_task("T002", "idle").await;
    let ended = up.ended(&idle).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("failed"), Some("nothing_changed")), "{ended:#}");
    assert!(ended["why"].as_str().unwrap().contains("make the task clearer"), "{ended:#}");
    command_agent(&up, "ticks", &format!("sed -i 's/- \\[ \\]/- [x]/' {LIST}")).await;
    let ended = up.ended(&up.start_task("T002", "ticks").await).await;
    assert_eq!(ended["reason"]["code"], "nothing_changed", "{ended:#}");
    assert!(ended["why"].as_str().unwrap().contains("was put back"), "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_a_task_that_needs_a_merge_first_is_told_so() {
    let up = machine().await;
    project(&up, "held", "- [ ] T001 One\n- [ ] T002 Two\n", PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let started = up.ok(&["task", "run", "T001", "T002"]).await;
    let notices = started["notices"].to_string();
    assert!(notices.contains("T002: It waits for T001. It starts once a person has merged that."), "{started}");
    let (first, second) = (text(&started["runs"][0]["run"]), text(&started["runs"][1]["run"]));
    let patch = text(&up.ended(&first).await["patch"]);
    let told = |seen: &Value| seen["why"].as_str().is_some_and(|why| why.contains("A person must review and merge T001"));
    let seen = up.until_run(&second, "it says for whom it waits", told).await;
    assert_eq!(seen["waits_for_a_person"], true, "{seen:#}");
    up.merge(&patch).await;
    let ended = up.ended(&second).await;
    assert_eq!((&ended["state"], &ended["waits_for_a_person"]), (&json!("done"), &Value::Null), "then it goes");
    clear(&up.refused(&["task", "run", "T001"], 5).await, "T001 is done already.");
}

async fn state(up: &Up, task: &str) -> Value {
    up.act("task.show", json!({ "task": task })).await["state"]["state"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_are_talked_about_closed_and_opened_again_and_the_task_follows() {
    let up = machine().await;
    project(&up, "talk", TWO, PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let patch = text(&up.do_task("T001", "echo").await["patch"]);
    let first = text(&up.ok(&["patch", "comment", &patch, "-m", "Why x?"]).await["comment"]);
    let second = text(&up.act("patch.comment", json!({"patch": patch, "body": "Why not?", "reply_to": &first[..8]})).await["comment"]);
    let shown = up.ok(&["patch", "show", &patch]).await;
    let comments = shown["revisions"][0]["comments"].as_array().unwrap();
    let said: Vec<_> = comments.iter().map(|c| (c["id"].as_str(), c["body"].as_str(), c["reply_to"].as_str())).collect();
    let expected = [(Some(first.as_str()), Some("Why x?"), None), (Some(second.as_str()), Some("Why not?"), Some(first.as_str()))];
    assert_eq!(said, expected, "{shown:#}");
    clear(&up.refused(&["patch", "comment", &patch, "-m", " "], 2).await, "some words");
    clear(&up.refused(&["patch", "comment", &patch, "-m", "To whom?", "--reply-to", "abcdef"], 4).await, "no comment");
    assert_eq!(state(&up, "T001").await, "in_review", "words alone judge nothing");

    clear(&up.refused(&["patch", "reopen", &patch], 5).await, "not closed");
    up.ok(&["patch", "close", &patch]).await;
    assert_eq!(state(&up, "T001").await, "rejected");
    up.ok(&["patch", "reopen", &patch]).await;
    assert_eq!(state(&up, "T001").await, "in_review");
    assert_eq!(up.merge(&patch).await["outcome"], "merged");
    clear(&up.refused(&["patch", "reopen", &patch], 5).await, "merged already");
    // Seen in Radicle too, and noted once only.
    let journal = up.journal().await;
    for (kind, times) in [("patch_commented", 2), ("patch_closed", 1), ("patch_reopened", 1), ("patch_reviewed", 1), ("patch_merged", 1)] {
        assert_eq!(journal.iter().filter(|e| e["event"]["type"] == kind).count(), times, "{kind}");
    }
}
