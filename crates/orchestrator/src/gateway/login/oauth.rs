//! Any provider's OAuth login, in a form of our own: `token_url`, `client_id`, `access_token`, `refresh_token`, `expires_at`.

use super::Access;
use crate::gateway::login::renew::Renewed;
use domain::Timestamp;
use identity::Secret;
use serde_json::{Value, json};

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OAuth {
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) access_token: Secret,
    pub(super) refresh_token: Secret,
    /// In milliseconds since 1970.
    expires_at: Option<i64>,
}

impl OAuth {
    pub(super) fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().filter(|t| !t.is_empty());
        Some(Self {
            token_url: text("token_url")?.to_owned(),
            client_id: text("client_id")?.to_owned(),
            access_token: text("access_token")?.into(),
            refresh_token: text("refresh_token")?.into(),
            expires_at: value["expires_at"].as_i64(),
        })
    }

    pub(super) fn access(&self) -> Access {
        Access { token: self.access_token.clone(), until: self.expires_at.map(Timestamp), headers: vec![] }
    }

    pub(super) fn with(self, renewed: &Renewed, now: Timestamp) -> Self {
        Self {
            access_token: renewed.access_token.clone(),
            refresh_token: renewed.refresh_token.clone().unwrap_or(self.refresh_token),
            expires_at: renewed.lasts_s.map(|s| now.plus_ms(s.saturating_mul(1000)).0),
            ..self
        }
    }

    pub(super) fn text(&self) -> Secret {
        json!({
            "token_url": self.token_url, "client_id": self.client_id, "access_token": self.access_token.expose(),
            "refresh_token": self.refresh_token.expose(), "expires_at": self.expires_at,
        })
        .to_string()
        .into()
    }
}
