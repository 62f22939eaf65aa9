//! Memory of an idle `meshwork up` with one org and its Radicle node: PSS summed over its processes, after `IDLE_S` idle
//! seconds (300 where nothing is said).
//! The goal is 40 MB.

use anyhow::Result;
use benches::Up;
use serde_json::json;
use std::{fs, time::Duration};

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let up = Up::start(&dir.path().join("data"))?;
    let idle_s: u64 = std::env::var("IDLE_S").ok().and_then(|s| s.parse().ok()).unwrap_or(300);
    std::thread::sleep(Duration::from_secs(idle_s));
    let own = tree_pss_kib(up.pid());
    let private = private_kib(up.pid());
    println!("idle for {idle_s} s: {:.1} MB PSS, of which {:.1} MB anonymous", mb(own), mb(private));
    println!("{}", json!({"bench": "idle_memory", "idle_s": idle_s, "pss_mb": mb(own), "anonymous_mb": mb(private)}));
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

/// PSS of a process and all below it, in KiB.
fn tree_pss_kib(pid: u32) -> u64 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    field(pid, "Pss:") + children.split_whitespace().filter_map(|p| p.parse().ok()).map(tree_pss_kib).sum::<u64>()
}

/// Memory that no file backs, in KiB.
fn private_kib(pid: u32) -> u64 {
    field(pid, "Anonymous:")
}

fn field(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
