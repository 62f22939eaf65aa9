//! Three machines that know each other through the tailnet alone: one founds an org, two join by ticket; then the server goes away.

use crate::lab;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use testkit::{Up, tailnet::Lab, tailnet::URL};
use tokio::time::{Instant, sleep};

/// How long anything that is waited for may take.
const WAIT: Duration = Duration::from_secs(120);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

async fn machine(lab: &mut Lab, number: usize) -> Up {
    lab.start_tailscaled(number);
    let socket = lab.socket(number).display().to_string();
    let mut up = Up::idle(env!("CARGO_BIN_EXE_meshwork"), &[("MESHWORK_TAILSCALED", socket.as_str())]).within(&lab.namespace(number));
    up.begin().await;
    up
}

async fn call(up: &Up, action: &str, input: Value) -> Value {
    up.ok(&["call", action, &input.to_string()]).await
}

/// Looks until it holds, and fails with what was seen last.
async fn until(up: &Up, action: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + WAIT;
    loop {
        let seen = call(up, action, json!({})).await;
        if holds(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: not within {WAIT:?}; last seen: {seen:#}\n{}", up.log());
        sleep(LOOK_EVERY).await;
    }
}

async fn join(owner: &Up, up: &Up, name: &str) {
    let invited = owner.ok(&["org", "invite"]).await;
    let ticket = invited["ticket"].as_str().unwrap();
    assert_eq!(ticket.split('.').count(), 4, "it has a key for the tailnet");
    assert!(invited["knock"][0].as_str().unwrap().starts_with("100.64."), "{invited}");
    up.ok(&["join", ticket, "--name", name, "--device", &format!("{name}-box"), "--no-wait"]).await;
    until(up, "org.joining", "it waits for the owner", |seen| seen["state"] == "waiting").await;
    owner.ok(&["org", "approve", name]).await;
    until(up, "org.joining", "it is in", |seen| seen["state"] == "joined").await;
}

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
    lab.start_server();
    let key = lab.api_key();
    let ada = machine(&mut lab, 0).await;
    let made = ada.run_with(&["org", "create", "crew", "--member", "ada", "--headscale", URL], &key).await;
    assert_eq!(made.code, 0, "{made:?}");
    until(&ada, "tailnet.status", "ada's machine is in the tailnet", |seen| {
        seen["reachable"] == true && seen["here"]["addresses"].as_array().is_some_and(|a| !a.is_empty())
    })
    .await;
    let (bob, eve) = (machine(&mut lab, 1).await, machine(&mut lab, 2).await);
    join(&ada, &bob, "bob").await;
    join(&ada, &eve, "eve").await;

    let all_reached = |seen: &Value| {
        let devices = seen.as_array().unwrap();
        let reached = |d: &Value| {
            d["reachable"] == true && (d["here"] == true || d["addresses"][0].as_str().is_some_and(|a| a.starts_with("100.64.")))
        };
        devices.len() == 3 && devices.iter().all(reached)
    };
    for up in [&ada, &bob, &eve] {
        until(up, "device.list", "all three reach each other", all_reached).await;
    }
    let whose = |seen: &Value| {
        let nodes = seen["nodes"].as_array().unwrap();
        nodes.len() == 3
            && nodes.iter().all(|n| n["device"].is_string() && n["owner"].is_string() && n["tags"] == json!(["tag:crew-device"]))
    };
    until(&ada, "tailnet.status", "each machine is a device of somebody", whose).await;
    assert!((0..3).all(|machine| lab.tun_bytes(machine) > 10_000), "what they said went through their TUN devices");
    // The API key lies encrypted, and no key for the tailnet is remembered anywhere.
    for up in [&ada, &bob, &eve] {
        assert_eq!(holding(&up.data(), key.trim()), Vec::<String>::new());
        assert_eq!(holding(&up.data(), "hskey-auth-"), Vec::<String>::new());
    }

    lab.stop_server();
    let away = until(&ada, "tailnet.status", "that the server is away is told", |seen| seen["reachable"] == false).await;
    assert!(away["problem"]["what"].as_str().unwrap().contains("cannot be reached"), "{away}");
    let told = ada.told(&["device", "list"]).await;
    assert!(told.stdout.contains("What runs goes on"), "{told:?}");
    for up in [&ada, &bob, &eve] {
        until(up, "device.list", "all three reach each other without the server", all_reached).await;
    }
    ada.refused(&["org", "invite"], 7).await;

    lab.start_server();
    until(&ada, "tailnet.status", "the server is back", |seen| seen["reachable"] == true).await;
}
