//! The use cases: what happens when somebody does something, and what goes on by itself.
//!
//! One file an action; reconcilers that look at the world and bring it one step nearer; placement and admission; the life
//! of runs, on the host's side and on the runner's; the gateway. It knows the adapters, and neither HTTP routes nor the
//! command line.

pub mod actions;
pub mod admission;
mod below;
mod browser;
pub mod caller;
pub mod clock;
mod cloning;
pub mod command;
pub mod context;
mod credentials;
pub mod data_dir;
pub mod dispatch;
pub mod doctor;
mod doubled;
pub mod fault;
#[cfg(test)]
mod fixtures;
mod follow;
mod gated;
pub mod gateway;
mod gathering;
pub mod host;
pub mod join;
mod keep;
mod leave;
mod lending;
pub mod lifecycle;
pub mod limits;
pub mod machine;
pub mod mcp;
pub mod members;
pub mod merge;
pub mod merging;
pub mod mirror;
mod names;
pub mod org;
mod picture;
mod placing;
pub mod profile;
pub mod provenance;
mod queue;
mod quotas;
pub mod remote;
pub mod removed;
pub mod rights;
mod rivals;
pub mod room;
pub mod runner;
mod sensors;
mod steer;
mod stops;
pub mod table;
pub mod tailnet;
pub mod tasks;
mod tools;
pub mod trace;
mod undelivered;
mod unlock;
pub mod webhook;
