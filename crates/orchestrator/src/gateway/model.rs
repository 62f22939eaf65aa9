//! The model's port: HTTP/1.1 on one connection of one run.

use super::{
    call,
    client::Client,
    endpoint::Endpoint,
    headers, ledger, limits,
    refusal::{Body, Refusal, STOP, respond},
    request,
    route::Route,
};
use bytes::Bytes;
use domain::{
    Problem,
    agent::{Model, ModelApi},
    run::Reason,
};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};

/// Serves one connection of an engine to its model, until either side ends it. Calls that are under way when it ends, or
/// when this future is dropped, are broken off at the provider too, counted and journaled.
pub async fn serve_model<IO>(io: IO, route: Arc<Route>, client: Client)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(_place) = route.connection() else {
        tracing::warn!(run = %route.run(), "the run has too many connections to its model; one more was closed");
        return;
    };
    let service = service_fn(|request| {
        let (route, client) = (Arc::clone(&route), client.clone());
        async move { Ok::<_, Infallible>(answer(request, &route, &client).await) }
    });
    // An error here is the engine's: a broken connection, or no HTTP. What was said is not shown: it could hold anything.
    if server().serve_connection(TokioIo::new(io), service).await.is_err() {
        tracing::debug!(run = %route.run(), "a connection to the model broke off");
    }
}

/// An HTTP/1.1 server within the gateway's limits.
pub(super) fn server() -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(limits::CONNECTION_IDLE)
        .max_headers(limits::HEADERS_MAX)
        .max_header_size(limits::HEADER_BYTES_MAX)
        .max_buf_size(2 * limits::HEADER_BYTES_MAX);
    server
}

async fn answer(request: Request<Incoming>, route: &Arc<Route>, client: &Client) -> Response<Body> {
    let api = route.model().map_or(ModelApi::Responses, |(model, _)| model.api);
    match handle(request, route, client).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::debug!(run = %route.run(), code = refusal.code, "a model call was refused");
            refusal.response(api)
        }
    }
}

async fn handle(request: Request<Incoming>, route: &Arc<Route>, client: &Client) -> Result<Response<Body>, Refusal> {
    let (model, base) = route.model().ok_or_else(|| Refusal::new(STOP, "no_model", "This agent has no model."))?;
    let endpoint = Endpoint::of(model, request.method(), request.uri())?;
    if endpoint == Endpoint::Models {
        return Ok(models(model));
    }
    let rules = route.rules().await?;
    let slot = route.slot().await?;
    let (head, body) = request.into_parts();
    let body = read(&head.headers, body).await?;
    let prepared = request::prepare(endpoint, model.api, &model.name, &body).inspect_err(|refusal| {
        route.failed(Reason::ModelFailed { message: refusal.text.clone() });
    })?;
    let most = ledger::at_most(prepared.input_tokens, prepared.output_tokens, rules.price.as_ref());
    let ticket = route.admit(most, &rules).await?;
    let access = route.key(None).await?;
    // Looked at before anything is sent: an odd key is said at once.
    headers::to_provider(&head.headers, model.api, &access).map_err(|problem| unusable_key(route, model, &problem))?;
    let letter = call::Letter { client: client.clone(), url: endpoint.url(base, model), headers: head.headers, body: prepared.body.into() };
    let call = call::Outgoing { ticket, slot, access, model: model.clone(), endpoint, letter, keep: rules.keep_content };
    // A task of its own: the call is counted to its end even where the engine goes away.
    let (tell, told) = oneshot::channel();
    tokio::spawn(call.run(tell));
    told.await.map_err(|_| Refusal::new(StatusCode::BAD_GATEWAY, "internal", "The gateway lost the call."))
}

/// The whole request, as its model's name is somewhere in it.
async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refusal> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|v| v != "identity") {
        let text = "The gateway reads no compressed requests: turn compression off in the engine.";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "compressed", text));
    }
    let limit = limits::REQUEST_BYTES_MAX;
    if hyper::body::Body::size_hint(&body).lower() > limit as u64 {
        return Err(Refusal::too_large(limit));
    }
    match tokio::time::timeout(limits::REQUEST_TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(Refusal::too_large(limit)),
        Ok(Err(_)) => Err(Refusal::bad_request("The request broke off.")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long to arrive.")),
    }
}

fn unusable_key(route: &Route, model: &Model, problem: &Problem) -> Refusal {
    let message = format!("The credential “{}” cannot be used. {problem}", model.credential);
    route.end_run(Reason::ModelFailed { message: message.clone() });
    Refusal::new(STOP, "no_credential", message)
}

/// The one model that there is, in a form that OpenAI's, Anthropic's and Google's clients read.
fn models(model: &Model) -> Response<Body> {
    let name = &model.name;
    let one = serde_json::json!({
        "id": name, "object": "model", "type": "model", "display_name": name, "owned_by": "meshwork",
        "created": 0, "created_at": "1970-01-01T00:00:00Z",
    });
    let gemini =
        serde_json::json!({"name": format!("models/{name}"), "displayName": name, "supportedGenerationMethods": ["generateContent"]});
    let list =
        serde_json::json!({"object": "list", "data": [one], "models": [gemini], "first_id": name, "last_id": name, "has_more": false});
    respond(StatusCode::OK, "application/json", list.to_string())
}
