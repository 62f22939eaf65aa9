//! Real coding engines do whole tasks in the sandbox; only the model is scripted.

use crate::{
    stock::{enlist, until_task},
    support::{PASSES, have_engine, machine, project, published, text},
};
use serde_json::json;
use std::{fs, path::PathBuf};
use testkit::{Stock, Up, model::ScriptedModel, random_name};

/// What engines are shown instead of a key; it must never reach a provider.
const PLACEHOLDER: &str = engine::PLACEHOLDER_KEY;

async fn agent(up: &Up, engine: &str, api: &str, model: &ScriptedModel, key: &str) {
    let set = up.run_with(&["credential", "set", "scripted", "--provider", "tests"], &format!("{key}\n")).await;
    assert_eq!(set.code, 0, "{set:?}");
    let url = model.base_url();
    up.ok(&[
        "agent",
        "add",
        engine,
        "--engine",
        engine,
        "--model",
        "scripted-1",
        "--base-url",
        &url,
        "--api",
        api,
        "--credential",
        "scripted",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_does_a_task_is_reviewed_does_it_again_and_is_merged() {
    let (name, word, later, key) = (random_name("shop"), random_name("word"), random_name("later"), random_name("sk-real"));
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let mut up = machine().await;
    if !have_engine(&up, "codex").await {
        return;
    }
    let mut stock = Stock::new("story of Codex with the stock rad");
    if let Some(stock) = &stock {
        enlist(&mut up, &stock.did()).await;
    }
    agent(&up, "codex", "responses", &model, &key).await;
    let (first, second) = (format!("{word}.txt"), format!("{later}.txt"));
    let checks = format!("[[checks]]\nname = \"word\"\ncommand = \"grep -q {word} {first}\"\ntimeout_s = 30\n");
    project(&up, &name, &format!("- [ ] T001 Write {first} [[write:{first}={word}]] [[say:Written.]]\n- [ ] T002 Another day\n"), &checks)
        .await;

    let run = up.do_task("T001", "codex").await;
    let patch = text(&run["patch"]);
    assert_eq!(run["checks"][0]["passed"], true, "{run:#}");
    let calls = run["usage"]["calls"].as_u64().unwrap();
    assert!(calls >= 2, "{run:#}");
    let journal = up.journal().await;
    let called = journal.iter().filter(|e| e["event"]["type"] == "model_called" && e["event"]["run"] == run["id"]);
    let read: Vec<u64> = called.map(|e| e["event"]["usage"]["input_tokens"].as_u64().unwrap()).collect();
    assert_eq!(
        (read.len() as u64, &run["usage"]["input_tokens"]),
        (calls, &json!(read.iter().sum::<u64>())),
        "every call is in the journal"
    );
    // One that Codex broke off at its end is estimated; the others are as the provider told them.
    let told = read.iter().filter(|tokens| **tokens == testkit::model::INPUT_TOKENS).count();
    assert!(told >= 2 && told + 1 >= read.len(), "{read:?}");
    let stopped: Vec<_> = journal.iter().filter(|e| e["event"]["type"] == "sandbox_stopped").collect();
    assert!(stopped.is_empty(), "it tried nothing that is not allowed: {stopped:#?}");

    let far = match &mut stock {
        Some(stock) => Some(look_from_afar(&up, stock, &name, &patch, &first, &word).await),
        None => None,
    };
    let said = format!("Tell it in {second} too [[write:{second}=told]]");
    let review = ["patch", "review", &patch, "--reject", "-m", "Not yet.", "--line", &format!("{first}:1:{said}")];
    up.ok(&review).await;
    assert_eq!(up.ok(&["task", "show", "T001"]).await["state"]["state"], "changes_requested");
    let before = model.calls().len();
    let again = up.do_task("T001", "codex").await;
    assert_eq!(text(&again["patch"]), patch, "the same patch goes on");
    let asked = model.calls().into_iter().skip(before).filter_map(|call| call.asked);
    assert!(asked.into_iter().any(|asked| asked.prompt.contains(&said)), "the review's comment was in the prompt");
    let shown = up.ok(&["patch", "show", &patch]).await;
    assert_eq!(shown["revisions"].as_array().unwrap().len(), 2, "{shown:#}");

    let merged = up.merge(&patch).await;
    assert_eq!(merged["outcome"], "merged", "{merged}");
    assert_eq!(published(&up, &name, &first).await.trim(), word);
    assert_eq!(published(&up, &name, &second).await.trim(), "told");
    let list = published(&up, &name, "specs/001-work/tasks.md").await;
    assert!(list.contains("- [X] T001") || list.contains("- [x] T001"), "{list}");
    assert!(list.contains("- [ ] T002"), "{list}");
    assert_eq!(model.keys(), [key].into(), "only the real key reached the provider, never {PLACEHOLDER}");
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    if let (Some(stock), Some(clone)) = (&stock, &far) {
        stock.until("the merge is at the stock node", |s| s.rad(clone, &["patch", "list", "--merged"]).contains(&patch[..7]));
        stock.git(clone, &["pull", "--quiet", "--ff-only", "rad", "main"]);
        assert_eq!(fs::read_to_string(clone.join(&second)).unwrap().trim(), "told");
    }
}

/// A second node with the stock tools lists, shows, checks out and reviews the patch; the task follows.
async fn look_from_afar(up: &Up, stock: &mut Stock, name: &str, patch: &str, file: &str, word: &str) -> PathBuf {
    up.ok(&["project", "share", &stock.did()]).await;
    let org = up.ok(&["org", "show"]).await;
    let device = text(&org["device"]);
    stock.start(Some((&device, &text(&org["radicle"]))));
    let rid = text(&up.ok(&["project", "show"]).await["project"]["rid"]);
    let clone = stock.clone(&rid, &device);
    assert!(!clone.join(file).exists());
    assert!(stock.rad(&clone, &["patch", "list"]).contains(&patch[..7]), "{name}");
    assert!(stock.rad(&clone, &["patch", "show", patch]).contains("T001"));
    stock.rad(&clone, &["patch", "checkout", patch]);
    assert_eq!(fs::read_to_string(clone.join(file)).unwrap().trim(), word);
    stock.git(&clone, &["checkout", "--quiet", "main"]);
    stock.rad(&clone, &["patch", "review", patch, "--reject", "--message", "Seen from afar."]);
    until_task(up, "T001", "changes_requested").await;
    let journal = up.journal().await;
    assert!(journal.iter().any(|e| e["event"]["type"] == "patch_reviewed" && e["event"]["actor"] == stock.did()), "who did it");
    clone
}

async fn one_task(engine: &str, api: &str) {
    let (name, word, key) = (random_name("tool"), random_name("word"), random_name("sk-real"));
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let up = machine().await;
    if !have_engine(&up, engine).await {
        return;
    }
    agent(&up, engine, api, &model, &key).await;
    project(&up, &name, &format!("- [ ] T001 Write it [[write:{word}.txt={word}]] [[say:Written.]]\n"), PASSES).await;
    let run = up.do_task("T001", engine).await;
    up.merge(&text(&run["patch"])).await;
    assert_eq!(published(&up, &name, &format!("{word}.txt")).await.trim(), word);
    assert_eq!(model.keys(), [key].into(), "only the real key reached the provider, never {PLACEHOLDER}");
    assert!(run["usage"]["output_tokens"].as_u64().unwrap() > 0, "{run:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copilot_does_a_task() {
    one_task("copilot", "chat").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opencode_does_a_task() {
    one_task("opencode", "chat").await;
}
