//! The doors of a machine that is in several orgs. A request for an org goes to its process; what is asked of the machine itself is
//! answered here: which orgs there are, how they do, a new one, the installed engines, signing in.
//!
//! Which org is meant says the host name (`acme.localhost`), or the header `Meshwork-Org` at the machine's own names. Who signed in
//! to the machine is its owner, and gets a one-time link into each org; a session or token of the one is nothing in the other.

use crate::{
    api,
    auth::{Gate, ORG, host_name},
    dashboard::{self, escape, frame},
    error::Refusal,
    limits, proxy,
    router::{self, Doors},
    switch::{Place, Switch},
};
use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{FromRef, Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use domain::{Kind, OrgName, Problem};
use futures::future::join_all;
use orchestrator::{
    machine::{self, Machine},
    rights,
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::timeout;

#[derive(Clone, Debug)]
struct Front {
    doors: Doors,
    switch: Arc<Switch>,
}

impl FromRef<Front> for Doors {
    fn from_ref(front: &Front) -> Self {
        front.doors.clone()
    }
}

/// All doors of a machine with several orgs; `machine` serves none of them.
pub fn several(machine: Arc<Machine>, gate: Arc<Gate>, switch: Arc<Switch>) -> Router {
    let front = Front { doors: Doors::new(machine, gate), switch };
    Router::new()
        .route("/", get(page))
        .route("/enter/{org}", get(enter))
        .route("/sign-in", get(dashboard::sign_in))
        .route("/sign-out", post(dashboard::sign_out))
        .route(dashboard::STYLE_PATH, get(dashboard::style))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/api/v1/sign-in/link", post(router::link))
        .route("/api/v1/org/list", get(list).post(list))
        .route("/api/v1/org/create", post(anew))
        .route("/api/v1/org/join", post(anew))
        .route("/api/v1/org/joining", get(joining).post(joining))
        .route("/api/v1/org/leave", post(give_up))
        .route("/api/v1/engine/list", get(engines).post(engines))
        .route("/api/v1/engine/install", post(install))
        .fallback(which)
        .layer(middleware::from_fn_with_state(front.doors.clone(), router::guard))
        .layer(middleware::from_fn_with_state(front.clone(), to_its_org))
        .with_state(front)
}

/// Requests for an org go to its process, which lets in whom it knows.
async fn to_its_org(State(front): State<Front>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|v| v.to_str().ok()).map(host_name).unwrap_or_default();
    let by_header = request.headers().get(ORG).map(|named| String::from_utf8_lossy(named.as_bytes()).into_owned());
    let Some(org) = host.strip_suffix(".localhost").map(str::to_owned).or(by_header) else { return next.run(request).await };
    match front.switch.ready(&org).await {
        Ok(place) => proxy::pass_on(&place, request).await,
        // Who is not signed in learns no names.
        Err(problem) if problem.kind == Kind::NotFound && front.doors.gate.caller(request.headers()).is_ok() => {
            Refusal(problem.next(format!("There are: {}.", names(&front)))).into_response()
        }
        Err(problem) => Refusal(problem).into_response(),
    }
}

/// What is asked of an org, and names none.
async fn which(State(front): State<Front>, method: Method, headers: HeaderMap) -> Response {
    if dashboard::is_visit(&method, &headers) {
        return Redirect::to("/").into_response();
    }
    let problem = Problem::invalid("This machine is in several orgs, and the request names none.")
        .next(format!("Send it to <org>.localhost, or with the header “Meshwork-Org: <org>”. There are: {}.", names(&front)));
    Refusal(problem).into_response()
}

/// The orgs of the machine, for a sentence.
fn names(front: &Front) -> String {
    front.switch.joined().into_iter().map(|org| org.name.to_string()).collect::<Vec<_>>().join(", ")
}

/// Engines lie in the machine's folder, whichever org uses them: they are asked of the machine, whose owner keeps them.
async fn engines(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    api::named(front.doors, headers, "engine.list", &body).await
}

async fn install(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    api::named(front.doors, headers, "engine.install", &body).await
}

async fn list(State(front): State<Front>, headers: HeaderMap) -> Json<Vec<machine::Joined>> {
    Json(joined(&front, &headers).await)
}

/// The orgs of the machine; of each that serves, its process says whether it lists this device still.
async fn joined(front: &Front, headers: &HeaderMap) -> Vec<machine::Joined> {
    let host = headers.get(header::HOST);
    join_all(front.switch.joined().into_iter().map(|org| told(front, host, org))).await
}

async fn told(front: &Front, host: Option<&HeaderValue>, org: machine::Joined) -> machine::Joined {
    let removed = match front.switch.serving(&org.name) {
        Some(place) => timeout(limits::ORG_TELLS, removed(&place, host, &org.name)).await.unwrap_or_default(),
        None => None,
    };
    machine::Joined { removed, ..org }
}

/// What an org's process says of this device in its own list; none where it lists it, or does not answer.
async fn removed(place: &Place, host: Option<&HeaderValue>, org: &OrgName) -> Option<String> {
    let mut request = Request::get("/api/v1/org/list").body(Body::empty()).ok()?;
    request.headers_mut().extend(host.map(|host| (header::HOST, host.clone())));
    let answer = proxy::pass_on(place, as_owner(place, org.as_str(), request).ok()?).await;
    let bytes = to_bytes(answer.into_body(), limits::ANSWER_BYTES_MAX).await.ok()?;
    let orgs: Vec<machine::Joined> = serde_json::from_slice(&bytes).ok()?;
    orgs.into_iter().find(|one| one.name == *org)?.removed
}

/// The list of orgs, for people.
async fn page(State(front): State<Front>, headers: HeaderMap) -> Response {
    let line = |org: machine::Joined| {
        let name = escape(org.name.as_str());
        let removed = org.removed.map(|said| format!(": {}", escape(&said))).unwrap_or_default();
        match org.state {
            machine::State::Up => format!("<li><a href=\"/enter/{name}\">{name}</a>{removed}</li>"),
            machine::State::Starting => format!("<li><a href=\"/enter/{name}\">{name}</a>: starting</li>"),
            machine::State::Down { why, tries, pause_s } => format!(
                "<li>{name}: does not run ({}). It was tried {tries} times in a row, and is started again within {pause_s} s.</li>",
                escape(&why)
            ),
        }
    };
    let lines: String = joined(&front, &headers).await.into_iter().map(line).collect();
    let body =
        format!("<h1>Orgs of this machine</h1><p>Each is a world of its own, and opens at an address of its own.</p><ul>{lines}</ul>");
    frame("Orgs · Meshwork", &body).into_response()
}

/// `GET /enter/{org}`: who signed in to the machine gets a one-time link into an org.
async fn enter(State(front): State<Front>, Path(org): Path<String>, headers: HeaderMap) -> Result<Redirect, Refusal> {
    let place = front.switch.ready(&org).await?;
    let mut request = Request::post("/api/v1/sign-in/link").body(Body::empty()).map_err(Problem::internal)?;
    request.headers_mut().extend(headers.get(header::HOST).map(|host| (header::HOST, host.clone())));
    let answer = proxy::pass_on(&place, as_owner(&place, &org, request)?).await;
    let bytes = to_bytes(answer.into_body(), limits::ANSWER_BYTES_MAX).await.map_err(Problem::internal)?;
    let answer: Value = serde_json::from_slice(&bytes).map_err(Problem::internal)?;
    let link = answer["url"].as_str().ok_or_else(|| {
        Problem::unavailable(format!("The org {org} gives no link now.")).next("Try again in a moment; meshwork org list says how it does.")
    })?;
    Ok(Redirect::to(link))
}

/// How it stands with the org that the machine is joining, or that came last: its process says it.
async fn joining(State(front): State<Front>, headers: HeaderMap, request: Request) -> Result<Response, Refusal> {
    rights::check_named(&front.doors.machine, &front.doors.gate.caller(&headers)?, "org.joining").await?;
    if let Some(told) = front.switch.refusal() {
        return Ok(Json(told).into_response());
    }
    let org = front
        .switch
        .newest()
        .ok_or_else(|| Problem::conflict("This machine is in no org, and joins none.").next("Join one: meshwork join <ticket>."))?;
    let place = front.switch.ready(org.as_str()).await?;
    Ok(proxy::pass_on(&place, as_owner(&place, org.as_str(), request)?).await)
}

/// Joining an org is given up by the process that joins it; to leave one, it has to be named.
async fn give_up(State(front): State<Front>, headers: HeaderMap, request: Request) -> Result<Response, Refusal> {
    rights::check_named(&front.doors.machine, &front.doors.gate.caller(&headers)?, "org.leave").await?;
    let Some(org) = front.switch.joining() else { return Ok(which(State(front), Method::POST, headers).await) };
    let place = front.switch.ready(org.as_str()).await?;
    Ok(proxy::pass_on(&place, as_owner(&place, org.as_str(), request)?).await)
}

/// Another org: made or joined by the process of any, which hands it over; it then gets one of its own.
async fn anew(State(front): State<Front>, headers: HeaderMap, request: Request) -> Result<Response, Refusal> {
    let action = if request.uri().path() == "/api/v1/org/join" { "org.join" } else { "org.create" };
    rights::check_named(&front.doors.machine, &front.doors.gate.caller(&headers)?, action).await?;
    let (org, place) = front.switch.any().ok_or_else(|| {
        Problem::unavailable("No org of this machine runs now, and one of them has to make the new one.")
            .next("meshwork org list says how they do.")
    })?;
    let answer = proxy::pass_on(&place, as_owner(&place, org.as_str(), request)?).await;
    if action == "org.join" && answer.status().is_success() {
        front.switch.refused(None);
    }
    Ok(answer)
}

/// A request of the machine's owner, as the org's process knows its own.
fn as_owner(place: &Place, org: &str, mut request: Request) -> Result<Request, Problem> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(Problem::internal);
    let (token, org) = (value(&format!("Bearer {}", place.token))?, value(org)?);
    let headers = request.headers_mut();
    headers.remove(header::COOKIE);
    headers.remove(header::ORIGIN);
    headers.insert(header::AUTHORIZATION, token);
    headers.insert(ORG, org);
    Ok(request)
}

/// Strangers learn only that the server answers.
async fn health(State(front): State<Front>, headers: HeaderMap) -> Response {
    if front.doors.gate.caller(&headers).is_err() {
        return "ok".into_response();
    }
    let orgs = front.switch.joined();
    let down = orgs.iter().any(|org| matches!(org.state, machine::State::Down { .. }));
    let status = if down { "degraded" } else { "ok" };
    Json(json!({ "status": status, "version": env!("CARGO_PKG_VERSION"), "orgs": orgs })).into_response()
}

/// How the orgs do; each counts its own things at its own host name.
async fn metrics(State(front): State<Front>) -> Result<Response, Refusal> {
    let (up, tries) = (Family::<Vec<(String, String)>, Gauge>::default(), Family::<Vec<(String, String)>, Gauge>::default());
    for org in front.switch.joined() {
        let label = vec![("org".to_owned(), org.name.to_string())];
        up.get_or_create(&label).set(i64::from(org.state == machine::State::Up));
        let tried = if let machine::State::Down { tries, .. } = org.state { tries } else { 0 };
        tries.get_or_create(&label).set(i64::from(tried));
    }
    let mut registry = Registry::default();
    registry.register("meshwork_org_up", "Whether the org's process serves", up);
    registry.register("meshwork_org_failed_starts", "How often in a row the org's process did not stay up", tries);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
