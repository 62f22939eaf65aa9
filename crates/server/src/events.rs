//! Server-sent events: the journal as it grows, with a word when those of other devices did, and the log of one run. Both resume by `Last-Event-ID`, without gaps.

use crate::{error::Refusal, limits, router::Doors};
use axum::{
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, KeepAliveStream, Sse},
    },
};
use domain::{Problem, RunId};
use futures::{Stream, StreamExt, future::ready};
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until, timeout},
};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct From {
    /// Only what came after this number; all where nothing is said, unless the browser resumes.
    after: Option<u64>,
}

/// The log of a run as a stream.
type Events = Sse<KeepAliveStream<futures::stream::BoxStream<'static, Result<Event, Infallible>>>>;

/// `GET /events`
pub(crate) async fn journal(State(doors): State<Doors>, Query(from): Query<From>, headers: HeaderMap) -> Result<Response, Refusal> {
    orchestrator::rights::check_named(&doors.machine, &doors.gate.caller(&headers)?, "journal.list").await?;
    let permit = stream(&doors)?;
    let org = doors.machine.org()?;
    let head = org.store.head()?;
    let after = begin(resume(&headers).or(from.after), head.seq.0);
    let closing = closing(&org, &doors, headers.clone());
    let watcher = doors.fan.watch(&org.store, after);
    let texts = futures::stream::unfold((watcher, permit), |(mut watcher, permit)| async move {
        // Now and then an event, which pages see, shows both sides that the line is alive.
        let text =
            timeout(limits::KEEP_ALIVE, watcher.next()).await.unwrap_or(Ok(Bytes::from_static(b"event: alive\ndata: 1\n\n"))).ok()?;
        Some((Ok::<_, Infallible>(text), (watcher, permit)))
    });
    let others = others(org.journals.grown());
    // It ends with the journal's own.
    let texts = texts.map(Some).chain(futures::stream::once(async { None }));
    let texts = futures::stream::select(texts, others.map(Some)).take_while(|next| ready(next.is_some())).filter_map(ready);
    // First where the journal ends now: who is new knows from where on nothing is missed, who was away how much that is.
    let head = serde_json::json!({ "seq": head.seq, "incarnation": head.incarnation });
    let texts = futures::stream::iter([Ok(Bytes::from(format!("event: head\ndata: {head}\n\n")))]).chain(texts);
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(texts.take_until(closing))).into_response())
}

/// What other devices' journals tell has no place among the events: it is only said that there is more of it. The first after a pause is
/// told at once; those that follow wait for the end of its window, and are told together.
fn others(grown: watch::Receiver<u64>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    futures::stream::unfold((grown, None), |(mut grown, told): (watch::Receiver<u64>, Option<Instant>)| async move {
        grown.changed().await.ok()?;
        if let Some(told) = told {
            sleep_until(told + limits::OTHERS_JOIN).await;
        }
        grown.mark_unchanged();
        Some((Ok(Bytes::from_static(b"event: others\ndata: 1\n\n")), (grown, Some(Instant::now()))))
    })
}

/// `GET /api/v1/run/{run}/log/events`. It ends with the log, and where its way breaks: `run.logs` says which.
pub(crate) async fn log(
    State(doors): State<Doors>,
    Path(run): Path<RunId>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Events, Refusal> {
    orchestrator::rights::check(
        &doors.machine,
        &doors.gate.caller(&headers)?,
        orchestrator::table::find("run.logs")?,
        &serde_json::json!({ "run": run }),
    )
    .await?;
    let permit = stream(&doors)?;
    let org = doors.machine.org()?;
    let after = resume(&headers).or(from.after).unwrap_or(0);
    let lines = match orchestrator::remote::log_elsewhere(&org, &run, after).await? {
        Some(lines) => lines,
        None => orchestrator::remote::log_here(&org, run, after).await?,
    };
    let closing = closing(&org, &doors, headers);
    let events = lines.map(move |entry| {
        let _held = &permit;
        Ok(line(entry.seq, &entry))
    });
    Ok(sse(events.take_until(closing).boxed()))
}

/// A line of a log as it is sent.
fn line(seq: u64, entry: &impl serde::Serialize) -> Event {
    Event::default().id(seq.to_string()).event("log").data(serde_json::to_string(entry).unwrap_or_default())
}

fn sse(events: futures::stream::BoxStream<'static, Result<Event, Infallible>>) -> Events {
    Sse::new(events).keep_alive(KeepAlive::new().interval(limits::KEEP_ALIVE))
}

fn stream(doors: &Doors) -> Result<OwnedSemaphorePermit, Problem> {
    let full = || Problem::unavailable(format!("{} event streams are open already.", limits::STREAMS_MAX)).next("Close some tabs.");
    Arc::clone(&doors.streams).try_acquire_owned().map_err(|_| full())
}

fn resume(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// After which event a stream begins: the one that was asked for; the last where none was. A number beyond the end is of a journal that
/// went back since, as by a restored backup: the words about the head tell so, and nothing that comes from now on may be left out.
fn begin(asked: Option<u64>, head: u64) -> u64 {
    asked.unwrap_or(head).min(head)
}

/// Resolves when whoever watches is not known any more. It is looked whenever somebody is shut out, and now and then: nobody says
/// that the time of a token or a session is over.
async fn stranger(mut shut_out: watch::Receiver<()>, known: impl Fn() -> bool) {
    loop {
        let told = timeout(limits::KEEP_ALIVE, shut_out.changed()).await;
        if matches!(told, Ok(Err(_))) || !known() {
            return;
        }
    }
}

/// Resolves when the org closes, so that open streams do not keep the server up; and when whoever watches was signed out, or their
/// token was revoked or is over.
fn closing(org: &orchestrator::org::Org, doors: &Doors, headers: HeaderMap) -> impl Future<Output = ()> + Send + use<> {
    let (mut closing, gate) = (org.closing.subscribe(), doors.gate.clone());
    let stranger = stranger(org.shut_out.subscribe(), move || gate.caller(&headers).is_ok());
    async move {
        tokio::select! {
            _ = closing.wait_for(|c| *c) => {}
            () = stranger => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    #[test]
    fn who_asks_from_beyond_the_end_hears_what_comes_from_now_on() {
        assert_eq!((begin(Some(219), 175), begin(Some(u64::MAX), 0)), (175, 0), "the journal went back");
        assert_eq!((begin(Some(0), 175), begin(Some(175), 175), begin(None, 175)), (0, 175, 175));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_the_time_of_its_token_is_over_though_nobody_was_shut_out() {
        let (tell, told) = watch::channel(());
        let looks = AtomicUsize::new(0);
        let begun = tokio::time::Instant::now();
        stranger(told, || looks.fetch_add(1, Ordering::Relaxed) < 2).await;
        assert_eq!(looks.load(Ordering::Relaxed), 3);
        assert!(begun.elapsed() >= limits::KEEP_ALIVE * 3, "it looks now and then, not all the time");
        // Who was shut out is seen at once.
        let told = tell.subscribe();
        tell.send_replace(());
        let begun = tokio::time::Instant::now();
        stranger(told, || false).await;
        assert!(begun.elapsed() < limits::KEEP_ALIVE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_news_of_others_after_a_pause_is_told_at_once_and_what_follows_together() {
        let (tell, told) = watch::channel(0);
        let mut others = Box::pin(others(told));
        let begun = Instant::now();
        tell.send_replace(1);
        assert!(others.next().await.is_some());
        assert_eq!(begun.elapsed(), Duration::ZERO);
        tell.send_replace(2);
        tell.send_replace(3);
        assert!(others.next().await.is_some());
        assert!(begun.elapsed() >= limits::OTHERS_JOIN);
        let quiet = timeout(limits::OTHERS_JOIN * 4, others.next()).await;
        assert!(quiet.is_err(), "all of it was told");
        let later = Instant::now();
        tell.send_replace(4);
        assert!(others.next().await.is_some());
        assert!(later.elapsed() < limits::OTHERS_JOIN);
        drop(tell);
        assert!(others.next().await.is_none());
    }
}
