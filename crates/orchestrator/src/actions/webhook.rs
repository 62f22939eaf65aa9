//! The webhook: set, tried, told of.

use super::{Done, Nothing};
use crate::{
    clock,
    table::{Action, Context, Effect, action},
    webhook::{self, Delivery},
};
use domain::{Problem, event::Body, role::Permission};
use identity::{
    Secret,
    vault::{Credential, CredentialInfo, CredentialKind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    let may = Permission::ManageCredentials;
    vec![
        action("webhook.show", Reads, may, "Where what waits for a person is posted to, and how that last went.", show),
        action("webhook.set", Changes, may, "Post what waits for a person to an address.", set),
        action("webhook.test", Changes, may, "Post a test to the webhook.", test),
    ]
}

/// The webhook; its address is not shown, since whoever has it can post there.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    /// The address's host; nothing where none is set.
    host: Option<String>,
    /// How the last delivery since the start went.
    last: Option<Delivery>,
}

async fn show(context: Context, _: Nothing) -> Result<Shown, Problem> {
    let org = context.org()?;
    let host = org.blocking(|org| Ok(webhook::address(org)?.and_then(|url| url.host_str().map(str::to_owned)))).await?;
    Ok(Shown { last: org.webhook.last().filter(|_| host.is_some()), host })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    /// The address, as `https://host/path`; empty to have none.
    url: String,
}

async fn set(context: Context, input: Set) -> Result<Done, Problem> {
    let (org, name) = (context.org()?, webhook::credential()?);
    let actor = context.actor(&org);
    if input.url.trim().is_empty() {
        let gone = name.clone();
        org.blocking(move |org| org.vault.remove(&gone)).await?;
        org.record(&actor, vec![Body::CredentialRemoved { name }]).await?;
        return Ok(Done::new("There is no webhook any more."));
    }
    let url = webhook::parse(input.url.trim())?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let info = CredentialInfo {
        name: name.clone(),
        kind: CredentialKind::Generic,
        provider: Some(host.clone()),
        scopes: vec![],
        created: clock::now(),
    };
    let credential = Credential { info, secret: Secret::new(url.into()) };
    org.blocking(move |org| org.vault.set(credential)).await?;
    org.record(&actor, vec![Body::CredentialSet { name }]).await?;
    Ok(Done::new(format!("What waits for a person is posted to {host} from now on.")))
}

async fn test(context: Context, _: Nothing) -> Result<Done, Problem> {
    let org = context.org()?;
    if org.blocking(|org| webhook::address(org)).await?.is_none() {
        return Err(Problem::not_found("There is no webhook.").next("Set one first."));
    }
    webhook::deliver(&org, "A test: this is where what waits for a person comes.", None).await?;
    Ok(Done::new("The test was taken."))
}
