//! Codex's `auth.json`: a ChatGPT account's tokens. Unknown fields stay as they are.

use super::Access;
use crate::gateway::login::renew::Renewed;
use base64::Engine as _;
use domain::Timestamp;
use identity::Secret;
use serde_json::Value;

/// Where OpenAI renews it, unless the login says otherwise.
const TOKEN_URL: &str = "https://auth.openai.com/oauth/token";
/// Codex's own name at OpenAI.
const CLIENT: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Codex(Value);

impl Codex {
    pub(super) fn read(value: &Value) -> Option<Self> {
        let token = |name: &str| value["tokens"][name].as_str().is_some_and(|t| !t.is_empty());
        (token("access_token") && token("refresh_token")).then(|| Self(value.clone()))
    }

    pub(super) fn access(&self) -> Access {
        let tokens = &self.0["tokens"];
        let token = tokens["access_token"].as_str().unwrap_or_default();
        let account = tokens["account_id"].as_str().map(str::to_owned).or_else(|| account(tokens["id_token"].as_str()?));
        Access { token: token.into(), until: expiry(token), headers: account.map(|id| ("chatgpt-account-id", id)).into_iter().collect() }
    }

    pub(super) fn refresh_token(&self) -> Secret {
        self.0["tokens"]["refresh_token"].as_str().unwrap_or_default().into()
    }

    pub(super) fn token_url(&self) -> &str {
        self.0["token_url"].as_str().unwrap_or(TOKEN_URL)
    }

    pub(super) fn client(&self) -> &str {
        self.0["client_id"].as_str().unwrap_or(CLIENT)
    }

    /// With what the provider gave.
    pub(super) fn with(mut self, renewed: &Renewed, now: Timestamp) -> Self {
        let tokens = &mut self.0["tokens"];
        tokens["access_token"] = renewed.access_token.expose().into();
        for (name, value) in [("refresh_token", &renewed.refresh_token), ("id_token", &renewed.id_token)] {
            if let Some(value) = value {
                tokens[name] = value.expose().into();
            }
        }
        self.0["last_refresh"] = now.rfc3339().into();
        self
    }

    pub(super) fn text(&self) -> Secret {
        self.0.to_string().into()
    }
}

/// What a JSON Web Token says in its middle (RFC 7519). It is not verified: only its provider can, and does.
fn claims(token: &str) -> Option<Value> {
    let middle = token.split('.').nth(1)?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// When a token ends, where it says so.
fn expiry(token: &str) -> Option<Timestamp> {
    let seconds = claims(token)?["exp"].as_i64()?;
    Some(Timestamp(seconds.saturating_mul(1000)))
}

fn account(id_token: &str) -> Option<String> {
    claims(id_token)?["https://api.openai.com/auth"]["chatgpt_account_id"].as_str().map(str::to_owned)
}
