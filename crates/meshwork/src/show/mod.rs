//! What people see of each resource; scripts get JSON. One file a resource, as everywhere.

mod agent;
mod journal;
mod machine;
mod org;
mod patch;
mod project;
mod quota;
mod run;
mod task;

pub(crate) use agent::{agents, credentials, engines, tokens};
pub(crate) use journal::{events, journals, not_understood, verified};
pub(crate) use machine::{capacity, devices, findings, pods};
pub(crate) use org::{invites, joiners, joining, org, org_device, orgs, proposals, ticket};
pub(crate) use patch::{into_working_copy, merged, patch, patches, written};
pub(crate) use project::{left_out, project, projects};
pub(crate) use quota::quotas;
pub(crate) use run::{kept, run, runs, waited};
pub(crate) use task::{started, task, tasks, why};

use crate::{client::Client, text};
use domain::{Did, Problem, picture::Whose};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Reads an answer as what it is; server and command line are one program.
fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_json::from_value(value.clone()).map_err(Problem::internal)
}

/// A part of an answer.
fn typed_at<T: DeserializeOwned>(value: &Value, key: &str) -> Result<T, Problem> {
    typed(&value[key])
}

/// How far something can be relied on that another device tells, in its journal or as the one that executes: nothing while that is
/// followed, nor of a removed one, of which nothing more comes: its name says that.
fn as_of(value: &Value, names: &Names) -> String {
    let Some(whose) = away(value) else { return String::new() };
    let device = names.of(&whose.device);
    // Whoever is halted may well answer.
    let away = whose.halted.as_ref().map_or_else(|| "is away".to_owned(), |what| format!("is cut off: {}", halted(what)));
    let until = whose.until.map(|at| format!("; waited for until {}", text::until(at, text::now()))).unwrap_or_default();
    match whose.as_of {
        Some(at) => format!("as of {}, {device} {away}{until}", text::ago(at, text::now())),
        None => format!("{device} {away}{until}"),
    }
}

/// That a stop order halts something, by which devices are cut off from each other.
fn halted(what: &str) -> String {
    format!("a stop order halts {} (meshwork stop list)", text::clean(what))
}

/// The device that tells something and is away. One that was removed is not: it does not come back.
pub(crate) fn away(value: &Value) -> Option<Whose> {
    let away = |key: &str| typed_at::<Option<Whose>>(value, key).ok().flatten().filter(|whose| !whose.reachable && !whose.removed);
    away("whose").or_else(|| away("away"))
}

/// From whose journal something is known, where that is another device's.
fn known_from(value: &Value, names: &Names) -> Result<String, Problem> {
    let whose: Option<Whose> = typed_at(value, "whose")?;
    let Some(whose) = whose else { return Ok(String::new()) };
    let note = as_of(value, names);
    let journal = format!("the journal of {}", names.of(&whose.device));
    Ok(if note.is_empty() { journal } else { format!("{journal}, {note}") })
}

/// Whom keys belong to, in the org's words.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// Asks who is who; without an org nobody is.
    pub(crate) async fn ask(client: &Client) -> Self {
        let org = client.call("org.show", json!({})).await.unwrap_or_default();
        let list = |key: &str| org[key].as_array().cloned().unwrap_or_default();
        let mut names = BTreeMap::new();
        let mut add = |key: &Value, name: &Value| {
            if let (Some(key), Some(name)) = (key.as_str(), name.as_str()) {
                names.insert(key.to_owned(), text::clean(name));
            }
        };
        for device in list("devices") {
            add(&device["did"], &device["name"]);
        }
        for member in list("members") {
            for key in member["keys"].as_array().into_iter().flatten() {
                add(&key["did"], &member["name"]);
            }
        }
        for gone in list("revoked").into_iter().chain(list("ended")) {
            let named = gone["name"].as_str().map(|name| json!(format!("{name} (removed)")));
            add(&gone["did"], &named.unwrap_or_default());
        }
        Self(names)
    }

    /// The name of a key's owner, else the key in short.
    pub(crate) fn of(&self, key: &Did) -> String {
        let short = || {
            let id = key.as_str().trim_start_matches("did:key:");
            format!("{}…{}", id.get(..6).unwrap_or(id), id.get(id.len().saturating_sub(4)..).unwrap_or_default())
        };
        self.0.get(key.as_str()).cloned().unwrap_or_else(short)
    }

    /// A sentence in which keys are replaced by names.
    fn within(&self, sentence: &str) -> String {
        self.0.iter().fold(sentence.to_owned(), |text, (key, name)| domain::with_name(&text, key, name))
    }
}
