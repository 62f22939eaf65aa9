//! Credentials at work: how the gateway gets the key of a model, and whether a credential is good.

use crate::{
    clock,
    gateway::{KeySource, Login},
    limits,
    org::Org,
};
use domain::{
    AgentName, CredentialName, Kind, Problem, ProjectName, Timestamp,
    agent::Model,
    event::{Body, Event, kind},
};
use identity::{
    Secret,
    vault::{CredentialInfo, CredentialKind},
};
use sandbox::Finding;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use store::Order;

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

/// Takes the credentials out of the vault that were removed, as the journal says, and came back with an older disk: the journal has what
/// others held of it, while nobody else has the vault. May be one that was removed because it is in wrong hands.
///
/// # Errors
/// When the vault or the journal cannot be read or written.
pub(crate) async fn take_out_removed(org: &Arc<Org>) -> Result<(), Problem> {
    for name in org.blocking(|org| removed(org)).await? {
        tracing::warn!(%name, "a credential that had been removed was here again, as on a disk that was put back; it is taken out");
        // First: after a crash in between it is done, and told, once more.
        org.record(&org.device, vec![Body::CredentialRemoved { name: name.clone() }]).await?;
        org.blocking(move |org| org.vault.remove(&name)).await?;
    }
    Ok(())
}

/// The credentials that are here, and were removed since they were set.
fn removed(org: &Org) -> Result<Vec<CredentialName>, Problem> {
    let mut all = vec![];
    for info in org.vault.list()? {
        let last: Option<Event> = org.store.get(kind::CREDENTIAL, info.name.as_str())?;
        // One that was set after that, and not journaled before a crash, stays.
        if last.is_some_and(|last| matches!(last.body, Body::CredentialRemoved { .. }) && info.created <= last.at) {
            all.push(info.name);
        }
    }
    Ok(all)
}

/// That credentials were taken out which had come back: a finding for each, for some days.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn taken_out(org: &Org) -> Result<Vec<Finding>, Problem> {
    let last: Vec<Event> = org.store.list(kind::CREDENTIAL, Order::Newest, limits::CREDENTIALS_TOLD_MAX)?;
    let now = clock::now();
    let finding = |event: Event| {
        let told = now < event.at.plus_ms(limits::CREDENTIAL_TOLD_DAYS * 24 * 60 * 60 * 1000);
        match event.body {
            // A person comes in by some door.
            Body::CredentialRemoved { name } if told && event.via.is_none() => Some(Finding {
                what: format!("credential {name}"),
                ok: true,
                detail: format!(
                    "It had been removed before the disk of this device was put back, and was here again with that; it was taken out at \
                     {}. Until then runs could use it.",
                    event.at.minute()
                ),
                next: Some("Where it was removed because somebody else has it, take it back at its provider too.".into()),
            }),
            _ => None,
        }
    };
    Ok(last.into_iter().filter_map(finding).collect())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::Opened;
    use domain::actor::{Actor, Door, Via};
    use identity::vault::Credential;

    fn name(text: &str) -> CredentialName {
        text.parse().unwrap()
    }

    fn keep(org: &Org, text: &str, created: Timestamp) {
        let info = CredentialInfo { name: name(text), kind: CredentialKind::ApiKey, provider: None, scopes: vec![], created };
        org.vault.set(Credential { info, secret: "a key".into() }).unwrap();
    }

    #[tokio::test]
    async fn a_removed_credential_that_came_back_with_an_older_disk_is_taken_out_and_told() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let person = Actor { did: org.member.clone(), via: Some(Via { door: Door::Cli, token: None }) };
        let set = |text| Body::CredentialSet { name: name(text) };
        let gone = |text| Body::CredentialRemoved { name: name(text) };
        let before = clock::now();
        let said = vec![set("leaked"), set("again"), set("kept"), gone("leaked"), gone("again"), set("again"), gone("new"), gone("away")];
        org.record(&person, said).await.unwrap();
        for text in ["leaked", "again", "kept"] {
            keep(org, text, before);
        }
        // It was set, and there was a crash before that was journaled.
        keep(org, "new", clock::now().plus_ms(60_000));
        take_out_removed(org).await.unwrap();
        let here = || org.vault.list().unwrap().into_iter().map(|info| info.name.to_string()).collect::<Vec<_>>();
        assert_eq!(here(), ["again", "kept", "new"]);
        let told: Vec<String> = taken_out(org).unwrap().into_iter().map(|finding| finding.what).collect();
        assert_eq!(told, ["credential leaked"]);

        // It is set anew, and no more is said of it.
        keep(org, "leaked", clock::now());
        org.record(&person, vec![set("leaked")]).await.unwrap();
        take_out_removed(org).await.unwrap();
        assert!(here().contains(&"leaked".to_owned()) && taken_out(org).unwrap().is_empty());
    }
}
