//! Coding engines: how each is installed, started, driven and judged.
//!
//! One driver speaks the Agent Client Protocol to all of them ([`Driver`]); what differs between engines is data
//! ([`profile`]). Plain commands go through [`plain()`], recordings are played by [`replay`]. This crate knows nothing of
//! sandboxes: it says what is to be started ([`launch()`]) and talks over the pipes that it is given.

mod acp;
mod batch;
mod catalog;
mod drive;
mod failure;
mod install;
mod launch;
pub mod limits;
mod line;
mod plain;
pub mod profile;
pub mod replay;

pub use drive::{Driver, DriverOrder, Session};
pub use failure::{FailureRules, explain_exit};
pub use install::{Installed, install, installed};
pub use launch::{Context, ENGINE_INSIDE, Launch, PLACEHOLDER_KEY, Shown, Speaks, launch};
pub use plain::plain;
