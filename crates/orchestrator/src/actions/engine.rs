//! Engines: the coding CLIs that are installed on this machine.

use super::Nothing;
use crate::table::{Action, Context, Effect, action};
use domain::{Problem, role::Permission};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn actions() -> Vec<Action> {
    vec![
        action(
            "engine.install",
            Effect::Changes,
            Permission::ManageAgents,
            "Fetch a coding engine from npm into the data folder.",
            install,
        ),
        action("engine.list", Effect::Reads, Permission::View, "List the engines that have a profile, and which are installed.", list),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Install {
    /// `codex`, `copilot`, `opencode`, …
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EngineView {
    name: String,
    /// The version that the profile pins.
    pinned: String,
    /// The version that is installed here.
    installed: Option<String>,
}

async fn install(context: Context, input: Install) -> Result<EngineView, Problem> {
    let folder = context.machine.data.engines();
    crate::org::blocking(move || {
        let pinned = engine::profile::find(&input.name)?.npm.version.clone();
        let got = engine::install(&input.name, &folder, |line| tracing::info!(engine = %input.name, "{line}"))?;
        Ok(EngineView { name: input.name.clone(), pinned, installed: Some(got.version) })
    })
    .await
}

async fn list(context: Context, _: Nothing) -> Result<Vec<EngineView>, Problem> {
    let folder = context.machine.data.engines();
    crate::org::blocking(move || {
        let view = |p: &engine::profile::Profile| EngineView {
            name: p.name.clone(),
            pinned: p.npm.version.clone(),
            installed: engine::installed(&p.name, &folder).map(|i| i.version),
        };
        Ok(engine::profile::all().iter().map(view).collect())
    })
    .await
}
