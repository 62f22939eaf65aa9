//! A bare page until the dashboard is there: it says what runs and what waits, and where the API is.

use crate::{error::Refusal, router::Doors};
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use domain::Problem;
use serde::Deserialize;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}code{font-size:.9em}";

#[derive(Debug, Deserialize)]
pub(crate) struct Code {
    code: String,
}

/// `GET /sign-in?code=…`: a one-time link.
pub(crate) async fn sign_in(State(doors): State<Doors>, Query(code): Query<Code>) -> Response {
    match doors.gate.sign_in(&code.code) {
        Ok(sign_in) => ([(header::SET_COOKIE, sign_in.cookie)], Redirect::to("/")).into_response(),
        Err(problem) => {
            (StatusCode::UNAUTHORIZED, Html(frame("Sign in", &format!("<p>{}</p>", escape(&problem.to_string()))))).into_response()
        }
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    doors.gate.sign_out(&headers);
    ([(header::SET_COOKIE, "meshwork=; Path=/; Max-Age=0")], Redirect::to("/")).into_response()
}

/// `GET /`
pub(crate) async fn home(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    if let Err(problem) = doors.gate.caller(&headers) {
        return (StatusCode::UNAUTHORIZED, Html(frame("Sign in", &format!("<p>{}</p>", escape(&problem.to_string()))))).into_response();
    }
    match body(&doors).await {
        Ok(body) => Html(frame("Meshwork", &body)).into_response(),
        Err(problem) => Refusal(problem).into_response(),
    }
}

async fn body(doors: &Doors) -> Result<String, Problem> {
    let Ok(org) = doors.machine.org() else {
        return Ok("<p>This machine belongs to no org yet: <code>meshwork org create &lt;name&gt;</code>.</p>".into());
    };
    let rows = org
        .blocking(|org| {
            let runs = org.runs(50)?;
            let row = |r: &domain::run::Run| {
                let task = r.task.as_ref().map_or_else(|| "checks".to_owned(), ToString::to_string);
                let why = r.reason.as_ref().map(domain::run::Reason::text).unwrap_or_default();
                format!(
                    "<tr><td><code>{}</code></td><td>{}</td><td>{:?}</td><td>{}</td></tr>",
                    escape(r.id.as_str()),
                    escape(&task),
                    r.state,
                    escape(&why)
                )
            };
            Ok(runs.iter().map(row).collect::<String>())
        })
        .await?;
    Ok(format!(
        "<h1>{}</h1><p>The dashboard is not part of this version. The command line does everything: <code>meshwork --help</code>; the API is described in <a href=\"/openapi.json\">/openapi.json</a>.</p><h2>Runs</h2><table><tr><th>Run</th><th>Task</th><th>State</th><th>Why</th></tr>{rows}</table>",
        escape(org.name.as_str())
    ))
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>{STYLE}</style>{body}</html>",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
