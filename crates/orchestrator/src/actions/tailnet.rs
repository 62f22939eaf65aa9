//! The tailnet, as it stands.

use super::Nothing;
use crate::{
    table::{Action, Context, Effect, action},
    tailnet::{self, StatusView},
};
use domain::{Problem, role::Permission};

pub(super) fn actions() -> Vec<Action> {
    let summary = "Show the org's tailnet: its server, its machines and whose they are.";
    vec![action("tailnet.status", Effect::Reads, Permission::View, summary, status)]
}

async fn status(context: Context, _: Nothing) -> Result<StatusView, Problem> {
    context.org()?.blocking(tailnet::status).await
}
