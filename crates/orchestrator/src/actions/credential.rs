//! Credentials: kept encrypted on this machine, never shown again.

use super::{Done, Nothing};
use crate::{
    clock,
    table::{Action, Context, Effect, action},
};
use domain::{AgentName, CredentialName, Problem, ProjectName, event::Body, role::Permission};
use identity::{
    Secret,
    vault::{Credential, CredentialInfo, CredentialKind, CredentialScope},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("credential.set", Changes, Permission::ManageCredentials, "Keep a credential in this machine's vault.", set),
        action("credential.list", Reads, Permission::ManageCredentials, "List the names of the credentials.", list),
        action("credential.test", Reads, Permission::ManageCredentials, "Ask the provider whether a credential is good.", test),
        action("credential.remove", Changes, Permission::ManageCredentials, "Forget a credential.", remove),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    name: CredentialName,
    /// The secret.
    value: String,
    #[serde(default)]
    kind: Option<CredentialKind>,
    /// Whose it is, as `openai`.
    #[serde(default)]
    provider: Option<String>,
    /// Only in runs of these projects.
    #[serde(default)]
    projects: Vec<ProjectName>,
    /// Only in runs of these agents.
    #[serde(default)]
    agents: Vec<AgentName>,
}

async fn set(context: Context, input: Set) -> Result<Done, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let name = input.name.clone();
    let scopes =
        input.projects.into_iter().map(CredentialScope::Project).chain(input.agents.into_iter().map(CredentialScope::Agent)).collect();
    let info = CredentialInfo {
        name: input.name,
        kind: input.kind.unwrap_or(CredentialKind::ApiKey),
        provider: input.provider,
        scopes,
        created: clock::now(),
    };
    let credential = Credential { info, secret: Secret::new(input.value) };
    org.blocking(move |org| org.vault.set(credential)).await?;
    org.record(&actor, vec![Body::CredentialSet { name: name.clone() }]).await?;
    Ok(Done::new(format!("The credential {name} is set. It is encrypted on this machine, and never leaves it but to its provider.")))
}

async fn list(context: Context, _: Nothing) -> Result<Vec<CredentialInfo>, Problem> {
    context.org()?.blocking(|org| org.vault.list()).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    name: CredentialName,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Tested {
    /// Whether the provider took it.
    good: bool,
    /// What was found, in words.
    message: String,
}

async fn test(context: Context, input: Named) -> Result<Tested, Problem> {
    let org = context.org()?;
    let wanted = input.name.clone();
    let (secret, model) = org
        .blocking(move |org| {
            let secret = org.vault.get(&wanted)?.secret;
            let model = org.state()?.agents.into_values().filter_map(|a| a.model).find(|m| m.credential == wanted);
            Ok((secret, model))
        })
        .await?;
    let Some(model) = model else {
        return Ok(Tested {
            good: true,
            message: format!("The credential {} can be read. No agent uses it, so no provider was asked.", input.name),
        });
    };
    let answer = org.http.probe(&model, secret).await;
    Ok(match answer {
        Ok(message) => Tested { good: true, message },
        Err(problem) => Tested { good: false, message: problem.to_string() },
    })
}

async fn remove(context: Context, input: Named) -> Result<Done, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let name = input.name.clone();
    let users = org
        .blocking(move |org| {
            org.vault.remove(&name)?;
            let agents = org.state()?.agents.into_values();
            Ok(agents.filter(|a| a.model.as_ref().is_some_and(|m| m.credential == name)).map(|a| a.name.to_string()).collect::<Vec<_>>())
        })
        .await?;
    org.record(&actor, vec![Body::CredentialRemoved { name: input.name.clone() }]).await?;
    let forgotten = format!("The credential {} is forgotten.", input.name);
    Ok(Done::new(match users.as_slice() {
        [] => forgotten,
        users => {
            format!("{forgotten} These agents still name it, and cannot reach their model until it is set again: {}.", users.join(", "))
        }
    }))
}
