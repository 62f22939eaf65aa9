//! The mesh in the page: whose the machine is, where a task may run, and what is known of a device that is away.

use crate::play::{PASSES, Stage, joined, project};
use serde_json::{Value, json};
use testkit::{Up, random_name};

const BOBS: &str = "bobs-box";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_machine_is_lent_and_another_is_known_while_it_is_away() {
    let Some(stage) = Stage::set("mesh").await else { return };
    let name = random_name("mesh");
    project(&stage.up, &name, "- [ ] T001 One\n- [ ] T002 Two\n", PASSES).await;
    stage.up.ok(&["agent", "add", "writer", "--engine", "command", "--command", "echo done > done.txt"]).await;
    let run = stage.up.do_task("T001", "writer").await;
    let mut bob = joined(&stage.up, "bob", BOBS).await;
    until_copy(&stage.up, "Bob's journal is here", |copy| copy["state"] == "verified" && copy["reachable"] == true).await;
    bob.kill().await;
    until_copy(&stage.up, "Bob's device is away", |copy| copy["reachable"] == false && copy["as_of"].is_i64()).await;
    stage.play("mesh", json!({ "project": name, "run": run["id"], "away": BOBS })).await;
}

/// Waits until the copy of the other device's journal is so.
async fn until_copy(up: &Up, what: &str, fits: impl Fn(&Value) -> bool) {
    let fits = &fits;
    let look = || async move {
        let seen = up.act("journal.copies", json!({})).await;
        let found = seen.as_array().into_iter().flatten().any(|copy| copy["name"] == BOBS && fits(copy));
        if found { Ok(()) } else { Err(seen) }
    };
    up.until(what, look).await;
}
