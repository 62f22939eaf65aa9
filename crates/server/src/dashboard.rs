//! The dashboard's files, which are in the binary; and the page for those who have not signed in.
//!
//! Files below `/assets/` carry a hash in their name and are kept by browsers for good; the rest is asked for anew each time. An
//! address that is nobody's else belongs to the page, which finds its way by itself.

use crate::{auth::elsewhere, error::Refusal, router::Doors};
use axum::{
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use domain::Problem;
use serde::Deserialize;

/// One file of the built page, and its compressed copies.
struct File {
    path: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// What browsers may do with anything that we serve.
pub(crate) const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; \
     trusted-types meshwork";

/// The address of the style of the pages here that are not the dashboard's own.
pub(crate) const STYLE_PATH: &str = "/sign-in.css";
const STYLE: &str = "html{color-scheme:light dark;font:15px/1.6 system-ui,sans-serif}body{max-width:34rem;margin:16vh auto 0;padding:0 1.5rem}\
     h1{font-size:1.25rem;margin:0 0 .5rem}code{font:.9em ui-monospace,monospace;background:#8882;border-radius:4px;padding:.15em .4em}";

#[derive(Debug, Deserialize)]
pub(crate) struct Code {
    code: String,
}

/// `GET /sign-in?code=…`: a one-time link.
pub(crate) async fn sign_in(State(doors): State<Doors>, Query(code): Query<Code>, headers: HeaderMap) -> Response {
    match doors.gate.sign_in(&code.code, &headers).await {
        // Browsers send a strict cookie along a redirect only when no other page began the journey; a page of ours begins anew.
        Ok(sign_in) if elsewhere(&headers) => {
            let onwards = "<h1>Signed in</h1><p><a href=\"/\">Go on</a></p><meta http-equiv=\"refresh\" content=\"0;url=/\">";
            ([(header::SET_COOKIE, sign_in.cookie)], frame("Signed in · Meshwork", onwards)).into_response()
        }
        Ok(sign_in) => ([(header::SET_COOKIE, sign_in.cookie)], Redirect::to("/")).into_response(),
        Err(problem) => stranger(&problem),
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    match doors.gate.sign_out(&headers).await {
        Ok(()) => ([(header::SET_COOKIE, "meshwork=; Path=/; Max-Age=0")], Redirect::to("/")).into_response(),
        Err(problem) => Refusal(problem).into_response(),
    }
}

/// `GET /sign-in.css`
pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")], STYLE)
}

/// Whether a request is a person's browser that goes to an address.
pub(crate) fn is_visit(method: &Method, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    [Method::GET, Method::HEAD].contains(method) && accepts.contains("text/html")
}

/// What a visitor is shown who has not signed in.
pub(crate) fn stranger(problem: &Problem) -> Response {
    let body = format!(
        "<h1>Sign in to Meshwork</h1><p>{}</p><p>On the machine where Meshwork runs, in a terminal:</p><p><code>meshwork open</code></p><p>It prints a link that works once, for ten minutes. With a data folder of its own: <code>meshwork open --data-dir DIR</code>.</p>",
        escape(&problem.what)
    );
    (StatusCode::UNAUTHORIZED, frame("Sign in · Meshwork", &body)).into_response()
}

/// Whatever no other route serves, for those who signed in: a file of the page, the page itself, or nothing.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let visit = is_visit(&method, &headers);
    let known = FILES.iter().find(|f| f.path == uri.path()).or_else(|| FILES.iter().find(|f| visit && f.path == "/index.html"));
    match known {
        Some(file) if [Method::GET, Method::HEAD].contains(&method) => answer(file, &headers),
        None if visit => unbuilt(),
        _ => {
            Refusal(Problem::not_found("There is nothing at this address.").next("GET /openapi.json lists what there is.")).into_response()
        }
    }
}

fn answer(file: &File, headers: &HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let tag = format!("\"{}\"", &blake3::hash(file.plain).to_hex()[..16]);
    let cache = if file.path.starts_with("/assets/") { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    let accepted = |coding: &str| text(header::ACCEPT_ENCODING).split(',').any(|c| c.trim().split(';').next() == Some(coding));
    let (bytes, coding) = match (file.brotli.filter(|_| accepted("br")), file.gzip.filter(|_| accepted("gzip"))) {
        (Some(bytes), _) => (bytes, Some("br")),
        (None, Some(bytes)) => (bytes, Some("gzip")),
        (None, None) => (file.plain, None),
    };
    let mut response = if text(header::IF_NONE_MATCH) == tag {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind(file.path))], Body::from(bytes)).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    if let Some(coding) = coding.filter(|_| response.status() == StatusCode::OK) {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

fn unbuilt() -> Response {
    let body = "<h1>Built without the dashboard</h1><p>This program was built by <code>cargo build</code> alone. With the dashboard: <code>./dev build</code>.</p><p>The command line does everything too: <code>meshwork --help</code>; the API is described in <a href=\"/openapi.json\">/openapi.json</a>.</p>";
    (StatusCode::NOT_IMPLEMENTED, frame("Meshwork", body)).into_response()
}

fn frame(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><link rel=\"stylesheet\" href=\"{STYLE_PATH}\"><body>{body}</body></html>"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PAGE: File = File { path: "/assets/a-1.js", plain: b"plain", brotli: Some(b"br"), gzip: Some(b"gz") };

    fn asked(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_file_comes_as_the_browser_can_read_it_and_once() {
        let coding = |accepts: &str| {
            let response = answer(&PAGE, &asked(&[(header::ACCEPT_ENCODING, accepts)]));
            response.headers().get(header::CONTENT_ENCODING).map(|v| v.to_str().unwrap().to_owned())
        };
        assert_eq!(coding("gzip, deflate, br, zstd").as_deref(), Some("br"));
        assert_eq!(coding("gzip;q=1").as_deref(), Some("gzip"));
        assert_eq!(coding("identity"), None);
        let first = answer(&PAGE, &HeaderMap::new());
        assert!(first.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(answer(&PAGE, &asked(&[(header::IF_NONE_MATCH, &tag)])).status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn only_a_visitor_is_given_the_page_at_an_unknown_address() {
        let visit = asked(&[(header::ACCEPT, "text/html,*/*;q=0.8")]);
        let at = |method: Method, headers| serve(method, Uri::from_static("/tasks/greeter"), headers);
        let status = at(Method::GET, visit.clone()).await.status();
        assert_eq!(status, if FILES.is_empty() { StatusCode::NOT_IMPLEMENTED } else { StatusCode::OK });
        assert_eq!(at(Method::GET, HeaderMap::new()).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(at(Method::POST, visit).await.status(), StatusCode::NOT_FOUND);
    }
}
