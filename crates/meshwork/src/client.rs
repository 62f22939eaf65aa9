//! The command line's way to the running `meshwork up`: one action of the table a call.

mod waiting;

use domain::{Kind, OrgName, Problem};
use futures::StreamExt;
use orchestrator::{
    data_dir::{DataDir, Shape},
    table::{self, Effect},
};
use reqwest::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long an action may take: engines are installed, merges are checked.
const CALL_TIMEOUT: Duration = Duration::from_secs(3_600);
/// How long the server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a `meshwork up` is waited for that is just starting an org, or its own program anew.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two looks.
const CHANGE_PAUSE: Duration = Duration::from_millis(50);

/// What a command is about, where the machine is in several orgs and none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// One org.
    Org,
    /// The machine.
    Machine,
}

/// A client of a running `meshwork up`.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    /// How it was found, so that it can be found again.
    found: Option<Found>,
}

/// What a client was looked for by.
#[derive(Clone, Debug)]
struct Found {
    root: PathBuf,
    org: Option<String>,
    about: About,
}

impl Client {
    /// Finds the `meshwork up` of a data folder: the part of it that serves this org.
    pub(crate) async fn find(root: &Path, org: Option<&str>, about: About) -> Result<Self, Problem> {
        let found = Found { root: root.to_owned(), org: org.map(str::to_owned), about };
        let absent = || {
            Problem::unavailable(format!("No meshwork is running for the data folder {}.", root.display()))
                .next("Start it in another terminal: meshwork up (with the same --data-dir).")
        };
        if !root.join("version").exists() {
            return Err(absent());
        }
        let data = DataDir::open(root)?;
        let org = org.map(|name| data.known(name)).transpose()?;
        let until = Instant::now() + CHANGE_TIMEOUT;
        loop {
            let up = data.up().ok_or_else(absent)?;
            let (named, token) = match up.shape {
                Shape::Whole => (org.clone(), Some(data.cli_token().ok_or_else(absent)?)),
                Shape::Changing => (None, None),
                Shape::Supervisor => match org.clone().map_or_else(|| chosen(&data, about), |org| Ok(Some(org)))? {
                    Some(org) => (Some(org.clone()), std::fs::read_to_string(data.org(&org).cli_token()).ok()),
                    None => (None, data.cli_token()),
                },
            };
            // A record that outlived its process says nothing about who listens there now.
            match token.filter(|_| data.held()) {
                Some(token) => return Ok(Self { found: Some(found), ..Self::of(up.url, token, named.as_ref())? }),
                // Its program starts anew, or the org's process does: a matter of moments, while it lives.
                None if lives(up.pid) && Instant::now() < until => tokio::time::sleep(CHANGE_PAUSE).await,
                None => return Err(absent()),
            }
        }
    }

    /// A client for this address.
    pub(crate) fn at(url: String, token: String) -> Result<Self, Problem> {
        Self::of(url, token, None)
    }

    fn of(url: String, token: String, org: Option<&OrgName>) -> Result<Self, Problem> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let named = org.map(|org| HeaderValue::from_str(org.as_str()).map(|org| (HeaderName::from_static("meshwork-org"), org)));
        let headers = named.transpose().map_err(Problem::internal)?.into_iter().collect();
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).default_headers(headers).no_proxy().build();
        Ok(Self { http: http.map_err(Problem::internal)?, url, token, found: None })
    }

    /// Calls an action.
    pub(crate) async fn call(&self, action: &str, input: Value) -> Result<Value, Problem> {
        let reads = table::find(action).is_ok_and(|known| known.effect == Effect::Reads);
        self.send(&format!("/api/v1/{}", action.replacen('.', "/", 1)), input, reads).await
    }

    /// Posts to an address.
    pub(crate) async fn post(&self, path: &str, input: Value) -> Result<Value, Problem> {
        self.send(path, input, false).await
    }

    /// The same; what only reads is asked again also where it may have arrived.
    async fn send(&self, path: &str, input: Value, reads: bool) -> Result<Value, Problem> {
        let (mut client, until) = (self.clone(), Instant::now() + CHANGE_TIMEOUT);
        let response = loop {
            let request = client.http.post(format!("{}{path}", client.url)).bearer_auth(&client.token).json(&input).timeout(CALL_TIMEOUT);
            let answer = client.answered(request.send()).await?;
            match (answer, &self.found) {
                // Its program has started anew since, with another token; nothing was done.
                (Ok(response), Some(found)) if response.status() == StatusCode::UNAUTHORIZED => {
                    let again = Box::pin(Self::find(&found.root, found.org.as_deref(), found.about)).await?;
                    if again.token == client.token {
                        break response;
                    }
                    client = again;
                }
                (Ok(response), _) => break response,
                // Its program may start anew this very moment, with another token. Where nothing was sent, nothing can be done twice.
                (Err(error), Some(found)) if (error.is_connect() || reads && !error.is_timeout()) && Instant::now() < until => {
                    tokio::time::sleep(CHANGE_PAUSE).await;
                    client = Box::pin(Self::find(&found.root, found.org.as_deref(), found.about)).await?;
                }
                (Err(error), _) => return Err(self.unreachable(&error)),
            }
        };
        let good = response.status().is_success();
        let body: Value = client.answered(response.json()).await?.map_err(|e| self.unreachable(&e))?;
        if good { Ok(body) } else { Err(serde_json::from_value(body["error"].clone()).unwrap_or_else(|_| Problem::internal(body))) }
    }

    /// Follows an event stream; `each` says whether to go on.
    pub(crate) async fn follow(&self, path: &str, mut each: impl FnMut(Value) -> bool) -> Result<(), Problem> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = self.answered(request.send()).await?.map_err(|e| self.unreachable(&e))?;
        if !response.status().is_success() {
            let body: Value = response.json().await.map_err(|e| self.unreachable(&e))?;
            return Err(serde_json::from_value(body["error"].clone()).unwrap_or_else(|_| Problem::internal(body)));
        }
        let (mut bytes, mut pending) = (response.bytes_stream(), Vec::new());
        while let Some(piece) = self.answered(bytes.next()).await? {
            pending.extend_from_slice(&piece.map_err(|e| self.unreachable(&e))?);
            while let Some(end) = pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let data = line.strip_prefix(b"data: ").or_else(|| line.strip_prefix(b"data:"));
                if let Some(value) = data.and_then(|d| serde_json::from_slice(d).ok())
                    && !each(value)
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn unreachable(&self, error: &reqwest::Error) -> Problem {
        tracing::debug!(%error, "a request failed");
        let why = match error {
            e if e.is_connect() => "Nobody listens there any more.",
            e if e.is_timeout() => "The answer did not come in time.",
            _ => "The connection broke off before the whole answer came.",
        };
        Problem::new(Kind::Unavailable, format!("meshwork up at {} does not answer.", self.url))
            .because(why)
            .next("See whether it still runs; if not, start it again: nothing is lost.")
    }
}

/// The org that is meant where none is named; none: the machine itself.
fn chosen(data: &DataDir, about: About) -> Result<Option<OrgName>, Problem> {
    let orgs = data.orgs();
    match (about, orgs.as_slice()) {
        (About::Machine, _) => Ok(None),
        (About::Org, [org]) => Ok(Some(org.clone())),
        (About::Org, _) => {
            let names: Vec<_> = orgs.iter().map(OrgName::as_str).collect();
            Err(Problem::invalid("This machine is in several orgs, and the command names none.")
                .next(format!("Say which with --org NAME, or with MESHWORK_ORG: {}.", names.join(", "))))
        }
    }
}

fn lives(pid: u32) -> bool {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
