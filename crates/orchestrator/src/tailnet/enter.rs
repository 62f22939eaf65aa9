//! At the joiner: the machine enters the org's tailnet with the key that stands behind the ticket, and only then can knock.

use super::keep::{same_server, socket};
use crate::limits;
use domain::{Kind, Problem, ServerUrl};
use identity::Secret;
use mesh::tailnet::localapi::{Enter, State};
use std::net::IpAddr;

/// Enters the tailnet, unless the machine is in it already; gives its address there. Waits for that, for a while.
///
/// # Errors
/// When tailscaled does not run, is in another tailnet, or does not get in in time.
pub(crate) async fn enter(server: &ServerUrl, key: Option<&Secret>, host_name: &str) -> Result<Option<IpAddr>, Problem> {
    let local = socket();
    let status = local.status().await?;
    match (&status.backend_state, key) {
        (State::Running, _) => {
            same_server(&local.prefs().await?.control_url, server.as_str())?;
            Ok(status.address())
        }
        (State::NeedsLogin | State::NoState, Some(key)) => {
            local.enter(Enter { server: server.as_str().trim_end_matches('/'), auth_key: key, host_name }).await?;
            local.until_running(limits::TAILNET_ENTERS).await.map(|status| status.address())
        }
        (State::NeedsLogin | State::NoState, None) => {
            Err(Problem::new(Kind::Forbidden, "This machine is not in the org's tailnet, and the ticket has no key for it.")
                .because("The key is shown once, where the invitation is made.")
                .next("Ask for another ticket; or for a key: tailscale up --login-server SERVER --authkey KEY."))
        }
        // It comes up, or was told to be down.
        _ => local.until_running(limits::TAILNET_COMES_UP).await.map(|status| status.address()),
    }
}
