//! What the verbs of stop orders do.

use super::Outcome;
use crate::{
    cli,
    client::Client,
    output::{answer, at},
    text::clean,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Carries out what was asked.
pub(super) async fn stop(client: &Client, asked: cli::Stop, json: bool) -> Outcome {
    match asked {
        cli::Stop::Order { what, why } => {
            let input = json!({"agent": what.agent, "member": what.member, "device": what.device, "org": what.everything, "why": why});
            answer(&client.call("stop.order", input).await?, json, |stop| format!("Halted. {}", line(stop)));
        }
        cli::Stop::Lift { id } => answer(&client.call("stop.lift", json!({ "id": id })).await?, json, |v| at(v, &["message"])),
        cli::Stop::List => answer(&client.call("stop.list", json!({})).await?, json, listed),
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(stops: &Value) -> String {
    let lines: Vec<String> = stops.as_array().into_iter().flatten().map(line).collect();
    if lines.is_empty() { "There are no stop orders.".into() } else { lines.join("\n") }
}

fn line(stop: &Value) -> String {
    let (order, scope) = (&stop["order"], &stop["order"]["scope"]);
    let name = scope["name"].as_str().map(|name| format!(" {}", clean(name))).unwrap_or_default();
    let state = if stop["lifted_by"].is_null() { "in force" } else { "lifted" };
    format!("{}  {state}  {}{name}: {}", at(order, &["id"]), at(scope, &["what"]), clean(&at(order, &["why"])))
}
