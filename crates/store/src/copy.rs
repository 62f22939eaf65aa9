//! [`JournalCopy`]: the journal of another device, as this one has it. What comes is verified before it is written: every link, and the
//! signature of every group by that device's key. It is projected in the same transaction and by the same rules as there, so that the
//! same events give the same picture. Nothing else writes into it.
//!
//! What cannot be verified is kept out, and the copy stands where it was. Where the device began a new incarnation after a restore, the
//! copy goes back to the event from which that goes on; the journal before is kept beside it.

mod line;

use crate::{
    chain::{Head, Point, Recorded, Seq, Tail},
    files, limits,
    link::{self, Group},
    migrate,
    piece::{self, Piece},
    problem,
    projector::{Failure, Projector, Staged, signed},
    read::{self, Readers},
    rebuild::{self, Of, RebuildReport},
    summary,
    verify::{self, VerifyReport},
};
use domain::{
    Did, Hash, Problem,
    event::{Body, Event},
};
use serde::de::DeserializeOwned;
use sqlite::{Connection, Statement};
use std::{
    fmt,
    fs::{self, File},
    iter::Peekable,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// Why something was not taken into a copy. What came before it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not what the device signed: whoever sent it changed it, or it was changed on the way.
    Forged(String),
    /// It does not follow what is here, and need not: somebody has to be asked anew.
    OutOfPlace(String),
    /// The device signed it, and had signed something else in its place: it has two journals.
    Forked {
        /// The event of which there are two.
        seq: Seq,
        /// What is known of it, in words.
        why: String,
    },
    /// The copy cannot be read or written.
    Disk(Problem),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forged(why) => write!(f, "What was sent is not what the device signed: {why}."),
            Self::OutOfPlace(why) => write!(f, "What was sent does not follow what is here: {why}."),
            Self::Forked { seq, why } => write!(f, "The device signed two journals: there are two events {seq}. {why}"),
            Self::Disk(problem) => problem.fmt(f),
        }
    }
}

impl From<sqlite::Error> for Refused {
    fn from(error: sqlite::Error) -> Self {
        Self::Disk(problem::database(&error))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Disk(problem)
    }
}

/// The copy of another device's journal. Cheap to clone; the folder is freed when the last clone is dropped.
#[derive(Clone)]
pub struct JournalCopy {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    device: Did,
    readers: Readers,
    writer: Mutex<Connection>,
    at: watch::Sender<Point>,
    _lock: File,
}

impl fmt::Debug for JournalCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalCopy({})", self.inner.dir.display())
    }
}

impl JournalCopy {
    /// Opens the copy of a device's journal in this folder; an empty one where there is none.
    ///
    /// # Errors
    /// When another process uses it, it is that of another device, was written by a newer Meshwork, or the disk refuses.
    pub fn open(dir: &Path, device: &Did) -> Result<Self, Problem> {
        files::make_dir(dir)?;
        let lock = files::lock(dir)?;
        let writer = migrate::open_copy(dir)?;
        // Of many journals each is written seldom.
        writer.execute(format!("PRAGMA cache_size=-{}", limits::COPY_CACHE_KIB)).map_err(|e| problem::database(&e))?;
        let tail = read::tail(&writer)?;
        if let Some(tail) = tail.as_ref().filter(|tail| tail.device != *device) {
            return Err(Problem::conflict(format!("The copy of a journal in {} is of another device.", dir.display()))
                .because(format!("It is of {}, and not of {device}.", tail.device))
                .next("Remove that folder: the journal is copied anew."));
        }
        rebuild::unless_made_here(&writer)?;
        let inner = Inner {
            dir: dir.to_owned(),
            device: device.clone(),
            readers: Readers::new(dir.to_owned(), limits::COPY_READERS_IDLE_MAX),
            writer: Mutex::new(writer),
            at: watch::Sender::new(tail.map(|tail| tail.point()).unwrap_or_default()),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The device whose journal it is.
    pub fn device(&self) -> &Did {
        &self.inner.device
    }

    /// How much of the disk its database takes, in bytes.
    pub fn bytes(&self) -> u64 {
        fs::metadata(files::database(&self.inner.dir)).map_or(0, |found| found.len())
    }

    /// Where it ends.
    pub fn point(&self) -> Point {
        *self.inner.at.borrow()
    }

    /// Tells where it ends, whenever that changes.
    pub fn watch(&self) -> watch::Receiver<Point> {
        self.inner.at.subscribe()
    }

    /// The end of it; nothing while it is empty.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn head(&self) -> Result<Option<Head>, Problem> {
        self.inner.readers.with(read::tail)?.map(|tail| tail.head()).transpose()
    }

    /// Takes whole groups in, in their order. Blocks until they are on disk.
    ///
    /// # Errors
    /// The first thing that is not as it must be; the groups before it are taken in.
    pub fn append(&self, pieces: &[Piece]) -> Result<Point, Refused> {
        let connection = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut groups = link::groups(pieces)?.into_iter().peekable();
        while let Some(first) = groups.peek() {
            if let Some(back_to) = link::place(&end(&connection, &self.inner.device)?, first, |seq| hash_here(&connection, seq))? {
                self.go_back(&connection, back_to)?;
            }
            // Until another incarnation comes that goes on from an earlier event.
            self.append_in_one(&connection, &mut groups)?;
        }
        Ok(self.point())
    }

    fn append_in_one<'p>(&self, connection: &Connection, groups: &mut Peekable<impl Iterator<Item = Group<'p>>>) -> Result<(), Refused> {
        connection.execute("BEGIN IMMEDIATE")?;
        let refused = match write_all(connection, &self.inner.device, groups) {
            Ok(refused) => refused,
            Err(why) => {
                // The first error tells more than one of giving up.
                let _ = connection.execute("ROLLBACK");
                return Err(why);
            }
        };
        connection.execute("COMMIT").inspect_err(|_| {
            let _ = connection.execute("ROLLBACK");
        })?;
        self.tell(connection)?;
        refused.map_or(Ok(()), Err)
    }

    fn tell(&self, connection: &Connection) -> Result<(), Problem> {
        let now = read::tail(connection)?.map(|tail| tail.point()).unwrap_or_default();
        self.inner.at.send_if_modified(|at| std::mem::replace(at, now) != now);
        Ok(())
    }

    /// Goes back to an event from which another incarnation goes on. What is here now is kept beside it.
    fn go_back(&self, connection: &Connection, to: Seq) -> Result<(), Problem> {
        let (device, from) = (&self.inner.device, self.point());
        tracing::warn!(%device, from = from.seq.0, to = to.0, "a device's journal goes on from an earlier event, and so does the copy");
        self.keep_aside(connection, from)?;
        connection.execute("BEGIN IMMEDIATE").map_err(|e| problem::database(&e))?;
        if let Err(problem) = forget_after(connection, to) {
            let _ = connection.execute("ROLLBACK");
            return Err(problem);
        }
        connection.execute("COMMIT").map_err(|e| problem::database(&e))?;
        self.tell(connection)
    }

    fn keep_aside(&self, connection: &Connection, at: Point) -> Result<(), Problem> {
        let Some(free) = self.free_aside().next() else {
            tracing::warn!(device = %self.inner.device, at = at.seq.0, "so many replaced journals are kept that this one is not");
            return Ok(());
        };
        migrate::copy_to(connection, &free)
    }

    /// Where replaced journals may still be kept.
    fn free_aside(&self) -> impl Iterator<Item = PathBuf> {
        (0..limits::COPIES_ASIDE_MAX).map(move |n| self.inner.dir.join(format!("replaced-{n}.db"))).filter(|path| !path.exists())
    }

    /// How many more journals that the device replaces are kept beside the copy.
    pub fn places_aside(&self) -> usize {
        self.free_aside().count()
    }

    /// Compares groups that somebody has of this journal with what is here, where that has come so far. Nothing is written.
    ///
    /// # Errors
    /// [`Refused::Forked`] where the device signed another event under a number that is here; otherwise as [`JournalCopy::append`].
    pub fn compare(&self, pieces: &[Piece]) -> Result<(), Refused> {
        for group in link::groups(pieces)? {
            group.compare(&self.inner.device, self.hash_at(group.end())?.as_ref())?;
        }
        Ok(())
    }

    /// One projected thing, with the number of the event that changed it last.
    ///
    /// # Errors
    /// When the database refuses, or it is of another form than `T`.
    pub fn get_numbered<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<(Seq, T)>, Problem> {
        self.inner.readers.with(|c| piece::numbered(c, kind, id))
    }

    /// Projected things of one kind, the newest first, each with the number of the event that changed it last; at most
    /// [`limits::READ_MAX`].
    ///
    /// # Errors
    /// When the database refuses, or one is of another form than `T`.
    pub fn list_numbered<T: DeserializeOwned>(&self, kind: &str, limit: usize) -> Result<Vec<(Seq, T)>, Problem> {
        self.inner.readers.with(|c| piece::list_numbered(c, kind, limit))
    }

    /// The hash of the event at a place; none where there is no event of that number and incarnation.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn hash_at(&self, at: Point) -> Result<Option<Hash>, Problem> {
        self.inner.readers.with(|c| summary::hash_at(c, at))
    }

    /// Events after `after`, oldest first; at most [`limits::READ_MAX`]. Those of a newer Meshwork, which cannot be read here, are left
    /// out.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn events(&self, after: Seq, limit: usize) -> Result<Vec<Recorded>, Problem> {
        let rows = self.inner.readers.with(|c| read::rows(c, after, limit))?;
        Ok(rows.into_iter().filter_map(|row| row.recorded().ok()).collect())
    }

    /// What follows a place, for another device: as [`crate::Store::pieces`].
    ///
    /// # Errors
    /// When the database refuses.
    pub fn pieces(&self, after: Point, bytes: usize) -> Result<Vec<Piece>, Problem> {
        self.inner.readers.with(|c| piece::pieces(c, after, bytes))
    }

    /// Makes the projections anew from the copy, and says what was different. What comes waits meanwhile.
    ///
    /// # Errors
    /// When the disk refuses; then the projections stay as they were.
    pub fn rebuild(&self) -> Result<RebuildReport, Problem> {
        let connection = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        rebuild::rebuild(&connection, Of::Copy)
    }

    /// Checks every link, hash and signature of every incarnation. Takes long for long journals.
    ///
    /// # Errors
    /// When it cannot be read at all; what is wrong inside is in the report.
    pub fn verify(&self) -> Result<VerifyReport, Problem> {
        self.inner.readers.with(|c| verify::verify_copy(c, &self.inner.device))
    }
}

/// Writes groups in the open transaction until one does not follow, or the copy must go back first. Says what is wrong with the one that
/// does not.
fn write_all<'p>(
    connection: &Connection,
    device: &Did,
    groups: &mut Peekable<impl Iterator<Item = Group<'p>>>,
) -> Result<Option<Refused>, Refused> {
    let mut writing = Writing::new(connection, device)?;
    let mut refused = None;
    while let Some(group) = groups.peek() {
        match link::place(&writing.tail, group, |seq| hash_here(connection, seq)).and_then(|back_to| group.well_formed().map(|()| back_to))
        {
            Ok(None) => {}
            Ok(Some(_)) => break,
            Err(Refused::Disk(problem)) => return Err(Refused::Disk(problem)),
            Err(why) => {
                refused = Some(why);
                break;
            }
        }
        writing.write(group)?;
        groups.next();
    }
    writing.projector.flush()?;
    Ok(refused)
}

/// Forgets the events after one, in the open transaction, and makes the projections anew, by the rules for copies.
pub(crate) fn forget_after(connection: &Connection, to: Seq) -> Result<(), Problem> {
    let last = read::link(connection, to).map_err(|e| problem::database(&e))?;
    let (seq, incarnation) = (signed(to.0), signed(last.map_or(0, |(incarnation, _)| incarnation)));
    let sql =
        format!("DELETE FROM event WHERE seq>{seq}; DELETE FROM head WHERE seq>{seq}; DELETE FROM incarnation WHERE number>{incarnation};");
    connection.execute(sql).map_err(|e| problem::database(&e))?;
    rebuild::within(connection, Of::Copy).map(drop)
}

/// Where a copy ends; before everything where it is empty.
fn end(connection: &Connection, device: &Did) -> Result<Tail, Problem> {
    Ok(read::tail(connection)?.unwrap_or_else(|| Tail::empty(device.clone())))
}

/// The hash of an event that is here.
fn hash_here(connection: &Connection, seq: Seq) -> Result<Option<Vec<u8>>, Refused> {
    Ok(read::link(connection, seq)?.map(|(_, hash)| hash))
}

/// One transaction into a copy.
struct Writing<'c> {
    connection: &'c Connection,
    tail: Tail,
    insert_event: Statement<'c>,
    insert_head: Statement<'c>,
    projector: Projector<'c>,
}

impl<'c> Writing<'c> {
    fn new(connection: &'c Connection, device: &Did) -> Result<Self, Refused> {
        Ok(Self {
            connection,
            tail: end(connection, device)?,
            insert_event: connection.prepare("INSERT INTO event(seq, incarnation, previous, hash, payload) VALUES(?, ?, ?, ?, ?)")?,
            insert_head: connection.prepare("INSERT INTO head(seq, signature) VALUES(?, ?)")?,
            projector: Projector::new(connection, "projected")?,
        })
    }

    fn write(&mut self, group: &Group<'_>) -> Result<(), Refused> {
        let begins = &group.first().incarnation;
        if begins.number != self.tail.incarnation {
            self.begin_incarnation(group.first())?;
        }
        for payload in group.pieces.iter().flat_map(|piece| &piece.payloads) {
            self.insert(payload)?;
        }
        self.insert_head.reset()?;
        self.insert_head.bind((1, signed(self.tail.seq.0)))?;
        self.insert_head.bind((2, group.signature()))?;
        self.insert_head.next()?;
        self.insert_head.reset()?;
        Ok(())
    }

    fn begin_incarnation(&mut self, first: &Piece) -> Result<(), Refused> {
        let begins = &first.incarnation;
        let mut statement = self.connection.prepare("INSERT INTO incarnation(number, device, after_seq, after_hash) VALUES(?, ?, ?, ?)")?;
        statement.bind((1, signed(begins.number)))?;
        statement.bind((2, self.tail.device.as_str()))?;
        statement.bind((3, signed(begins.after.0)))?;
        statement.bind((4, &begins.after_hash[..]))?;
        statement.next()?;
        self.tail.follow(first);
        Ok(())
    }

    fn insert(&mut self, payload: &[u8]) -> Result<(), Refused> {
        let text = std::str::from_utf8(payload).map_err(|_| Refused::Forged("an event is not text".into()))?;
        let previous = self.tail.hash;
        self.tail.take(payload);
        self.insert_event.reset()?;
        self.insert_event.bind((1, signed(self.tail.seq.0)))?;
        self.insert_event.bind((2, signed(self.tail.incarnation)))?;
        self.insert_event.bind((3, &previous[..]))?;
        self.insert_event.bind((4, &self.tail.hash[..]))?;
        self.insert_event.bind((5, text))?;
        self.insert_event.next()?;
        self.insert_event.reset()?;
        project(&mut self.projector, self.tail.seq, payload)?;
        Ok(())
    }
}

/// Projects an event, and says whether it was understood. One of a newer Meshwork, and one that makes no sense here, changes nothing: its
/// place in the chain is what counts.
pub(crate) fn project(projector: &mut Projector<'_>, seq: Seq, payload: &[u8]) -> sqlite::Result<bool> {
    let Ok(event) = Event::read(payload) else {
        tracing::debug!(seq = seq.0, "an event is of an unknown form, and changes nothing here");
        return Ok(false);
    };
    let mut staged = Staged::default();
    match projector.project(&event, seq.0, &mut staged) {
        Ok(()) => {
            projector.take(staged);
            Ok(!matches!(event.body, Body::Unknown(_)))
        }
        Err(Failure::Append(problem)) => {
            tracing::warn!(seq = seq.0, %problem, "an event makes no sense here, and changes nothing");
            Ok(false)
        }
        Err(Failure::Database(error)) => Err(error),
    }
}
