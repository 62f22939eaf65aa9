//! Standby devices: a run elsewhere reaches its model through the device that its member named, while the one that asked is away.

use crate::{
    support::{Held, PASSES, clear, events_of, have_engine, idle, project, published, text},
    two::Two,
};
use serde_json::{Value, json};
use testkit::{Up, model::ScriptedModel, random_name};

const DESK: &str = "adas-desk";

/// One more device of Ada's, up.
async fn desk(ada: &Up) -> Up {
    let mut desk = idle().listening();
    desk.begin().await;
    ada.let_in(&desk, "desk", DESK, &["--device"]).await;
    desk
}

/// Waits until a device knows which of Ada's stands in, and the agent.
async fn knows(up: &Up, standby: &str, agent: &str) {
    let look = || async {
        let (org, agents) = (up.act("org.show", json!({})).await, up.act("agent.list", json!({})).await);
        let named = org["members"].as_array().unwrap().iter().any(|member| member["standby"] == standby);
        if named && agents[0]["name"] == agent { Ok(()) } else { Err(json!([org, agents])) }
    };
    up.until("the standby device and the agent are known", look).await;
}

fn waits(seen: &Value) -> bool {
    seen["reason"]["code"] == "waits_for_gateway" && seen["paused"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_through_the_standby_device_with_that_devices_own_key() {
    let (laptops, desks, word) = (random_name("sk-laptop"), random_name("sk-desk"), random_name("word"));
    let model = ScriptedModel::start().await.unwrap();
    let mut two = Two::start().await;
    if !have_engine(&two.ada, "codex").await {
        return;
    }
    let desk = desk(&two.ada).await;
    two.ada.run_with(&["credential", "set", "scripted"], &laptops).await;
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "scripted"];
    two.ada.ok(&[&["agent", "add", "codex", "--engine", "codex"][..], &about].concat()).await;
    let task = format!("- [ ] T001 Write it [[write:{word}.txt={word}]] [[say:Written.]]\n");
    project(&two.ada, "standby", &task, PASSES).await;
    two.share().await;
    // Only a device of the member's own can be named.
    clear(&two.ada.refused(&["org", "standby", crate::two::BOBS], 2).await, "no key on this device");
    two.ada.ok(&["org", "standby", DESK]).await;
    let standby = text(&desk.ok(&["org", "show"]).await["device"]);
    for up in [&desk, &two.bob] {
        knows(up, &standby, "codex").await;
    }

    // Held before the engine starts: so its first call comes while the laptop is away.
    let held = Held::new(&two.bob, "preparing");
    let run = two.start_task("T001", "codex").await;
    two.ada.in_state(&run, "preparing").await;
    two.ada.kill().await;
    drop(held);
    // Without a login of its own the standby device takes nothing.
    two.bob.until_run(&run, "it waits for the gateway", waits).await;
    assert!(model.keys().is_empty(), "nobody called the model");
    desk.run_with(&["credential", "set", "scripted"], &desks).await;
    let ended = two.bob.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}\n{}\n{}", two.bob.log(), desk.log());
    assert_eq!(model.keys(), [desks].into(), "only the standby device's own key reached the provider");
    let calls = events_of(&desk, &run, "model_called").await;
    assert!(calls.len() >= 2 && calls.iter().all(|call| call["standby"]["agent"] == "codex"), "in the books of the desk: {calls:?}");
    let shown = desk.ok(&["quota", "show"]).await;
    let row = shown["used"].as_array().unwrap().iter().find(|row| row["of"] == "agent" && row["whose"] == "codex").unwrap();
    assert!(row["used"]["calls"].as_u64().unwrap() >= 2, "{shown:#}");

    two.ada.begin().await;
    let heard = two.ada.ended(&run).await;
    assert_eq!(heard["state"], "done", "{heard:#}\n{}", two.ada.log());
    two.ada.merge(&text(&heard["patch"])).await;
    assert_eq!(published(&two.ada, "standby", &format!("{word}.txt")).await.trim(), word);
    for up in [&two.ada, &two.bob, &desk] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}
