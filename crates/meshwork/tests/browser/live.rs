//! A page that is open while `up` is killed and comes back.

use crate::play::{PASSES, Stage, project};
use serde_json::json;
use testkit::random_name;

/// How many lines the agent writes, one every quarter of a second.
const STEPS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_outlives_the_program() {
    let Some(stage) = Stage::set("live").await else { return };
    let name = random_name("live");
    project(&stage.up, &name, "- [ ] T001 Count\n", PASSES).await;
    let command = format!("for i in $(seq {STEPS}); do echo step $i.; sleep 0.25; done; echo done > done.txt");
    stage.up.ok(&["agent", "add", "steps", "--engine", "command", "--command", &command]).await;
    stage.play("live", json!({ "project": name, "steps": STEPS.to_string() })).await;
}
