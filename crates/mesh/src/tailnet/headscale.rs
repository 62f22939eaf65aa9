//! A client of Headscale's REST API, version 1: users, pre-auth keys, nodes, the policy. Tried with v0.29; fields that it does not know it
//! ignores. The API key may do everything at the server: it comes from the vault, goes to this server alone, and is in no message.

use super::{bounded, or_nothing, strange};
use crate::limits;
use domain::{Kind, Problem, ServerUrl, Timestamp};
use identity::Secret;
use reqwest::{Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt, net::IpAddr};

/// One Headscale server, with the right to change it.
#[derive(Clone)]
pub struct Headscale {
    url: ServerUrl,
    key: Secret,
    http: reqwest::Client,
}

impl fmt::Debug for Headscale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headscale({})", self.url)
    }
}

/// A user of the server: an org has one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Its number, in writing.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A machine of the tailnet, as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its number, in writing.
    pub id: String,
    /// Its name in the tailnet.
    #[serde(default)]
    pub given_name: String,
    /// What it calls itself.
    #[serde(default)]
    pub name: String,
    /// Its addresses.
    #[serde(default, deserialize_with = "or_nothing")]
    pub ip_addresses: Vec<IpAddr>,
    /// Its tags.
    #[serde(default, deserialize_with = "or_nothing")]
    pub tags: Vec<String>,
    /// Whether the server sees it.
    #[serde(default)]
    pub online: bool,
    /// When it was seen last, as RFC 3339.
    #[serde(default)]
    pub last_seen: Option<String>,
    /// The pre-auth key with which it came, where it came with one.
    #[serde(default)]
    pub pre_auth_key: Option<UsedKey>,
}

/// The pre-auth key with which a machine came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UsedKey {
    /// Its number, in writing.
    pub id: String,
}

/// A pre-auth key, as the server lists it: without the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreAuthKey {
    /// Its number, in writing.
    pub id: String,
    /// Whether several machines may come with it.
    #[serde(default)]
    pub reusable: bool,
    /// Whether machines that come with it are forgotten when they go.
    #[serde(default)]
    pub ephemeral: bool,
    /// Whether one came with it.
    #[serde(default)]
    pub used: bool,
    /// Until when it counts, as RFC 3339.
    #[serde(default)]
    pub expiration: Option<String>,
    /// The tags that machines get.
    #[serde(default, deserialize_with = "or_nothing")]
    pub acl_tags: Vec<String>,
}

/// How often a pre-auth key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    /// For one machine.
    Once,
    /// For any number of them, until it expires.
    Many,
}

/// How long a machine stays that came with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// Until it is removed.
    Always,
    /// Until it goes away: the server then forgets it.
    WhileOnline,
}

/// What a new pre-auth key is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey<'a> {
    /// The user's number.
    pub user: &'a str,
    /// The tags that machines get.
    pub tags: Vec<String>,
    /// Until when it counts.
    pub expires: Timestamp,
    /// How often.
    pub uses: Uses,
    /// How long its machines stay.
    pub stays: Stays,
}

/// What the server says when it refuses (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    detail: String,
    #[serde(deserialize_with = "or_nothing")]
    errors: Vec<RefusalPart>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RefusalPart {
    message: String,
}

/// What it says where no policy was ever set: an error like any other.
const NO_POLICY: &str = "acl policy not found";

impl Headscale {
    /// The server at this address.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read.
    pub fn new(url: ServerUrl, key: Secret) -> Result<Self, Problem> {
        Ok(Self { url, key, http: client()? })
    }

    /// Its address.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Whether it answers, takes the key, and has its database.
    ///
    /// # Errors
    /// When not.
    pub async fn health(&self) -> Result<(), Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Health {
            #[serde(default)]
            database_connectivity: bool,
        }
        let health: Health = self.ask(Method::GET, &["health"], &[], None).await?;
        if health.database_connectivity {
            return Ok(());
        }
        Err(Problem::unavailable("The Headscale server has no database.").next("See its log."))
    }

    /// The user of this name, made where there is none.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn user(&self, name: &str) -> Result<User, Problem> {
        if let Some(user) = self.find_user(name).await? {
            return Ok(user);
        }
        #[derive(Deserialize)]
        struct Made {
            user: User,
        }
        match self.ask::<Made>(Method::POST, &["user"], &[], Some(json!({ "name": name }))).await {
            Ok(made) => Ok(made.user),
            // Somebody else made it at the same time.
            Err(problem) if problem.kind == Kind::Conflict => self.find_user(name).await?.ok_or(problem),
            Err(problem) => Err(problem),
        }
    }

    async fn find_user(&self, name: &str) -> Result<Option<User>, Problem> {
        #[derive(Deserialize)]
        struct Users {
            #[serde(default, deserialize_with = "or_nothing")]
            users: Vec<User>,
        }
        let found: Users = self.ask(Method::GET, &["user"], &[("name", name)], None).await?;
        Ok(found.users.into_iter().take(limits::HEADSCALE_LIST_MAX).find(|user| user.name == name))
    }

    /// Makes a pre-auth key. The key itself is told this once.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn new_key(&self, wanted: &NewKey<'_>) -> Result<(PreAuthKey, Secret), Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Made {
            pre_auth_key: MadeKey,
        }
        #[derive(Deserialize)]
        struct MadeKey {
            key: String,
            #[serde(flatten)]
            listed: PreAuthKey,
        }
        let body = json!({
            "user": wanted.user,
            "aclTags": wanted.tags,
            "expiration": wanted.expires.rfc3339(),
            "reusable": wanted.uses == Uses::Many,
            "ephemeral": wanted.stays == Stays::WhileOnline,
        });
        let made: Made = self.ask(Method::POST, &["preauthkey"], &[], Some(body)).await?;
        Ok((made.pre_auth_key.listed, Secret::new(made.pre_auth_key.key)))
    }

    /// The pre-auth keys.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn keys(&self) -> Result<Vec<PreAuthKey>, Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Keys {
            #[serde(default, deserialize_with = "or_nothing")]
            pre_auth_keys: Vec<PreAuthKey>,
        }
        let keys: Keys = self.ask(Method::GET, &["preauthkey"], &[], None).await?;
        Ok(keys.pre_auth_keys.into_iter().take(limits::HEADSCALE_LIST_MAX).collect())
    }

    /// Takes a pre-auth key back: nobody comes with it any more; who came stays.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn expire_key(&self, id: &str) -> Result<(), Problem> {
        self.done(Method::POST, &["preauthkey", "expire"], Some(json!({ "id": id }))).await
    }

    /// The machines of the tailnet, of all users.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn nodes(&self) -> Result<Vec<Node>, Problem> {
        #[derive(Deserialize)]
        struct Nodes {
            #[serde(default, deserialize_with = "or_nothing")]
            nodes: Vec<Node>,
        }
        let nodes: Nodes = self.ask(Method::GET, &["node"], &[], None).await?;
        Ok(nodes.nodes.into_iter().take(limits::HEADSCALE_LIST_MAX).collect())
    }

    /// Gives a machine these tags and no others. The policy must know each.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn set_tags(&self, node: &str, tags: &[String]) -> Result<(), Problem> {
        self.done(Method::POST, &["node", node, "tags"], Some(json!({ "tags": tags }))).await
    }

    /// Calls a machine something else.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn rename(&self, node: &str, name: &str) -> Result<(), Problem> {
        self.done(Method::POST, &["node", node, "rename", name], None).await
    }

    /// Logs a machine out; it stays in the list.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn expire(&self, node: &str) -> Result<(), Problem> {
        self.done(Method::POST, &["node", node, "expire"], Some(json!({}))).await
    }

    /// Takes a machine out of the tailnet. One that the server does not know is out of it.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn delete(&self, node: &str) -> Result<(), Problem> {
        match self.done(Method::DELETE, &["node", node], None).await {
            Err(problem) if problem.kind == Kind::NotFound => Ok(()),
            done => done,
        }
    }

    /// The policy as it was written, with its comments; none where none was ever set: then everything reaches everything.
    ///
    /// # Errors
    /// When the server is away or refuses, or keeps its policy in a file.
    pub async fn policy(&self) -> Result<Option<String>, Problem> {
        match self.ask::<Policy>(Method::GET, &["policy"], &[], None).await {
            Ok(policy) => Ok(Some(policy.policy)),
            Err(problem) if problem.why.as_deref().is_some_and(|why| why.contains(NO_POLICY)) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Sets the policy.
    ///
    /// # Errors
    /// When the server is away, or takes it for a wrong one: then it keeps the one that it has.
    pub async fn set_policy(&self, policy: &str) -> Result<(), Problem> {
        self.done(Method::PUT, &["policy"], Some(json!({ "policy": policy }))).await
    }

    async fn done(&self, method: Method, path: &[&str], body: Option<Value>) -> Result<(), Problem> {
        self.ask::<Value>(method, path, &[], body).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<T, Problem> {
        let mut url = reqwest::Url::parse(self.url.as_str()).map_err(Problem::internal)?;
        url.path_segments_mut()
            .map_err(|()| Problem::internal("an address without a path"))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut bearer = header::HeaderValue::from_str(&format!("Bearer {}", self.key.expose().trim()))
            .map_err(|_| Problem::invalid("The API key of the Headscale server has characters that no key has.").next(KEY_NEXT))?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(method, url).header(header::AUTHORIZATION, bearer);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| away(&self.url, error))?;
        let status = answer.status();
        let bytes = bounded(reqwest::Body::from(answer), limits::HEADSCALE_BYTES_MAX, "the Headscale server").await?;
        if !status.is_success() {
            return Err(refused(status, &bytes));
        }
        // Some answers to a change are empty.
        let bytes = if bytes.trim_ascii().is_empty() { b"{}".as_slice() } else { bytes.as_slice() };
        serde_json::from_slice(bytes).map_err(|error| strange("The Headscale server", &error))
    }
}

/// Whether a server answers, as who has no key for it can tell.
///
/// # Errors
/// When it is away, or says that it is not well.
pub async fn answers(server: &ServerUrl) -> Result<(), Problem> {
    let url = format!("{}/health", server.as_str().trim_end_matches('/'));
    let status = client()?.get(url).send().await.map_err(|error| away(server, error))?.status();
    if status.is_success() { Ok(()) } else { Err(Problem::unavailable(format!("The Headscale server answered {status}."))) }
}

fn client() -> Result<reqwest::Client, Problem> {
    // Already installed by somebody else is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits::HEADSCALE_CONNECT)
        .timeout(limits::HEADSCALE)
        .build();
    made.map_err(|e| {
        Problem::unavailable("The client for the Headscale server cannot be made.")
            .because(e.without_url().to_string())
            .next("Install the system's certificates (Debian: ca-certificates).")
    })
}

fn away(server: &ServerUrl, error: reqwest::Error) -> Problem {
    let kind = if error.is_timeout() { Kind::Timeout } else { Kind::Unavailable };
    let said = error.without_url().to_string();
    Problem::new(kind, format!("The Headscale server {server} cannot be reached."))
        .because(format!("{}.", domain::shown(said.trim_end_matches('.'))))
        .next("What runs goes on, and devices that are in the tailnet reach each other; nobody new gets in until it is back.")
}

const KEY_NEXT: &str = "Make one there (headscale apikeys create), and set it: meshwork credential set headscale --kind token.";

#[derive(Debug, Deserialize)]
struct Policy {
    policy: String,
}

fn refused(status: StatusCode, bytes: &[u8]) -> Problem {
    let said: Refusal = serde_json::from_slice(bytes).unwrap_or_default();
    let parts = said.errors.into_iter().map(|part| part.message).collect::<Vec<_>>().join("; ");
    // Its mistakes name the place in a policy: they are shown whole, within reason.
    let why: String = [said.detail, parts].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    let why: String = why.chars().filter(|c| !c.is_control()).take(REFUSAL_CHARS_MAX).collect();
    let problem = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Problem::new(Kind::Forbidden, "The Headscale server does not take the API key.").next(KEY_NEXT)
        }
        StatusCode::NOT_FOUND => Problem::not_found("The Headscale server does not know it."),
        StatusCode::CONFLICT => Problem::conflict("The Headscale server has it already."),
        status if status.is_client_error() => Problem::invalid(format!("The Headscale server refused it ({}).", status.as_u16())),
        status => Problem::unavailable(format!("The Headscale server answered {status}.")),
    };
    if why.is_empty() { problem } else { problem.because(format!("{}.", why.trim_end_matches('.'))) }
}

/// How much of a refusal is shown.
const REFUSAL_CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn real_refusals_say_what_to_do() {
        let no_policy = br#"{"title":"Internal Server Error","status":500,"detail":"loading ACL from database","errors":[{"message":"acl policy not found"}]}"#;
        let problem = refused(StatusCode::INTERNAL_SERVER_ERROR, no_policy);
        assert!(problem.kind == Kind::Unavailable && problem.why.unwrap().contains(NO_POLICY));
        let key = refused(StatusCode::UNAUTHORIZED, br#"{"title":"Unauthorized","status":401,"detail":"Unauthorized"}"#);
        assert!(key.kind == Kind::Forbidden && key.next.unwrap().contains("credential set headscale"));
        let wrong = br#"{"title":"Bad Request","status":400,"detail":"setting policy","errors":[{"message":"parsing policy: src=tag not found: \"tag:nope\""}]}"#;
        let problem = refused(StatusCode::BAD_REQUEST, wrong);
        assert!(problem.kind == Kind::Invalid && problem.why.unwrap().contains("tag:nope"));
        assert_eq!(refused(StatusCode::CONFLICT, br#"{"detail":"user already exists"}"#).kind, Kind::Conflict);
        assert_eq!(refused(StatusCode::BAD_GATEWAY, b"<html>").kind, Kind::Unavailable);
    }

    #[test]
    fn a_real_node_is_read() {
        let text = r#"{"id":"2","machineKey":"mkey:d3","nodeKey":"nodekey:bd","ipAddresses":["100.64.0.2","fd7a:115c:a1e0::2"],"name":"adas-box",
            "user":{"id":"2147455555","name":"tagged-devices"},"lastSeen":"2026-11-27T17:31:55.01582843Z","expiry":null,
            "preAuthKey":{"user":{"id":"1","name":"acme"},"id":"3","key":"hskey-auth-9aaeba15fc6f-***","reusable":true,"aclTags":["tag:acme-device"]},
            "registerMethod":"REGISTER_METHOD_AUTH_KEY","givenName":"adas-box","online":true,"tags":["tag:acme-device"]}"#;
        let node: Node = serde_json::from_str(text).unwrap();
        assert_eq!((node.given_name.as_str(), node.online, node.tags.len(), node.ip_addresses.len()), ("adas-box", true, 1, 2));
        assert_eq!(node.pre_auth_key.unwrap().id, "3");
        let bare: Node = serde_json::from_str(r#"{"id":"1","tags":null,"preAuthKey":null}"#).unwrap();
        assert!(bare.tags.is_empty() && bare.pre_auth_key.is_none());
    }

    #[tokio::test]
    async fn a_server_that_is_away_stops_nothing_and_the_key_is_not_told() {
        let away = Headscale::new("http://127.0.0.1:9".parse().unwrap(), Secret::from("hskey-api-secret")).unwrap();
        let problem = away.nodes().await.unwrap_err();
        assert!(problem.kind == Kind::Unavailable && problem.next.clone().unwrap().contains("What runs goes on"), "{problem}");
        assert!(!format!("{problem} {away:?}").contains("secret"));
    }
}
