//! Memory of an idle `meshwork up` with one org and its Radicle node: PSS summed over its processes, after `IDLE_S` idle
//! seconds (300 where nothing is said).
//! The goal is 40 MB.

use anyhow::Result;
use benches::{Up, memory_kib, tree_pss_kib};
use serde_json::json;
use std::time::Duration;

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let up = Up::start(&dir.path().join("data"))?;
    let idle_s: u64 = std::env::var("IDLE_S").ok().and_then(|s| s.parse().ok()).unwrap_or(300);
    std::thread::sleep(Duration::from_secs(idle_s));
    let own = tree_pss_kib(up.pid());
    let private = memory_kib(up.pid(), "Anonymous:");
    println!("idle for {idle_s} s: {:.1} MB PSS, of which {:.1} MB anonymous", mb(own), mb(private));
    println!("{}", json!({"bench": "idle_memory", "idle_s": idle_s, "pss_mb": mb(own), "anonymous_mb": mb(private)}));
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
