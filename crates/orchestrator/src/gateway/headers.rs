//! Which headers pass the gateway. Both lists name what is kept; everything else stays behind: keys, cookies,
//! hop-by-hop headers, whatever somebody may think of.

use super::{redact, secret::Access};
use domain::{Problem, agent::ModelApi};
use http::{HeaderMap, HeaderName, HeaderValue, header};

const REQUEST_KEPT: [&str; 7] =
    ["accept", "user-agent", "anthropic-version", "anthropic-beta", "openai-beta", "idempotency-key", "session_id"];

const RESPONSE_KEPT: [&str; 8] = [
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-request-id",
    "request-id",
    "openai-processing-ms",
    "openai-version",
];
const RESPONSE_KEPT_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// The headers of the call to the provider, with the real key.
pub(super) fn to_provider(from_engine: &HeaderMap, api: ModelApi, access: &Access) -> Result<HeaderMap, Problem> {
    let key = &access.key;
    let mut headers = HeaderMap::new();
    for name in REQUEST_KEPT {
        // Only the first of several: two of one name are a way to be read differently by two readers.
        if let Some(value) = from_engine.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    match api {
        ModelApi::Responses | ModelApi::Chat => {
            headers.insert(header::AUTHORIZATION, key.header("Bearer ")?);
        }
        ModelApi::Messages => {
            headers.insert("x-api-key", key.header("")?);
            headers.entry("anthropic-version").or_insert(HeaderValue::from_static("2023-06-01"));
        }
        ModelApi::Gemini => {
            headers.insert("x-goog-api-key", key.header("")?);
        }
    }
    headers.extend(access.headers.clone());
    Ok(headers)
}

/// The headers of the answer to the engine.
pub(super) fn to_engine(from_provider: &HeaderMap, access: &Access) -> HeaderMap {
    let key = &access.key;
    let kept = |name: &str| RESPONSE_KEPT.contains(&name) || RESPONSE_KEPT_PREFIXES.iter().any(|p| name.starts_with(p));
    from_provider
        .iter()
        .filter(|(name, value)| kept(name.as_str()) && redact::find(value.as_bytes(), key.bytes()).is_none())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
