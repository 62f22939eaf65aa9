//! What people and engines get wrong: each gives one clear sentence with the next step, the right exit code and HTTP status.

use crate::support::{
    PASSES, PROGRAM, acp_agent, acp_project, clear, command_agent, events_of, have_engine, idle, machine, project, published, storage, text,
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use testkit::{Repository, Up, git, model::ScriptedModel, random_name};

/// Adds a folder, which must be refused: with this exit code and the status that says the same.
async fn add_refused(up: &Up, folder: &Path, code: i32, status: u16, words: &str) {
    let path = folder.to_str().unwrap();
    clear(&up.refused(&["project", "add", path], code).await, words);
    assert_eq!(up.call("project.add", json!({"source": path})).await.0, status, "{words}");
    assert_eq!(up.ok(&["project", "list"]).await, json!([]), "nothing was added: {words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn working_copies_that_are_not_ready_are_refused_or_told_about() {
    let up = machine().await;
    let at = |name: &str| up.folder().join(name);
    fs::create_dir(at("plain")).unwrap();
    add_refused(&up, &at("plain"), 2, 400, "is not a git repository").await;
    let empty = Repository::new(at("empty"));
    add_refused(&up, empty.path(), 2, 400, "has no commits").await;
    let detached = Repository::with_tasks(at("detached"), "001-work", "- [ ] T001 One\n", PASSES);
    git(detached.path(), &["checkout", "--quiet", "--detach"]);
    add_refused(&up, detached.path(), 2, 400, "detached HEAD").await;
    let problem = up.refused(&["project", "add", "/nowhere/at/all"], 4).await;
    clear(&problem, "There is no folder");

    let dirty = Repository::with_tasks(at("dirty"), "001-work", "- [ ] T001 One\n", PASSES);
    dirty.write("README.md", "changed\n");
    dirty.write("new.txt", "new\n");
    let added = up.ok(&["project", "add", dirty.path().to_str().unwrap()]).await;
    assert!(added["notices"].to_string().contains("2 files are not committed"), "{added}");
    assert_eq!(published(&up, "dirty", "README.md").await, "# A project of a test\n", "what is not committed is not taken");

    let bare = Repository::new(at("bare"));
    bare.write("README.md", "# No Spec-Kit\n");
    bare.commit("Begin");
    let added = up.ok(&["project", "add", bare.path().to_str().unwrap()]).await;
    assert!(added["notices"].to_string().contains("meshwork feature new"), "{added}");
    command_agent(&up, "echo", "true").await;
    clear(&up.refused(&["task", "run", "--project", "bare"], 4).await, "no Spec-Kit features");
    clear(&up.refused(&["task", "run", "T001"], 2).await, "project");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_whose_settings_have_a_mistake_is_added_and_shown_with_it() {
    let up = machine().await;
    let broken = Repository::with_tasks(up.folder().join("broken"), "001-work", "- [ ] T001 One\n", "approvals = many\n");
    let added = up.ok(&["project", "add", broken.path().to_str().unwrap()]).await;
    let shown = up.ok(&["project", "show"]).await;
    for told in [&added["notices"], &shown["notices"]] {
        assert!(told.to_string().contains("project.toml is not in order. Line 1: "), "{told}");
    }
    assert_eq!((shown["open_tasks"].as_u64(), up.ok(&["project", "list"]).await[0]["open_tasks"].as_u64()), (Some(1), Some(1)));
    clear(&up.refused(&["task", "list"], 2).await, "project.toml is not in order");
    project(&up, "whole", "- [ ] T002 Two\n", PASSES).await;
    let told = up.told(&["task", "list"]).await.stdout;
    let left = "note: The tasks of broken cannot be listed. The file .meshwork/project.toml";
    assert!(told.contains("T002") && told.contains(left), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_not_on_this_device_yet_hides_nothing_of_the_others() {
    let mut up = machine().await;
    project(&up, "away", "- [ ] T001 One\n", PASSES).await;
    project(&up, "here", "- [ ] T002 Two\n- [ ] T003 [P] Three\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let started = up.ok(&["task", "run", "T002", "--project", "here", "--agent", "echo"]).await;
    let ended = up.ended(&text(&started["runs"][0]["run"])).await;
    let patch = ended["patch"].clone();
    assert!(patch.is_string(), "{ended:#}");
    let rid = text(&up.ok(&["project", "list"]).await[0]["project"]["rid"]);
    up.end().await;
    fs::remove_dir_all(storage(&up).join(rid.trim_start_matches("rad:"))).unwrap();
    up.begin().await;

    let listed = up.ok(&["project", "list"]).await;
    assert_eq!((&listed[0]["project"]["name"], &listed[0]["head"]), (&json!("away"), &Value::Null));
    let why = || async {
        let listed = up.act("project.list", json!({})).await;
        if listed[0]["absent"].is_string() { Ok(text(&listed[0]["absent"])) } else { Err(listed) }
    };
    let why = up.until("it is said why it is not here", why).await;
    assert!(why.contains("connected to no other device"), "{why}");
    assert_eq!((&listed[1]["project"]["name"], listed[1]["open_tasks"].as_u64()), (&json!("here"), Some(2)));
    assert!(listed[1]["head"].is_string(), "{listed:#}");
    let told = up.told(&["project", "list"]).await.stdout;
    assert!(told.contains("not here yet"), "{told}");
    let tasks = up.ok(&["task", "list"]).await;
    assert_eq!(tasks.as_array().unwrap().len(), 2, "{tasks:#}");
    for (action, key) in [("patch.list", "id"), ("attention.list", "patch")] {
        let listed = up.act(action, json!({})).await;
        let found: Vec<_> = listed.as_array().unwrap().iter().map(|one| (&one["project"], &one[key])).collect();
        assert_eq!(found, [(&json!("here"), &patch)], "{action}: {listed:#}");
    }
    for verb in ["task", "patch"] {
        let told = up.told(&[verb, "list"]).await.stdout;
        assert!(told.contains("T002") && told.contains("note: Not on this device yet, and so not listed: away."), "{told}");
        clear(&up.refused(&[verb, "list", "--project", "away"], 4).await, "is not on this device");
    }
    assert_eq!(up.ok(&["patch", "show", &text(&patch)[..8]]).await["id"], patch);
    for args in [&["patch", "show", "0000beef"][..], &["trace", "0000beef"]] {
        let problem = up.refused(args, 4).await;
        assert_eq!(problem["why"], "Not on this device yet, and so not searched: away.", "{problem:#}");
    }

    // Nor does one hide anything whose folder is none.
    fs::write(storage(&up).join(rid.trim_start_matches("rad:")), "").unwrap();
    let listed = up.ok(&["project", "list"]).await;
    assert!(listed[0]["problem"].is_string() && listed[1]["head"].is_string(), "{listed:#}");
    assert!(up.told(&["project", "list"]).await.stdout.contains("away cannot be read"));
    for verb in ["task", "patch"] {
        let told = up.told(&[verb, "list"]).await.stdout;
        assert!(told.contains("T002") && told.contains("note: away cannot be read whole. "), "{told}");
        clear(&up.refused(&[verb, "list", "--project", "away"], 7).await, "cannot be read");
    }
    assert_eq!(up.act("attention.list", json!({})).await.as_array().unwrap().len(), 1);
    assert_eq!(up.ok(&["patch", "show", &text(&patch)[..8]]).await["id"], patch);
    for args in [&["patch", "show", "0000beef"][..], &["trace", "0000beef"]] {
        let problem = up.refused(args, 4).await;
        assert_eq!(problem["why"], "Not readable, and so not searched: away.", "{problem:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_task_files_are_told_about_and_their_tasks_do_not_start() {
    let up = machine().await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let broken = "- [ ] T001 One\n- [ ] T001 Again\n- [ ] T002 Waits (depends on T002)\n- [ ] T003 [P] Round (depends on T004)\n- [ ] T004 [P] And round (depends on T003)\n- [ ] no id\n";
    let repo = Repository::with_tasks(up.folder().join("broken"), "001-work", broken, PASSES);
    repo.feature("001-twin", "- [ ] T009 [P] Nine\n");
    fs::write(repo.path().join("specs/001-twin/plan.md"), b"\xff\xfe not text").unwrap();
    repo.commit("More");
    up.ok(&["project", "add", repo.path().to_str().unwrap()]).await;
    let shown = up.ok(&["project", "show"]).await.to_string();
    for words in ["T001 more than once", "T002 depend on itself", "in a circle", "no task id", "the same number"] {
        assert!(shown.contains(words), "“{words}” in {shown}");
    }
    for (task, words) in [("T001", "T001"), ("T002", "T002"), ("T003", "T003")] {
        let problem = up.refused(&["task", "run", task, "--feature", "001-work"], 5).await;
        clear(&problem, words);
        assert!(problem["next"].as_str().unwrap().contains("tasks.md"), "{problem}");
    }
    assert_eq!(up.call("task.run", json!({"tasks": ["T002"], "feature": "001-work"})).await.0, 409);
    clear(&up.refused(&["task", "run", "T099"], 4).await, "T099");
    clear(&up.refused(&["task", "run"], 2).await, "several features");
    assert_eq!(up.ok(&["run", "list"]).await, json!([]), "nothing was started");
    let (status, answer) = up.call("task.run", json!({"tasks": 7})).await;
    assert_eq!(status, 400, "{answer}");
    clear(&answer["error"], "not in order");
    clear(&up.refused(&["task", "run", "T009", "--agent", "nobody"], 4).await, "nobody");
}

/// Runs a task that must fail with this reason, in words with a next step.
async fn fails(up: &Up, agent: &str, code: &str, words: &str) -> Value {
    let run = up.start_task("T001", agent).await;
    let ended = up.ended(&run).await;
    let log = up.run_log(&run).await;
    let log = &log[..log.len().min(4000)];
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("failed"), Some(code)), "{agent}: {ended:#}\n{log}");
    let why = ended["why"].as_str().unwrap();
    assert!(why.contains(words) && why.ends_with('.'), "{agent}: {why}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_misbehave_end_their_run_with_a_reason() {
    let none = tempfile::tempdir().unwrap();
    let mut up = Up::idle(PROGRAM, &[("MESHWORK_ENGINES", none.path().to_str().unwrap())]);
    up.begin().await;
    up.org().await;
    acp_project(&up, "engines", PASSES).await;
    up.run_with(&["credential", "set", "unused"], "unused").await;
    let model = ["--model", "none", "--base-url", "http://127.0.0.1:9/v1", "--credential", "unused"];
    let added = up.ok(&[&["agent", "add", "absent", "--engine", "codex"][..], &model].concat()).await;
    assert!(added["needs"].to_string().contains("meshwork engine install codex"), "{added}");
    command_agent(&up, "nothing", "no-such-program-anywhere").await;
    up.ok(&["agent", "add", "nowhere", "--engine", "acp", "--command", "no-such-program-anywhere"]).await;
    up.ok(&["agent", "add", "tapeless", "--engine", "replay"]).await;
    command_agent(&up, "exits", "echo I give up; exit 3").await;
    up.ok(&[&["agent", "add", "gone", "--engine", "acp", "--command", "false"][..], &model].concat()).await;
    acp_agent(&up, "garbage", &[]).await;

    fails(&up, "absent", "engine_missing", "meshwork engine install codex").await;
    fails(&up, "nothing", "engine_missing", "Check the agent's command").await;
    fails(&up, "nowhere", "engine_missing", "Check the agent's command").await;
    fails(&up, "tapeless", "hindered", "It could not go on: There is no recording").await;
    fails(&up, "exits", "engine_failed", "I give up").await;
    fails(&up, "gone", "engine_failed", "closed its output before it answered").await;
    fails(&up, "garbage", "engine_protocol", "Agent Client Protocol").await;
    let state = &up.ok(&["task", "show", "T001"]).await["state"]["state"];
    assert_eq!(state, "failed", "it may be run again");
    assert_eq!(up.ok(&["pods"]).await, json!([]), "no slot is held");
    clear(&up.refused(&["agent", "add", "odd", "--engine", "abacus"], 4).await, "abacus");
    clear(&up.refused(&["agent", "add", "half", "--engine", "codex", "--model", "m"], 2).await, "not complete");
    clear(&up.refused(&["agent", "add", "tape", "--engine", "replay", "--command", "/nonexist"], 2).await, "no recording");
    clear(&up.refused(&["agent", "add", "open", "--engine", "acp", "--command", "echo 'open"], 2).await, "into words");
    let tape = up.ok(&["agent", "add", "tape", "--engine", "replay"]).await;
    assert!(tape["needs"].to_string().contains("No project has a recording"), "{tape}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_engine_tries_against_its_walls_is_told_and_nothing_that_it_leaves_in_git_runs() {
    let up = machine().await;
    project(&up, "walls", "- [ ] T001 One\n", PASSES).await;
    // Whatever runs outside of the sandbox could make this file.
    let marker = up.folder().join("marker").display().to_string();
    let hooks = format!(
        "for hook in pre-commit post-commit post-checkout post-merge reference-transaction; do \
         printf '#!/bin/sh\\ntouch {marker}\\n' > .git/hooks/$hook; chmod 755 .git/hooks/$hook; done"
    );
    let settings = format!(
        "printf '[core]\\n\\tfsmonitor = touch {marker}\\n[filter \"mine\"]\\n\\tclean = touch {marker}\\n\\tsmudge = touch {marker}\\n' \
         >> .git/config; echo '* filter=mine' > .gitattributes"
    );
    let climbs = format!("unshare --user true || echo stopped > x.txt; mkdir -p .git/hooks; {hooks}; {settings}");
    command_agent(&up, "climber", &climbs).await;
    let run = up.do_task("T001", "climber").await;
    let id = text(&run["id"]);
    let seen = up.until_run(&id, "what it tried is told", |seen| seen["violations"][0].is_string()).await;
    assert!(seen["violations"].to_string().contains("“unshare” tried to make or enter a namespace"), "{seen:#}");
    assert!(!events_of(&up, &id, "sandbox_stopped").await.is_empty(), "it is in the journal");
    assert!(up.told(&["run", "show", &id]).await.stdout.contains("The sandbox stopped"));
    up.merge(&text(&run["patch"])).await;
    assert_eq!(published(&up, "walls", "x.txt").await.trim(), "stopped");
    assert_eq!(published(&up, "walls", ".gitattributes").await.trim(), "* filter=mine", "it laid all of it");
    assert!(!Path::new(&marker).exists(), "nothing of it ran outside");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_writes_a_gigabyte_is_cut_and_its_work_counts() {
    let up = machine().await;
    project(&up, "loud", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "loud", "head -c 1073741824 /dev/zero | tr '\\0' x; echo x > x.txt").await;
    let run = up.do_task("T001", "loud").await;
    let id = run["id"].as_str().unwrap();
    let look = |page: Value| page["lines"].as_array().unwrap().last().map(|line| line["seq"].clone());
    let (mut last, mut cut) = (json!(0), false);
    loop {
        let page = up.act("run.logs", json!({"run": id, "after": last})).await;
        cut |= page.to_string().contains("\"truncated\"");
        match look(page) {
            Some(seq) => last = seq,
            None => break,
        }
    }
    assert!(cut, "the log says that it was cut");
    let logs = up.data().join("orgs/crew/store/logs");
    let kept: u64 = fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(kept < 200 << 20, "{kept} bytes are kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_ends_the_run_in_its_own_words() {
    let key = random_name("sk-real");
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let up = machine().await;
    if !have_engine(&up, "opencode").await {
        return;
    }
    for (name, secret) in [("good", key.as_str()), ("bad", "sk-wrong")] {
        up.run_with(&["credential", "set", name], secret).await;
        let url = model.base_url();
        up.ok(&[
            "agent",
            "add",
            name,
            "--engine",
            "opencode",
            "--model",
            "scripted-1",
            "--base-url",
            &url,
            "--api",
            "chat",
            "--credential",
            name,
        ])
        .await;
    }
    let tested = up.run(&["credential", "test", "bad"]).await;
    assert_eq!((tested.code, &tested.json()["good"]), (1, &json!(false)));
    assert_eq!(up.ok(&["credential", "test", "good"]).await["good"], true);
    project(&up, "moody", "- [ ] T001 One [[429-once]] [[write:x.txt=x]]\n", PASSES).await;
    fails(&up, "bad", "model_failed", "does not accept the credential “bad” (401)").await;
    let edit = async |title: &str| up.ok(&["task", "edit", "T001", title]).await;
    for (directive, words, advice) in [("[[fail:401]]", "401", "credential"), ("[[fail:400]]", "400", "wire form")] {
        edit(&format!("One {directive}")).await;
        let ended = fails(&up, "good", "model_failed", advice).await;
        assert!(ended["why"].as_str().unwrap().contains(words) || ended["why"].as_str().unwrap().contains("Scripted"), "{ended:#}");
    }
    edit("One [[429-once]] [[write:x.txt=x]]").await;
    up.do_task("T001", "good").await;
    assert!(model.calls().iter().any(|call| call.status == 429), "it was tried again after a limit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_up_a_port_in_use_and_a_newer_folder_are_refused() {
    let up = machine().await;
    clear(&up.refused(&["up", "--listen", "127.0.0.1:0", "--no-open"], 5).await, "Another meshwork uses the data folder");
    let address = up.url().trim_start_matches("http://").to_owned();
    let other = idle();
    clear(&other.refused(&["up", "--listen", &address, "--no-open"], 5).await, "cannot listen on");
    clear(&other.refused(&["run", "list"], 7).await, "No meshwork is running");
    fs::write(other.data().join("version"), "99").unwrap();
    for args in [&["up", "--listen", "127.0.0.1:0", "--no-open"][..], &["run", "list"]] {
        clear(&other.refused(args, 5).await, "written by a newer Meshwork");
    }
    assert_eq!(fs::read_to_string(other.data().join("version")).unwrap(), "99", "nothing was changed");
    assert_eq!(up.run(&["no-such-verb"]).await.code, 2);
    let file = other.folder().join("a-file");
    fs::write(&file, "secret word").unwrap();
    let (file, nowhere) = (file.to_str().unwrap(), "/nowhere/at/all");
    for args in [["backup", nowhere, "--passphrase-file", nowhere], ["backup", nowhere, "--passphrase-file", file]] {
        clear(&up.refused(&args, 7).await, "There is no folder /nowhere/at.");
    }
    clear(&idle().refused(&["restore", nowhere, "--passphrase-file", file], 7).await, "There is no folder /nowhere/at.");
    clear(&up.run_with(&["backup", "/tmp/short"], "short").await.json()["error"], "fewer than 8");
    clear(&up.refused(&["run", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], 4).await, "There is no run");
    assert_eq!(up.call("run.show", json!({"run": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})).await.0, 404);
    assert_eq!(up.call("no.such", json!({})).await.0, 404);
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_whoever_took_the_port_does_not_get_the_token() {
    let mut up = machine().await;
    let address = up.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    up.kill().await;
    assert!(up.data().join("up.json").exists() && up.data().join("cli.token").exists(), "a crash leaves both");
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    let asked = tokio::spawn(async move { listener.accept().await.map(drop) });
    clear(&up.refused(&["run", "list"], 7).await, "No meshwork is running");
    assert!(!asked.is_finished(), "nobody came to it");
    asked.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_broken_or_breaks_off_ends_the_run_with_a_reason() {
    let key = random_name("sk-real");
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let up = machine().await;
    if !have_engine(&up, "codex").await {
        return;
    }
    up.run_with(&["credential", "set", "good"], &key).await;
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "good"];
    up.ok(&[&["agent", "add", "codex", "--engine", "codex"][..], &about].concat()).await;
    let asked = ["One [[fail:500]]", "Two [[stop-midstream]]", "Three [[fail:429]]"];
    let tasks: String = (1..).zip(asked).map(|(n, asked)| format!("- [ ] T00{n} [P] {asked}\n")).collect();
    project(&up, "broken-off", &tasks, PASSES).await;
    let (broken, off) = (up.start_task("T001", "codex").await, up.start_task("T002", "codex").await);
    let why = up.ended(&broken).await["why"].as_str().unwrap().to_owned();
    assert!(why.contains("provider's own trouble") && !why.contains("credential"), "{why}");
    let limited = up.start_task("T003", "codex").await;
    let why = up.ended(&limited).await["why"].as_str().unwrap().to_owned();
    assert!(why.contains("429") && why.contains("wait, or raise the limit there"), "{why}");
    let removed = up.ok(&["credential", "remove", "good"]).await;
    assert!(removed["message"].as_str().unwrap_or_default().contains("codex"), "who used it is said: {removed}");
    for run in [broken, off, limited] {
        let ended = up.ended(&run).await;
        assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("failed"), Some("model_failed")), "{ended:#}");
        assert!(ended["why"].as_str().unwrap().contains("The model's provider"), "{ended:#}");
        assert!(ended["patch"].is_null(), "nothing is published");
    }
}
