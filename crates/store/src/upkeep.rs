//! What the writer does between groups of commits, after everybody was answered: it remembers the head outside of the database, makes
//! files of the blobs that came with events, and takes the write-ahead log over into the database, so that a damaged log never costs more
//! than the last moments.

use crate::{
    blob::{self, Blobs},
    chain::Tail,
    journal::Signer,
    limits,
    park::receive,
    remembered,
};
use sqlite::{Connection, State};
use std::{
    path::{Path, PathBuf},
    task::Poll,
    time::Instant,
};
use tokio::sync::mpsc;

/// What is to be done, and when.
pub(crate) struct Upkeep {
    dir: PathBuf,
    signer: Signer,
    /// A head that is on disk and not remembered yet.
    head: Option<Tail>,
    /// The head that was noted last: incarnation, number.
    noted: (u64, u64),
    /// No head is remembered before this.
    remember_at: Instant,
    /// Whether the log may hold something.
    logged: bool,
    /// The log is not taken over before this.
    checkpoint_at: Instant,
    blobs: Blobs,
    /// When the next blob becomes a file; none: all are.
    unpark_at: Option<Instant>,
    /// The rows of those that are files, and in the database still.
    made: Vec<blob::Row>,
}

impl Upkeep {
    /// Nothing to do yet.
    pub(crate) fn new(dir: &Path, signer: &Signer, blobs: &Blobs) -> Self {
        let now = Instant::now();
        Self {
            dir: dir.to_owned(),
            signer: signer.clone(),
            head: None,
            noted: (0, 0),
            remember_at: now,
            logged: false,
            checkpoint_at: now,
            blobs: blobs.clone(),
            unpark_at: blobs.any_parked().then_some(now),
            made: vec![],
        }
    }

    /// Something may have been committed, up to this head: does what is due.
    pub(crate) fn committed(&mut self, tail: &Tail, connection: &Connection) {
        let now = Instant::now();
        if self.noted != (tail.incarnation, tail.seq.0) {
            self.noted = (tail.incarnation, tail.seq.0);
            self.head = Some(tail.clone());
        }
        if !self.logged {
            (self.logged, self.checkpoint_at) = (true, now + limits::CHECKPOINT_PAUSE);
        }
        if now >= self.remember_at {
            self.remember();
        }
        // What is in the database is safe there: files are made once nothing was written for a while, unless that does not come.
        if self.blobs.any_parked() {
            self.unpark_at = Some(now + limits::PARK_PAUSE);
        }
        while self.blobs.too_much_parked() && self.unpark(connection) {}
        // While work comes in the log keeps its size, since a file that grows is slower to sync.
        if now >= self.checkpoint_at {
            self.take_over(connection, "PASSIVE");
        }
    }

    /// The next command, when it comes; nothing once nobody can ask any more. What is due meanwhile is done.
    pub(crate) fn wait<T>(&mut self, commands: &mut mpsc::Receiver<T>, connection: &Connection) -> Option<T> {
        while let Some(due) = self.due() {
            match receive(commands, due) {
                Poll::Ready(command) => return command,
                Poll::Pending => self.idle(connection),
            }
        }
        commands.blocking_recv()
    }

    /// The end: nothing is left to be done.
    pub(crate) fn end(&mut self, connection: &Connection) {
        self.remember();
        while self.blobs.any_parked() && self.unpark(connection) {}
        self.take_over(connection, "TRUNCATE");
    }

    fn due(&self) -> Option<Instant> {
        let remember = self.head.is_some().then_some(self.remember_at);
        let checkpoint = self.logged.then_some(self.checkpoint_at);
        remember.into_iter().chain(checkpoint).chain(self.unpark_at).min()
    }

    fn idle(&mut self, connection: &Connection) {
        let now = Instant::now();
        if now >= self.remember_at {
            self.remember();
        }
        // One at a time: whoever writes is waited for in between.
        if self.unpark_at.is_some_and(|at| now >= at) {
            self.unpark(connection);
        }
        if self.logged && now >= self.checkpoint_at {
            self.logged = !self.take_over(connection, "TRUNCATE");
        }
    }

    fn remember(&mut self) {
        let Some(tail) = self.head.take() else { return };
        self.remember_at = Instant::now() + limits::HEAD_PAUSE;
        if let Err(problem) = remembered::write(&self.dir, &self.signer, &tail) {
            tracing::warn!(%problem, "the head of the journal could not be remembered; it is tried again");
            self.remember_at = Instant::now() + limits::CHECKPOINT_PAUSE;
            self.head = Some(tail);
        }
    }

    /// Makes a blob a file, and says whether it could; those that are files go from the database, some together. What fails is tried
    /// again: it is found all the same.
    fn unpark(&mut self, connection: &Connection) -> bool {
        let one = self.blobs.unpark_one().and_then(|made| {
            self.made.extend(made);
            let more = self.blobs.any_parked();
            if !more || self.made.len() >= limits::UNPARK_BATCH {
                blob::forget_parked(connection, &self.made)?;
                (self.logged, self.made) = (true, vec![]);
            }
            Ok(more)
        });
        match one {
            Ok(more) => self.unpark_at = more.then(Instant::now),
            Err(problem) => {
                tracing::warn!(%problem, "a blob could not be made a file yet; it is tried again");
                self.unpark_at = Some(Instant::now() + limits::CHECKPOINT_PAUSE);
                return false;
            }
        }
        true
    }

    /// Says whether nothing is left to be taken over.
    fn take_over(&mut self, connection: &Connection, mode: &str) -> bool {
        let done = checkpoint(connection, mode);
        self.checkpoint_at = Instant::now() + limits::CHECKPOINT_PAUSE;
        done
    }
}

/// Takes the write-ahead log over into the database, as far as readers let it; says whether all of it was. What fails here fails
/// nobody: the log still has it, and it is tried again.
pub(crate) fn checkpoint(connection: &Connection, mode: &str) -> bool {
    let done = || -> sqlite::Result<bool> {
        // Readers are not waited for: writing would wait with it.
        connection.execute("PRAGMA busy_timeout=0")?;
        let mut statement = connection.prepare(format!("PRAGMA wal_checkpoint({mode})"))?;
        Ok(statement.next()? == State::Row && statement.read::<i64, _>(0)? == 0)
    };
    let done = done();
    let patient = connection.execute(format!("PRAGMA busy_timeout={}", limits::BUSY_MS));
    for error in done.as_ref().err().into_iter().chain(patient.as_ref().err()) {
        tracing::warn!(%error, "the write-ahead log was not taken over into the journal; it is tried again");
    }
    done.unwrap_or(false)
}
