//! Requests that try to get elsewhere, or to be read differently by two readers.

use super::{
    harness::{Bench, KEY, say},
    upstream::{Upstream, json},
};
use crate::gateway::limits;
use domain::agent::ModelApi;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn status(said: &str) -> u16 {
    said.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn no_path_leads_elsewhere() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    for target in [
        "/",
        "/v1",
        "/v1/",
        "/v1/responses/",
        "//v1/responses",
        "/v1//responses",
        "/v1/v1/responses",
        "/v1/../admin",
        "/v1/responses/../files",
        "/v1/%2e%2e/admin",
        "/v1/responses%2f..%2fadmin",
        "/v1/%72esponses",
        "/v1/responses;x",
        "/v1/responses/resp_1",
        "/v1/files",
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/organization/admin_api_keys",
        "/V1/RESPONSES",
        "/v1\\responses",
    ] {
        let request = format!("POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
        let said = say(bench.raw_model(), request.as_bytes()).await;
        assert!(matches!(status(&said), 400 | 404), "{target}: {said}");
    }
    let absolute = [format!("http://{}/v1/responses", upstream.address), "https://api.openai.com/v1/responses".into(), "*".into()];
    for target in absolute {
        let request = format!("POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
        let said = say(bench.raw_model(), request.as_bytes()).await;
        assert!(matches!(status(&said), 400 | 404), "{target}: {said}");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let request = format!("{method} /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_eq!(status(&say(bench.raw_model(), request.as_bytes()).await), 405, "{method}");
    }
    let said =
        say(bench.raw_model(), format!("CONNECT {0} HTTP/1.1\r\nhost: {0}\r\nconnection: close\r\n\r\n", upstream.address).as_bytes())
            .await;
    assert_eq!(status(&said), 400);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_query_is_left_behind() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    let bench = Bench::new(ModelApi::Messages, &upstream);
    assert_eq!(bench.post("/v1/messages?beta=true&x=/../admin", "{}").await.status, 200);
    assert_eq!(upstream.seen()[0].path, "/v1/messages");
}

#[tokio::test]
async fn two_readers_cannot_read_one_request_differently() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    let hidden = "POST /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let chunked = format!("2\r\n{{}}\r\n0\r\n\r\n{hidden}");
    let len = chunked.len();
    for head in [
        format!("content-length: {len}\r\ntransfer-encoding: chunked\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {len}\r\n"),
        "content-length: 2\r\ncontent-length: 50\r\n".into(),
        "transfer-encoding: xchunked\r\n".into(),
        "transfer-encoding: chunked, identity\r\n".into(),
        "transfer-encoding : chunked\r\n".into(),
        "content-length: +2\r\n".into(),
        "x: a\r\n b: folded\r\ncontent-length: 2\r\n".into(),
        "connection: authorization, content-length\r\ncontent-length: 2\r\n".into(),
    ] {
        let request = format!("POST /v1/responses HTTP/1.1\r\nhost: x\r\n{head}\r\n{chunked}");
        let said = say(bench.raw_model(), request.as_bytes()).await;
        assert!(!said.contains(KEY));
    }
    for seen in upstream.seen() {
        assert_eq!(seen.path, "/v1/responses", "only what was asked for goes out");
        assert_eq!(seen.headers["content-length"], seen.body.len().to_string());
        assert!(!seen.headers.contains_key("transfer-encoding") && !seen.headers.contains_key("connection"));
    }
}

#[tokio::test]
async fn too_large_requests_are_refused_before_they_are_read() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    let announced = format!("POST /responses HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{{", limits::REQUEST_BYTES_MAX + 1);
    let mut io = bench.raw_model();
    io.write_all(announced.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    io.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");

    // Unannounced, in pieces: it is told as soon as it is too much.
    let (mut read, mut write) = tokio::io::split(bench.raw_model());
    let flood = tokio::spawn(async move {
        write.write_all(b"POST /responses HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        // Twice the limit, unless the gateway closes before.
        for _ in 0..2 * limits::REQUEST_BYTES_MAX / 0x10000 {
            if write.write_all(&piece).await.is_err() {
                return true;
            }
        }
        false
    });
    read.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    drop(read);
    assert!(flood.await.unwrap(), "the gateway stops reading");

    let headers = format!("GET /models HTTP/1.1\r\nhost: x\r\nx-big: {}\r\n\r\n", "a".repeat(limits::HEADER_BYTES_MAX));
    assert_eq!(status(&say(bench.raw_model(), headers.as_bytes()).await), 431);
    let many = format!("GET /models HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(limits::HEADERS_MAX));
    assert_eq!(status(&say(bench.raw_model(), many.as_bytes()).await), 431);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn compressed_requests_and_garbage_are_refused() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    let zipped = b"POST /responses HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: zstd\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(status(&say(bench.raw_model(), zipped).await), 415);
    for body in ["", "nonsense", "[]", "{\"a\":1,}", "{\"a\":1}{\"b\":2}"] {
        assert_eq!(bench.post("/responses", body).await.status, 400, "{body}");
    }
    assert_eq!(status(&say(bench.raw_model(), b"\x16\x03\x01 this is no HTTP\r\n\r\n").await), 400);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn connections_and_calls_of_one_run_are_limited() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::with(super::harness::parts(ModelApi::Responses, &format!("http://{}/v1", listener.local_addr().unwrap())));
    let call = b"POST /responses HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let (mut engines, mut providers) = (Vec::new(), Vec::new());
    for _ in 0..limits::CALLS_PARALLEL_MAX {
        let mut engine = bench.raw_model();
        engine.write_all(call).await.unwrap();
        engines.push(engine);
        providers.push(listener.accept().await.unwrap().0);
    }
    let mut one_more = bench.raw_model();
    one_more.write_all(call).await.unwrap();
    for _ in limits::CALLS_PARALLEL_MAX + 1..limits::CONNECTIONS_MAX {
        let mut idle = bench.raw_model();
        idle.write_all(b"GET /models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        idle.read_exact(&mut [0; 12]).await.unwrap();
        engines.push(idle);
    }
    assert_eq!(say(bench.raw_model(), b"").await, "", "one connection too many is closed");
    assert!(futures::poll!(std::pin::pin!(listener.accept())).is_pending(), "one call too many waits");
    providers.pop();
    // Its turn comes when one before it is over.
    listener.accept().await.unwrap();
}

#[tokio::test]
async fn a_model_address_that_would_show_the_key_is_refused() {
    use crate::gateway::Route;
    let route = |base: &str| Route::new(super::harness::parts(ModelApi::Chat, base)).map(|_| ());
    for good in [
        "https://api.openai.com/v1",
        "http://127.0.0.1:11434/v1",
        "http://localhost:8000",
        "http://[::1]:1",
        "http://100.64.0.7/v1",
        "http://gpu-box:8000/v1",
    ] {
        assert!(route(good).is_ok(), "{good}");
    }
    for bad in [
        "http://api.openai.com/v1",
        "http://1.1.1.1/v1",
        "ftp://x/v1",
        "file:///etc/passwd",
        "https://user:pw@x/v1",
        "https://x/v1#a",
        "api.openai.com/v1",
        "",
    ] {
        assert!(route(bad).is_err(), "{bad}");
    }
}
