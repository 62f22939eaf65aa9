//! How long a device takes to answer `Schedule` with a lease or a refusal: between two `meshwork up` on loopback, over mTLS, beside the
//! smallest call there is (`Probe`) on the same connection, which is the round trip.
//!
//! `lease [leases] [refusals]`. A lease is on disk before its answer; a refusal has gone through all of admission but the writing. Refusals
//! and round trips follow each other at once. Each lease's run is ended, and some time passes, before the next is asked for: it is compared
//! with round trips that begin from rest as well. The goal: a lease or a refusal within one round trip and 2 ms.
//! The last line is JSON.

use anyhow::{Context, Result, ensure};
use benches::{
    percentile,
    two::{Caller, Two},
};
use domain::{
    RunId,
    lease::Admission,
    run::{Reason, Wish},
};
use identity::Envelope;
use mesh::spoken;
use proto::mesh::{OrderRequest, ScheduleRequest};
use serde_json::json;
use std::time::{Duration, Instant};

/// What may come on top of a round trip.
const WANTED: Duration = Duration::from_millis(2);
/// More than any machine has, in thousandths of a core.
const TOO_MUCH_MILLI: u64 = 1_000_000_000;
/// How many refusals, and how many leases, are asked for before any is counted.
const WARM: usize = 50;
const WARM_LEASES: usize = 40;
/// The pause before each call that is to be from rest.
const REST: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let leases: usize = args.next().map_or(Ok(50), |n| n.parse())?;
    let refusals: usize = args.next().map_or(Ok(500), |n| n.parse())?;
    let two = Two::start().await?;
    let mut caller = Caller::new(&two)?;
    for _ in 0..WARM {
        caller.round_trip().await?;
        refused(&two, &mut caller).await?;
    }
    let (mut trips, mut trips_from_rest, mut refused_in, mut leased_in) = (vec![], vec![], vec![], vec![]);
    for _ in 0..refusals {
        trips.push(caller.round_trip().await?);
        refused_in.push(refused(&two, &mut caller).await?);
    }
    for number in 0..leases + WARM_LEASES {
        // Each from rest, not beside what follows the end of the run before.
        tokio::time::sleep(REST).await;
        let trip = caller.round_trip().await?;
        tokio::time::sleep(REST).await;
        let (run, took) = leased(&two, &mut caller).await?;
        if number >= WARM_LEASES {
            trips_from_rest.push(trip);
            leased_in.push(took);
        }
        end(&mut caller, &run).await?;
        two.bob.ended(run.as_str()).await;
    }
    for all in [&mut trips, &mut trips_from_rest, &mut refused_in, &mut leased_in] {
        all.sort_unstable();
    }

    // Each beside the round trips of its own kind: one after the other, or from rest.
    let (trip, from_rest) = (percentile(&trips, 0.5), percentile(&trips_from_rest, 0.5));
    println!("{:36} {:>9} {:>9} {:>9}   beyond a round trip: p50, p99", "ms", "p50", "p99", "max");
    let rows = [
        ("round trip (Probe)", &trips, trip),
        ("round trip (Probe), from rest", &trips_from_rest, from_rest),
        ("refusal", &refused_in, trip),
        ("lease, from rest", &leased_in, from_rest),
    ];
    for (name, took, trip) in rows {
        let at = |share: f64| percentile(took, share);
        let beyond = |share: f64| ms(at(share).saturating_sub(trip));
        println!("{name:36} {:>9.2} {:>9.2} {:>9.2}   {:.2}, {:.2}", ms(at(0.5)), ms(at(0.99)), ms(at(1.0)), beyond(0.5), beyond(0.99));
    }
    let beyond_lease = |share: f64| percentile(&leased_in, share).saturating_sub(from_rest);
    let beyond_refusal = |share: f64| percentile(&refused_in, share).saturating_sub(trip);
    let met = |share: f64| beyond_lease(share) <= WANTED && beyond_refusal(share) <= WANTED;
    let line = json!({
        "bench": "lease", "leases": leases, "refusals": refusals, "round_trip_p50_ms": ms(trip), "round_trip_from_rest_p50_ms": ms(from_rest),
        "lease_beyond_p50_ms": ms(beyond_lease(0.5)), "lease_beyond_p99_ms": ms(beyond_lease(0.99)),
        "refusal_beyond_p50_ms": ms(beyond_refusal(0.5)), "refusal_beyond_p99_ms": ms(beyond_refusal(0.99)),
        "wanted_beyond_ms": ms(WANTED), "met_p50": met(0.5), "met": met(0.99),
    });
    println!("{line}");
    Ok(())
}

fn ms(of: Duration) -> f64 {
    (of.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Asks; the answer, and when it was there.
async fn ask(caller: &mut Caller, sealed: &Envelope) -> Result<(Admission, Duration)> {
    let request = ScheduleRequest { version: spoken(), manifest_json: sealed.to_json()? };
    let begun = Instant::now();
    let reply = caller.client.schedule(request).await?;
    let took = begun.elapsed();
    Ok((serde_json::from_str(&reply.into_inner().admission_json)?, took))
}

/// Has something refused that asks for too much.
async fn refused(two: &Two, caller: &mut Caller) -> Result<Duration> {
    let (_, sealed) = caller.manifest(&two.rid, TOO_MUCH_MILLI)?;
    let (admission, took) = ask(caller, &sealed).await?;
    let Admission::Refused { reasons } = &admission else { anyhow::bail!("it was not refused: {admission:?}") };
    ensure!(matches!(reasons.as_slice(), [domain::placement::Refusal::TooSmall { .. }]), "refused for something else: {admission:?}");
    Ok(took)
}

/// Has something leased.
async fn leased(two: &Two, caller: &mut Caller) -> Result<(RunId, Duration)> {
    let (run, sealed) = caller.manifest(&two.rid, 1)?;
    let (admission, took) = ask(caller, &sealed).await?;
    ensure!(matches!(&admission, Admission::Leased { lease } if lease.run == run), "it was not leased: {admission:?}");
    Ok((run, took))
}

/// Wants a run ended. One that has ended by itself is none any more.
async fn end(caller: &mut Caller, run: &RunId) -> Result<()> {
    let wish = Wish::End { reason: Reason::Stopped { by: caller.device() } };
    let request = OrderRequest { version: spoken(), run: run.to_string(), by: String::new(), wish_json: serde_json::to_string(&wish)? };
    match caller.client.order(request).await {
        Ok(_) => Ok(()),
        Err(status) if mesh::problem(&status).kind == domain::Kind::Conflict => Ok(()),
        Err(status) => Err(status).context("the run could not be ended"),
    }
}
