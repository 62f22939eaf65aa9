//! One plain HTTP request of a sandbox, sent on to the host that was checked.

use super::{
    super::{
        limits,
        refusal::{Body, Broken, Refusal},
    },
    watched::Watched,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// Headers that belong to one connection (RFC 9110, 7.6.1), and those for the proxy itself.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends it and hands the answer back; both bodies stream.
pub(super) async fn forward(request: Request<Incoming>, stream: TcpStream) -> Result<Response<Body>, Refusal> {
    let failed = |_| Refusal::new(StatusCode::BAD_GATEWAY, "unreachable", "The host broke the connection off.");
    let request = for_origin(request)?;
    let io = TokioIo::new(Watched::new(stream, limits::EGRESS_IDLE, limits::EGRESS_BYTES_MAX));
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(2 * limits::HEADER_BYTES_MAX)
        .handshake(io)
        .await
        .map_err(failed)?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
    let answered = timeout(limits::ANSWER_TIMEOUT, sender.send_request(request)).await;
    let late = |_| Refusal::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "The host did not answer in time.");
    let (mut head, body) = answered.map_err(late)?.map_err(failed)?.into_parts();
    head.headers = end_to_end(&head.headers);
    // The connection lives as long as the body that comes over it.
    let body = body.map_frame(move |frame| {
        let _alive = &connection;
        frame
    });
    Ok(Response::from_parts(head, body.map_err(|_| Broken).boxed_unsync()))
}

/// As the origin wants it: only the path, and the host that was checked.
fn for_origin(request: Request<Incoming>) -> Result<Request<Incoming>, Refusal> {
    let (mut head, body) = request.into_parts();
    let host = head.uri.authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
    let host = host.ok_or_else(|| Refusal::bad_request("The address has no host."))?;
    head.uri = Uri::from(head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.headers = end_to_end(&head.headers);
    head.headers.insert(header::HOST, host);
    Ok(Request::from_parts(head, body))
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let kept = |name: &HeaderName| !HOP_BY_HOP.contains(&name.as_str()) && !named.contains(name);
    headers.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
