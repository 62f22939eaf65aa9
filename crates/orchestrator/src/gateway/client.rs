//! The HTTP client towards providers.

use super::limits;
use domain::{Kind, Problem, run::Reason};

/// A client that follows no redirect (the key would go along), asks for no compression (usage is read from the stream) and
/// keeps no cookies. Cheap to clone; one serves all runs.
#[derive(Clone)]
pub struct Client(pub(crate) reqwest::Client);

impl Client {
    /// Fails where the machine's certificates cannot be read.
    pub fn new() -> Result<Self, Problem> {
        // Already installed by somebody else is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .pool_idle_timeout(limits::CONNECTION_IDLE)
            .pool_max_idle_per_host(limits::CALLS_PARALLEL_MAX)
            .build()
            .map(Self)
            .map_err(|e| {
                Problem::new(Kind::Unavailable, "The client for model providers cannot be made.")
                    .because(e.without_url().to_string())
                    .next("Install the system's certificates (Debian: ca-certificates).")
            })
    }
}

impl Client {
    /// Asks a provider whether it takes a key: lists its models. Nothing is used up.
    pub async fn probe(&self, model: &domain::agent::Model, key: identity::Secret) -> Result<String, Problem> {
        let url = format!("{}/models", model.base_url.trim_end_matches('/'));
        let key = super::secret::ModelKey::new(key);
        let request = match model.api {
            domain::agent::ModelApi::Gemini => self.0.get(&url).header("x-goog-api-key", key.header("")?),
            domain::agent::ModelApi::Messages => {
                self.0.get(&url).header("x-api-key", key.header("")?).header("anthropic-version", "2023-06-01")
            }
            _ => self.0.get(&url).header("authorization", key.header("Bearer ")?),
        };
        let refused =
            |why: String| Problem::new(Kind::Unavailable, format!("{url} did not take the credential {}.", model.credential)).because(why);
        let answer = request.timeout(limits::ANSWER_TIMEOUT).send().await.map_err(|e| refused(e.without_url().to_string()))?;
        match answer.status() {
            status if status.is_success() => Ok(format!("{url} takes the credential {}.", model.credential)),
            status => Err(refused(format!("It answered {status}.")).next(Reason::model_advice(status.as_u16()))),
        }
    }

    /// Asks a git host who the owner of a token is, where it is one whose address is known. Others are not asked: a token goes to
    /// nobody who is not named.
    pub async fn probe_git(&self, name: &domain::CredentialName, host: Option<&str>, secret: &identity::Secret) -> Result<String, Problem> {
        let token = secret.expose().trim();
        let token = token.rsplit_once(':').map_or(token, |(_, token)| token);
        let key = super::secret::ModelKey::new(token.into());
        let request = match host {
            Some("github" | "github.com") => self.0.get("https://api.github.com/user").header("authorization", key.header("Bearer ")?),
            Some("gitlab" | "gitlab.com") => self.0.get("https://gitlab.com/api/v4/user").header("private-token", key.header("")?),
            Some("codeberg" | "codeberg.org") => {
                self.0.get("https://codeberg.org/api/v1/user").header("authorization", key.header("token ")?)
            }
            _ => return Ok(format!("The credential {name} can be read. Its host is none that can be asked here.")),
        };
        let refused = |why: String| Problem::new(Kind::Unavailable, format!("The host did not take the credential {name}.")).because(why);
        let answer = request.header("user-agent", "meshwork").timeout(limits::LOGIN_TIMEOUT).send().await;
        match answer.map_err(|e| refused(e.without_url().to_string()))?.status() {
            status if status.is_success() => Ok(format!("The host takes the credential {name}.")),
            status => Err(refused(format!("It answered {status}.")).next("Make a new token there, and set it again.")),
        }
    }
}
