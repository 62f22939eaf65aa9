//! Credentials at work: how the gateway gets the key of a model, and whether a credential is good.

use crate::{
    gateway::{KeySource, Login},
    org::Org,
};
use domain::{AgentName, Kind, Problem, ProjectName, Timestamp, agent::Model};
use identity::{
    Secret,
    vault::{CredentialInfo, CredentialKind},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Fetches the key of a model from the vault for each call, if `allows` lets it be used there; renews it where it is a login.
pub(crate) fn key_source(
    org: &Arc<Org>,
    model: Option<&Model>,
    allows: impl Fn(&CredentialInfo) -> Result<(), Problem> + Send + Sync + 'static,
) -> KeySource {
    let (org, wanted, allows) = (Arc::downgrade(org), model.map(|m| m.credential.clone()), Arc::new(allows));
    Arc::new(move |refused: Option<Secret>| {
        let (org, wanted, allows) = (org.upgrade(), wanted.clone(), Arc::clone(&allows));
        Box::pin(async move {
            let org = org.ok_or_else(|| Problem::unavailable("The orchestrator is closing."))?;
            let name = wanted.ok_or_else(|| {
                Problem::conflict("This agent has no model.").next("Give it one: meshwork agent add NAME --model MODEL --credential NAME.")
            })?;
            let looked_up = name.clone();
            let found = org.blocking(move |org| org.vault.get(&looked_up)).await?;
            allows(&found.info)?;
            opens_models(&found.info)?;
            match found.info.kind {
                CredentialKind::Login => org.logins.grant(&org.vault, &org.http, &name, refused.as_ref()).await,
                _ => Ok(found.secret.into()),
            }
        })
    })
}

/// Refuses a run for which a credential is not meant.
///
/// # Errors
/// Then.
pub(crate) fn for_run(info: &CredentialInfo, project: &ProjectName, agent: Option<&AgentName>) -> Result<(), Problem> {
    if info.allows(project, agent) {
        return Ok(());
    }
    Err(Problem::new(Kind::Forbidden, format!("The credential {} may not be used in this run.", info.name))
        .next("Its scopes name other projects or agents: meshwork credential list."))
}

/// Refuses a run whose model cannot be called from here.
///
/// # Errors
/// When the credential that the model asks for is not here, or not meant for this run.
pub(crate) fn here(org: &Org, model: &Model, project: &ProjectName, agent: Option<&AgentName>) -> Result<(), Problem> {
    let found = org.vault.get(&model.credential)?;
    for_run(&found.info, project, agent)?;
    opens_models(&found.info)
}

/// What is kept for something else never goes to a model's provider.
fn opens_models(info: &CredentialInfo) -> Result<(), Problem> {
    match info.kind {
        _ if info.name.as_str() == crate::tailnet::CREDENTIAL => {
            Err(Problem::new(Kind::Forbidden, format!("The credential {} is the tailnet's.", info.name))
                .next("Set the model's key under another name: meshwork credential set."))
        }
        CredentialKind::GitHost | CredentialKind::RadiclePassphrase | CredentialKind::Obsidian => {
            Err(Problem::new(Kind::Forbidden, format!("The credential {} is not for models.", info.name))
                .next("Set the model's key under another name: meshwork credential set."))
        }
        CredentialKind::ApiKey | CredentialKind::Token | CredentialKind::Login | CredentialKind::Generic => Ok(()),
    }
}

/// How a login stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LoginStatus {
    /// What sort it is, in words; or why it cannot be used.
    pub(crate) what: String,
    /// Whether it can be read.
    pub(crate) good: bool,
    /// Until when its access lasts; it is renewed before. None: its provider is asked at the next use.
    pub(crate) until: Option<Timestamp>,
}

/// How a login stands, by itself: nobody is asked.
pub(crate) fn login_status(secret: &Secret) -> LoginStatus {
    match Login::parse(secret) {
        Ok(login) => LoginStatus { what: login.words().into(), good: true, until: login.until() },
        Err(problem) => LoginStatus { what: problem.what, good: false, until: None },
    }
}
