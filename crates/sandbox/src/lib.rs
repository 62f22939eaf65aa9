//! The local runtime: a command in a bubblewrap sandbox, with limits that hold, and a bridge that carries a few loopback
//! ports to sockets of the host.
//!
//! The engine inside is untrusted. It sees a worktree, a home of its own, read-only toolchains and the bridge's ports. The
//! runner stays outside; inside only the keyless bridge (`meshwork bridge`, process 1 of the sandbox) is ours.
//! Where the sandbox cannot work this crate refuses and says how to mend it; nothing is ever run without it.
//!
//! This crate does not know what an engine, a run, a model or a key is.

mod bridge;
mod bubblewrap;
mod cgroup;
mod control;
mod disk;
mod doctor;
mod enforce;
mod forker;
mod job;
mod keeper;
mod leaf;
pub mod limits;
mod mounts;
mod processes;
mod refusals;
mod relay;
mod sandbox;
mod seccomp;
mod spec;
mod stage;

pub use bridge::bridge_main;
pub use cgroup::sweep;
pub use doctor::{Finding, doctor, works};
pub use enforce::{limits_in_force, memory_held};
pub use mounts::bridge_inside;
pub use sandbox::{Ended, Sandbox, Stdio, discard, prepare};
pub use spec::{CACHES, Forward, Spec, can_show};
