//! What may reach what in the tailnet, as the org repository says it: a pure function from the org to rules, and from a policy to the
//! policy with these rules in it. Runs are in no rule: their sandboxes have no place in the tailnet.
//!
//! A policy is HuJSON that people write by hand, with comments. Ours stands between two marks in each of `groups`, `tagOwners` and
//! `acls`; only what is between the marks of this org is ever written anew, and every other byte stays. Where the marks were lost (a tool
//! dropped the comments) what stands there counts as written by hand: it stays, and is not written twice.

mod text;

use crate::limits;
use domain::{Kind, OrgName, Problem};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};
use text::{Entry, List, Place};

/// Meshwork's usual port for other devices.
pub const MESH: u16 = 7421;
/// The gossip's usual port, over UDP.
pub const GOSSIP: u16 = 7422;
/// The usual Join port.
pub const JOIN: u16 = 7423;
/// Radicle's usual port.
pub const RADICLE: u16 = 8776;
/// The ports of a Kubernetes cluster on Talos: its API, `apid`, `trustd`, etcd between control planes, kubelets, and flannel (UDP).
const CLUSTER_TCP: [u16; 6] = [6443, 10_250, 2379, 2380, 50_000, 50_001];
const CLUSTER_UDP: [u16; 1] = [8472];

/// What the rules are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The org.
    pub org: OrgName,
    /// Its user at the server, by name.
    pub user: String,
    /// Ports at which its devices accept each other, beside the usual one.
    pub mesh: BTreeSet<u16>,
    /// Ports of their gossip (UDP), beside the usual one.
    pub gossip: BTreeSet<u16>,
    /// Ports of its Radicle nodes, beside the usual one.
    pub radicle: BTreeSet<u16>,
    /// The Join ports of those who invite.
    pub join: BTreeSet<SocketAddr>,
}

/// The tag of an org's devices.
pub fn device_tag(org: &OrgName) -> String {
    format!("tag:{}-device", lettered(org))
}

/// The tag of those who hold a ticket of an org, and are not let in yet. One for each org: of two orgs at one server neither may be
/// reached with the other's tickets.
pub fn joining_tag(org: &OrgName) -> String {
    format!("tag:{}-joining", lettered(org))
}

/// A tag begins with a letter. An org's name has none of the upper case, so that no two orgs get one tag.
fn lettered(org: &OrgName) -> String {
    let name = org.as_str();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name.to_owned() } else { format!("N{name}") }
}

fn group(org: &OrgName) -> String {
    format!("group:{org}")
}

/// What is to stand between the marks, in each list of the policy.
fn wanted(input: &Input) -> Vec<(Place, Vec<Entry>)> {
    let (device, joining, group) = (device_tag(&input.org), joining_tag(&input.org), group(&input.org));
    let named = |name: &str, of: &str| Entry::Property { name: name.to_owned(), value: format!("[{}]", quoted(of)) };
    let tcp: BTreeSet<u16> =
        [MESH, RADICLE].into_iter().chain(CLUSTER_TCP).chain(input.mesh.iter().copied()).chain(input.radicle.iter().copied()).collect();
    let udp: BTreeSet<u16> = [GOSSIP].into_iter().chain(CLUSTER_UDP).chain(input.gossip.iter().copied()).collect();
    let mut rules = vec![
        rule("tcp", &[&device], &[format!("{device}:{}", listed(&tcp))]),
        rule("udp", &[&device], &[format!("{device}:{}", listed(&udp))]),
    ];
    let doors: Vec<String> = input.join.iter().map(door).collect();
    if !doors.is_empty() {
        // Devices too: a machine gets their tag when the org lists it, and may not have heard of that yet.
        rules.push(rule("tcp", &[&joining, &device], &doors));
    }
    vec![
        (Place { key: "groups", list: List::Object }, vec![named(&group, &format!("{}@", input.user))]),
        (Place { key: "tagOwners", list: List::Object }, vec![named(&device, &group), named(&joining, &group)]),
        (Place { key: "acls", list: List::Array }, rules),
    ]
}

fn rule(protocol: &str, from: &[&str], to: &[String]) -> Entry {
    let from: Vec<String> = from.iter().map(|f| quoted(f)).collect();
    let to: Vec<String> = to.iter().map(|t| quoted(t)).collect();
    Entry::Element(format!(
        "{{\"action\": \"accept\", \"proto\": {}, \"src\": [{}], \"dst\": [{}]}}",
        quoted(protocol),
        from.join(", "),
        to.join(", ")
    ))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn listed(ports: &BTreeSet<u16>) -> String {
    let each: Vec<String> = ports.iter().map(u16::to_string).collect();
    each.join(",")
}

/// An address as a destination.
fn door(at: &SocketAddr) -> String {
    match at.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", at.port()),
        IpAddr::V6(ip) => format!("[{ip}]:{}", at.port()),
    }
}

/// The policy with the org's rules as they are to be; the same text where they are so already. An empty one is begun.
///
/// # Errors
/// When the policy is not HuJSON, is too large, or its marks are damaged: then nothing of it is guessed.
pub fn apply(present: &str, input: &Input) -> Result<String, Problem> {
    let mut policy = if present.trim().is_empty() { "{\n}\n".to_owned() } else { present.to_owned() };
    for (place, entries) in wanted(input) {
        policy = text::put(&policy, place, &input.org, &entries)?;
    }
    // Whatever went in: what goes to the server can be read.
    text::value(&policy)?;
    within_size(policy)
}

/// The policy without the org's rules: every byte that is not between its marks stays, and so do the lists that were begun for them. So
/// it stays closed but for rules, and nothing is opened to others by it.
///
/// # Errors
/// As [`apply`].
pub fn withdraw(present: &str, org: &OrgName) -> Result<String, Problem> {
    let mut policy = present.to_owned();
    if policy.trim().is_empty() {
        return Ok(policy);
    }
    for key in ["groups", "tagOwners", "acls"] {
        policy = text::take_out(&policy, key, org)?;
    }
    within_size(policy)
}

/// Whether a policy lets everything reach everything, as Headscale reads it: it has neither `acls` nor `grants`, whatever else is in it
/// (`hscontrol/policy/v2`). With the org's rules in it, it is closed but for rules.
pub fn allows_all(policy: &str) -> bool {
    policy.trim().is_empty() || text::value(policy).is_ok_and(|whole| whole["acls"].is_null() && whole["grants"].is_null())
}

fn within_size(policy: String) -> Result<String, Problem> {
    if policy.len() > limits::POLICY_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("The tailnet's policy would have {} bytes.", policy.len()))
            .because(format!("{} are read and written at most.", limits::POLICY_BYTES_MAX))
            .next("Shorten what is written in it by hand."));
    }
    Ok(policy)
}

/// The rules written by hand that let others reach an org's devices, which are at these addresses, in their own words: what was written by
/// hand stays, and can undo that orgs do not reach each other. None where the policy cannot be read.
pub fn opens(policy: &str, org: &OrgName, devices: &[IpAddr]) -> Vec<String> {
    let ours = [device_tag(org), joining_tag(org)];
    let Ok(whole) = text::value(&by_hand(policy)) else { return vec![] };
    let strings = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    // Of a rule a port comes after the host, of a grant none does.
    let hits = |to: &String| {
        let hosts = [Some(to.as_str()), to.rsplit_once(':').map(|(host, _)| host)];
        hosts.into_iter().flatten().any(|host| reaches(whole["hosts"][host].as_str().unwrap_or(host), &ours[0], devices))
    };
    let wide =
        |rule: &&serde_json::Value| strings(&rule["src"]).iter().any(|from| !ours.contains(from)) && strings(&rule["dst"]).iter().any(hits);
    let rules = ["acls", "grants"].into_iter().filter_map(|key| whole[key].as_array()).flatten();
    rules.filter(wide).map(|rule| domain::shown(&rule.to_string())).collect()
}

/// The policy without what Meshwork wrote in it, for whichever org.
fn by_hand(policy: &str) -> String {
    let marked = policy.lines().filter_map(|line| line.trim().strip_prefix("// meshwork ")?.split_once(" begin")?.0.parse().ok());
    let orgs: BTreeSet<OrgName> = marked.collect();
    orgs.iter().fold(policy.to_owned(), |left, org| withdraw(&left, org).unwrap_or(left))
}

/// Whether a destination, without its port, can be one of an org's devices. They are tagged, and belong to no user.
fn reaches(host: &str, device_tag: &str, devices: &[IpAddr]) -> bool {
    let elsewhere = ["autogroup:internet", "autogroup:self", "autogroup:member"];
    let several = host.starts_with("autogroup:") && !elsewhere.iter().any(|group| host.starts_with(group));
    host == "*" || several || host == device_tag || devices.iter().any(|device| within(host, *device))
}

/// Whether an address is this one, or in this network.
fn within(network: &str, ip: IpAddr) -> bool {
    let (base, bits) = network.split_once('/').map_or((network, Some(128)), |(base, bits)| (base, bits.parse::<u32>().ok()));
    let (Ok(base), Some(bits)) = (base.trim_matches(['[', ']']).parse::<IpAddr>(), bits) else { return false };
    // Those of the fourth version stand in front, so that both have their network at the same end.
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)) << 96,
        IpAddr::V6(ip) => u128::from(ip),
    };
    let apart = number(base) ^ number(ip);
    base.is_ipv4() == ip.is_ipv4() && apart.checked_shr(128 - bits.min(128)).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests;
