//! Passes requests on to an org's process over its unix socket, as they are: bodies and event streams flow through.

use crate::{error::Refusal, switch::Place};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, Uri, Version, header},
    response::{IntoResponse, Response},
};
use domain::Problem;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// What is said between two ends of one connection, and not passed on (RFC 9110, 7.6.1).
const HOP: [HeaderName; 6] =
    [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE, HeaderName::from_static("keep-alive")];

/// Passes a request on, and its answer back.
pub(crate) async fn pass_on(place: &Place, request: Request) -> Response {
    match sent(place, request).await {
        Ok(response) => response,
        Err(problem) => Refusal(problem).into_response(),
    }
}

async fn sent(place: &Place, request: Request) -> Result<Response, Problem> {
    let gone = |e: &dyn std::fmt::Display| {
        Problem::unavailable("The org's process does not answer.")
            .because(format!("{e}."))
            .next("It is started again by itself; meshwork org list says how it does.")
    };
    let stream = UnixStream::connect(&place.socket).await.map_err(|e| gone(&e))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| gone(&e))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to an org's process ended");
        }
    });
    let response = sender.send_request(onward(request)?).await.map_err(|e| gone(&e))?;
    let (mut parts, body) = response.into_parts();
    without_hop(&mut parts.headers);
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// The request as it goes on: its path only, whatever address the caller wrote before it.
fn onward(request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path
        .parse::<Uri>()
        .map_err(|_| Problem::invalid("The address is not well formed.").next("GET /openapi.json lists what there is."))?;
    parts.version = Version::HTTP_11;
    without_hop(&mut parts.headers);
    Ok(Request::from_parts(parts, body))
}

fn without_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_of_one_connection_stays_there() {
        let request = Request::builder()
            .uri("http://acme.localhost:7420/events?after=3")
            .header("host", "acme.localhost:7420")
            .header("connection", "keep-alive, x-mine")
            .header("x-mine", "1")
            .header("upgrade", "websocket")
            .header("last-event-id", "4");
        let onward = onward(request.body(Body::empty()).unwrap()).unwrap();
        assert_eq!(onward.uri(), "/events?after=3");
        let left: Vec<_> = onward.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["host", "last-event-id"]);
    }
}
