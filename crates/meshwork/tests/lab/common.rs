//! What the stories in the lab share: machines that found an org and join it, and looking until something holds.

use serde_json::{Value, json};
use testkit::{
    Up,
    tailnet::{Lab, URL},
};

/// A machine with its tailscaled and `up`, in no tailnet yet.
pub async fn machine(lab: &mut Lab, number: usize) -> Up {
    lab.start_tailscaled(number);
    let socket = lab.socket(number).display().to_string();
    let mut up = Up::idle(env!("CARGO_BIN_EXE_meshwork"), &[("MESHWORK_TAILSCALED", socket.as_str())]).within(&lab.namespace(number));
    up.begin().await;
    up
}

/// Looks until it holds, and fails with what was seen last.
pub async fn until(up: &Up, action: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let holds = &holds;
    let look = || async move {
        let seen = up.act(action, json!({})).await;
        if holds(&seen) { Ok(seen) } else { Err(seen) }
    };
    up.until(what, look).await
}

/// Ada's machine, the first of the lab, on which she founded the org: in the tailnet, with the server's API key, which is given too.
pub async fn founder(lab: &mut Lab) -> (Up, String) {
    lab.start_server();
    let key = lab.api_key();
    let ada = machine(lab, 0).await;
    let made = ada.run_with(&["org", "create", "crew", "--member", "ada", "--headscale", URL], &key).await;
    assert_eq!(made.code, 0, "{made:?}");
    until(&ada, "tailnet.status", "ada's machine is in the tailnet", |seen| {
        seen["reachable"] == true && seen["here"]["addresses"].as_array().is_some_and(|a| !a.is_empty())
    })
    .await;
    (ada, key)
}

/// Lets a machine in by a ticket; its device is called after it.
pub async fn join(owner: &Up, up: &Up, name: &str, invite: &[&str]) {
    let invited = owner.ok(&[&["org", "invite"], invite].concat()).await;
    let ticket = invited["ticket"].as_str().unwrap();
    assert_eq!(ticket.split('.').count(), 4, "it has a key for the tailnet");
    assert!(invited["knock"][0].as_str().unwrap().starts_with("100.64."), "{invited}");
    let device = format!("{name}-box");
    up.ok(&["join", ticket, "--name", name, "--device", &device, "--no-wait"]).await;
    until(up, "org.joining", "it waits for the owner", |seen| seen["state"] == "waiting").await;
    owner.ok(&["org", "approve", &device]).await;
    until(up, "org.joining", "it is in", |seen| seen["state"] == "joined").await;
}

/// Waits until each of these reaches so many devices, all through the tailnet.
pub async fn all_reached(ups: &[&Up]) {
    let reached = |seen: &Value| {
        let devices = seen.as_array().unwrap();
        let reached = |d: &Value| {
            d["reachable"] == true && (d["here"] == true || d["addresses"][0].as_str().is_some_and(|a| a.starts_with("100.64.")))
        };
        devices.len() == ups.len() && devices.iter().all(reached)
    };
    for up in ups {
        until(up, "device.list", "all reach each other", reached).await;
    }
}

/// A text field.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
