//! What is kept, and what must never be: backups, mirrors, secrets.

use crate::support::{PASSES, acp_agent, acp_project, clear, command_agent, idle, machine, project, published, storage, text, work};
use serde_json::json;
use std::{fs, path::Path};
use testkit::{Repository, git, random_name};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_becomes_a_machine_again_and_goes_on_as_a_new_incarnation() {
    let mut up = machine().await;
    project(&up, "kept", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    up.run_with(&["credential", "set", "mine"], "a secret of mine").await;
    let run = up.do_task("T001", "echo").await;
    up.merge(&text(&run["patch"])).await;
    let file = up.folder().join("saved.mwb");
    let file = file.to_str().unwrap();
    assert_eq!(up.run_with(&["backup", file], "short").await.code, 2, "a passphrase has a least length");
    let mine = up.folder().join("saved.part");
    fs::write(&mine, "mine").unwrap();
    let saved = up.run_with(&["backup", file], "correct horse battery").await;
    assert_eq!(saved.code, 0, "{saved:?}");
    assert_eq!(up.run_with(&["backup", file], "correct horse battery").await.code, 5, "nothing is written over");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine", "nothing beside it is touched");
    let left: Vec<_> =
        fs::read_dir(up.folder()).unwrap().map(|e| e.unwrap().file_name()).filter(|n| n.to_string_lossy().contains("saved.mwb")).collect();
    assert_eq!(left, ["saved.mwb"]);
    let before = up.journal().await;
    up.end().await;

    let mut restored = idle();
    let wrong = restored.run_with(&["restore", file], "wrong horse battery").await;
    assert_ne!(wrong.code, 0);
    clear(&wrong.json()["error"], "passphrase");
    assert!(!restored.data().exists(), "nothing is left behind");
    let done = restored.run_with(&["restore", file], "correct horse battery").await;
    assert_eq!(done.code, 0, "{done:?}");
    restored.begin().await;
    let verified = restored.ok(&["journal", "verify"]).await;
    assert_eq!((&verified["sound"], &verified["incarnations"]), (&json!(true), &json!(2)), "{verified}");
    let after = restored.journal().await;
    let saved_at = before.iter().position(|entry| entry["event"]["type"] == "backed_up").unwrap();
    assert_eq!(after[..=saved_at], before[..=saved_at], "the chain is the same up to the backup");
    assert!(after[saved_at + 1..].iter().all(|entry| entry["incarnation"] != before[0]["incarnation"]), "{after:#?}");
    assert_eq!(restored.ok(&["credential", "test", "mine"]).await["good"], true);
    let run = restored.do_task("T002", "echo").await;
    assert_eq!(restored.merge(&text(&run["patch"])).await["outcome"], "merged");
    assert!(!published(&restored, "kept", "specs/001-work/tasks.md").await.contains("- [ ]"));
    assert_eq!(restored.run_with(&["restore", file], "correct horse battery").await.code, 5, "a folder in use is not written over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_lost_events_is_not_gone_on_with_until_a_person_says_so() {
    let mut up = machine().await;
    let store = up.data().join("orgs/crew/store");
    let names = ["journal.db", "journal.db-wal"];
    up.end().await;
    clear(&up.refused(&["journal", "accept-loss"], 5).await, "Nothing is known to be missing");
    let earlier = names.map(|name| fs::read(store.join(name)).ok());
    up.begin().await;
    up.end().await;
    let _ = fs::remove_file(store.join("journal.db-shm"));
    for (name, bytes) in names.iter().zip(earlier) {
        match bytes {
            Some(bytes) => fs::write(store.join(name), bytes).unwrap(),
            None => drop(fs::remove_file(store.join(name))),
        }
    }

    for _ in 0..2 {
        clear(&up.refused(&["up", "--listen", "127.0.0.1:0", "--no-open"], 5).await, "missing: the journal was damaged");
    }
    let said = up.ok(&["journal", "accept-loss"]).await;
    assert!(text(&said["message"]).contains("new incarnation"), "{said}");
    up.begin().await;
    let verified = up.ok(&["journal", "verify"]).await;
    assert_eq!((&verified["sound"], &verified["incarnations"]), (&json!(true), &json!(2)), "{verified}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_reach_the_mirror_and_its_changes_come_back() {
    let up = machine().await;
    project(&up, "mirrored", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let host = up.folder().join("host.git");
    fs::create_dir(&host).unwrap();
    git(&host, &["init", "--quiet", "--bare", "--initial-branch=main"]);
    up.ok(&["project", "mirror", host.to_str().unwrap()]).await;
    let run = up.do_task("T001", "echo").await;
    let merged = up.merge(&text(&run["patch"])).await;
    let look = || async {
        let head = git(&host, &["rev-parse", "main"]);
        if merged["commit"] == head.trim() { Ok(()) } else { Err(json!(head)) }
    };
    up.until("the merge is at the mirror", look).await;

    let clone = up.folder().join("clone");
    git(up.folder(), &["clone", "--quiet", host.to_str().unwrap(), clone.to_str().unwrap()]);
    fs::write(clone.join("from-outside.txt"), "hello").unwrap();
    git(&clone, &["add", "--all"]);
    git(&clone, &["commit", "--quiet", "-m", "From outside"]);
    git(&clone, &["push", "--quiet"]);
    let back = git(&clone, &["rev-parse", "HEAD"]);
    let look = || async {
        let head = up.ok(&["project", "show"]).await["head"].clone();
        if head == back.trim() { Ok(()) } else { Err(head) }
    };
    up.until("what was pushed to the mirror comes back by itself", look).await;
    assert_eq!(published(&up, "mirrored", "from-outside.txt").await, "hello");

    // A host that is away: told, and tried again; nothing else is held up.
    let away = up.folder().join("away.git");
    fs::rename(&host, &away).unwrap();
    let run = up.do_task("T002", "echo").await;
    let merged = up.merge(&text(&run["patch"])).await;
    let look = || async {
        let shown = up.ok(&["project", "show"]).await;
        if shown["mirror"]["problem"].is_string() { Ok(shown) } else { Err(shown) }
    };
    let shown = up.until("the failure is shown", look).await;
    assert!(shown["notices"].to_string().contains("The mirror is not up to date"), "{shown:#}");
    fs::rename(&away, &host).unwrap();
    up.ok(&["project", "sync"]).await;
    assert_eq!(merged["commit"], git(&host, &["rev-parse", "main"]).trim());
    let shown = up.ok(&["project", "show"]).await;
    assert!(shown["mirror"]["problem"].is_null() && shown["mirror"]["commit"] == merged["commit"], "{shown:#}");
    assert_eq!(up.journal().await.iter().filter(|e| e["event"]["type"] == "mirror_failed").count(), 1);

    // Another repository is no mirror, and the one that there is stays.
    let other = Repository::with_tasks(up.folder().join("other"), "001-work", "- [ ] T001 Other\n", PASSES);
    clear(&up.refused(&["project", "mirror", other.path().to_str().unwrap()], 5).await, "another repository");
    assert_eq!(up.ok(&["project", "show"]).await["project"]["mirror"], host.to_str().unwrap());
    for bad in ["ext::sh -c true", "--upload-pack=true"] {
        clear(&up.refused(&["call", "project.mirror", &json!({"remote": bad}).to_string()], 2).await, "not the address");
    }
}

/// Every file below a folder that holds these bytes.
fn holding(folder: &Path, canary: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            holding(&path, canary, found);
        } else if kind.is_file() && fs::read(&path).unwrap_or_default().windows(canary.len()).any(|part| part == canary.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_nowhere_in_plain_text() {
    let canary = random_name("sk-canary-0123456789");
    let up = machine().await;
    assert_eq!(up.run_with(&["credential", "set", "bird"], &canary).await.code, 0);
    acp_project(&up, "cage", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let model = ["--model", "none", "--base-url", "http://127.0.0.1:9/v1", "--credential", "bird"];
    let see = "env > seen.txt; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr -c '[:print:]' '\\n' >> seen.txt; true";
    up.ok(&[&["agent", "add", "spy", "--engine", "command", "--command", see][..], &model].concat()).await;
    let live = up.start_task("T002", "beat").await;
    up.in_state(&live, "working").await;
    let run = up.do_task("T001", "spy").await;
    let seen = up.ok(&["patch", "diff", run["patch"].as_str().unwrap()]).await.to_string();
    assert!(seen.contains("MESHWORK_TASK") && !seen.contains(&canary), "{seen}");
    assert!(!up.ok(&["credential", "list"]).await.to_string().contains(&canary));
    assert!(!up.journal().await.iter().any(|entry| entry.to_string().contains(&canary)));

    let mut found = Vec::new();
    holding(up.folder(), &canary, &mut found);
    assert_eq!(found, Vec::<String>::new(), "data folder, logs and worktrees hold it");
    assert!(work(&up, &live).exists() && storage(&up).exists(), "there was something to look at");
    // The search itself can find: the same bytes in a file.
    Repository::new(up.folder().join("proof")).write("canary", &canary);
    holding(up.folder(), &canary, &mut found);
    assert_eq!(found.len(), 1);
    up.ok(&["run", "stop", &live]).await;
    up.ended(&live).await;
}
