//! Watchers of `/events`: `WATCHERS` of them (1,000 where nothing is said) while 200 events a second are journaled for
//! `SECONDS` (10). Each must see each event once and in order. Told: time from the event's own clock until a watcher has it,
//! and memory of `meshwork up` (PSS). Its peer is a bare server that sends a text of the same size to the same number of
//! watchers from one `tokio::sync::broadcast`, without a journal behind it.
//! The goals: an event reaches an open page within 100 ms, and all of it within 100 MB.

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use benches::{Up, percentile};
use futures::StreamExt;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::broadcast,
    task::JoinSet,
    time::timeout,
};
use tokio_stream::wrappers::BroadcastStream;

const PER_SECOND: u64 = 200;
/// With what a stream of events begins: `/events` says first where the journal ends.
const FIRST_LINE: &str = "event: head";
/// How long a stream may take to open.
const OPEN_TIME: Duration = Duration::from_secs(20);

/// What a round told.
struct Told {
    p50: Duration,
    p99: Duration,
    pss_mb: f64,
    idle_mb: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("peer") {
        return peer().await;
    }
    let (watchers, seconds) = (number("WATCHERS", 1000), number("SECONDS", 10));
    let own = meshwork(watchers, seconds).await?;
    let peer = bare(watchers, seconds).await?;
    for (name, told) in [("meshwork", &own), ("bare broadcast", &peer)] {
        println!(
            "{name}: event to watcher p50 {:.1} ms, p99 {:.1} ms; {:.1} MB PSS with {watchers} watchers, {:.1} MB before",
            ms(told.p50),
            ms(told.p99),
            told.pss_mb,
            told.idle_mb
        );
    }
    let line = json!({"bench": "events_fanout", "watchers": watchers, "per_second": PER_SECOND, "p50_ms": ms(own.p50), "p99_ms": ms(own.p99),
        "pss_mb": own.pss_mb, "idle_mb": own.idle_mb, "peer_p99_ms": ms(peer.p99), "peer_pss_mb": peer.pss_mb,
        "p99_ratio": own.p99.as_secs_f64() / peer.p99.as_secs_f64()});
    println!("{line}");
    Ok(())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

fn ms(of: Duration) -> f64 {
    of.as_secs_f64() * 1000.0
}

/// A real `meshwork up`; tokens are made and revoked, each an event on disk before its answer.
async fn meshwork(watchers: u64, seconds: u64) -> Result<Told> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let up = tokio::task::block_in_place(|| Up::start(&data))?;
    let (address, token) = door(&data)?;
    let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n");
    let idle_mb = pss_mb(up.pid());
    let mut waiting =
        watch(address, &head, watchers, PER_SECOND * seconds, |data| Some((after(data, "\"seq\":")?, after(data, "\"at\":")?))).await?;
    for _ in 0..4 {
        let (head, mut line) = (head.clone(), TcpStream::connect(address).await?);
        waiting.spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 * 4 / PER_SECOND));
            for at in 0..PER_SECOND * seconds / 8 {
                tick.tick().await;
                let made = post(&mut line, &head, "/api/v1/token/create", &json!({"role": "viewer", "label": at.to_string()})).await?;
                tick.tick().await;
                post(&mut line, &head, "/api/v1/token/revoke", &json!({"id": made["id"]})).await?;
            }
            Ok(vec![])
        });
    }
    finish(waiting, up.pid(), idle_mb, seconds).await
}

/// Where the server listens, and the command line's token.
fn door(data: &Path) -> Result<(SocketAddr, String)> {
    let up: Value = serde_json::from_slice(&fs::read(data.join("up.json"))?)?;
    let url = up["url"].as_str().context("no url")?;
    Ok((url.trim_start_matches("http://").trim_end_matches('/').parse()?, fs::read_to_string(data.join("cli.token"))?))
}

/// The number behind a name; reading all of the JSON 200,000 times a second would be most of what is measured.
fn after(data: &str, name: &str) -> Option<u64> {
    let rest = &data[data.find(name)? + name.len()..];
    rest[..rest.find([',', '}'])?].parse().ok()
}

async fn post(line: &mut TcpStream, head: &str, path: &str, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let request = format!("POST {path} HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    line.write_all(request.as_bytes()).await?;
    let mut answer = BufReader::new(line);
    let (mut text, mut length) = (String::new(), 0);
    while text != "\r\n" {
        text.clear();
        answer.read_line(&mut text).await?;
        if let Some(n) = text.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body).await?;
    let value: Value = serde_json::from_slice(&body)?;
    ensure!(value.get("error").is_none(), "{value}");
    Ok(value)
}

/// Watchers that each read `count` events; returns once all streams are open.
async fn watch(
    address: SocketAddr,
    head: &str,
    watchers: u64,
    count: u64,
    read: fn(&str) -> Option<(u64, u64)>,
) -> Result<JoinSet<Result<Vec<Duration>>>> {
    let mut all = JoinSet::new();
    for _ in 0..watchers {
        let mut line = TcpStream::connect(address).await?;
        line.write_all(format!("GET /events HTTP/1.1\r\n{head}\r\n").as_bytes()).await?;
        let mut lines = BufReader::with_capacity(2048, line).lines();
        // What a stream begins with: from here on nothing is missed.
        let opened = async {
            while lines.next_line().await?.context("the stream ended")? != FIRST_LINE {}
            anyhow::Ok(())
        };
        timeout(OPEN_TIME, opened).await.with_context(|| format!("no stream began with “{FIRST_LINE}” within {OPEN_TIME:?}"))??;
        all.spawn(async move {
            let (mut took, mut last) = (Vec::with_capacity(usize::try_from(count)?), None);
            while (took.len() as u64) < count {
                let line = lines.next_line().await?.context("the stream ended")?;
                let Some((seq, at)) = line.strip_prefix("data: ").and_then(read) else { continue };
                ensure!(last.is_none_or(|l| seq == l + 1), "after {last:?} came {seq}");
                last = Some(seq);
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                took.push(now.saturating_sub(Duration::from_millis(at)));
            }
            Ok(took)
        });
    }
    Ok(all)
}

async fn finish(mut waiting: JoinSet<Result<Vec<Duration>>>, pid: u32, idle_mb: f64, seconds: u64) -> Result<Told> {
    let began = Instant::now();
    let (mut took, mut pss) = (vec![], 0_f64);
    let limit = Duration::from_secs(seconds * 3 + 30);
    let mut sample = tokio::time::interval(Duration::from_millis(500));
    while !waiting.is_empty() {
        ensure!(began.elapsed() < limit, "{} watchers still wait after {} s", waiting.len(), limit.as_secs());
        tokio::select! {
            Some(done) = waiting.join_next() => took.extend(done??),
            _ = sample.tick() => pss = pss.max(pss_mb(pid)),
        }
    }
    took.sort_unstable();
    Ok(Told { p50: percentile(&took, 0.5), p99: percentile(&took, 0.99), pss_mb: pss, idle_mb })
}

#[allow(clippy::cast_precision_loss)]
fn pss_mb(pid: u32) -> f64 {
    benches::tree_pss_kib(pid) as f64 * 1024.0 / 1e6
}

/// The peer, in a process of its own.
async fn bare(watchers: u64, seconds: u64) -> Result<Told> {
    let mut child = Command::new(std::env::current_exe()?).arg("peer").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().context("no output")?), &mut line)?;
    let idle_mb = pss_mb(child.id());
    let waiting = watch(line.trim().parse()?, "Host: peer\r\n", watchers, PER_SECOND * seconds, |data| {
        let (seq, rest) = data.split_once(' ')?;
        Some((seq.parse().ok()?, rest.split_once(' ')?.0.parse().ok()?))
    })
    .await?;
    let told = finish(waiting, child.id(), idle_mb, seconds).await;
    child.kill()?;
    child.wait()?;
    told
}

async fn peer() -> Result<()> {
    let sender = broadcast::Sender::<Bytes>::new(1024);
    let from = sender.clone();
    let events = move || {
        let texts = BroadcastStream::new(from.subscribe()).map(|text| Ok::<_, Infallible>(text.unwrap_or_default()));
        let open = futures::stream::iter([Ok(Bytes::from_static(b"event: head\ndata: 0\n\n"))]);
        std::future::ready(Body::from_stream(open.chain(texts)))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / PER_SECOND));
        for seq in 0_u64.. {
            tick.tick().await;
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let _ = sender.send(format!("id: {seq}\ndata: {seq} {at} {:300}\n\n", "").into());
        }
    });
    Ok(axum::serve(listener, Router::new().route("/events", get(events))).await?)
}
