//! A small model provider on loopback, steered by the test.

use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::task::AbortOnDropHandle;

/// A request as the provider got it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: AbortOnDropHandle<()>,
}

impl Upstream {
    /// A provider that answers every request as `script` says.
    pub(super) async fn start(script: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, list) = (Arc::new(script), Arc::clone(&seen));
        let app = Router::new().fallback(move |request: Request| {
            let (script, list) = (Arc::clone(&script), Arc::clone(&list));
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let seen = Seen { path: head.uri.to_string(), headers: head.headers, body };
                list.lock().unwrap().push(seen.clone());
                script(&seen)
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, _server: AbortOnDropHandle::new(server) }
    }

    pub(super) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

pub(super) fn json(status: u16, body: &str) -> Response {
    Response::builder().status(status).header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap()
}

pub(super) fn events(text: &str) -> Response {
    Response::builder().header("content-type", "text/event-stream; charset=utf-8").body(Body::from(text.to_owned())).unwrap()
}

pub(super) type Feed = mpsc::UnboundedSender<Result<Bytes, std::io::Error>>;

/// A stream that the test feeds: dropped, it ends; fed an error, it breaks.
pub(super) fn fed() -> (Feed, Arc<Mutex<Option<Response>>>) {
    let (feed, chunks) = mpsc::unbounded_channel();
    let body = Body::from_stream(UnboundedReceiverStream::new(chunks));
    let response = Response::builder().header("content-type", "text/event-stream").body(body).unwrap();
    (feed, Arc::new(Mutex::new(Some(response))))
}

/// A script that gives `response` once.
pub(super) fn once(response: Arc<Mutex<Option<Response>>>) -> impl Fn(&Seen) -> Response + Send + Sync + 'static {
    move |_| response.lock().unwrap().take().unwrap_or_else(|| json(200, "{}"))
}
