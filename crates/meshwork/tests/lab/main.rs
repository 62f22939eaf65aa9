//! The tailnet with real parts: a real Headscale, a real tailscaled for each machine, each in a network namespace of its own. Skipped, with the
//! reason, where the programs or root are missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod gossip;
mod machines;
mod mesh;
mod own;
mod servers;
mod three;

use testkit::{skip, tailnet::Lab};

/// A hub with so many machines; none, and the reason is noted, where this computer cannot have it.
fn lab(machines: usize) -> Option<Lab> {
    match Lab::make(machines) {
        Ok(lab) => Some(lab),
        Err(why) => {
            skip("lab", &why);
            None
        }
    }
}
