//! Problems as HTTP answers: the status says the kind, the body the words.

use crate::limits;
use axum::{
    Json,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Kind, Problem};

/// A problem on its way to a caller.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        if problem.kind == Kind::Internal {
            tracing::error!(%problem, "a request failed");
        }
        let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(serde_json::json!({ "error": problem }))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Puts words into the refusals that are made below the handlers; status and headers stay.
pub(crate) fn in_words(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(problem) = words(response.status(), kind) else { return response };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(serde_json::json!({ "error": problem }).to_string()))
}

/// `kind` is what the answer has for content: ours is JSON, or a page.
fn words(status: StatusCode, kind: &str) -> Option<Problem> {
    match status {
        StatusCode::BAD_REQUEST if kind.starts_with("text/plain") => Some(
            Problem::invalid("A part of the address is not in order: a run's id, or what follows the question mark.")
                .next("Numbers are whole, 0 or more; GET /openapi.json says what each address takes."),
        ),
        StatusCode::METHOD_NOT_ALLOWED => Some(
            Problem::invalid("This address does not take this method.")
                .next("The header Allow names those that it takes; GET /openapi.json lists all."),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => Some(
            Problem::new(Kind::Limit, format!("The body is larger than {} MiB.", limits::BODY_BYTES_MAX >> 20))
                .next("Send less at once; large files belong into the project's repository."),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn refusals_made_below_the_handlers_have_words() {
        for (status, kind) in [
            (StatusCode::METHOD_NOT_ALLOWED, Kind::Invalid),
            (StatusCode::PAYLOAD_TOO_LARGE, Kind::Limit),
            (StatusCode::BAD_REQUEST, Kind::Invalid),
        ] {
            let response = in_words((status, [(header::ALLOW, "GET")], "plain").into_response());
            assert_eq!((response.status(), response.headers()[header::ALLOW].to_str().unwrap()), (status, "GET"));
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
            let bytes = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let problem: Problem = serde_json::from_value(body["error"].clone()).unwrap();
            assert!(problem.kind == kind && problem.next.is_some(), "{problem}");
        }
        assert_eq!(in_words(StatusCode::OK.into_response()).status(), StatusCode::OK);
        // Our own words stay.
        let ours = in_words(Refusal(Problem::invalid("No.")).into_response());
        let bytes = axum::body::to_bytes(ours.into_body(), 4096).await.unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains("No."));
    }
}
