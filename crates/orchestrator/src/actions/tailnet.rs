//! The tailnet, as it stands.

use super::Nothing;
use crate::{
    table::{Action, Context, Effect, action},
    tailnet::{self, StatusView, WhoView},
};
use domain::{Problem, role::Permission};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn actions() -> Vec<Action> {
    let summary = "Show the org's tailnet: its server, its machines and whose they are.";
    vec![
        action("tailnet.status", Effect::Reads, Permission::View, summary, status),
        action("tailnet.who", Effect::Reads, Permission::View, "Say which device is at an address of the tailnet, and whose it is.", who),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AtAddress {
    /// The address, with a port or without, as it stands in a log.
    address: String,
}

async fn status(context: Context, _: Nothing) -> Result<StatusView, Problem> {
    context.org()?.blocking(tailnet::status).await
}

async fn who(context: Context, input: AtAddress) -> Result<WhoView, Problem> {
    let org = context.org()?;
    tailnet::who(&org, &input.address).await
}
