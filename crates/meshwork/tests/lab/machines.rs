//! Three machines that know each other through the tailnet alone: one founds an org, two join by ticket; then the server goes away.

use crate::{
    common::{all_reached, founder, join, machine, until},
    lab,
};
use serde_json::{Value, json};
use std::path::Path;

/// All files below a folder that hold these bytes.
fn holding(folder: &Path, needle: &str) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, needle));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_join_and_reach_each_other_through_the_tailnet_and_go_on_without_its_server() {
    let Some(mut lab) = lab(3) else { return };
    let (ada, key) = founder(&mut lab).await;
    let (bob, eve) = (machine(&mut lab, 1).await, machine(&mut lab, 2).await);
    join(&ada, &bob, "bob", &[]).await;
    join(&ada, &eve, "eve", &[]).await;

    all_reached(&[&ada, &bob, &eve]).await;
    let whose = |seen: &Value| {
        let nodes = seen["nodes"].as_array().unwrap();
        nodes.len() == 3
            && nodes.iter().all(|n| n["device"].is_string() && n["owner"].is_string() && n["tags"] == json!(["tag:crew-device"]))
    };
    until(&ada, "tailnet.status", "each machine is a device of somebody", whose).await;
    // Who is at an address: by tailscaled the node, by the org the device, and its owner.
    let devices = bob.act("device.list", json!({})).await;
    let eves = devices.as_array().unwrap().iter().find(|one| one["name"] == "eve-box").unwrap();
    let look = || async {
        let (status, seen) = bob.call("tailnet.who", json!({"address": eves["addresses"][0]})).await;
        if status == 200 { Ok(seen) } else { Err(seen) }
    };
    let who = bob.until("Bob's tailscaled knows Eve's machine", look).await;
    assert_eq!((&who["name"], &who["device"], &who["owner"]), (&json!("eve-box"), &eves["did"], &json!("eve")));
    bob.refused(&["tailnet", "who", "100.64.99.99"], 4).await;
    assert!((0..3).all(|machine| lab.tun_bytes(machine) > 10_000), "what they said went through their TUN devices");
    // The API key lies encrypted, and no key for the tailnet is remembered anywhere.
    for up in [&ada, &bob, &eve] {
        assert_eq!(holding(&up.data(), key.trim()), Vec::<String>::new());
        assert_eq!(holding(&up.data(), "hskey-auth-"), Vec::<String>::new());
    }

    let invited = ada.ok(&["org", "invite", "--uses", "2"]).await;
    lab.stop_server();
    let away = until(&ada, "tailnet.status", "that the server is away is told", |seen| seen["reachable"] == false).await;
    assert!(away["problem"]["what"].as_str().unwrap().contains("cannot be reached"), "{away}");
    let told = ada.told(&["device", "list"]).await;
    assert!(told.stdout.contains("What runs goes on"), "{told:?}");
    // Who has no key for it says so too.
    until(&bob, "tailnet.status", "that the server is away is told at Bob's", |seen| seen["reachable"] == false).await;
    let found = bob.act("device.doctor", json!({})).await;
    let finding = found.as_array().unwrap().iter().find(|one| one["what"] == "tailnet").cloned().unwrap_or_default();
    assert!(finding["ok"] == false && finding["detail"].as_str().unwrap().contains("cannot be reached"), "{found:#}");
    let told = bob.told(&["device", "list"]).await;
    assert!(told.stdout.contains("What runs goes on"), "{told:?}");
    all_reached(&[&ada, &bob, &eve]).await;
    ada.refused(&["org", "invite"], 7).await;
    // The key behind a ticket that is taken back meanwhile is taken back once the server is there again; then nothing is left of any ticket.
    let told = ada.ok(&["org", "uninvite", invited["id"].as_str().unwrap()]).await;
    assert!(told["message"].as_str().unwrap().contains("tried again"), "{told}");

    lab.start_server();
    for up in [&ada, &bob] {
        until(up, "tailnet.status", "the server is back", |seen| seen["reachable"] == true).await;
    }
    let tickets = ada.data().join("orgs/crew/tailnet/tickets.json");
    let look = || async {
        let kept = std::fs::read_to_string(&tickets).unwrap();
        if kept == "{}" { Ok(()) } else { Err(json!(kept)) }
    };
    ada.until("the keys of all tickets are taken back", look).await;
    lab.stop_tailscaled(1);
    until(&bob, "tailnet.status", "that tailscaled is away is told", |seen| seen["here"]["problem"].is_object()).await;
    let told = bob.told(&["device", "list"]).await;
    assert!(told.stdout.contains("tailscaled cannot be asked"), "{told:?}");
}
