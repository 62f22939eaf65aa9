//! Runs are steered in the page: questions, messages, pause, stop. The agent is a small one of the Agent Client Protocol.

use crate::play::{PASSES, Stage};
use serde_json::json;
use testkit::{Repository, Up, random_name};

const AGENT: &str = include_str!("../story/agent.py");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_steered() {
    let Some(stage) = Stage::set("steer").await else { return };
    let name = random_name("steered");
    let made = Repository::with_tasks(
        stage.up.folder().join(&name),
        "001-work",
        "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n",
        PASSES,
    );
    made.write(".tools/agent.py", AGENT);
    made.commit("The agent");
    stage.up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    acp(&stage.up, "ask", &["--ask"]).await;
    acp(&stage.up, "beat", &[]).await;
    stage.play("steer", json!({ "project": name })).await;
}

/// The small agent in one of its moods.
async fn acp(up: &Up, mood: &str, more: &[&str]) {
    up.run_with(&["credential", "set", "unused"], "unused").await;
    let command = format!("python3 .tools/agent.py {mood}");
    let model = ["--model", "none", "--base-url", "http://127.0.0.1:9/v1", "--credential", "unused"];
    up.ok(&[&["agent", "add", mood, "--engine", "acp", "--command", &command][..], &model, more].concat()).await;
}
