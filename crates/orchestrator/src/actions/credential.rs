//! Credentials: kept encrypted on this machine, never shown again.

use super::{Done, Nothing};
use crate::{
    clock,
    credentials::{self, LoginStatus},
    table::{Action, Context, Effect, action},
    tailnet,
    unlock::{self, Protection},
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
        action("credential.protect", Changes, Permission::ManageCredentials, "Say what unlocks the vault when Meshwork starts.", protect),
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
    let (name, named) = (input.name.clone(), input.provider.clone());
    let server = match name.as_str() == tailnet::CREDENTIAL {
        true => Some(org.blocking(move |org| tailnet::server_of_key(org, named.as_deref())).await?),
        false => None,
    };
    let scopes =
        input.projects.into_iter().map(CredentialScope::Project).chain(input.agents.into_iter().map(CredentialScope::Agent)).collect();
    let info = CredentialInfo {
        name: input.name,
        kind: input.kind.unwrap_or(CredentialKind::ApiKey),
        provider: server.as_ref().map(ToString::to_string).or(input.provider),
        scopes,
        created: clock::now(),
    };
    let secret = Secret::new(input.value);
    if info.kind == CredentialKind::Login {
        // Said now rather than in the middle of a run.
        let status = credentials::login_status(&secret);
        if !status.good {
            return Err(
                Problem::invalid(status.what).next("Give the file that the engine wrote when you signed in: codex login, or copilot.")
            );
        }
    }
    let credential = Credential { info, secret };
    org.blocking(move |org| org.vault.set(credential)).await?;
    org.record(&actor, vec![Body::CredentialSet { name: name.clone() }]).await?;
    let mut told = format!("The credential {name} is set. It is encrypted on this machine, and never leaves it but to its provider.");
    if let Some(server) = server {
        org.tailnet.wake.notify_one();
        told.push_str(&format!(" It is for {server} alone."));
        if let Some(clear) = tailnet::key_in_the_clear(&org, &server) {
            told.push_str(&format!(" Note: {clear}."));
        }
    }
    Ok(Done::new(told))
}

/// What may be seen of a credential, and how it stands.
#[derive(Serialize, JsonSchema)]
struct CredentialView {
    #[serde(flatten)]
    info: CredentialInfo,
    /// Of a login: how it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<LoginStatus>,
}

async fn list(context: Context, _: Nothing) -> Result<Vec<CredentialView>, Problem> {
    let view = |org: &std::sync::Arc<crate::org::Org>| {
        let login = |info: &CredentialInfo| -> Result<Option<LoginStatus>, Problem> {
            if info.kind != CredentialKind::Login {
                return Ok(None);
            }
            Ok(Some(credentials::login_status(&org.vault.get(&info.name)?.secret)))
        };
        org.vault.list()?.into_iter().map(|info| Ok(CredentialView { login: login(&info)?, info })).collect()
    };
    context.org()?.blocking(view).await
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
    let (found, model) = org
        .blocking(move |org| {
            let found = org.vault.get(&wanted)?;
            let model = org.state()?.agents.into_values().filter_map(|a| a.model).find(|m| m.credential == wanted);
            Ok((found, model))
        })
        .await?;
    let secret = match found.info.kind {
        // The way of every call: renewed where its time is over.
        CredentialKind::Login => match org.logins.grant(&org.vault, &org.http, &input.name, None).await {
            Ok(granted) => granted.key,
            Err(problem) => return Ok(Tested { good: false, message: problem.to_string() }),
        },
        CredentialKind::GitHost => return Ok(tested(org.http.probe_git(&input.name, found.info.provider.as_deref(), &found.secret).await)),
        _ => found.secret,
    };
    let Some(model) = model else {
        return Ok(Tested {
            good: true,
            message: format!("The credential {} can be read. No agent uses it, so no provider was asked.", input.name),
        });
    };
    Ok(tested(org.http.probe(&model, secret).await))
}

fn tested(answer: Result<String, Problem>) -> Tested {
    match answer {
        Ok(message) => Tested { good: true, message },
        Err(problem) => Tested { good: false, message: problem.to_string() },
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Protect {
    /// What unlocks it.
    by: Protection,
    /// The passphrase, where it is one.
    #[serde(default)]
    passphrase: Option<String>,
}

async fn protect(context: Context, input: Protect) -> Result<Done, Problem> {
    let by = input.by;
    let passphrase = input.passphrase.map(Secret::new);
    context.org()?.blocking(move |org| unlock::protect(&org.vault, &org.dir.vault(), by, passphrase)).await?;
    Ok(Done::new(match by {
        Protection::KeyFile => "The vault opens by its key file, which only this user can read.",
        Protection::Passphrase => "The vault opens by this passphrase: start Meshwork with MESHWORK_VAULT_PASSPHRASE_FILE.",
        Protection::Keyring => "The vault opens by a passphrase in the system's keyring.",
    }))
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
