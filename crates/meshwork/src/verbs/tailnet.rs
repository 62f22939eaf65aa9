//! What the verbs of the tailnet do, and the API key of its server.

use super::{Outcome, standard_input};
use crate::{
    cli,
    client::Client,
    output::{answer, at, say},
    paint::{Sheet, Tone, cell, paint, table, toned},
    text::{ago, clean, now},
};
use domain::{Problem, Timestamp};
use identity::Secret;
use serde_json::{Value, json};
use std::process::ExitCode;

/// The variable that has the API key, for scripts.
const KEY_VARIABLE: &str = "MESHWORK_HEADSCALE_API_KEY";

/// Carries out what was asked.
pub(super) async fn tailnet(client: &Client, asked: cli::Tailnet, json: bool) -> Outcome {
    match asked {
        cli::Tailnet::Status => answer(&client.call("tailnet.status", json!({})).await?, json, shown),
        cli::Tailnet::Who { address } => {
            let who = |v: &Value| clean(&format!("{} of {}", at(v, &["name"]), at(v, &["owner"])));
            answer(&client.call("tailnet.who", json!({ "address": address })).await?, json, who);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The API key of a Headscale server: from the environment, else from standard input or the person.
pub(super) fn api_key() -> Result<Option<Secret>, Problem> {
    let text = match std::env::var(KEY_VARIABLE) {
        Ok(text) => text,
        Err(_) => standard_input("the API key of the Headscale server (headscale apikeys create)")?,
    };
    Ok(Some(text.trim().to_owned()).filter(|key| !key.is_empty()).map(Secret::new))
}

/// Says below a list of devices that the tailnet is not in order, where it is not: its server, or tailscaled here.
pub(super) async fn warn(client: &Client, json: bool) {
    if json {
        return;
    }
    let status = client.call("tailnet.status", json!({})).await.unwrap_or_default();
    if status["wrong"].is_object() {
        say(&paint(Tone::Bad, &clean(&format!("{} What runs goes on; nobody new gets in.", at(&status, &["wrong", "what"])))));
    }
}

fn shown(status: &Value) -> String {
    if status["server"].is_null() {
        return "The org has no tailnet: its devices reach each other directly.".into();
    }
    let moment = |key: &str| status[key].as_i64().map(|ms| ago(Timestamp(ms), now()));
    let reached = match status["reachable"].as_bool() {
        Some(true) => "reached".to_owned(),
        Some(false) => {
            let since = moment("reached_at").map(|at| format!("; it answered {at}")).unwrap_or_default();
            let why = [&["problem", "what"], &["problem", "why"]].map(|path| at(status, path)).join(" ");
            paint(Tone::Bad, &clean(&format!("away{since}. {why} What runs goes on.")))
        }
        None => "not asked yet".to_owned(),
    };
    let here = &status["here"];
    let texts = |value: &Value| value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(clean)).collect::<Vec<_>>().join(", ");
    let own = match here["problem"].is_null() {
        true => format!("{} {}", at(here, &["state"]), texts(&here["addresses"])),
        false => paint(Tone::Bad, &clean(&format!("{} {}", at(here, &["problem", "what"]), at(here, &["problem", "next"])))),
    };
    let row = |node: &Value| {
        let online = if node["online"] == true { toned(Tone::Good, "online") } else { cell("away") };
        vec![
            cell(clean(&at(node, &["name"]))),
            online,
            cell(texts(&node["addresses"])),
            cell(texts(&node["tags"])),
            cell(clean(&at(node, &["device"]))),
            cell(clean(&at(node, &["owner"]))),
        ]
    };
    let rows: Vec<_> = status["nodes"].as_array().into_iter().flatten().map(row).collect();
    let server = if status["managed"] == true { " (run by this device)" } else { "" };
    let machine = if here["own"] == true { "this org here" } else { "this machine" };
    let mut sheet = Sheet::new(format!("Tailnet of {}{server}", at(status, &["server"]))).part("server", reached).part(machine, own);
    if let Some(said) = here["health"].as_array().filter(|said| !said.is_empty()) {
        sheet = sheet.part("health", texts(&Value::from(said.clone())));
    }
    if status["opened"].as_array().is_some_and(|rules| !rules.is_empty()) {
        sheet = sheet.part("opened by hand", texts(&status["opened"]));
    }
    sheet.section("Machines", table(&["NAME", "STATE", "ADDRESSES", "TAGS", "DEVICE", "OWNER"], &rows)).text()
}
