//! Of the tailnet.

use super::JOIN_WAIT;
use std::time::Duration;

/// How often the tailnet is looked at, beside each change of the org.
pub const TAILNET_EVERY: Duration = Duration::from_secs(20);
/// How often tailscaled is asked where this device is in the tailnet, while it only opens.
pub(crate) const TAILNET_EARLY_EVERY: Duration = Duration::from_secs(1);
/// How long this machine may take to get into a tailnet.
pub const TAILNET_ENTERS: Duration = Duration::from_secs(60);
/// How long one may take to come up that is in a tailnet already.
pub const TAILNET_COMES_UP: Duration = Duration::from_secs(10);
/// The pause before it is let in again after it did not get in.
pub const TAILNET_ENTER_AGAIN: Duration = Duration::from_secs(120);
/// How long the key counts with which this device lets itself in, in milliseconds.
pub const TAILNET_OWN_KEY_MS: u64 = 10 * 60 * 1000;
/// For how long an API key of a server counts that this device runs. It is made anew at half of that.
pub const TAILNET_API_KEY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many policies that were replaced are kept, of those in which people wrote something else.
pub const TAILNET_POLICIES_KEPT: usize = 20;
/// How long a machine stays in the tailnet that nobody can be let in by any more: whoever was declined hears of it there.
pub const TAILNET_STRANGER_STAYS: Duration = Duration::from_secs(60 * 60);
/// How many connections pass through one door of the tailnet at once.
pub const TAILNET_CONNECTIONS_MAX: usize = 1024;
/// How long a door still hears the outside once the inside has closed.
pub const TAILNET_DOOR_GRACE: Duration = Duration::from_secs(5);
/// How long a stranger's connection passes through a door: longer than the Join port leaves one (shaking hands, then its age, then what it
/// gives to end).
pub const TAILNET_STRANGER_LASTS: Duration = JOIN_WAIT.saturating_mul(4);
