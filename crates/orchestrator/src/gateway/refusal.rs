//! What the gateway says to an engine instead of the provider, in the provider's own form, so that the engine shows it.

use domain::{Problem, agent::ModelApi};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

/// The body of every answer.
pub(super) type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, Broken>;

/// A stream that ended before its end. Makes the connection break, so that the engine sees it as broken too.
#[derive(Debug, thiserror::Error)]
#[error("the provider's answer broke off")]
pub(super) struct Broken;

/// The status at which Codex, Copilot and opencode stop at once. At 401, 403, 429 and 5xx one or the other asks again for
/// up to minutes.
pub(super) const STOP: StatusCode = StatusCode::BAD_REQUEST;

/// One refusal: a status, a stable code and a sentence.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into() }
    }

    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", text)
    }

    pub(super) fn no_such_path(path: &str) -> Self {
        let path = domain::id::shown(path);
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("The gateway has no “{path}” for this agent's kind of model."))
    }

    pub(super) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path of the gateway wants another method.")
    }

    pub(super) fn too_large(limit_bytes: usize) -> Self {
        let text = format!("The request is larger than {} MiB, the gateway's limit.", limit_bytes / (1024 * 1024));
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", text)
    }

    pub(super) fn wrong_model(asked: &str, allowed: &str) -> Self {
        let asked = domain::id::shown(asked);
        let text = format!("This agent may use the model “{allowed}” and no other; “{asked}” was asked for.");
        Self::new(StatusCode::FORBIDDEN, "model_not_allowed", text)
    }

    /// Something on our own side; asking again does not help.
    pub(super) fn stop(code: &'static str, problem: &Problem) -> Self {
        Self::new(STOP, code, problem.to_string())
    }

    /// In the form of the provider's own errors.
    pub(super) fn response(&self, api: ModelApi) -> Response<Body> {
        let kind = match self.status.as_u16() {
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        let error = match api {
            ModelApi::Messages => json!({"type": "error", "error": {"type": kind, "message": self.text}}),
            ModelApi::Gemini => {
                json!({"error": {"code": self.status.as_u16(), "message": self.text, "status": gemini_status(self.status)}})
            }
            ModelApi::Responses | ModelApi::Chat => {
                json!({"error": {"message": self.text, "type": kind, "param": null, "code": self.code}})
            }
        };
        respond(self.status, "application/json", error.to_string())
    }

    /// As a plain line, for engines' package managers behind the egress proxy.
    pub(super) fn plain(&self) -> Response<Body> {
        respond(self.status, "text/plain; charset=utf-8", format!("meshwork: {}\n", self.text))
    }
}

/// Google's word for a status (`google.rpc.Code`).
fn gemini_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500.. => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

/// A whole answer.
pub(super) fn respond(status: StatusCode, content_type: &'static str, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body that is all there.
pub(super) fn full(body: impl Into<bytes::Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}
