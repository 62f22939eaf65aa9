//! Gossip through the tailnet, of which nobody said anything; and rules that a person writes there while the org has its own.

use crate::{
    common::{founder, join, machine, until},
    lab,
};
use identity::Secret;
use mesh::tailnet::headscale::Headscale;
use serde_json::Value;
use std::path::Path;
use testkit::{
    Up,
    tailnet::{Lab, URL, inside_async},
};

/// Whether a device knows the other of the two in this way.
fn other_is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |seen: &Value| {
        let devices = seen.as_array().unwrap();
        devices.len() == 2 && devices[0]["state"] == "here" && devices[1]["state"] == state
    }
}

async fn both_heard(ups: [&Up; 2]) {
    for up in ups {
        until(up, "device.capacity", "the other is heard", other_is("live")).await;
    }
}

/// Asks the server from the hub.
fn at_server<T: Send>(lab: &Lab, key: &str, ask: impl AsyncFnOnce(Headscale) -> T + Send) -> T {
    inside_async(&lab.hub_namespace(), || async { ask(Headscale::new(URL.parse().unwrap(), Secret::from(key)).unwrap()).await })
}

/// Whether a file of this folder holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).any(|content| content.contains(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_heard_in_the_tailnet_by_themselves_and_again_after_it_was_away_and_rules_by_hand_stay() {
    let Some(mut lab) = lab(2) else { return };
    let (ada, key) = founder(&mut lab).await;
    let bob = machine(&mut lab, 1).await;
    join(&ada, &bob, "bob", &[]).await;
    both_heard([&ada, &bob]).await;

    // Its address goes, and comes back.
    lab.stop_tailscaled(1);
    until(&ada, "device.capacity", "bob's is not heard", other_is("suspected")).await;
    lab.start_tailscaled(1);
    both_heard([&ada, &bob]).await;

    // A person adds a host, and takes a port out of the org's rules.
    let api_key = key.trim();
    let policy = at_server(&lab, api_key, async |server| server.policy().await.unwrap().unwrap());
    assert!(policy.contains("tag:crew-device:7422,8472"), "{policy}");
    let by_hand = policy
        .replacen('{', "{\n  // the printer is for everybody\n  \"hosts\": {\"printer\": \"100.64.9.9\"},\n", 1)
        .replace("tag:crew-device:7422,8472", "tag:crew-device:8472");
    at_server(&lab, api_key, async |server| server.set_policy(&by_hand).await.unwrap());
    let look = || async {
        let now = at_server(&lab, api_key, async |server| server.policy().await.unwrap().unwrap());
        if now == by_hand { Err(Value::String(now)) } else { Ok(now) }
    };
    let mended = ada.until("the org's rules are written again", look).await;
    assert!(mended.contains("// the printer is for everybody") && mended.contains("tag:crew-device:7422,8472"), "{mended}");
    assert!(holds(&ada.data().join("orgs/crew/tailnet/policies"), "the printer"), "what was replaced is kept");
    both_heard([&ada, &bob]).await;
}
