//! The webhook: what waits for a person is also posted to an address, as JSON, where the owner set one. The address lies in
//! the vault, since whoever has it can post there. What could not be delivered still waits in the dashboard.

use crate::{
    actions::attention::{self, Item},
    clock, limits,
    org::Org,
};
use domain::{CredentialName, Kind, Problem, Timestamp, event::Body};
use reqwest::Url;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use store::Seq;

/// The name under which the vault keeps the address.
const CREDENTIAL: &str = "webhook";

/// How the last delivery went.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Delivery {
    /// When.
    pub at: Timestamp,
    /// Whether it was taken.
    pub good: bool,
    /// What was delivered, or why it was not taken.
    pub text: String,
}

/// What is remembered of deliveries.
#[derive(Debug, Default)]
pub struct Webhook {
    last: Mutex<Option<Delivery>>,
}

impl Webhook {
    /// How the last delivery since the start went.
    pub fn last(&self) -> Option<Delivery> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The vault's name for the address.
pub(crate) fn credential() -> Result<CredentialName, Problem> {
    CREDENTIAL.parse()
}

/// An address as a person typed it.
pub(crate) fn parse(text: &str) -> Result<Url, Problem> {
    let wrong =
        |why: String| Problem::invalid("The webhook's address is not in order.").because(why).next("Give one as https://host/path.");
    let url = Url::parse(text).map_err(|e| wrong(format!("{e}.")))?;
    match (url.scheme(), url.host_str()) {
        ("https" | "http", Some(_)) => Ok(url),
        _ => Err(wrong("It must begin with https:// or http:// and name a host.".into())),
    }
}

/// The address, where one is set.
pub(crate) fn address(org: &Org) -> Result<Option<Url>, Problem> {
    match org.vault.get(&credential()?) {
        Ok(kept) => parse(kept.secret.expose()).map(Some),
        Err(problem) if problem.kind == Kind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Delivers what newly waits for a person, until the org closes.
pub(crate) async fn follow(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    tokio::select! {
        _ = closing.wait_for(|closed| *closed) => {}
        ended = deliver_all(&org) => {
            if let Err(problem) = ended {
                tracing::warn!(%problem, "the webhook follows the journal no more");
            }
        }
    }
}

async fn deliver_all(org: &Arc<Org>) -> Result<(), Problem> {
    let mut follower = org.store.follow(org.store.last());
    // What was told already; nothing while there is nobody to tell.
    let mut told: Option<BTreeSet<String>> = None;
    // How much of the journal was there when it was looked last: of many events at once one look sees all.
    let mut looked = Seq(0);
    loop {
        let recorded = follower.next().await?;
        if recorded.seq <= looked || !concerns(&recorded.event.body) {
            continue;
        }
        let items = match org.blocking(|org| Ok((org.store.last(), waiting(org)?))).await {
            Ok((seen, items)) => {
                looked = seen;
                let Some(items) = items else {
                    told = None;
                    continue;
                };
                items
            }
            Err(problem) => {
                tracing::warn!(%problem, "what waits for a person could not be read; the next event tries again");
                continue;
            }
        };
        // What waited before the first event that is looked at is not news.
        let known = told.take().unwrap_or_else(|| items.iter().filter(|i| i.since < recorded.event.at).map(Item::key).collect());
        for item in items.iter().filter(|item| !known.contains(&item.key())) {
            // How it went is shown with the webhook.
            let _ = deliver(org, &item.sentence(), Some(item)).await;
        }
        told = Some(items.iter().map(Item::key).collect());
    }
}

/// What waits for a person, where there is an address to tell it to.
fn waiting(org: &Arc<Org>) -> Result<Option<Vec<Item>>, Problem> {
    if address(org)?.is_none() { Ok(None) } else { attention::items(org).map(Some) }
}

/// Whether an event may have made somebody wait.
fn concerns(body: &Body) -> bool {
    matches!(
        body,
        Body::QuestionAsked { .. }
            | Body::PatchPublished { .. }
            | Body::PatchReviewed { .. }
            | Body::RunMoved { .. }
            | Body::ChecksEnded { .. }
            | Body::PatchMerged { .. }
            | Body::PatchReopened { .. }
    )
}

/// Posts a sentence, with the thing itself beside it; tries again a few times. Nothing happens where no address is set.
///
/// # Errors
/// When it was not taken.
pub(crate) async fn deliver(org: &Arc<Org>, text: &str, item: Option<&Item>) -> Result<(), Problem> {
    let Some(url) = org.blocking(|org| address(org)).await? else { return Ok(()) };
    let body = serde_json::json!({ "text": text, "org": org.name, "waits": item });
    let mut outcome = post(org, &url, &body).await;
    for wait in limits::WEBHOOK_AGAIN_AFTER {
        if outcome.is_ok() {
            break;
        }
        tokio::time::sleep(wait).await;
        outcome = post(org, &url, &body).await;
    }
    let (good, text) = match &outcome {
        Ok(()) => (true, text.to_owned()),
        Err(problem) => (false, problem.to_string()),
    };
    *org.webhook.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Delivery { at: clock::now(), good, text });
    outcome
}

async fn post(org: &Org, url: &Url, body: &serde_json::Value) -> Result<(), Problem> {
    // Only the host is ever told: the rest of the address is the secret.
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |why: String| {
        Problem::new(Kind::Unavailable, format!("{host} did not take a message of the webhook."))
            .because(why)
            .next("See whether the address is right, and set it again: meshwork call webhook.set.")
    };
    let sent = org.http.0.post(url.clone()).json(body).timeout(limits::WEBHOOK_TIMEOUT).send().await;
    match sent.map_err(|e| failed(e.without_url().to_string()))?.status() {
        status if status.is_success() => Ok(()),
        status => Err(failed(format!("It answered {status}."))),
    }
}
