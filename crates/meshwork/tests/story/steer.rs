//! Steering runs: messages, pause, stop, answers; and what ends one by itself.

use crate::support::{PASSES, acp_agent, acp_project, beat, command_agent, events_of, have_engine, machine, published, text, work};
use serde_json::json;
use std::fs;
use testkit::{Repository, model::ScriptedModel, random_name};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_paused_goes_on_gets_a_message_and_does_as_it_says() {
    let up = machine().await;
    acp_project(&up, "steered", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    up.in_state(&run, "working").await;
    beat(&up, &run).await;

    up.ok(&["run", "pause", &run]).await;
    up.until_run(&run, "it is paused", |seen| seen["paused"] == true).await;
    let frozen = beat(&up, &run).await;
    for _ in 0..10 {
        assert_eq!(up.ok(&["pods"]).await[0]["paused"], true);
    }
    for verb in [&["run", "list"][..], &["pods"]] {
        assert!(up.told(verb).await.stdout.contains("paused"), "{verb:?}");
    }
    assert_eq!(beat(&up, &run).await, frozen, "a frozen agent does nothing");
    up.ok(&["run", "resume", &run]).await;
    let look = || async { if beat(&up, &run).await > frozen { Ok(()) } else { Err(json!(frozen)) } };
    up.until("it goes on", look).await;

    up.ok(&["run", "send", &run, "Mind the gap."]).await;
    fs::write(work(&up, &run).join("go"), "").unwrap();
    let ended = up.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    up.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&up, "steered", "message.txt").await, "Mind the gap.");
    let problem = up.refused(&["run", "send", &run, "Too late."], 5).await;
    assert!(problem["what"].as_str().unwrap().contains("has ended"), "{problem}");
}

/// As feedback goes on until somebody says so, and passes at once on a clean clone.
const WAITS: &str = "[[checks]]\nname = \"waits\"\ntimeout_s = 120\n\
                     command = \"test ! -f beat || while ! test -f go; do echo again >> beat; sleep 0.05; done\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_command_that_has_ended_is_paused_while_its_work_is_checked() {
    let up = machine().await;
    let made = Repository::with_tasks(up.folder().join("waits"), "001-work", "- [ ] T001 One\n", WAITS);
    made.write(".gitignore", "beat\ngo\n");
    made.commit("Ignore");
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    command_agent(&up, "plain", "touch beat; echo x > x.txt").await;
    let run = up.start_task("T001", "plain").await;
    let beat = work(&up, &run).join("beat");
    let beats = || fs::metadata(&beat).map_or(0, |file| file.len());
    let look = || async { if beats() > 0 { Ok(()) } else { Err(json!("no beat")) } };
    up.until("it is checked", look).await;

    up.ok(&["run", "pause", &run]).await;
    up.until_run(&run, "it is paused", |seen| seen["paused"] == true).await;
    let frozen = beats();
    for _ in 0..10 {
        assert_eq!(up.ok(&["pods"]).await[0]["paused"], true);
    }
    assert_eq!(beats(), frozen, "its checks stand still");
    up.ok(&["run", "resume", &run]).await;
    let look = || async { if beats() > frozen { Ok(()) } else { Err(json!(frozen)) } };
    up.until("its checks go on", look).await;
    fs::write(work(&up, &run).join("go"), "").unwrap();
    let ended = up.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_keeps_its_work_and_the_next_goes_on_from_it() {
    let up = machine().await;
    acp_project(&up, "stopped", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    up.in_state(&run, "working").await;
    beat(&up, &run).await;
    fs::write(work(&up, &run).join("half.txt"), "half of it").unwrap();
    up.ok(&["run", "stop", &run]).await;
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("cancelled"), Some("stopped")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    let saved = up.ok(&["run", "diff", &run]).await;
    assert!(text(&saved["diff"]).contains("half of it") && saved["whole"] == false, "{saved}");
    let look = || async { if work(&up, &run).exists() { Err(json!("it is there")) } else { Ok(()) } };
    up.until("its folder is gone", look).await;

    let next = up.start_task("T001", "beat").await;
    up.in_state(&next, "working").await;
    beat(&up, &next).await;
    assert_eq!(fs::read_to_string(work(&up, &next).join("half.txt")).unwrap(), "half of it");
    fs::write(work(&up, &next).join("go"), "").unwrap();
    assert_eq!(up.ended(&next).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_answers_what_an_engine_asks() {
    let up = machine().await;
    acp_project(&up, "asked", PASSES).await;
    acp_agent(&up, "ask", &["--ask"]).await;
    let run = up.start_task("T001", "ask").await;
    let seen = up.until_run(&run, "it asks", |seen| seen["questions"][0].is_object()).await;
    assert_eq!(seen["questions"][0]["title"], "write answer.txt", "{seen:#}");
    let listed = up.told(&["run", "list"]).await.stdout;
    assert!(listed.contains("asks you") && listed.contains("write answer.txt (meshwork run answer)"), "{listed}");
    assert!(up.told(&["run", "show", &run]).await.stdout.contains(&format!("meshwork run answer {}", &run[18..])));
    let problem = up.refused(&["run", "answer", &run, "perhaps"], 2).await;
    assert!(problem["next"].as_str().unwrap().contains("yes, no"), "{problem}");
    up.ok(&["run", "answer", &run, "deny"]).await;
    let ended = up.ended(&run).await;
    assert_eq!(ended["questions"], json!([]));
    let answered = events_of(&up, &run, "question_answered").await;
    assert_eq!((answered.len(), &answered[0]["option"]), (1, &json!("no")), "journaled once: {answered:#?}");
    up.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&up, "asked", "answer.txt").await, "no");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_and_wall_time_end_a_run_with_their_reason() {
    let up = machine().await;
    acp_project(&up, "limits", &format!("[limits]\nwall_s = 6\nsilence_s = 2\n{PASSES}")).await;
    acp_agent(&up, "hang", &[]).await;
    acp_agent(&up, "chatter", &[]).await;
    let (silent, long) = (up.start_task("T001", "hang").await, up.start_task("T002", "chatter").await);
    for (run, code, words) in [(&silent, "silent", "limits.silence_s"), (&long, "took_too_long", "limits.wall_s")] {
        let ended = up.ended(run).await;
        assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("failed"), Some(code)), "{ended:#}");
        assert!(ended["why"].as_str().unwrap().contains(words), "{ended:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_budget_ends_a_run_and_says_which_limit() {
    let key = random_name("sk-real");
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let up = machine().await;
    if !have_engine(&up, "codex").await {
        return;
    }
    up.run_with(&["credential", "set", "scripted"], &key).await;
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "scripted", "--calls", "1"];
    up.ok(&[&["agent", "add", "thrifty", "--engine", "codex"][..], &about].concat()).await;
    crate::support::project(&up, "budget", "- [ ] T001 Do it [[write:a.txt=a]] [[write:b.txt=b]]\n", PASSES).await;
    let run = up.start_task("T001", "thrifty").await;
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("failed"), Some("budget_spent")), "{ended:#}");
    assert_eq!(ended["usage"]["calls"], 1, "{ended:#}");
    assert_eq!(model.calls().iter().filter(|call| call.answer.is_some()).count(), 1, "no further call reached the provider");
}
