//! Which model the command bar may ask, and what of it was used today. Both are facts of the journal.

use crate::{clock, gateway, org::Org};
use domain::{
    Problem, Timestamp,
    actor::Actor,
    agent::{Model, ModelApi},
    command,
    event::{Body, kind},
    usage::{Budget, Usage},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// The model, and what it may use in a day.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) model: Model,
    pub(crate) budget: Budget,
}

/// The settings as they are shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    /// The model; none where there is none.
    model: Option<Model>,
    /// What it may use in a day (UTC).
    budget: Budget,
    /// What it used today.
    used: Usage,
}

fn kept(org: &Org) -> Result<Option<command::Settings>, Problem> {
    org.store.get(kind::COMMAND, command::SETTINGS)
}

/// The model, where one is set.
pub(crate) fn settings(org: &Org) -> Result<Option<Settings>, Problem> {
    Ok(kept(org)?.and_then(|kept| kept.model.map(|model| Settings { model, budget: kept.budget })))
}

/// What was used on the day of a moment.
pub(super) fn used(org: &Org, at: Timestamp) -> Result<Usage, Problem> {
    Ok(org.store.get(kind::COMMAND, &command::day(at))?.unwrap_or_default())
}

/// The settings, for people.
pub(crate) async fn shown(org: &Arc<Org>) -> Result<Shown, Problem> {
    org.blocking(|org| {
        let kept = kept(org)?.unwrap_or_default();
        Ok(Shown { model: kept.model, budget: kept.budget, used: used(org, clock::now())? })
    })
    .await
}

/// Sets the model, or none.
pub(crate) async fn set(org: &Arc<Org>, by: &Actor, model: Option<Model>, budget: Option<Budget>) -> Result<(), Problem> {
    if let Some(model) = &model {
        if matches!(model.api, ModelApi::Responses | ModelApi::Gemini) {
            return Err(Problem::invalid("The command bar speaks Chat Completions or Messages.").next("Give `api` as chat or messages."));
        }
        gateway::check_address(model)?;
        org.vault.get(&model.credential)?;
    }
    let budget = budget.or(kept(org)?.map(|k| k.budget)).unwrap_or(command::BUDGET);
    org.record(by, vec![Body::CommandModelSet { settings: command::Settings { model, budget } }]).await
}
