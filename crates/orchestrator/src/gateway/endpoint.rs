//! Which paths of a provider an engine may call, and where they lie below the model's base address.

use super::refusal::Refusal;
use domain::{
    Problem,
    agent::{Model, ModelApi},
};
use http::{Method, Uri};
use reqwest::Url;
use std::net::IpAddr;

/// What an engine asks for. Anything else is refused: the key opens no other door of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Ask the model.
    Generate,
    /// Count the tokens of a request (Messages only).
    CountTokens,
    /// List models: answered by the gateway itself, with the one that the agent may use.
    Models,
}

impl Endpoint {
    /// Compares the path byte by byte: nothing is decoded or normalised, so that no spelling leads elsewhere.
    pub(super) fn of(api: ModelApi, method: &Method, uri: &Uri) -> Result<Self, Refusal> {
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(Refusal::bad_request("The model's port is no proxy: ask it by path."));
        }
        let path = uri.path();
        let (endpoint, needs) = match path.strip_prefix("/v1").unwrap_or(path) {
            "/models" => (Self::Models, Method::GET),
            "/messages/count_tokens" if api == ModelApi::Messages => (Self::CountTokens, Method::POST),
            tail if tail == generate_path(api) => (Self::Generate, Method::POST),
            _ => return Err(Refusal::no_such_path(path)),
        };
        if *method == needs { Ok(endpoint) } else { Err(Refusal::wrong_method()) }
    }

    /// The address that is called upstream.
    pub(super) fn url(self, base: &Url, api: ModelApi) -> Url {
        let tail = match self {
            Self::Generate => generate_path(api),
            Self::CountTokens => "/messages/count_tokens",
            Self::Models => "/models",
        };
        let mut url = base.clone();
        // Anthropic's own tools give the address without the version.
        let version = if api == ModelApi::Messages && matches!(base.path(), "" | "/") { "/v1" } else { "" };
        url.set_path(&format!("{}{version}{tail}", base.path().trim_end_matches('/')));
        url
    }
}

fn generate_path(api: ModelApi) -> &'static str {
    match api {
        ModelApi::Responses => "/responses",
        ModelApi::Chat => "/chat/completions",
        ModelApi::Messages => "/messages",
    }
}

/// The model's base address. A key goes in plain text only to an address of one's own network, never over the internet.
pub(super) fn base_url(model: &Model) -> Result<Url, Problem> {
    let bad = |why: &str| {
        Problem::invalid(format!("The model's address “{}” cannot be used.", domain::id::shown(&model.base_url)))
            .because(why)
            .next("Give it as https://api.openai.com/v1, without a user, a password or a fragment.")
    };
    let url = Url::parse(&model.base_url).map_err(|e| bad(&e.to_string()))?;
    let host = url.host_str().ok_or_else(|| bad("It names no host."))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(bad("It has a user, a password or a fragment."));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near(host) => Ok(url),
        "http" => Err(bad("Over http the key could be read on the way; that is accepted only for an address of one's own network.")),
        _ => Err(bad("It is neither https nor http.")),
    }
}

/// Whether a model's address can be used.
///
/// # Errors
/// When it is none, or the key could be read on the way.
pub fn check_address(model: &Model) -> Result<(), Problem> {
    base_url(model).map(|_| ())
}

/// A host of one's own machine or network: an address that is not public, or a name without a dot.
fn is_near(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => !super::egress::is_public(address),
        Err(_) => !host.contains('.'),
    }
}
