//! The named limits of the HTTP doors.

use std::time::Duration;

/// The largest body that is read, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a one-time link counts.
pub(crate) const LINK_VALID: Duration = Duration::from_secs(10 * 60);
/// How many unused one-time links there may be.
pub(crate) const LINKS_MAX: usize = 16;
/// How long a browser stays signed in where there is no org yet.
pub(crate) const ORGLESS_SESSION_VALID: Duration = Duration::from_secs(24 * 60 * 60);
/// How many browsers may be signed in where there is no org yet.
pub(crate) const ORGLESS_SESSIONS_MAX: usize = 16;
/// How often an idle event stream says that it lives.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many event streams there may be at once.
pub(crate) const STREAMS_MAX: usize = 2_000;
/// Events of the journal that follow each other within this time go out together.
pub(crate) const JOIN: Duration = Duration::from_millis(50);
/// After it was said that there is news of other devices' journals: how long what follows is gathered before it is said again.
pub(crate) const OTHERS_JOIN: Duration = Duration::from_millis(250);
/// From this many bytes on nothing more is joined.
pub(crate) const FRAME_BYTES_MAX: usize = 64 * 1024;
/// How many frames a slow watcher may be behind before it reads the journal by itself.
pub(crate) const FRAMES_BUFFERED: usize = 64;
/// How many events a watcher that is behind reads at once.
pub(crate) const CATCH_UP_EVENTS: usize = 64;
/// How long a request waits for an org's process that begins.
pub(crate) const ORG_START_WAIT: Duration = Duration::from_secs(30);
/// How long an org's process may take to say whether its org lists this device.
pub(crate) const ORG_TELLS: Duration = Duration::from_secs(2);
/// The largest answer of an org's process that is read here and not passed on, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;
