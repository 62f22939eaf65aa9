//! The named limits of this crate.

use std::time::Duration;

/// How long it may take until a peer has shown its certificate, or an address has answered.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);
/// How many peers may be showing their certificates at once.
pub(crate) const HANDSHAKES_MAX: usize = 128;
/// How many connections are held at once.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;
/// How many calls one connection may have under way.
pub(crate) const CALLS_PER_CONNECTION_MAX: u32 = 512;
/// How often a peer of which nothing is heard is asked whether it is there, and how long it may take to say so.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How many addresses of one device are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;
/// How long accepting pauses after the system refused (no more file handles).
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
