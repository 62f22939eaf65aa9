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
    /// Ask the model for a stream, where that has a path of its own (Gemini).
    Stream,
    /// Count the tokens of a request (Messages and Gemini).
    CountTokens,
    /// List models: answered by the gateway itself, with the one that the agent may use.
    Models,
}

impl Endpoint {
    /// Compares the path byte by byte: nothing is decoded or normalised, so that no spelling leads elsewhere.
    pub(super) fn of(model: &Model, method: &Method, uri: &Uri) -> Result<Self, Refusal> {
        let api = model.api;
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(Refusal::bad_request("The model's port is no proxy: ask it by path."));
        }
        let path = uri.path();
        let versioned = ["/v1beta", "/v1"].iter().find_map(|v| path.strip_prefix(v));
        let (endpoint, needs) = match versioned.unwrap_or(path) {
            tail if api == ModelApi::Gemini && tail != "/models" => (Self::of_gemini(model, tail, path)?, Method::POST),
            "/models" => (Self::Models, Method::GET),
            "/messages/count_tokens" if api == ModelApi::Messages => (Self::CountTokens, Method::POST),
            tail if tail == generate_path(api) => (Self::Generate, Method::POST),
            _ => return Err(Refusal::no_such_path(path)),
        };
        if *method == needs { Ok(endpoint) } else { Err(Refusal::wrong_method()) }
    }

    /// Gemini has the model's name in the path, as `/models/<name>:generateContent`.
    fn of_gemini(model: &Model, tail: &str, path: &str) -> Result<Self, Refusal> {
        let (name, verb) = tail.strip_prefix("/models/").and_then(|t| t.rsplit_once(':')).ok_or_else(|| Refusal::no_such_path(path))?;
        if name != model.name {
            return Err(Refusal::wrong_model(name, &model.name));
        }
        match verb {
            "generateContent" => Ok(Self::Generate),
            "streamGenerateContent" => Ok(Self::Stream),
            "countTokens" => Ok(Self::CountTokens),
            _ => Err(Refusal::no_such_path(path)),
        }
    }

    /// Whether the model is asked: what costs tokens.
    pub(super) fn generates(self) -> bool {
        matches!(self, Self::Generate | Self::Stream)
    }

    /// The address that is called upstream.
    pub(super) fn url(self, base: &Url, model: &Model) -> Url {
        let api = model.api;
        if api == ModelApi::Gemini {
            return self.gemini_url(base, &model.name);
        }
        let tail = match self {
            Self::Generate | Self::Stream => generate_path(api),
            Self::CountTokens => "/messages/count_tokens",
            Self::Models => "/models",
        };
        let mut url = base.clone();
        // Anthropic's own tools give the address without the version.
        let version = if api == ModelApi::Messages && matches!(base.path(), "" | "/") { "/v1" } else { "" };
        url.set_path(&format!("{}{version}{tail}", base.path().trim_end_matches('/')));
        url
    }

    fn gemini_url(self, base: &Url, model: &str) -> Url {
        let verb = match self {
            Self::Stream => "streamGenerateContent",
            Self::CountTokens => "countTokens",
            Self::Generate | Self::Models => "generateContent",
        };
        let mut url = base.clone();
        let version = if matches!(base.path(), "" | "/") { "/v1beta" } else { "" };
        url.set_path(&format!("{}{version}/models/{model}:{verb}", base.path().trim_end_matches('/')));
        // As events, whatever form was asked for: usage is read from them.
        url.set_query((self == Self::Stream).then_some("alt=sse"));
        url
    }
}

fn generate_path(api: ModelApi) -> &'static str {
    match api {
        ModelApi::Responses => "/responses",
        ModelApi::Chat => "/chat/completions",
        ModelApi::Messages => "/messages",
        // Has the model's name in it.
        ModelApi::Gemini => "",
    }
}

/// The model's base address. A key goes in plain text only to an address of one's own network, never over the internet.
pub(super) fn base_url(model: &Model) -> Result<Url, Problem> {
    keyed_url(&model.base_url).map_err(|why| {
        Problem::invalid(format!("The model's address “{}” cannot be used.", domain::id::shown(&model.base_url)))
            .because(why)
            .next("Give it as https://api.openai.com/v1, without a user, a password or a fragment.")
    })
}

/// An address to which a secret may go; otherwise why not.
pub(super) fn keyed_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    let host = url.host_str().ok_or("It names no host.")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("It has a user, a password or a fragment.".into());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near(host) => Ok(url),
        "http" => Err("Over http the key could be read on the way; that is accepted only for an address of one's own network.".into()),
        _ => Err("It is neither https nor http.".into()),
    }
}

/// Whether a model's address can be used.
///
/// # Errors
/// When it is none, or the key could be read on the way.
pub fn check_address(model: &Model) -> Result<(), Problem> {
    base_url(model).map(|_| ())
}

/// Whether a model is at an address of this machine alone, which only those in its own network namespace reach.
pub(crate) fn is_loopback(model: &Model) -> bool {
    let url = Url::parse(&model.base_url).ok();
    let host = url.as_ref().and_then(Url::host_str).map(|host| host.trim_matches(['[', ']']));
    host.is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

/// A host of one's own machine or network: an address that is not public, or a name without a dot.
fn is_near(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => !super::egress::is_public(address),
        Err(_) => !host.contains('.'),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_model_of_this_machine_alone_is_told_apart() {
        let model = |base_url: &str| Model {
            name: "m".into(),
            base_url: base_url.into(),
            api: ModelApi::Chat,
            credential: "k".parse().unwrap(),
            price: None,
        };
        for url in ["http://127.0.0.1:8080/v1", "http://127.9.9.9/v1", "http://localhost:1234", "http://[::1]:8080/v1"] {
            assert!(is_loopback(&model(url)), "{url}");
        }
        for url in ["https://api.openai.com/v1", "http://192.168.1.7:8080/v1", "http://models/v1", "nothing"] {
            assert!(!is_loopback(&model(url)), "{url}");
        }
    }
}
