//! The command line's way to the running `meshwork up`: one action of the table a call.

use domain::{Kind, Problem};
use futures::StreamExt;
use orchestrator::data_dir::DataDir;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// How long an action may take: engines are installed, merges are checked.
const CALL_TIMEOUT: Duration = Duration::from_secs(3_600);
/// How long the server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of a running `meshwork up`.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// Finds the `meshwork up` of a data folder.
    pub(crate) fn find(root: &Path) -> Result<Self, Problem> {
        let absent = || {
            Problem::unavailable(format!("No meshwork is running for the data folder {}.", root.display()))
                .next("Start it in another terminal: meshwork up (with the same --data-dir).")
        };
        if !root.join("version").exists() {
            return Err(absent());
        }
        let data = DataDir::open(root)?;
        let (up, token) = data.up().zip(data.cli_token()).ok_or_else(absent)?;
        Self::at(up.url, token)
    }

    /// A client for this address.
    pub(crate) fn at(url: String, token: String) -> Result<Self, Problem> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy().build().map_err(Problem::internal)?;
        Ok(Self { http, url, token })
    }

    /// Calls an action.
    pub(crate) async fn call(&self, action: &str, input: Value) -> Result<Value, Problem> {
        self.post(&format!("/api/v1/{}", action.replacen('.', "/", 1)), input).await
    }

    /// Posts to an address.
    pub(crate) async fn post(&self, path: &str, input: Value) -> Result<Value, Problem> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&input).timeout(CALL_TIMEOUT);
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let good = response.status().is_success();
        let body: Value = response.json().await.map_err(|e| self.unreachable(&e))?;
        if good { Ok(body) } else { Err(serde_json::from_value(body["error"].clone()).unwrap_or_else(|_| Problem::internal(body))) }
    }

    /// Follows an event stream; `each` says whether to go on.
    pub(crate) async fn follow(&self, path: &str, mut each: impl FnMut(Value) -> bool) -> Result<(), Problem> {
        let response =
            self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await.map_err(|e| self.unreachable(&e))?;
        if !response.status().is_success() {
            let body: Value = response.json().await.map_err(|e| self.unreachable(&e))?;
            return Err(serde_json::from_value(body["error"].clone()).unwrap_or_else(|_| Problem::internal(body)));
        }
        let (mut bytes, mut pending) = (response.bytes_stream(), Vec::new());
        while let Some(piece) = bytes.next().await {
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
        Problem::new(Kind::Unavailable, format!("meshwork up at {} does not answer.", self.url))
            .because(format!("{error}."))
            .next("See whether it still runs; if not, start it again: nothing is lost.")
    }
}
