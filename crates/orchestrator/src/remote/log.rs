//! Reading the log of a run that lies on other devices: a page of it, from its executor, else from the device that asked for the run.

use super::client;
use crate::{limits, org::Org};
use domain::{Did, Problem, Timestamp, run::Run};
use futures::StreamExt;
use mesh::{VERSION, problem};
use proto::mesh::LogRequest;
use std::{sync::Arc, time::Instant};
use store::LogEntry;

/// Lines of a run's log after a number, at most so many, and whether nothing follows.
///
/// # Errors
/// When none of the devices that have it gives it.
pub(crate) async fn page(org: &Arc<Org>, run: &Run, after: u64, limit: usize) -> Result<(Vec<LogEntry>, bool), Problem> {
    let mut why = "No other device has it.".to_owned();
    let asked = Some(&run.requester).filter(|requester| run.device.as_ref() != Some(*requester));
    for device in run.device.iter().chain(asked).filter(|device| **device != org.device) {
        match from(org, device, run, after, limit).await {
            Ok(page) => return Ok(page),
            Err(problem) => why = format!("{device}: {problem}"),
        }
    }
    Err(Problem::unavailable(format!("The log of run {} lies on another device, which does not give it now.", run.id))
        .because(why)
        .next("Try again when that device is back: meshwork device list."))
}

async fn from(org: &Arc<Org>, device: &Did, run: &Run, after: u64, limit: usize) -> Result<(Vec<LogEntry>, bool), Problem> {
    let request = LogRequest { version: VERSION, run: run.id.to_string(), after_seq: after };
    let mut client = client(org, device)?;
    let late = |_| Problem::new(domain::Kind::Timeout, "It did not answer in time.");
    let begun = tokio::time::timeout(limits::LOG_PAGE_WAIT, client.log(request)).await.map_err(late)?;
    let mut stream = begun.map_err(|s| problem(&s))?.into_inner();
    let (mut entries, mut wait, begun) = (vec![], limits::LOG_PAGE_WAIT, Instant::now());
    while entries.len() < limit && begun.elapsed() < limits::LOG_PAGE_WAIT {
        // What is still to be written is for the next page.
        let Ok(next) = tokio::time::timeout(wait, stream.next()).await else { return Ok((entries, false)) };
        let Some(lines) = next else { return Ok((entries, true)) };
        for line in lines.map_err(|s| problem(&s))?.lines {
            let event = serde_json::from_str(&line.event_json).map_err(|_| Problem::invalid("The device sent a line that is none."))?;
            entries.push(LogEntry { seq: line.seq, at: Timestamp(line.at_ms), event });
        }
        wait = limits::LOG_PAGE_QUIET;
    }
    entries.truncate(limit);
    Ok((entries, false))
}
