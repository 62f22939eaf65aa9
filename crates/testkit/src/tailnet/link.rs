//! The wire under a tailnet: cut and mended, and what goes over it beside the tailnet is counted. By nftables in a machine's namespace,
//! with which the rules go.

use super::{Lab, wire_address};
use serde_json::Value;
use std::{
    io::Write,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
};

/// Drops whatever comes over the wire or goes into it, in silence, as one that was pulled out. Loopback and the TUN device stay.
const CUT: &str = "table netdev cut {
  chain in { type filter hook ingress device \"eth0\" priority filter; policy drop; }
  chain out { type filter hook egress device \"eth0\" priority filter; policy drop; }
}";
const MENDED: &str = "delete table netdev cut";
/// Counts what goes from machine to machine and is not tailscaled's own: that sends everything from its one UDP port to the same of
/// another, or through the hub, where only the server is.
const COUNTS: &str = "table inet beside {
  counter past { }
  chain count {
    udp sport 41641 return
    udp dport 41641 return
    meta l4proto { tcp, udp } ip saddr 10.98.0.0/24 ip daddr 10.98.0.0/24 ip saddr != 10.98.0.1 ip daddr != 10.98.0.1 counter name past
    meta l4proto { tcp, udp } ip6 saddr fe80::/10 ip6 daddr fe80::/10 counter name past
  }
  chain in { type filter hook input priority filter; iifname \"eth0\" jump count; }
  chain out { type filter hook output priority filter; oifname \"eth0\" jump count; }
}";

impl Lab {
    /// Begins to count, on every machine, what goes past the tailnet.
    ///
    /// # Errors
    /// Why this computer cannot: for [`crate::skip`].
    pub fn count_beside(&self) -> Result<(), String> {
        for machine in 0..self.machines.len() {
            nft(&self.namespace(machine), COUNTS)?;
        }
        Ok(())
    }

    /// Packets that went past the tailnet between a machine and another, since it was begun to count them.
    pub fn packets_beside(&self, machine: usize) -> u64 {
        let output = inside_namespace(&self.namespace(machine), &["--json", "list", "counter", "inet", "beside", "past"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let counted = told["nftables"].as_array().unwrap().iter().find_map(|one| one["counter"]["packets"].as_u64());
        counted.unwrap_or_else(|| panic!("no counter in {told}"))
    }

    /// The address of a machine on the wire under the tailnet.
    pub fn wire_address(&self, machine: usize) -> Ipv4Addr {
        assert!(machine < self.machines.len(), "there is no such machine");
        wire_address(machine)
    }

    /// Pulls a machine's wire out.
    pub fn cut(&self, machine: usize) {
        nft(&self.namespace(machine), CUT).unwrap();
    }

    /// Puts a machine's wire back.
    pub fn heal(&self, machine: usize) {
        nft(&self.namespace(machine), MENDED).unwrap();
    }
}

fn inside_namespace(namespace: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", namespace.display())).args(["--", "nft"]).args(args);
    command
}

/// Has nftables read rules.
fn nft(namespace: &Path, rules: &str) -> Result<(), String> {
    let mut command = inside_namespace(namespace, &["--file", "-"]);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|e| format!("nft: {e}"))?;
    let mut stdin = child.stdin.take().ok_or("nft has no standard input")?;
    let written = stdin.write_all(rules.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(|e| format!("nft: {e}"))?;
    if !output.status.success() {
        return Err(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    written.map_err(|e| format!("nft: {e}"))
}
