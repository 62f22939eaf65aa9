//! Traces: who made something, for whom, and how that is known.

use crate::{
    table::{Action, Context, Effect, action},
    trace,
};
use domain::{Problem, ProjectName, role::Permission, trace::Chain};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn actions() -> Vec<Action> {
    vec![action(
        "trace.show",
        Effect::Reads,
        Permission::View,
        "Trace a patch, commit or run back to who asked for it, and check each link.",
        show,
    )]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct What {
    #[serde(default)]
    project: Option<ProjectName>,
    /// A patch, a commit or a run; the beginning of its id will do where only one fits.
    what: String,
}

async fn show(context: Context, input: What) -> Result<Chain, Problem> {
    context.org()?.blocking(move |org| trace::show(org, input.project.as_ref(), &input.what)).await
}
