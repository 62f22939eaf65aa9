//! The egress proxy: what it reaches, and what it does not.

use super::{
    harness::{Bench, parts, say},
    upstream::{Upstream, json},
};
use domain::agent::ModelApi;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A run that may reach `allow`; names lead to `leads_to`. Counts the look-ups.
fn bench(allow: &[String], leads_to: &[&str]) -> (Bench, Arc<AtomicUsize>) {
    let mut parts = parts(ModelApi::Responses, "https://model.invalid/v1");
    parts.network.allow = allow.to_vec();
    let addresses: Vec<SocketAddr> = leads_to.iter().map(|a| SocketAddr::new(a.parse().unwrap(), 1)).collect();
    let looked_up = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked_up);
    parts.resolver = Arc::new(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) })
    });
    (Bench::with(parts), looked_up)
}

fn status(said: &str) -> &str {
    said.get(9..12).unwrap_or(said)
}

async fn connect(bench: &Bench, target: &str) -> String {
    say(bench.raw_egress(), format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn a_tunnel_to_an_allowed_host_carries_bytes_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let (bench, _) = bench(std::slice::from_ref(&target), &[]);
    let mut io = bench.raw_egress();
    io.write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200"));
    let (mut host, _) = listener.accept().await.unwrap();
    let mut got = [0; 5];
    io.write_all(b"\x16ping").await.unwrap();
    host.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"\x16ping");
    host.write_all(b"pong!").await.unwrap();
    io.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"pong!");
    // Either end closes both.
    drop(io);
    assert_eq!(host.read(&mut got).await.unwrap(), 0);
    assert!(bench.refused.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_plain_request_goes_to_an_allowed_host_without_what_belongs_to_the_proxy() {
    let upstream = Upstream::start(|seen| {
        let mut response = json(200, &format!("{} bytes", seen.body.len()));
        response.headers_mut().insert("keep-alive", "timeout=5".parse().unwrap());
        response.headers_mut().insert("x-kept", "yes".parse().unwrap());
        response
    })
    .await;
    let target = upstream.address.to_string();
    let (bench, _) = bench(std::slice::from_ref(&target), &[]);
    let request = format!(
        "POST http://{target}/a/b?c=d HTTP/1.1\r\nhost: somewhere.else\r\nproxy-authorization: Basic eDp5\r\nproxy-connection: keep-alive\r\n\
         connection: close, x-hop\r\nx-hop: 1\r\nx-end: 2\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
    let said = say(bench.raw_egress(), request.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("x-kept: yes") && said.contains("3 bytes"), "{said}");
    assert!(!said.contains("keep-alive: timeout"));
    let seen = &upstream.seen()[0];
    assert_eq!(
        (seen.path.as_str(), &seen.headers["host"], &seen.headers["x-end"]),
        ("/a/b?c=d", &target.parse().unwrap(), &"2".parse().unwrap())
    );
    for gone in ["proxy-authorization", "proxy-connection", "x-hop", "connection"] {
        assert!(!seen.headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn everything_else_is_refused_in_words_and_reported_once() {
    let upstream = Upstream::start(|_| json(200, "secret of the host")).await;
    let port = upstream.address.port();
    let (bench, looked_up) = bench(&["example.net".into(), format!("*.example.org:{port}"), format!("127.0.0.2:{port}")], &["127.0.0.1"]);
    for target in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("example.org:{port}"),
        "example.net:80".into(),
        "example.net.evil.org:443".into(),
        "169.254.169.254:80".into(),
    ] {
        for _ in 0..2 {
            let said = connect(&bench, &target).await;
            assert_eq!(status(&said), "403", "{target}: {said}");
            assert!(said.contains("meshwork: ") && said.contains("network.allow"), "{said}");
        }
    }
    let said = say(
        bench.raw_egress(),
        format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nhost: example.net\r\nconnection: close\r\n\r\n").as_bytes(),
    )
    .await;
    assert_eq!(status(&said), "403");
    assert_eq!(bench.refused.lock().unwrap().len(), 7, "{:?}", bench.refused.lock().unwrap());
    assert_eq!(looked_up.load(Ordering::SeqCst), 0, "names that are not allowed are not even looked up");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn an_allowed_name_cannot_lead_into_ones_own_network() {
    for address in
        ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.100.100.100", "::ffff:127.0.0.1", "0.0.0.0", "fd7a::1"]
    {
        let upstream = Upstream::start(|_| json(200, "secret of the host")).await;
        let port = upstream.address.port();
        // The address itself is even allowed, but not by this name.
        let (bench, _) = bench(&[format!("rebind.example.org:{port}"), format!("127.0.0.1:{port}")], &[address]);
        let said = connect(&bench, &format!("rebind.example.org:{port}")).await;
        assert!(status(&said) == "403" && said.contains("not public"), "{address}: {said}");
        let get = format!("GET http://rebind.example.org:{port}/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_eq!(status(&say(bench.raw_egress(), get.as_bytes()).await), "403");
        assert!(bench.refused.lock().unwrap()[0].contains("rebind.example.org"));
        assert!(upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let (bench, looked_up) = bench(&["example.org:443".into(), "example.org:80".into()], &["127.0.0.1"]);
    for request in [
        "GET / HTTP/1.1\r\nhost: example.org\r\n",
        "GET https://example.org/ HTTP/1.1\r\nhost: example.org\r\n",
        "GET ftp://example.org/ HTTP/1.1\r\nhost: example.org\r\n",
        "GET http://user:pw@example.org/ HTTP/1.1\r\nhost: example.org\r\n",
        "CONNECT example.org HTTP/1.1\r\nhost: example.org\r\n",
        "CONNECT user@example.org:443 HTTP/1.1\r\nhost: example.org\r\n",
        "CONNECT example.org:443:443 HTTP/1.1\r\nhost: example.org\r\n",
        "CONNECT example.org:0 HTTP/1.1\r\nhost: example.org\r\n",
        "CONNECT example.org:65979 HTTP/1.1\r\nhost: example.org\r\n",
    ] {
        let said = say(bench.raw_egress(), format!("{request}connection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&said), "400", "{request}: {said}");
    }
    assert_eq!(looked_up.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn reports_of_refused_hosts_are_limited() {
    use crate::gateway::limits::REFUSED_REPORTED_MAX;
    let (bench, _) = bench(&[], &[]);
    for n in 0..REFUSED_REPORTED_MAX + 20 {
        assert_eq!(status(&connect(&bench, &format!("h{n}.org:443")).await), "403");
    }
    let refused = bench.refused.lock().unwrap();
    assert_eq!(refused.len(), REFUSED_REPORTED_MAX + 1);
    assert!(refused.last().unwrap().contains("no longer listed"));
}

#[tokio::test]
async fn a_bad_list_is_refused_when_the_route_is_made() {
    let mut parts = parts(ModelApi::Chat, "https://model.invalid/v1");
    parts.network.allow = vec!["*".into()];
    let problem = crate::gateway::Route::new(parts).map(|_| ()).unwrap_err();
    assert!(problem.to_string().contains("network.allow"), "{problem}");
}

/// The one thing that loopback cannot show: a name that leads to a public address, and is reached. In a network namespace
/// of its own, where such an address can be had without leaving the machine.
#[test]
fn an_allowed_name_with_a_public_address_is_reached() {
    let inside = "ip link set lo up && ip addr add 5.5.5.5/32 dev lo && exec \"$0\" --exact --ignored --nocapture gateway::tests::egress::inside_a_namespace";
    let me = std::env::current_exe().unwrap();
    let possible =
        std::process::Command::new("unshare").args(["--user", "--map-root-user", "--net", "ip", "link", "set", "lo", "up"]).output();
    if !possible.as_ref().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: no network namespaces here (needs util-linux, iproute2 and user namespaces): {possible:?}");
        return;
    }
    let out =
        std::process::Command::new("unshare").args(["--user", "--map-root-user", "--net", "sh", "-c", inside]).arg(me).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
#[ignore = "run by the test above, in a namespace of its own"]
async fn inside_a_namespace() {
    let listener = TcpListener::bind("5.5.5.5:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Of several addresses, those of one's own network are passed over.
    let (bench, looked_up) = bench(&[format!("*.example.org:{port}")], &["127.0.0.1", "5.5.5.5"]);
    let host = tokio::spawn(async move {
        let (mut stream, peer) = listener.accept().await.unwrap();
        stream.write_all(b"hello from outside").await.unwrap();
        peer
    });
    let said = connect(&bench, &format!("A.Example.org.:{port}")).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("hello from outside"), "{said}");
    host.await.unwrap();
    assert_eq!(looked_up.load(Ordering::SeqCst), 1, "looked up once: what was checked is what was connected to");
}

#[tokio::test]
async fn only_what_the_list_lets_be_asked_reaches_a_host_over_plain_http() {
    let upstream = super::upstream::Upstream::start(|_| super::upstream::json(200, "{}")).await;
    let host = upstream.address;
    let (bench, _) = bench(&[format!("GET http://{host}/simple/")], &[]);
    let ask =
        |line: &str| say(bench.raw_egress(), format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into_bytes().leak());
    assert_eq!(status(&ask(&format!("GET http://{host}/simple/flask/?v=1")).await), "200");
    for line in [
        format!("POST http://{host}/simple/flask/"),
        format!("GET http://{host}/upload"),
        format!("GET http://{host}/simple/%2e%2e/upload"),
        format!("CONNECT {host}"),
    ] {
        let said = ask(&line).await;
        assert!(status(&said) == "403" && said.contains("other things only"), "{line}: {said}");
    }
    assert_eq!(upstream.seen().len(), 1);
    assert_eq!(upstream.seen()[0].path, "/simple/flask/?v=1");
}
