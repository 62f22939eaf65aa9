//! Who may what, and halting what goes wrong, in the page.

use crate::play::{PASSES, Stage, project};
use serde_json::json;
use testkit::random_name;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_halted_and_rights_are_asked_about_and_changed() {
    let Some(stage) = Stage::set("rights").await else { return };
    let name = random_name("rights");
    project(&stage.up, &name, "- [ ] T001 One\n", PASSES).await;
    stage.up.ok(&["agent", "add", "writer", "--engine", "command", "--command", "echo done > done.txt"]).await;
    stage.play("rights", json!({ "project": name, "agent": "writer" })).await;
}
