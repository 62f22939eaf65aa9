//! The command bar: sentences completed, understood, carried out after a yes, taken back; and its model.

use super::{Done, Nothing};
use crate::{
    command::{self, CommandAnswer, CommandResults, Completions, Knowingly, With, model},
    table::{Action, Context, Effect, action},
};
use domain::{Problem, agent::Model, role::Permission, usage::Budget};
use schemars::JsonSchema;
use serde::Deserialize;

/// Saying yes needs what everybody has who may change anything at all; each action then needs its own permission.
const YES: Permission = Permission::Review;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action(
            "command.complete",
            Reads,
            Permission::View,
            "What could come next in a sentence, and which things hold its words.",
            complete,
        ),
        action(
            "command.understand",
            Reads,
            Permission::View,
            "Understand a sentence: answer it, or propose changes. Nothing is changed.",
            understand,
        ),
        action("command.run", Changes, YES, "Carry out what was proposed and said yes to, once.", run),
        action("command.undo", Changes, YES, "Take back what was carried out, where that can be.", undo),
        action(
            "command.settings",
            Reads,
            Permission::View,
            "The command bar's model, its budget of the day, and what is used of it.",
            settings,
        ),
        action("command.model", Changes, Permission::ManageCredentials, "Set the command bar's model, or take it away.", set_model),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Complete {
    /// What is written so far.
    text: String,
    /// Where the cursor is, in UTF-16 code units; at the end where nothing is said.
    #[serde(default)]
    cursor: Option<usize>,
}

async fn complete(context: Context, input: Complete) -> Result<Completions, Problem> {
    command::complete(context, &input.text, input.cursor).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Understand {
    /// What is said.
    text: String,
    /// The conversation that it belongs to; a new one where there is none.
    #[serde(default)]
    conversation: Option<String>,
    /// Who is to understand it; the grammar, else the model, where nothing is said.
    #[serde(default)]
    with: Option<With>,
}

async fn understand(context: Context, input: Understand) -> Result<CommandAnswer, Problem> {
    command::understand(context, input.conversation, &input.text, input.with).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The conversation.
    conversation: String,
    /// The proposals that were said yes to, in their order.
    proposals: Vec<String>,
    /// Whether the person was told that a proposal came after text of others was read, and says yes all the same.
    #[serde(default)]
    knowingly: bool,
}

async fn run(context: Context, input: Run) -> Result<CommandResults, Problem> {
    let knowingly = if input.knowingly { Knowingly::Yes } else { Knowingly::No };
    command::run(context, &input.conversation, &input.proposals, knowingly).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Undo {
    /// The conversation.
    conversation: String,
    /// What was carried out.
    proposal: String,
}

async fn undo(context: Context, input: Undo) -> Result<CommandResults, Problem> {
    command::undo(context, &input.conversation, &input.proposal).await
}

async fn settings(context: Context, _: Nothing) -> Result<model::Shown, Problem> {
    model::shown(&context.org()?).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetModel {
    /// The model; none takes it away.
    model: Option<Model>,
    /// What it may use in a day (UTC); as it was where nothing is said.
    #[serde(default)]
    budget: Option<Budget>,
}

async fn set_model(context: Context, input: SetModel) -> Result<Done, Problem> {
    let org = context.org()?;
    let text = match &input.model {
        Some(model) => format!("The command bar asks {} for what its grammar does not understand.", domain::shown(&model.name)),
        None => "The command bar has no model.".into(),
    };
    model::set(&org, &context.actor(&org), input.model, input.budget).await?;
    Ok(Done::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use domain::role::Role;

    #[test]
    fn whoever_may_change_anything_may_say_yes_and_nobody_else() {
        for role in Role::ALL {
            let changes = |a: &&Action| a.effect == Effect::Changes && !a.name.starts_with("command.");
            let any = table::table().iter().filter(changes).any(|a| role.allows(a.permission));
            assert_eq!(role.allows(YES), any, "{role:?}");
        }
    }
}
