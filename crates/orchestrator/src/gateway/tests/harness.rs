//! One run's route to an upstream, and an engine's end of a connection to it.

use super::{super::*, upstream::Upstream};
use bytes::Bytes;
use domain::{
    Problem,
    agent::{Model, ModelApi},
    manifest::Network,
    money::Money,
    quota::Price,
    usage::{Budget, Usage},
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

pub(super) const KEY: &str = "sk-canary-7f3b1d9e5a";
pub(super) const PLACEHOLDER: &str = "meshwork-placeholder";
pub(super) const MODEL: &str = "scripted-1";

/// The price of the scripted model.
pub(super) const FREE: Price = Price { input: Money::ZERO, cached_input: None, cache_write: None, output: Money::ZERO };

pub(super) struct Bench {
    pub(super) route: Arc<Route>,
    pub(super) calls: Arc<Mutex<Vec<Call>>>,
    pub(super) refused: Arc<Mutex<Vec<String>>>,
    client: Client,
}

pub(super) fn parts(api: ModelApi, base_url: &str) -> Parts {
    Parts {
        run: "01J9ZQ3V7M8N4K2X6T5R1W0YBC".parse().unwrap(),
        model: Some(Model { name: MODEL.into(), base_url: base_url.into(), api, credential: "main".parse().unwrap(), price: None }),
        budget: Budget::default(),
        network: Network::default(),
        used: Usage::default(),
        elsewhere: Arc::new(Usage::default),
        key: plain_key(|| Ok(KEY.into())),
        rules: Arc::new(|| Ok(Rules { price: Some(FREE), ..Rules::default() })),
        ledger: Ledger::new(Arc::new(|_| Ok(Usage::default()))),
        record: Arc::new(|_| Box::pin(async { Ok(()) })),
        refused: Arc::new(|_| ()),
        resolver: system_resolver(),
        patience: Patience { retry: Duration::ZERO, ..Patience::default() },
    }
}

impl Bench {
    pub(super) fn new(api: ModelApi, upstream: &Upstream) -> Self {
        Self::with(parts(api, &upstream.base_url()))
    }

    /// Records calls, then does what the parts' own recorder does.
    pub(super) fn with(mut parts: Parts) -> Self {
        let (calls, refused) = (Arc::<Mutex<Vec<Call>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (list, inner) = (Arc::clone(&calls), Arc::clone(&parts.record));
        parts.record = Arc::new(move |call| {
            list.lock().unwrap().push(call.clone());
            inner(call)
        });
        let list = Arc::clone(&refused);
        parts.refused = Arc::new(move |what| list.lock().unwrap().push(what));
        Self { route: Route::new(parts).unwrap(), calls, refused, client: Client::new().unwrap() }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// A connection to the model's port, as raw bytes.
    pub(super) fn raw_model(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(16 * 1024);
        tokio::spawn(serve_model(far, Arc::clone(&self.route), self.client.clone()));
        near
    }

    /// A connection to the egress port, as raw bytes.
    pub(super) fn raw_egress(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(16 * 1024);
        tokio::spawn(serve_egress(far, Arc::clone(&self.route)));
        near
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.raw_model())).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        Answer::of(self.send(post(path, body)).await).await
    }

    /// Waits until `n` calls are journaled.
    pub(super) async fn journaled(&self, n: usize) -> Vec<Call> {
        until(|| self.calls.lock().unwrap().len() >= n).await;
        self.calls()
    }
}

pub(super) fn post(path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "127.0.0.1:8080")
        .header("authorization", format!("Bearer {PLACEHOLDER}"))
        .header("content-type", "application/json")
        .body(Full::from(body.to_owned()))
        .unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Whether it broke off before its end.
    pub(super) broken: bool,
}

impl Answer {
    pub(super) async fn of(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut broken) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => broken = true,
            }
        }
        Self { status: head.status, headers: head.headers, body: String::from_utf8(bytes).unwrap(), broken }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Says something on a raw connection, and reads whatever comes until the other side closes it.
pub(super) async fn say(mut io: DuplexStream, bytes: &[u8]) -> String {
    // A server that refuses may close before all was read.
    let _ = io.write_all(bytes).await;
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), io.read_to_end(&mut said)).await.expect("the gateway closes");
    String::from_utf8_lossy(&said).into_owned()
}

/// Waits until something is so.
pub(super) async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it becomes so within 20 s");
}

pub(super) fn storage_problem() -> Problem {
    Problem::unavailable("The disk is full.")
}
