//! The store as others use it: on a real disk, killed, cut short, and tampered with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod copy;
mod crash;
mod disk_full;
mod journal;
mod loss;
mod mend;
mod restore;
mod run_log;
mod support;
mod synced;
mod tamper;
