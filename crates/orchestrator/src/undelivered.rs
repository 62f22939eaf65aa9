//! Reports that a runner could not deliver, because its host was away. The runner lays them into its run's folder, of which its sandboxes
//! see the worktree and the home alone; the host takes them into the run's log once the runner is gone. They do not say how the run ends:
//! without its runner nothing can be signed.

use crate::{
    data_dir::{storage, write_private},
    org::Org,
};
use domain::{Problem, RunId, Timestamp};
use proto::run::Event;
use std::{fs, io::ErrorKind, path::Path};
use store::{LogEntry, RunLog};

/// Its name in the run's folder.
const FILE: &str = "undelivered.json";
/// How much of the reports is laid down, in bytes: the newest.
pub(crate) const BYTES_MAX: usize = 8 << 20;

/// Lays reports down, whole or not at all.
///
/// # Errors
/// When the disk does not take them.
pub(crate) fn lay_down(folder: &Path, reports: &[Event]) -> Result<(), Problem> {
    let entry = |report: &Event| -> Result<LogEntry, Problem> {
        let event = serde_json::from_str(&report.json).map_err(Problem::internal)?;
        Ok(LogEntry { seq: report.seq, at: Timestamp(report.at_ms), event })
    };
    let entries = reports.iter().map(entry).collect::<Result<Vec<_>, Problem>>()?;
    write_private(&folder.join(FILE), &serde_json::to_vec(&entries).map_err(Problem::internal)?)
}

/// Takes what the runner of a run laid down, which must be gone, into the run's log. What is there already is skipped.
///
/// # Errors
/// When the disk refuses for now. What cannot be read is left out.
pub(crate) fn take_in(org: &Org, run: &RunId) -> Result<(), Problem> {
    match append(&org.dir.run(run), || org.store.run_log(run)) {
        Err(problem) if !problem.passes() => {
            tracing::warn!(%run, %problem, "what a run's runner could not deliver cannot be read, and is missing in its log");
            Ok(())
        }
        done => done,
    }
}

fn append(folder: &Path, log: impl FnOnce() -> Result<RunLog, Problem>) -> Result<(), Problem> {
    let file = folder.join(FILE);
    let bytes = match fs::read(&file) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        read => read.map_err(|e| storage(&file, &e))?,
    };
    let reports: Vec<LogEntry> = serde_json::from_slice(&bytes).map_err(|e| Problem::invalid(format!("{}: {e}.", file.display())))?;
    log()?.append(&reports).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{clock, fixtures::Opened};
    use domain::run::{Reason, RunnerEvent};
    use std::os::unix::fs::PermissionsExt;

    fn said(seq: u64) -> LogEntry {
        LogEntry::new(seq, Timestamp(1), &RunnerEvent::Message { text: format!("number {seq}") }).unwrap()
    }

    fn ended(seq: u64) -> LogEntry {
        LogEntry::new(seq, Timestamp(1), &RunnerEvent::WorkEnded { reason: Reason::Completed, checks: vec![] }).unwrap()
    }

    fn sent(entries: &[LogEntry]) -> Vec<Event> {
        entries.iter().map(|entry| Event { seq: entry.seq, at_ms: entry.at.0, json: entry.event.to_string() }).collect()
    }

    #[tokio::test]
    async fn what_a_runner_could_not_deliver_comes_into_the_log_once() {
        let opened = Opened::new().await;
        let (org, run) = (&opened.org, clock::run_id());
        let (folder, log) = (org.dir.run(&run), org.store.run_log(&run).unwrap());
        take_in(org, &run).unwrap();
        fs::create_dir_all(folder.parent().unwrap()).unwrap();
        fs::write(&folder, "in the way").unwrap();
        take_in(org, &run).unwrap();
        fs::remove_file(&folder).unwrap();
        log.append(&[said(1), said(2)]).unwrap();
        fs::create_dir_all(&folder).unwrap();
        // The second was written, and its acknowledgement did not arrive.
        lay_down(&folder, &sent(&[said(2), said(3), ended(4)])).unwrap();
        assert_eq!(fs::metadata(folder.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        for _ in 0..2 {
            take_in(org, &run).unwrap();
            assert_eq!(log.read(0, 10).unwrap(), [said(1), said(2), said(3), ended(4)]);
        }
        // Half of one, and one of something else, keep no run from its end.
        for text in ["[{\"seq\":5,", "{}", "[{\"seq\":9,\"at\":1,\"event\":{}}]"] {
            fs::write(folder.join(FILE), text).unwrap();
            take_in(org, &run).unwrap();
            assert_eq!(log.last_seq(), 4);
        }
    }

    #[tokio::test]
    async fn a_gap_in_what_was_laid_down_is_told_in_the_log() {
        let opened = Opened::new().await;
        let (org, run) = (&opened.org, clock::run_id());
        let told = LogEntry::new(1, Timestamp(1), &RunnerEvent::Truncated { dropped_bytes: 9 }).unwrap();
        let kept = [told, said(3), said(4)];
        fs::create_dir_all(org.dir.run(&run)).unwrap();
        lay_down(&org.dir.run(&run), &sent(&kept)).unwrap();
        take_in(org, &run).unwrap();
        assert_eq!(org.store.run_log(&run).unwrap().read(0, 10).unwrap(), kept);
    }
}
