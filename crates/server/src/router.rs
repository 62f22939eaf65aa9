//! What is served where. Reads as a table of contents.

use crate::{api, auth::Gate, error::Refusal, events, fan::Fan, limits, mcp, metrics, openapi, page};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use domain::Problem;
use orchestrator::machine::Machine;
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
    let doors = Doors { machine, gate, streams: Arc::new(Semaphore::new(limits::STREAMS_MAX)), fan: Arc::default() };
    Router::new()
        .route("/", get(page::home))
        .route("/sign-in", get(page::sign_in))
        .route("/sign-out", post(page::sign_out))
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
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(doors.clone(), guard))
        .with_state(doors)
}

/// Refuses what another page made a browser send, and says to browsers what our pages may do.
async fn guard(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    if let Err(problem) = doors.gate.same_origin(request.headers()) {
        return Refusal(problem).into_response();
    }
    // Strangers get nothing but these; what they send is not even read.
    let open = ["/", "/health", "/sign-in"].contains(&request.uri().path());
    if !open && let Err(problem) = doors.gate.caller(request.headers()) {
        return Refusal(problem).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
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
    Json(serde_json::json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "org": org.as_ref().map(|o| o.name.clone()),
        "radicle_node": node,
        "runs": org.as_ref().map(|o| o.hub.all().len()),
    }))
    .into_response()
}

async fn link(State(doors): State<Doors>, headers: HeaderMap) -> Result<Json<serde_json::Value>, Refusal> {
    doors.gate.caller(&headers)?.may(domain::role::Permission::ManageTokens)?;
    Ok(Json(serde_json::json!({ "url": doors.gate.link()? })))
}

async fn document(State(doors): State<Doors>, headers: HeaderMap) -> Result<Json<serde_json::Value>, Refusal> {
    doors.gate.caller(&headers)?;
    Ok(Json(openapi::document()))
}

async fn unknown(State(doors): State<Doors>, headers: HeaderMap) -> Refusal {
    // Strangers do not learn what there is.
    match doors.gate.caller(&headers) {
        Ok(_) => Refusal(Problem::not_found("There is nothing at this address.").next("GET /openapi.json lists what there is.")),
        Err(problem) => Refusal(problem),
    }
}
