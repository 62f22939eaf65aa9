//! Asking a login's provider for new access. Nothing of what is sent or answered is in an error, but the provider's code.

use super::{Access, codex::Codex, copilot, copilot::Copilot, oauth::OAuth};
use crate::{
    clock,
    gateway::{Client, limits},
};
use domain::{CredentialName, Kind, Problem, Timestamp};
use identity::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a provider gives for a refresh token.
pub(super) struct Renewed {
    pub(super) access_token: Secret,
    pub(super) refresh_token: Option<Secret>,
    pub(super) id_token: Option<Secret>,
    /// For how many seconds it lasts.
    pub(super) lasts_s: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
    expires_in: Option<u64>,
}

pub(super) async fn codex(http: &Client, name: &CredentialName, login: &Codex) -> Result<Codex, Problem> {
    let ask = json!({
        "client_id": login.client(), "grant_type": "refresh_token", "refresh_token": login.refresh_token().expose(),
        "scope": "openid profile email",
    });
    let request = http.0.post(checked(name, login.token_url())?).json(&ask);
    Ok(login.clone().with(&renewed(name, send(name, request).await?)?, clock::now()))
}

pub(super) async fn oauth(http: &Client, name: &CredentialName, login: &OAuth) -> Result<OAuth, Problem> {
    // RFC 6749, 6: a form, not JSON.
    let form = [("grant_type", "refresh_token"), ("refresh_token", login.refresh_token.expose()), ("client_id", &login.client_id)];
    let mut body = reqwest::Url::parse("http://form").map_err(Problem::internal)?;
    body.query_pairs_mut().extend_pairs(form);
    let body = body.query().unwrap_or_default().to_owned();
    let request = http.0.post(checked(name, &login.token_url)?).header("content-type", "application/x-www-form-urlencoded").body(body);
    Ok(login.clone().with(&renewed(name, send(name, request).await?)?, clock::now()))
}

pub(super) async fn copilot(http: &Client, name: &CredentialName, login: &Copilot) -> Result<Access, Problem> {
    #[derive(Deserialize)]
    struct Exchanged {
        token: String,
        /// In seconds since 1970.
        expires_at: Option<i64>,
    }
    let url = checked(name, &login.token_url)?;
    let mut key: http::HeaderValue =
        format!("token {}", login.token.expose()).parse().map_err(|_| failed(name, "Its token cannot be sent."))?;
    key.set_sensitive(true);
    let request = http.0.get(url).header("authorization", key).header("user-agent", "meshwork").header("accept", "application/json");
    let answer: Exchanged = serde_json::from_value(send(name, request).await?).map_err(|_| odd(name))?;
    let until = answer.expires_at.map(|s| Timestamp(s.saturating_mul(1000)));
    Ok(Access { token: answer.token.into(), until, headers: copilot::headers() })
}

fn renewed(name: &CredentialName, answer: Value) -> Result<Renewed, Problem> {
    let answer: Answer = serde_json::from_value(answer).map_err(|_| odd(name))?;
    Ok(Renewed {
        access_token: answer.access_token.into(),
        refresh_token: answer.refresh_token.map(Secret::from),
        id_token: answer.id_token.map(Secret::from),
        lasts_s: answer.expires_in,
    })
}

/// Over plain http only within one's own network, as for models.
fn checked(name: &CredentialName, url: &str) -> Result<reqwest::Url, Problem> {
    crate::gateway::endpoint::keyed_url(url).map_err(|why| failed(name, &format!("Its token_url cannot be used: {why}")))
}

async fn send(name: &CredentialName, request: reqwest::RequestBuilder) -> Result<Value, Problem> {
    let answer = request.timeout(limits::LOGIN_TIMEOUT).send().await;
    let mut answer = answer.map_err(|e| failed(name, &format!("{}.", e.without_url())))?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| failed(name, &format!("{}.", e.without_url())))? {
        body.extend_from_slice(&chunk);
        if body.len() > limits::LOGIN_ANSWER_BYTES_MAX {
            return Err(odd(name));
        }
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(said);
    }
    // RFC 6749, 5.2: a word of a fixed list. Longer words are not shown: they may quote what was sent.
    let code = said["error"]
        .as_str()
        .or(said["error"]["code"].as_str())
        .filter(|c| c.len() <= 40 && c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    let why = format!("Its provider answered {status}{}.", code.map(|c| format!(" ({c})")).unwrap_or_default());
    if status.is_client_error() && status.as_u16() != 429 {
        return Err(Problem::new(Kind::Unavailable, format!("The login {name} cannot be renewed."))
            .because(format!("{why} It ended, was signed out, or was used from a copy elsewhere."))
            .next(format!(
                "Sign in again with the engine, and set the file that it wrote: meshwork credential set {name} --kind login < FILE."
            )));
    }
    Err(failed(name, &why))
}

fn failed(name: &CredentialName, why: &str) -> Problem {
    Problem::unavailable(format!("The login {name} could not be renewed.")).because(why).next("Try again; nothing was changed.")
}

fn odd(name: &CredentialName) -> Problem {
    failed(name, "Its provider answered something that is not read here.")
}
