//! How long it takes until what happens on one device is told to an open page of another: between two `meshwork up` on loopback, from
//! the event's own clock, before it is on the disk of the first, until `/events` of the second says that there is news; by then it is in
//! that one's copy of the journal, on its disk.
//!
//! `event_elsewhere [events]`. Beside it the smallest call there is between the two (`Probe`), which is the round trip, and how long the
//! first one's own `/events` takes. The goal: one round trip and 10 ms. The last line is JSON.

use anyhow::{Context, Result};
use benches::{
    percentile,
    two::{Caller, Two},
};
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::Up;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{sleep, timeout},
};

/// What may come on top of a round trip.
const WANTED: Duration = Duration::from_millis(10);
/// How long a message may take at all.
const LONG: Duration = Duration::from_secs(10);
/// The pause between two events: longer than what follows at once is gathered.
const PAUSE: Duration = Duration::from_millis(400);
/// How many events are made before any is counted.
const WARM: usize = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let events: usize = std::env::args().nth(1).map_or(Ok(60), |n| n.parse())?;
    let two = Two::start().await?;
    let mut caller = Caller::new(&two)?;
    let (mut adas, mut bobs) = (watch(&two.ada).await?, watch(&two.bob).await?);
    let (mut trips, mut own, mut elsewhere) = (vec![], vec![], vec![]);
    let mut made = Value::Null;
    for n in 0..WARM + events {
        sleep(PAUSE).await;
        for stream in [&mut adas, &mut bobs] {
            while stream.try_recv().is_ok() {}
        }
        let trip = caller.round_trip().await?;
        // Tokens come and go in turn: each is an event of Ada's journal.
        if n % 2 == 0 {
            made = two.ada.act("token.create", json!({"role": "viewer", "label": n.to_string()})).await;
        } else {
            two.ada.act("token.revoke", json!({"id": made["id"]})).await;
        }
        let here = next(&mut adas, "journal").await?;
        let there = next(&mut bobs, "others").await?;
        let happened = Duration::from_millis(after(&here.data, "\"at\":").context("the event says not when it was")?);
        if n >= WARM {
            trips.push(trip);
            own.push(here.at.saturating_sub(happened));
            elsewhere.push(there.at.saturating_sub(happened));
        }
    }
    for all in [&mut trips, &mut own, &mut elsewhere] {
        all.sort_unstable();
    }

    let trip = percentile(&trips, 0.5);
    println!("{:40} {:>9} {:>9} {:>9}", "ms", "p50", "p99", "max");
    for (name, took) in
        [("round trip (Probe)", &trips), ("event to /events of its device", &own), ("event to /events of the other", &elsewhere)]
    {
        println!("{name:40} {:>9.2} {:>9.2} {:>9.2}", ms(percentile(took, 0.5)), ms(percentile(took, 0.99)), ms(percentile(took, 1.0)));
    }
    let beyond = |share: f64| percentile(&elsewhere, share).saturating_sub(trip);
    let line = json!({
        "bench": "event_elsewhere", "events": events, "round_trip_p50_ms": ms(trip), "own_p50_ms": ms(percentile(&own, 0.5)),
        "elsewhere_p50_ms": ms(percentile(&elsewhere, 0.5)), "elsewhere_p99_ms": ms(percentile(&elsewhere, 0.99)),
        "beyond_p50_ms": ms(beyond(0.5)), "beyond_p99_ms": ms(beyond(0.99)), "wanted_beyond_ms": ms(WANTED),
        "met_p50": beyond(0.5) <= WANTED, "met": beyond(0.99) <= WANTED,
    });
    println!("{line}");
    Ok(())
}

fn ms(of: Duration) -> f64 {
    (of.as_secs_f64() * 100_000.0).round() / 100.0
}

/// A message of a stream, and when it came, since 1970.
struct Heard {
    kind: String,
    data: String,
    at: Duration,
}

/// Watches a device's `/events`.
async fn watch(up: &Up) -> Result<UnboundedReceiver<Heard>> {
    let response = up.http().get(format!("{}/events", up.url())).bearer_auth(up.token()).send().await?.error_for_status()?;
    let (tell, mut heard) = unbounded_channel();
    let mut bytes = response.bytes_stream();
    tokio::spawn(async move {
        let mut pending = String::new();
        while let Some(Ok(piece)) = bytes.next().await {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            pending.push_str(&String::from_utf8_lossy(&piece));
            while let Some((message, rest)) = pending.split_once("\n\n").map(|(message, rest)| (message.to_owned(), rest.to_owned())) {
                pending = rest;
                let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
                if tell.send(Heard { kind: field("event: "), data: field("data: "), at }).is_err() {
                    return;
                }
            }
        }
    });
    // What a stream begins with: from here on nothing is missed.
    next(&mut heard, "head").await?;
    Ok(heard)
}

/// The next message of a kind.
async fn next(stream: &mut UnboundedReceiver<Heard>, kind: &str) -> Result<Heard> {
    let found = async {
        loop {
            let heard = stream.recv().await.context("the stream ended")?;
            if heard.kind == kind {
                return Ok(heard);
            }
        }
    };
    timeout(LONG, found).await.with_context(|| format!("no “{kind}” came within {LONG:?}"))?
}

/// The number behind a name.
fn after(data: &str, name: &str) -> Option<u64> {
    let rest = &data[data.find(name)? + name.len()..];
    rest[..rest.find([',', '}'])?].parse().ok()
}
