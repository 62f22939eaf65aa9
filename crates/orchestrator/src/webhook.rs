//! The webhook: what waits for a person is also posted to an address, as JSON, where the owner set one. The address lies in
//! the vault, since whoever has it can post there. What could not be delivered still waits in the dashboard.

use crate::{
    actions::attention::{self, Item},
    clock, limits,
    org::Org,
};
use domain::{CredentialName, Kind, Problem, ProjectName, Timestamp, event::Body};
use reqwest::Url;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
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

/// What was told, by its key, each with its project.
#[derive(Debug, Default)]
struct Told(BTreeMap<String, ProjectName>);

impl Told {
    /// Which of what waits now is news; all of it counts as told then. Of projects that cannot be read now, what was told stays so: it is no
    /// news when they can be again.
    fn news(&mut self, waits: BTreeMap<String, ProjectName>, unread: &BTreeSet<ProjectName>) -> BTreeSet<String> {
        let news = waits.keys().filter(|key| !self.0.contains_key(*key)).cloned().collect();
        self.0.retain(|_, project| unread.contains(project));
        self.0.extend(waits);
        news
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
    let mut told: Option<Told> = None;
    // How much of the journal was there when it was looked last: of many events at once one look sees all.
    let mut looked = Seq(0);
    loop {
        let recorded = follower.next().await?;
        if recorded.seq <= looked || !concerns(&recorded.event.body) {
            continue;
        }
        let (items, unread) = match org.blocking(|org| Ok((org.store.last(), waiting(org)?))).await {
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
        let known = told.get_or_insert_with(|| Told(keys(items.iter().filter(|item| item.since < recorded.event.at))));
        let news = known.news(keys(&items), &unread);
        for item in items.iter().filter(|item| news.contains(&item.key())) {
            // How it went is shown with the webhook.
            let _ = deliver(org, &item.sentence(), Some(item)).await;
        }
    }
}

fn keys<'a>(items: impl IntoIterator<Item = &'a Item>) -> BTreeMap<String, ProjectName> {
    items.into_iter().map(|item| (item.key(), item.project.clone())).collect()
}

/// What waits for a person, and the projects that cannot be read now.
type Waiting = (Vec<Item>, BTreeSet<ProjectName>);

/// What waits for a person, where there is an address to tell it to.
fn waiting(org: &Arc<Org>) -> Result<Option<Waiting>, Problem> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_told_of_a_project_that_cannot_be_read_for_a_while_is_not_told_again() {
        let [web, api] = ["web", "api"].map(|name| name.parse::<ProjectName>().unwrap());
        let waits = || BTreeMap::from([("one".to_owned(), web.clone()), ("two".to_owned(), api.clone())]);
        let (mut told, all) = (Told::default(), BTreeSet::new());
        assert_eq!(told.news(waits(), &all), BTreeSet::from(["one", "two"].map(String::from)));
        assert!(told.news(waits(), &all).is_empty());
        assert!(told.news(BTreeMap::new(), &BTreeSet::from([web.clone()])).is_empty());
        assert_eq!(told.news(waits(), &all), BTreeSet::from(["two".to_owned()]), "of what could be read it waits again");
    }
}
