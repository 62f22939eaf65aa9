//! The log of a run: what its runner told, one line an event, appended and synced before the runner is acknowledged.
//!
//! # File
//! `logs/<run>.jsonl`, one line an entry: `{"seq":7,"at":1700000000000,"event":{…}}`. `seq` is the runner's own number,
//! which grows from line to line; `at` is in milliseconds since 1970; `event` is a `domain::run::RunnerEvent`. A line that a
//! crash tore is cut off at the next opening: it was never acknowledged, so the runner sends it again.
//!
//! When [`limits::LOG_BYTES_MAX`] is reached, output (text, thoughts, tool calls, plans) and prompts are dropped and counted,
//! and a line `{"type":"truncated",…}` says so; entries that tell how the run goes are kept from a reserve, of which the last
//! part is for how it ended. So numbers may be missing from then on.

use crate::{files, limits, problem};
use domain::{Kind, Problem, RunId, Timestamp, run::RunnerEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::watch;

mod scan;

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The runner's number for it: from 1, without gaps while nothing was dropped.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What: a `domain::run::RunnerEvent`, kept as it came, so that those of a newer runner survive.
    pub event: Value,
}

impl LogEntry {
    /// An entry of this build's own events.
    ///
    /// # Errors
    /// Never for events of this build.
    pub fn new(seq: u64, at: Timestamp, event: &RunnerEvent) -> Result<Self, Problem> {
        Ok(Self { seq, at, event: serde_json::to_value(event).map_err(Problem::internal)? })
    }

    /// The event, if this build knows it.
    pub fn parsed(&self) -> Option<RunnerEvent> {
        RunnerEvent::deserialize(&self.event).ok()
    }

    /// How long the log may become with it, in bytes. A full one drops output and prompts, which may be as long, before what tells how
    /// the run goes, and that before how it ended.
    fn room(&self) -> u64 {
        match self.event.get("type").and_then(Value::as_str) {
            Some("log" | "message" | "thought" | "tool" | "plan" | "context" | "turn_started") => limits::LOG_BYTES_MAX,
            Some("work_ended" | "checks_signed") => limits::LOG_BYTES_MAX + limits::LOG_RESERVE_BYTES,
            _ => limits::LOG_BYTES_MAX + limits::LOG_RESERVE_BYTES - limits::LOG_END_BYTES,
        }
    }
}

/// The logs of a store, by run; handles of one run share one log.
pub(crate) struct Logs {
    dir: PathBuf,
    open: Mutex<HashMap<RunId, Arc<Place>>>,
}

/// Where the log of one run is held while somebody has a handle: opened by one, while the logs of others go on.
type Place = Mutex<Weak<Inner>>;

impl Logs {
    pub(crate) fn open(dir: PathBuf) -> Result<Self, Problem> {
        files::make_dir(&dir)?;
        Ok(Self { dir, open: Mutex::default() })
    }

    pub(crate) fn get(&self, run: &RunId) -> Result<RunLog, Problem> {
        let place = self.place(run);
        let mut place = held(&place);
        if let Some(inner) = place.upgrade() {
            return Ok(RunLog(inner));
        }
        let log = RunLog::open(self.dir.join(format!("{run}.jsonl")))?;
        *place = Arc::downgrade(&log.0);
        Ok(log)
    }

    fn place(&self, run: &RunId) -> Arc<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(run) {
            // Whoever is just opening a log holds its place too.
            open.retain(|_, place| Arc::strong_count(place) > 1 || held(place).strong_count() > 0);
        }
        open.entry(run.clone()).or_default().clone()
    }
}

fn held(place: &Place) -> MutexGuard<'_, Weak<Inner>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log of one run. Cheap to clone. Calls that are not `async` block on the disk.
#[derive(Clone)]
pub struct RunLog(Arc<Inner>);

struct Inner {
    path: PathBuf,
    state: Mutex<State>,
    /// What followers wait for.
    end: watch::Sender<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    seq: u64,
    finished: bool,
}

struct State {
    file: File,
    /// How long the file is; everything up to here is whole lines on disk.
    bytes: u64,
    last_seq: u64,
    /// Places of some lines, so that reading need not begin at the start.
    index: Vec<(u64, u64)>,
    /// Whether something was ever dropped.
    truncated: bool,
    /// What was dropped since the last line that says so.
    dropped_bytes: u64,
    /// The number and moment of the last dropped entry.
    dropped_at: (u64, Timestamp),
    /// Whether there may be more in the file, after the disk refused.
    torn: bool,
}

impl fmt::Debug for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunLog({})", self.0.path.display())
    }
}

impl RunLog {
    fn open(path: PathBuf) -> Result<Self, Problem> {
        let open = || -> io::Result<State> {
            let is_new = !path.exists();
            let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
            if is_new {
                files::sync_parent(&path)?;
            }
            scan::scan(file)
        };
        let state = open().map_err(|e| problem::file("open", &path, &e))?;
        let end = End { seq: state.last_seq, finished: false };
        Ok(Self(Arc::new(Inner { path, state: Mutex::new(state), end: watch::Sender::new(end) })))
    }

    /// The last entry's number; 0 when there is none.
    pub fn last_seq(&self) -> u64 {
        self.0.end.borrow().seq
    }

    /// Appends entries; they are on disk when this returns, so a runner may be acknowledged up to the number it returns.
    /// Entries that are there already are skipped: a runner may send again what it is not sure of.
    ///
    /// # Errors
    /// When an entry is too large, a number is left out, or the disk refuses; then nothing of it counts, and it can be tried
    /// again.
    pub fn append(&self, entries: &[LogEntry]) -> Result<u64, Problem> {
        let mut state = self.state();
        if state.torn {
            // What was written may be there to read, and yet never come to disk: it is cut off and written again.
            let cut = state.file.set_len(state.bytes).and_then(|()| state.file.sync_all());
            cut.map_err(|e| problem::file("write", &self.0.path, &e))?;
            state.torn = false;
        }
        let added = Batch::new(&state, entries)?;
        if !added.bytes.is_empty() {
            let written = state.file.write_all(&added.bytes).and_then(|()| state.file.sync_data());
            if let Err(error) = written {
                state.torn = true;
                return Err(problem::file("write", &self.0.path, &error));
            }
        }
        added.count(&mut state);
        let seq = state.last_seq;
        drop(state);
        self.0.end.send_if_modified(|end| std::mem::replace(&mut end.seq, seq) != seq);
        Ok(seq)
    }

    /// Entries after `after`, oldest first; at most `limit`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, Problem> {
        let (from, to) = {
            let state = self.state();
            let place = state.index.partition_point(|(seq, _)| *seq <= after + 1).checked_sub(1);
            (place.and_then(|n| state.index.get(n)).map_or(0, |(_, offset)| *offset), state.bytes)
        };
        read_lines(&self.0.path, from, to, after, limit.min(limits::READ_MAX)).map_err(|e| problem::file("read", &self.0.path, &e))
    }

    /// Says that nothing more will come; followers then end. A run that ended before this process began is finished by
    /// whoever reads it.
    pub fn finish(&self) {
        self.0.end.send_if_modified(|end| !std::mem::replace(&mut end.finished, true));
    }

    /// Every entry after `after`: those that are there, then as they come, until [`RunLog::finish`].
    pub fn follow(&self, after: u64) -> LogFollower {
        LogFollower { log: self.clone(), end: self.0.end.subscribe(), at: after, backlog: VecDeque::new() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of a log that waits at its end.
pub struct LogFollower {
    log: RunLog,
    end: watch::Receiver<End>,
    at: u64,
    backlog: VecDeque<LogEntry>,
}

impl LogFollower {
    /// The number after which the next entry comes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next entry; waits until there is one. Nothing when the log is finished and all was read. Nothing is lost when the
    /// wait is given up.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn next(&mut self) -> Result<Option<LogEntry>, Problem> {
        loop {
            if let Some(entry) = self.backlog.pop_front() {
                self.at = entry.seq;
                return Ok(Some(entry));
            }
            let end = *self.end.borrow_and_update();
            if end.seq > self.at {
                let (log, after) = (self.log.clone(), self.at);
                let read = tokio::task::spawn_blocking(move || log.read(after, limits::LOG_FOLLOW_BATCH));
                self.backlog = read.await.map_err(Problem::internal)??.into();
                if self.backlog.is_empty() {
                    // The last entries were dropped by a full log.
                    self.at = end.seq;
                }
            } else if end.finished || self.end.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

/// What an append adds to the file.
struct Batch {
    bytes: Vec<u8>,
    index: Vec<(u64, u64)>,
    last_seq: u64,
    truncated: bool,
    dropped_bytes: u64,
    dropped_at: (u64, Timestamp),
}

impl Batch {
    fn new(state: &State, entries: &[LogEntry]) -> Result<Self, Problem> {
        let mut batch = Self {
            bytes: vec![],
            index: vec![],
            last_seq: state.last_seq,
            truncated: state.truncated,
            dropped_bytes: state.dropped_bytes,
            dropped_at: state.dropped_at,
        };
        for entry in entries.iter().filter(|entry| entry.seq > state.last_seq) {
            batch.add(state, entry)?;
        }
        Ok(batch)
    }

    fn add(&mut self, state: &State, entry: &LogEntry) -> Result<(), Problem> {
        if entry.seq <= self.last_seq {
            return Err(Problem::invalid(format!("Entry {} of a run's log comes twice.", entry.seq)));
        }
        if entry.seq != self.last_seq + 1 && !self.truncated {
            return Err(Problem::invalid(format!("Entry {} of a run's log is missing.", self.last_seq + 1))
                .because(format!("Entry {} came instead.", entry.seq))
                .next("The runner sends again from the last acknowledged one."));
        }
        let line = line(entry)?;
        self.last_seq = entry.seq;
        let used = state.bytes + (self.bytes.len() + line.len()) as u64;
        if used > entry.room() {
            self.dropped_bytes += line.len() as u64;
            self.dropped_at = (entry.seq, entry.at);
            // The first loss is said at once; later ones before the next entry that is kept.
            return if self.truncated { Ok(()) } else { self.say_dropped(state) };
        }
        if self.dropped_bytes > 0 {
            self.say_dropped(state)?;
        }
        self.push(state, entry.seq, &line);
        // A copy of a log that was full: what follows has gaps there, and here too.
        self.truncated |= entry.event.get("type").and_then(Value::as_str) == Some("truncated");
        Ok(())
    }

    fn say_dropped(&mut self, state: &State) -> Result<(), Problem> {
        let (seq, at) = self.dropped_at;
        let entry = LogEntry::new(seq, at, &RunnerEvent::Truncated { dropped_bytes: self.dropped_bytes })?;
        (self.truncated, self.dropped_bytes) = (true, 0);
        self.push(state, seq, &line(&entry)?);
        Ok(())
    }

    fn push(&mut self, state: &State, seq: u64, line: &[u8]) {
        let offset = state.bytes + self.bytes.len() as u64;
        let last = self.index.last().or(state.index.last()).map(|(_, offset)| *offset);
        if last.is_none_or(|last| offset >= last + limits::LOG_INDEX_BYTES) {
            self.index.push((seq, offset));
        }
        self.bytes.extend_from_slice(line);
    }

    fn count(self, state: &mut State) {
        state.bytes += self.bytes.len() as u64;
        state.index.extend(self.index);
        state.last_seq = self.last_seq;
        state.truncated = self.truncated;
        state.dropped_bytes = self.dropped_bytes;
        state.dropped_at = self.dropped_at;
    }
}

fn line(entry: &LogEntry) -> Result<Vec<u8>, Problem> {
    if !entry.event.is_object() {
        return Err(Problem::invalid(format!("Entry {} of a run's log is not an event.", entry.seq)));
    }
    let mut line = serde_json::to_vec(entry).map_err(Problem::internal)?;
    if line.len() > limits::LOG_ENTRY_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("Entry {} of a run's log has {} bytes.", entry.seq, line.len()))
            .because(format!("{} fit.", limits::LOG_ENTRY_BYTES_MAX)));
    }
    line.push(b'\n');
    Ok(line)
}

/// Reads whole lines between two places of the file.
fn read_lines(path: &Path, from: u64, to: u64, after: u64, limit: usize) -> io::Result<Vec<LogEntry>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::with_capacity(64 * 1024, file.take(to.saturating_sub(from)));
    let (mut entries, mut line) = (vec![], vec![]);
    while entries.len() < limit {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        match serde_json::from_slice::<LogEntry>(&line) {
            Ok(entry) if entry.seq > after => entries.push(entry),
            Ok(_) => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "a line of a run's log cannot be read"),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(seq: u64, text: &str) -> LogEntry {
        LogEntry::new(seq, Timestamp(1), &RunnerEvent::Message { text: text.to_owned() }).unwrap()
    }

    #[test]
    fn what_was_written_and_not_synced_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path().join("logs")).unwrap();
        let log = logs.get(&"01J00000000000000000000000".parse().unwrap()).unwrap();
        log.append(&[said(1, "synced")]).unwrap();
        // As after a write that succeeded, and a sync that did not.
        let mut state = log.state();
        state.file.write_all(&line(&said(2, "only in memory")).unwrap()).unwrap();
        state.torn = true;
        drop(state);
        assert_eq!(log.append(&[said(2, "written again"), said(3, "next")]).unwrap(), 3);
        assert_eq!(log.read(0, 9).unwrap(), [said(1, "synced"), said(2, "written again"), said(3, "next")]);
    }

    #[test]
    fn a_log_that_is_being_opened_is_in_nobody_elses_way() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path().join("logs")).unwrap();
        let (large, other): (RunId, RunId) = ("01J00000000000000000000000".parse().unwrap(), "01J00000000000000000000001".parse().unwrap());
        let place = logs.place(&large);
        let opening = held(&place);
        let log = logs.get(&other).unwrap();
        assert!(Arc::ptr_eq(&log.0, &logs.get(&other).unwrap().0), "handles of one run share one log");
        drop(opening);
        drop((place, log));
        logs.get(&large).unwrap();
        assert_eq!(logs.place(&other).lock().unwrap().strong_count(), 0);
        assert!(logs.open.lock().unwrap().len() <= 2);
    }
}
