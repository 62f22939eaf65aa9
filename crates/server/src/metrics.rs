//! `/metrics`: what there is to count, in the OpenMetrics text form.

use crate::{error::Refusal, router::Doors};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use domain::Problem;
use orchestrator::limits::RUNS_MAX;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    class: String,
    state: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    reason: String,
}

/// `GET /metrics`
pub(crate) async fn metrics(State(doors): State<Doors>, headers: HeaderMap) -> Result<Response, Refusal> {
    orchestrator::rights::check_named(&doors.machine, &doors.gate.caller(&headers)?, "device.capacity").await?;
    let org = doors.machine.org()?;
    let text = org
        .blocking(|org| {
            let runs = org.runs(RUNS_MAX)?;
            let mut registry = Registry::with_labels([("org".into(), org.name.to_string().into())].into_iter());
            let by_state = Family::<Labels, Gauge>::default();
            let tokens: Gauge = Gauge::default();
            for run in &runs {
                let label = |v: serde_json::Value| v.as_str().unwrap_or_default().to_owned();
                let labels = Labels { class: label(serde_json::json!(run.class)), state: label(serde_json::json!(run.state)) };
                by_state.get_or_create(&labels).inc();
                tokens.inc_by(i64::try_from(run.usage.tokens()).unwrap_or(i64::MAX));
            }
            let journal: Gauge = Gauge::default();
            journal.set(i64::try_from(org.store.head()?.seq.0).unwrap_or(i64::MAX));
            registry.register("meshwork_runs", "Runs by class and state", by_state);
            registry.register("meshwork_model_tokens", "Tokens that runs used, as their providers count", tokens);
            registry.register("meshwork_journal_events", "Events in this device's journal", journal);
            let dropped = Family::<Why, Counter>::default();
            for (reason, count) in orchestrator::remote::gossip_dropped(org) {
                dropped.get_or_create(&Why { reason: reason.into() }).inc_by(count);
            }
            registry.register("meshwork_gossip_dropped", "What of other devices' gossip was not taken, by reason", dropped);
            let mut text = String::new();
            encode(&mut text, &registry).map_err(Problem::internal)?;
            Ok(text)
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
