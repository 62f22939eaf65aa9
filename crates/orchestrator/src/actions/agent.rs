//! Agents: named workers of the org, in its repository.

use super::{Done, Nothing};
use crate::{
    org::Org,
    table::{Action, Context, Effect, action},
    tasks,
};
use domain::{
    AgentName, CredentialName, Problem,
    agent::{Agent, EngineChoice, Model, ModelApi, PermissionMode},
    event::Body,
    money::Money,
    quota::Price,
    role::Permission,
    usage::{Budget, Usage},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("agent.add", Changes, Permission::ManageAgents, "Add an agent, or change one.", add),
        action("agent.list", Reads, Permission::View, "List the agents.", list),
        action("agent.remove", Changes, Permission::ManageAgents, "Remove an agent; its runs and patches stay.", remove),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    /// Its name.
    name: AgentName,
    /// `codex`, `copilot`, `opencode`, `claude`, `gemini`; or `acp`, `command`, `replay`.
    engine: String,
    /// For `command`: a line for the shell. For `acp`: a program and its arguments, in words as a shell splits them, quotes and
    /// all, but run without one. For `replay`: the recording's path in the project, `{task}` for the task's id.
    #[serde(default)]
    command: Option<String>,
    /// The model's name.
    #[serde(default)]
    model: Option<String>,
    /// The model's address, as `https://api.openai.com/v1`.
    #[serde(default)]
    base_url: Option<String>,
    /// Its wire form: `responses`, `chat`, `messages`, `gemini`.
    #[serde(default)]
    api: Option<ModelApi>,
    /// The credential that holds its key.
    #[serde(default)]
    credential: Option<CredentialName>,
    /// Tokens that one run may use.
    #[serde(default)]
    tokens: Option<u64>,
    /// Model calls that one run may make.
    #[serde(default)]
    calls: Option<u64>,
    /// Money that one run may cost, as `2.50`, in the currency of the org's prices.
    #[serde(default)]
    money: Option<Money>,
    /// What the model costs, where `quotas.toml` does not say it or it is another here.
    #[serde(default)]
    price: Option<Price>,
    /// `sandbox`: tools are allowed at once. `ask`: a person answers.
    #[serde(default)]
    permissions: Option<PermissionMode>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AgentView {
    #[serde(flatten)]
    agent: Agent,
    /// What it still needs on this machine, in words.
    needs: Vec<String>,
    /// What its runs used this month by this device's gateway.
    used: Usage,
}

async fn add(context: Context, input: Add) -> Result<AgentView, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    if input.credential.is_some() {
        // Who says where a model is says where its key goes.
        context.may("credential.set", &serde_json::Value::Null).await?;
    }
    let (view, commit) = org
        .blocking(move |org| {
            let agent = agent(org, input)?;
            let text = toml::to_string_pretty(&agent).map_err(Problem::internal)?;
            let commit = org.forge.change_org(
                &org.rid,
                &format!("Set agent {}", agent.name),
                &[(format!("agents/{}.toml", agent.name), Some(text.into_bytes()))],
            )?;
            Ok((view(org, agent), commit))
        })
        .await?;
    org.record(&actor, vec![Body::AgentSet { agent: view.agent.name.clone(), commit }]).await?;
    Ok(view)
}

fn agent(org: &Org, input: Add) -> Result<Agent, Problem> {
    let command = |what: &str| {
        input.command.as_deref().filter(|command| !command.trim().is_empty()).ok_or_else(|| {
            Problem::invalid(format!("An agent with the engine {} needs a command.", input.engine)).next(format!("Give --command: {what}."))
        })
    };
    let engine = match input.engine.as_str() {
        "acp" => EngineChoice::Acp { command: words(command("the program that speaks the Agent Client Protocol, and its arguments")?)? },
        "command" => EngineChoice::Command { command: command("a line for the shell")?.to_owned() },
        "replay" => EngineChoice::Replay { recording: recording(input.command.as_deref())? },
        name => EngineChoice::Profile { name: engine::profile::find(name)?.name.clone() },
    };
    let model = model(&engine, &input)?;
    let default = Budget::default();
    Ok(Agent {
        name: input.name,
        engine,
        answers: org.member.clone(),
        model,
        budget: Budget { tokens: input.tokens.unwrap_or(default.tokens), calls: input.calls.unwrap_or(default.calls), money: input.money },
        permissions: input.permissions.unwrap_or_default(),
    })
}

/// A command in words, as a shell splits it; nothing of it is run by one.
fn words(command: &str) -> Result<Vec<String>, Problem> {
    let next = "Close every quote, as for a shell; a word with spaces is put in quotes.";
    shell_words::split(command)
        .map_err(|error| Problem::invalid("The agent's command cannot be split into words.").because(format!("{error}.")).next(next))
}

/// The path of a replay's recordings: of a project's files only specifications and our own are read.
fn recording(asked: Option<&str>) -> Result<String, Problem> {
    let path = asked.unwrap_or(".meshwork/replay/{task}.jsonl");
    let read = tasks::roots().iter().any(|root| path.strip_prefix(root.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/')));
    if read && !path.split('/').any(|part| part == "..") {
        return Ok(path.to_owned());
    }
    Err(Problem::invalid(format!("There can be no recording at “{}”.", domain::shown(path)))
        .because("A replay's recording is a file of the project, below .meshwork/ on its default branch.")
        .next("Give its path there with --command, as .meshwork/replay/{task}.jsonl; {task} stands for the task's id."))
}

/// Whether a project has a recording at this path, for one of its tasks at least.
fn recorded(org: &Org, recording: &str) -> Result<bool, Problem> {
    let fits = |path: &String| match recording.split_once("{task}") {
        Some((before, after)) => path.starts_with(before) && path.ends_with(after),
        None => path == recording,
    };
    for project in tasks::to_search(org, None)? {
        let files = org.forge.files(&project.rid, &org.forge.head(&project.rid)?, &tasks::roots())?;
        if files.keys().any(fits) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn model(engine: &EngineChoice, input: &Add) -> Result<Option<Model>, Problem> {
    let usual = match engine.label() {
        "codex" | "copilot" | "opencode" => Some("https://api.openai.com/v1".to_owned()),
        "claude" => Some("https://api.anthropic.com/v1".to_owned()),
        "gemini" => Some("https://generativelanguage.googleapis.com/v1beta".to_owned()),
        _ => None,
    };
    let base_url = input.base_url.clone().or(usual);
    let asked = [input.model.is_some(), input.base_url.is_some(), input.credential.is_some()];
    let coding = matches!(engine, EngineChoice::Profile { .. });
    match (coding, &input.model, &base_url, &input.credential) {
        (_, Some(name), Some(base_url), Some(credential)) => {
            let api = input.api.unwrap_or(match engine.label() {
                "opencode" => ModelApi::Chat,
                "claude" => ModelApi::Messages,
                "gemini" => ModelApi::Gemini,
                _ => ModelApi::Responses,
            });
            let base_url = base_url.trim_end_matches('/').to_owned();
            Ok(Some(Model { name: name.clone(), base_url, api, credential: credential.clone(), price: input.price }))
        }
        (false, ..) if !asked.contains(&true) => Ok(None),
        _ => Err(Problem::invalid("The agent's model is not complete.")
            .because("It takes a model, a credential, and (except for codex, copilot, opencode, claude and gemini) a base URL together.")
            .next("Give --model and --credential, and --base-url as https://models.example.org/v1; meshwork credential set stores the key first.")),
    }
}

fn view(org: &Org, agent: Agent) -> AgentView {
    let mut needs = Vec::new();
    if agent.budget.money.is_some()
        && let Some(model) = &agent.model
        && !crate::quotas::priced(org, model)
    {
        needs.push(format!("It has a budget of money, and nobody says what {} costs: meshwork quota price.", model.name));
    }
    if org.dir.has_own_tailscaled()
        && let Some(model) = &agent.model
        && crate::gateway::is_loopback(model)
    {
        needs.push(format!(
            "{} is on loopback, which the org's network namespace has for itself: give an address of this machine in its network.",
            model.base_url
        ));
    }
    if let EngineChoice::Profile { name } = &agent.engine
        && engine::installed(name, &org.engines).is_none()
    {
        needs.push(format!("The engine is not installed here: meshwork engine install {name}."));
    }
    if let EngineChoice::Replay { recording } = &agent.engine
        && !recorded(org, recording).unwrap_or(false)
    {
        needs.push(format!("No project has a recording {recording} on its default branch: commit one, then meshwork project pull."));
    }
    if let Some(model) = &agent.model
        && org.vault.get(&model.credential).is_err()
    {
        needs.push(format!("The credential is not set here: meshwork credential set {}.", model.credential));
    }
    let used = crate::quotas::used_by(org, &agent.name).unwrap_or_default();
    AgentView { agent, needs, used }
}

async fn list(context: Context, _: Nothing) -> Result<Vec<AgentView>, Problem> {
    context.org()?.blocking(|org| Ok(org.state()?.agents.into_values().map(|a| view(org, a)).collect())).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Remove {
    name: AgentName,
}

async fn remove(context: Context, input: Remove) -> Result<Done, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let name = input.name.clone();
    let commit = org
        .blocking(move |org: &Arc<Org>| {
            let state = org.state()?;
            if !state.agents.values().any(|a| a.name == name) {
                return Err(crate::dispatch::no_agent(&name));
            }
            org.forge.change_org(&org.rid, &format!("Remove agent {name}"), &crate::members::remove_agent(&state, &name)?)
        })
        .await?;
    org.record(&actor, vec![Body::AgentSet { agent: input.name.clone(), commit }]).await?;
    Ok(Done::new(format!("The agent {} is removed.", input.name)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        assert_eq!(
            words("python3 'my agent.py' --mood \"very good\" a\\ b").unwrap(),
            ["python3", "my agent.py", "--mood", "very good", "a b"]
        );
        let problem = words("echo 'open").unwrap_err();
        assert!(problem.next.is_some(), "{problem}");
    }

    #[test]
    fn a_recording_is_a_file_of_the_project_that_is_read() {
        for good in [None, Some(".meshwork/tape.jsonl"), Some("specs/{task}.jsonl")] {
            assert!(recording(good).is_ok(), "{good:?}");
        }
        for bad in ["/nonexist", "tape.jsonl", ".meshwork/../tape", ".meshworked/tape", ""] {
            assert!(recording(Some(bad)).unwrap_err().next.is_some(), "{bad}");
        }
    }
}
