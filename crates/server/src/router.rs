//! What is served where. Reads as a table of contents.

use crate::{
    api,
    auth::Gate,
    dashboard,
    error::{Refusal, in_words},
    events,
    fan::Fan,
    limits, mcp, metrics, openapi,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use orchestrator::{data_dir, doctor, machine::Machine, org::Org, rights};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What every handler needs.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(crate) machine: Arc<Machine>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) fan: Arc<Fan>,
}

/// All doors over HTTP.
pub fn router(machine: Arc<Machine>, gate: Arc<Gate>) -> Router {
    let doors = Doors::new(machine, gate);
    Router::new()
        .route("/sign-in", get(dashboard::sign_in))
        .route("/sign-out", post(dashboard::sign_out))
        .route(dashboard::STYLE_PATH, get(dashboard::style))
        .route("/health", get(health))
        .route("/capacity", get(|s, h| short(s, h, "device.capacity", Bytes::new())))
        .route("/pods", get(|s, h| short(s, h, "device.pods", Bytes::new())))
        .route("/schedule", post(|s, h, b: Bytes| short(s, h, "device.schedule", b)))
        .route("/evict", post(|s, h, b: Bytes| short(s, h, "device.evict", b)))
        .route("/api/v1/sign-in/link", post(link))
        .route("/api/v1/run/{run}/log/events", get(events::log))
        .route("/api/v1/{resource}/{verb}", get(api::read).post(api::write))
        .route("/events", get(events::journal))
        .route("/mcp", any(mcp::serve))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(document))
        .fallback(dashboard::serve)
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(doors.clone(), guard))
        .with_state(doors)
}

impl Doors {
    /// What the handlers need.
    pub(crate) fn new(machine: Arc<Machine>, gate: Arc<Gate>) -> Self {
        Self { machine, gate, streams: Arc::new(Semaphore::new(limits::STREAMS_MAX)), fan: Arc::default() }
    }
}

/// Lets in who may, and says to browsers what our pages may do.
pub(crate) async fn guard(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let mut response = match refused(&doors, &request) {
        Some(refusal) => refusal,
        None => in_words(next.run(request).await),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, dashboard::CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// What another page made a browser send is refused; strangers get nothing but these, and what they send is not even read.
fn refused(doors: &Doors, request: &Request) -> Option<Response> {
    if let Err(problem) = doors.gate.same_origin(request.method(), request.headers()) {
        return Some(Refusal(problem).into_response());
    }
    if ["/health", "/sign-in", dashboard::STYLE_PATH].contains(&request.uri().path()) {
        return None;
    }
    let problem = doors.gate.caller(request.headers()).err()?;
    let visit = dashboard::is_visit(request.method(), request.headers());
    Some(if visit { dashboard::stranger(&problem) } else { Refusal(problem).into_response() })
}

async fn short(
    State(doors): State<Doors>,
    headers: HeaderMap,
    name: &'static str,
    body: Bytes,
) -> Result<Json<serde_json::Value>, Refusal> {
    api::named(doors, headers, name, &body).await
}

/// Strangers learn only that the server answers.
async fn health(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    if doors.gate.caller(&headers).is_err() {
        return "ok".into_response();
    }
    let org = doors.machine.org().ok();
    let node = org.as_ref().and_then(|org| org.node().ok().map(|node| node.health().running));
    let warnings = match &org {
        Some(org) => org.blocking(|org| Ok(warnings(org))).await.unwrap_or_else(|problem| vec![problem.to_string()]),
        None => vec![],
    };
    Json(serde_json::json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "org": org.as_ref().map(|o| o.name.clone()),
        "radicle_node": node,
        "runs": org.as_ref().map(|o| o.hub.all().len()),
        "warnings": warnings,
    }))
    .into_response()
}

fn warnings(org: &Org) -> Vec<String> {
    let mut found = doctor::warnings(org);
    found.extend(data_dir::little_left(&org.dir.root));
    found
}

pub(crate) async fn link(State(doors): State<Doors>, headers: HeaderMap) -> Result<Json<serde_json::Value>, Refusal> {
    rights::check_named(&doors.machine, &doors.gate.caller(&headers)?, "token.create").await?;
    Ok(Json(serde_json::json!({ "url": doors.gate.link()? })))
}

async fn document(State(doors): State<Doors>, headers: HeaderMap) -> Result<Json<serde_json::Value>, Refusal> {
    doors.gate.caller(&headers)?;
    Ok(Json(openapi::document()))
}
