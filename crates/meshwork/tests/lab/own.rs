//! One machine in two tailnets: each org has a tailscaled of its own, in a network namespace of its own; another machine has one beside the
//! host's. Devices of an org reach each other, and nobody else's; killed and pulled, all comes back; ended, nothing is left.

use crate::{
    common::{machine, text},
    lab,
};
use mesh::tailnet::managed::namespace::able;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};
use testkit::{
    Up, skip,
    tailnet::{Lab, URL, inside},
};

/// The port at which devices reach each other in the tailnet.
const MESH: u16 = 7421;
/// How long it is tried to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// Looks until it holds; an org that does not serve at the moment is waited for.
async fn until(up: &Up, args: &[&str], what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let holds = &holds;
    let look = || async move {
        let outcome = up.run(args).await;
        let seen = outcome.json();
        if outcome.code == 0 && holds(&seen) { Ok(seen) } else { Err(seen) }
    };
    up.until(what, look).await
}

/// Waits until the org's process is in the tailnet and told so, and gives its address there.
async fn address(up: &Up, org: &str) -> IpAddr {
    let seen = until(up, &["--org", org, "tailnet", "status"], "it is in its tailnet", |seen| {
        seen["here"]["state"] == "Running" && seen["here"]["addresses"][0].is_string()
    })
    .await;
    assert_eq!(seen["here"]["own"], true, "{seen}");
    text(&seen["here"]["addresses"][0]).parse().unwrap()
}

/// Founds an org with a tailscaled of its own, and gives its address in the tailnet.
async fn found(up: &Up, org: &str, key: &str) -> IpAddr {
    let made = up.run_with(&["org", "create", org, "--member", "ada", "--headscale", URL, "--own-tailscaled"], key).await;
    assert_eq!(made.code, 0, "{made:?}");
    until(up, &["--org", org, "tailnet", "status"], "the server is reached", |seen| seen["reachable"] == true).await;
    address(up, org).await
}

/// Lets Bob's machine into an org.
async fn join(ada: &Up, bob: &Up, org: &str, device: &str, more: &[&str]) {
    let invited = ada.ok(&["--org", org, "org", "invite"]).await;
    assert!(invited["knock"][0].as_str().unwrap().starts_with("100.64."), "{invited}");
    let ticket = text(&invited["ticket"]);
    bob.ok(&[&["join", ticket.as_str(), "--name", "bob", "--device", device, "--no-wait"][..], more].concat()).await;
    let joining = ["call", "org.joining"];
    until(bob, &joining, "it waits for the owner", |seen| seen["org"] == org && seen["state"] == "waiting").await;
    ada.ok(&["--org", org, "org", "approve", device]).await;
    until(bob, &joining, "it is in", |seen| seen["org"] == org && seen["state"] == "joined").await;
}

/// Waits until both devices of an org reach each other through the tailnet.
async fn in_touch(ups: [&Up; 2], org: &str) {
    let through = |device: &Value| {
        device["reachable"] == true
            && (device["here"] == true || device["addresses"][0].as_str().is_some_and(|at| at.starts_with("100.64.")))
    };
    for up in ups {
        until(up, &["--org", org, "device", "list"], "both reach each other", |seen| {
            seen.as_array().is_some_and(|all| all.len() == 2 && all.iter().all(through))
        })
        .await;
    }
}

fn connects(lab: &Lab, from: usize, to: IpAddr) -> bool {
    inside(&lab.namespace(from), || TcpStream::connect_timeout(&SocketAddr::new(to, MESH), CONNECT).is_ok())
}

/// The process of an org's own tailscaled, unless it is being noted.
fn tailscaled(up: &Up, org: &str) -> Option<i32> {
    let file = up.data().join(format!("orgs/{org}/tailnet/tailscaled/tailscaled.pid"));
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Network namespaces of its orgs that are there.
fn namespaces(up: &Up) -> usize {
    up.socket_folders().iter().filter(|word| Path::new("/run/netns").join(format!("mw-{word}")).exists()).count()
}

/// What the machine's own namespace has for its orgs: tables of nftables and network devices.
fn around(lab: &Lab, machine: usize) -> String {
    let said = |program: &str, args: &[&str]| {
        let within = format!("--net={}", lab.namespace(machine).display());
        let output = Command::new("nsenter").args([within.as_str(), "--", program]).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    said("nft", &["list", "tables"]) + &said("ip", &["-o", "link"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orgs_of_a_machine_have_a_tailscaled_each_and_reach_their_own_devices_alone() {
    if let Err(why) = able() {
        return skip("lab", &why.to_string());
    }
    let Some(mut lab) = lab(2) else { return };
    lab.start_server();
    let key = lab.api_key();
    let mut ada = Up::idle(env!("CARGO_BIN_EXE_meshwork"), &[]).within(&lab.namespace(0));
    ada.begin().await;
    let (crew, club) = (found(&ada, "crew", &key).await, found(&ada, "club", &key).await);
    assert_ne!(crew, club);
    assert_eq!(namespaces(&ada), 2);
    assert_eq!(around(&lab, 0).matches("table ip mw-").count(), 2);

    // Bob's machine is in the tailnet of the one with the host's tailscaled.
    let mut bob = machine(&mut lab, 1).await;
    join(&ada, &bob, "crew", "bobs-box", &[]).await;
    in_touch([&ada, &bob], "crew").await;
    assert!(connects(&lab, 1, crew), "a device of crew reaches crew's");
    assert!(!connects(&lab, 1, club), "and nothing of club");
    let whose = until(&ada, &["--org", "crew", "tailnet", "status"], "each machine is a device of somebody", |seen| {
        seen["nodes"].as_array().is_some_and(|all| all.len() == 2 && all.iter().all(|node| node["device"].is_string()))
    })
    .await;
    assert!(whose["nodes"].as_array().unwrap().iter().any(|node| node["owner"] == "bob"), "{whose:#}");

    // And joins the other with one of its own beside it.
    join(&ada, &bob, "club", "bobs-club", &["--own-tailscaled"]).await;
    in_touch([&ada, &bob], "club").await;
    in_touch([&ada, &bob], "crew").await;
    assert_eq!((namespaces(&bob), bob.ok(&["org", "list"]).await.as_array().unwrap().len()), (1, 2));

    // It dies, and is started again; then all of the machine does.
    let before = tailscaled(&ada, "crew").unwrap();
    kill_process(Pid::from_raw(before).unwrap(), Signal::KILL).unwrap();
    let again = || async { if tailscaled(&ada, "crew").is_some_and(|now| now != before) { Ok(()) } else { Err(Value::from(before)) } };
    ada.until("it has a process again", again).await;
    assert_eq!(address(&ada, "crew").await, crew);
    in_touch([&ada, &bob], "crew").await;
    ada.kill().await;
    ada.begin().await;
    assert_eq!((address(&ada, "crew").await, address(&ada, "club").await), (crew, club));
    in_touch([&ada, &bob], "crew").await;
    in_touch([&ada, &bob], "club").await;

    for (up, machine) in [(&mut ada, 0), (&mut bob, 1)] {
        let words = up.socket_folders();
        assert_eq!(up.end().await, 0, "{}", up.log());
        assert_eq!(namespaces(up), 0);
        let left = around(&lab, machine);
        assert!(words.len() == 2 && words.iter().all(|word| !left.contains(word)), "{words:?}: {left}");
    }
}
