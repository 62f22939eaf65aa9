//! Messages of people to an agent, none of which is lost in silence: what was not delivered when the orchestrator died is given
//! to the runner again; what a run did not get stands in the brief of the one that goes on from it, and with the run itself.

use crate::{host::Live, org::Org};
use domain::{
    Problem,
    event::{Body, kind},
    run::{Message, Order, Run},
};
use std::sync::Arc;

/// The text of a message.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn text(org: &Org, message: &Message) -> Result<String, Problem> {
    let bytes = org.store.blobs().get(&message.text)?;
    Ok(bytes.map_or_else(|| "(erased)".to_owned(), |b| String::from_utf8_lossy(&b).into_owned()))
}

/// What a run that goes on from another is told of messages which that one did not get. Notes where they went; asked again, it tells
/// the same.
pub(super) fn handed_on(org: &Arc<Org>, run: &Run) -> Result<String, Problem> {
    let Some(earlier) = run.continues.as_ref().map(|id| org.store.get::<Run>(kind::RUN, id.as_str())).transpose()?.flatten() else {
        return Ok(String::new());
    };
    let went = format!("The run ended before; it stands in the brief of run {}.", run.id);
    let handed: Vec<&Message> = earlier.messages.iter().filter(|m| m.why.as_ref().is_none_or(|why| *why == went)).collect();
    if handed.is_empty() {
        return Ok(String::new());
    }
    let mut told = "\n\nMessages of people that the earlier run did not get:\n".to_owned();
    let mut events = Vec::new();
    for message in handed {
        told.push_str(&format!("- {}\n", text(org, message)?.replace('\n', "\n  ")));
        if message.why.is_none() {
            let refused = Body::MessageRefused { run: earlier.id.clone(), order: message.order, why: went.clone() };
            events.push(org.event(&org.device, refused));
        }
    }
    if !events.is_empty() {
        org.store.append_blocking(events)?;
    }
    Ok(told)
}

/// Gives the runner again what an orchestrator that died may not have given it. The runner takes each once, however often it
/// comes.
pub(super) fn send_again(org: &Arc<Org>, run: &Run, live: &Live) -> Result<(), Problem> {
    for message in run.messages.iter().filter(|m| m.why.is_none()) {
        let answer = live.order_as(message.order, Order::Message { text: text(org, message)? });
        let (org, run, order) = (org.clone(), run.id.clone(), message.order);
        tokio::spawn(async move {
            let Ok(Err(problem)) = answer.await else { return };
            let refused = Body::MessageRefused { run, order, why: problem.to_string() };
            if let Err(problem) = org.record(&org.device, vec![refused]).await {
                tracing::error!(%problem, "a refused message could not be journaled");
            }
        });
    }
    Ok(())
}
