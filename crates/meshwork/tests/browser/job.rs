//! The main job, with the real Codex CLI on a project made anew: by mouse, by keyboard, by
//! the command bar.

use crate::play::{Stage, project};
use serde_json::json;
use testkit::{Up, git, model::ScriptedModel, random_name, skip};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_by_mouse() {
    the_main_job("mouse").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_by_keyboard() {
    the_main_job("keyboard").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_by_the_command_bar() {
    the_main_job("bar").await;
}

async fn the_main_job(way: &str) {
    let Some(stage) = Stage::set(way).await else { return };
    let installed = stage.up.run(&["engine", "install", "codex"]).await;
    if installed.code != 0 {
        return skip(&format!("browser: {way}"), &installed.json()["error"]["what"].to_string());
    }
    let key = random_name("sk-real");
    let model = ScriptedModel::requiring(&key).await.unwrap();
    codex(&stage.up, &model, &key).await;
    let (name, word, printed) = (random_name("shop"), random_name("word"), random_name("printed"));
    let (file, second) = (format!("{}.txt", random_name("first")), format!("{}.txt", random_name("second")));
    let tasks = format!(
        "- [ ] T001 Write {file} [[plan]] [[shell:echo {printed}]] [[write:{file}={word}]] [[say:Written.]]\n- [ ] T002 Another day\n"
    );
    let checks = format!("[[checks]]\nname = \"word\"\ncommand = \"grep -q {word} {file}\"\ntimeout_s = 30\n");
    project(&stage.up, &name, &tasks, &checks).await;
    let remark = format!("Tell it in {second} too [[write:{second}=told]]");
    let facts =
        json!({ "project": name, "task": "T001", "file": file, "second": second, "word": word, "printed": printed, "remark": remark });
    let up = stage.play(way, facts).await;

    assert_eq!(published(&up, &name, &file).await.trim(), word);
    assert_eq!(published(&up, &name, &second).await.trim(), "told");
    let list = published(&up, &name, "specs/001-work/tasks.md").await;
    assert!(list.contains("- [X] T001") || list.contains("- [x] T001"), "{list}");
    assert!(list.contains("- [ ] T002"), "{list}");
    assert!(
        model.calls().into_iter().filter_map(|call| call.asked).any(|asked| asked.prompt.contains(&remark)),
        "the remark was handed on"
    );
    assert_eq!(model.keys(), [key].into(), "only the real key reached the provider");
    let reviews: Vec<_> = up.journal().await.into_iter().filter(|e| e["event"]["type"] == "patch_reviewed").collect();
    assert_eq!(reviews.len(), 2, "{reviews:#?}");
}

async fn codex(up: &Up, model: &ScriptedModel, key: &str) {
    let set = up.run_with(&["credential", "set", "scripted", "--provider", "tests"], &format!("{key}\n")).await;
    assert_eq!(set.code, 0, "{set:?}");
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "scripted"];
    up.ok(&[&["agent", "add", "codex", "--engine", "codex"][..], &about].concat()).await;
}

/// A file of a project's default branch, read by plain git from Radicle's storage.
async fn published(up: &Up, project: &str, file: &str) -> String {
    let shown = up.act("project.show", json!({ "project": project })).await;
    let rid = shown["project"]["rid"].as_str().unwrap().trim_start_matches("rad:").to_owned();
    git(&up.data().join("orgs/crew/radicle/storage").join(rid), &["show", &format!("refs/heads/main:{file}")])
}
