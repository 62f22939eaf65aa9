//! A GitHub login with Copilot: GitHub's own token is exchanged for one that lasts minutes and is kept in memory only.

use identity::Secret;
use serde_json::Value;

/// Where GitHub exchanges it, unless the login says otherwise.
const TOKEN_URL: &str = "https://api.github.com/copilot_internal/v2/token";
/// How GitHub's tokens of persons and apps begin.
const PREFIXES: [&str; 4] = ["gho_", "ghu_", "github_pat_", "ghp_"];

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Copilot {
    pub(super) token: Secret,
    pub(super) token_url: String,
}

impl Copilot {
    /// The token itself, or a file of Copilot's (`hosts.json`, `apps.json`) with an `oauth_token` in it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if PREFIXES.iter().any(|p| text.starts_with(p)) && text.bytes().all(|b| b.is_ascii_graphic()) {
            return Some(Self { token: text.into(), token_url: TOKEN_URL.into() });
        }
        let value: Value = serde_json::from_str(text).ok()?;
        let own = std::iter::once(&value);
        let found = own.chain(value.as_object()?.values()).find_map(|v| v["oauth_token"].as_str())?;
        Some(Self { token: found.into(), token_url: value["token_url"].as_str().unwrap_or(TOKEN_URL).into() })
    }
}

/// Headers without which Copilot answers nobody.
pub(super) fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("copilot-integration-id", "copilot-developer-cli".into()),
        ("editor-version", concat!("meshwork/", env!("CARGO_PKG_VERSION")).into()),
        ("x-github-api-version", "2025-05-01".into()),
        ("openai-intent", "conversation-edits".into()),
    ]
}
