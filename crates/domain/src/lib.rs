//! Meshwork's ideas as types: who, what, where, and the rules between them.
//!
//! No I/O, no clock, no randomness but what is passed in. Everything here is data, or a pure function over data, so that
//! every rule can be tested with a table. This crate knows nobody; everybody knows it.

pub mod actor;
pub mod agent;
pub mod announcement;
pub mod capacity;
pub mod command;
pub mod diff;
pub mod event;
pub mod fence;
pub mod follow;
pub mod gate;
pub mod id;
pub mod join;
pub mod lease;
pub mod lend;
pub mod limits;
pub mod manifest;
pub mod merge;
pub mod money;
pub mod org;
pub mod patch;
pub mod pauses;
pub mod picture;
pub mod placement;
pub mod problem;
pub mod project;
pub mod quota;
pub mod role;
pub mod run;
pub mod spend;
pub mod stop;
pub mod summary;
pub mod task;
pub mod time;
pub mod trace;
pub mod usage;

pub use id::*;
pub use problem::{Kind, Problem};
pub use time::Timestamp;
