//! What is told of the tailnet: to people, to the doctor, and of whoever calls from an address in it.

use super::{Seen, keep::socket, settings, tickets};
use crate::{clock, org::Org};
use domain::{Did, Problem, ServerUrl, Timestamp};
use mesh::tailnet::whois;
use sandbox::Finding;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// How the tailnet stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusView {
    /// The org's Headscale server; none: the org has no tailnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerUrl>,
    /// Whether this device runs it.
    managed: bool,
    /// Whether it answered this device at the last look; none: it was not asked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    reachable: Option<bool>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
    /// When it answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached_at: Option<Timestamp>,
    /// What is not in order, of the server or of this machine's tailscaled: what a person has to hear of it unasked.
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<Problem>,
    /// This machine in the tailnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<HereView>,
    /// Its machines that belong to the org, or wait to.
    nodes: Vec<NodeView>,
    /// Rules of the policy that were written by hand and let others reach the org's devices.
    opened: Vec<String>,
    /// When it was looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

/// This machine in the tailnet.
#[derive(Debug, Serialize, JsonSchema)]
struct HereView {
    /// Whether its tailscaled is the org's own, in a network namespace of its own.
    own: bool,
    /// Where tailscaled is on the way in.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Its addresses.
    addresses: Vec<String>,
    /// What tailscaled says is wrong.
    health: Vec<String>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// A machine of the tailnet.
#[derive(Debug, Serialize, JsonSchema)]
struct NodeView {
    /// Its name there.
    name: String,
    /// Its addresses there.
    addresses: Vec<String>,
    /// Whether the server sees it.
    online: bool,
    /// Its tags.
    tags: Vec<String>,
    /// The device that it is, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// The device's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<Did>,
    /// The member who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

/// How the tailnet stands, as it was seen last.
///
/// # Errors
/// When the org cannot be read.
pub(crate) fn status(org: &Arc<Org>) -> Result<StatusView, Problem> {
    let (seen, state) = (org.tailnet.seen(), org.state()?);
    let own = seen.here.as_ref().and_then(|here| here.as_ref().ok());
    let node = |name: String, addresses: Vec<IpAddr>, online: bool, tags: Vec<String>| {
        let device = whois::device(&org.name, &tags, &addresses, state.devices.values());
        NodeView {
            name,
            addresses: addresses.iter().map(ToString::to_string).collect(),
            online,
            tags,
            device: device.map(|d| d.name.clone()),
            did: device.map(|d| d.did.clone()),
            owner: device.map(|d| d.owner.clone()),
        }
    };
    // Who has no key for the server still sees whom tailscaled lets it reach.
    let nodes = match org.tailnet.api() {
        Some(_) => seen.nodes.iter().map(|n| node(n.given_name.clone(), n.ip_addresses.clone(), n.online, n.tags.clone())).collect(),
        None => {
            let all = own.into_iter().flat_map(|status| status.own.iter().chain(status.peers.values()));
            all.map(|peer| node(peer.host_name.clone(), peer.addresses.clone(), peer.online, peer.tags.clone())).collect()
        }
    };
    let of_its_own = org.dir.has_own_tailscaled();
    let here = seen.here.as_ref().map(|here| match here {
        Ok(status) => HereView {
            own: of_its_own,
            state: Some(format!("{:?}", status.backend_state)),
            addresses: status.addresses.iter().map(ToString::to_string).collect(),
            health: status.health.iter().map(|text| domain::shown(text)).collect(),
            problem: None,
        },
        Err(problem) => HereView { own: of_its_own, state: None, addresses: vec![], health: vec![], problem: Some(problem.clone()) },
    });
    Ok(StatusView {
        managed: seen.managed,
        reachable: seen.reached.as_ref().map(Result::is_ok),
        problem: seen.reached.as_ref().and_then(|reached| reached.as_ref().err().cloned()),
        reached_at: seen.reached_at,
        wrong: wrong(&seen),
        here,
        nodes,
        opened: seen.opened.clone(),
        at: seen.at,
        server: seen.server,
    })
}

/// What is not in order: this machine's tailscaled, the server, or what the one says of the other.
fn wrong(seen: &Seen) -> Option<Problem> {
    let here = seen.here.as_ref();
    let failed = here.and_then(|here| here.as_ref().err()).or_else(|| seen.reached.as_ref()?.as_ref().err());
    failed.cloned().or_else(|| {
        let said = here?.as_ref().ok()?.out_of_touch();
        let problem = || {
            Problem::unavailable(format!("tailscaled says: {}", domain::shown_at_length(&said.join(" "))))
                .next("See whether this machine reaches the Headscale server and the other machines: tailscale status, tailscale netcheck.")
        };
        (!said.is_empty()).then(problem)
    })
}

/// As a finding of the doctor; none where the org has no tailnet.
pub(crate) fn finding(org: &Org) -> Option<Finding> {
    let seen = org.tailnet.seen();
    let wrong = wrong(&seen);
    let server = seen.server?;
    if let Some(problem) = wrong {
        let detail = format!("{} What runs goes on.", problem.what);
        return Some(Finding { what: "tailnet".into(), ok: false, detail, next: problem.next.or(problem.why) });
    }
    let clear = org.tailnet.api().and_then(|api| key_in_the_clear(org, api.url()));
    Some(in_order(&server, seen.opened.first(), clear))
}

/// What of this device's own is not in order in the tailnet, as findings of the doctor: its API key, or what it knows of machines.
pub(crate) fn amiss(org: &Org) -> Vec<Finding> {
    let finding = |problem: Problem| {
        let detail = format!("{} {}", problem.what, problem.why.unwrap_or_default());
        Finding { what: "tailnet here".into(), ok: false, detail: detail.trim_end().to_owned(), next: problem.next }
    };
    org.tailnet.seen().amiss.into_iter().map(finding).collect()
}

/// What counts still at a server that is not the org's, as a finding of the doctor; none while it is not known which is the org's.
pub(crate) fn left_behind(org: &Org) -> Option<Finding> {
    let seen = org.tailnet.seen();
    if !seen.known {
        return None;
    }
    let problem = tickets::left_behind(&org.dir, &org.name, seen.server.as_ref(), clock::now()).err()?;
    Some(Finding { what: "tailnet tickets".into(), ok: false, detail: problem.what, next: problem.next.or(problem.why) })
}

/// What is remarked of a tailnet that is in order.
fn in_order(server: &ServerUrl, opened: Option<&String>, clear: Option<String>) -> Finding {
    let opened = opened.map(|rule| {
        let said = format!("a rule written by hand lets others reach the org's devices: {rule}");
        (said, "Narrow it, if it is not meant so: headscale policy get, headscale policy set.")
    });
    let clear = clear.map(|said| (said, "Put the server behind HTTPS, unless the way to it is encrypted otherwise."));
    let (said, next): (Vec<String>, Vec<&str>) = opened.into_iter().chain(clear).unzip();
    let detail = std::iter::once(server.to_string()).chain(said).collect::<Vec<_>>().join("; ");
    Finding { what: "tailnet".into(), ok: true, detail, next: (!next.is_empty()).then(|| next.join(" ")) }
}

/// What a person has to know of an API key that this device has for a server; none where nobody on the way can read it, as to one that
/// this device runs.
pub(crate) fn key_in_the_clear(org: &Org, server: &ServerUrl) -> Option<String> {
    let here = settings::managed(&org.dir, server).is_ok_and(|managed| managed.is_some());
    if here { None } else { settings::in_the_clear(server) }
}

/// Who is at an address of the tailnet.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WhoView {
    /// The device, by name.
    name: String,
    /// Its key.
    device: Did,
    /// The member who owns it.
    owner: String,
}

/// Which device of the org is at an address of the tailnet, and whose it is: as tailscaled knows who is there, and the org whose that is.
///
/// # Errors
/// When that is no address, tailscaled cannot be asked, or no device of the org is there: nobody is, or not with the org's tag, or no one
/// device claims the address.
pub(crate) async fn who(org: &Org, address: &str) -> Result<WhoView, Problem> {
    let at = address.parse::<SocketAddr>().or_else(|_| address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0)));
    let no_address = |_| Problem::invalid(format!("“{}” is no address.", domain::shown(address))).next("Write it as 100.64.0.3.");
    let at = at.map_err(no_address)?;
    let found = socket().whois(at).await?;
    let state = org.remote.org();
    let device = found.and_then(|found| whois::device(&org.name, &found.node.tags, &found.node.ips(), state.devices.values()));
    device.map(|device| WhoView { name: device.name.clone(), device: device.did.clone(), owner: device.owner.clone() }).ok_or_else(|| {
        Problem::not_found(format!("No device of the org is at {} in its tailnet.", at.ip()))
            .next("meshwork tailnet status lists its machines, and whose each is.")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_remarked_of_a_tailnet_in_order_says_what_to_do() {
        let (plain, tls) = ("http://10.0.0.1:8080".parse().unwrap(), "https://hs.example".parse().unwrap());
        let rule = "{\"src\": [\"*\"]}".to_owned();
        let fine = in_order(&tls, None, settings::in_the_clear(&tls));
        assert_eq!((fine.ok, fine.detail.as_str(), fine.next), (true, "https://hs.example", None));
        let both = in_order(&plain, Some(&rule), settings::in_the_clear(&plain));
        let next = both.next.unwrap();
        assert!(both.ok && both.detail.contains(&rule) && both.detail.contains("over plain HTTP"), "{}", both.detail);
        assert!(next.contains("headscale policy set") && next.contains("HTTPS"), "{next}");
    }
}
