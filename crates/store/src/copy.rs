//! [`JournalCopy`]: the journal of another device, as this one has it. What comes is verified before it is written: every link, and the
//! signature of every group by that device's key. It is projected in the same transaction and by the same rules as there, so that the
//! same events give the same picture. Nothing else writes into it.
//!
//! What cannot be verified is kept out, and the copy stands where it was. Where the device began a new incarnation after a restore, the
//! copy goes back to the event from which that goes on; the journal before is kept beside it.

use crate::{
    chain::{self, Digest, Head, Point, Recorded, Seq},
    fault::Fault,
    files, limits, migrate,
    piece::{self, Piece},
    problem,
    projector::{Failure, Projector, Staged, signed},
    read::{self, Readers, Tail},
    summary,
    verify::{self, VerifyReport},
};
use domain::{Did, Hash, Problem, event::Event};
use serde::de::DeserializeOwned;
use sqlite::{Connection, Statement};
use std::{
    fmt,
    fs::File,
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
        let writer = migrate::open_writer(dir, Fault::None)?;
        // Of many journals each is written seldom.
        writer.execute(format!("PRAGMA cache_size=-{}", limits::COPY_CACHE_KIB)).map_err(|e| problem::database(&e))?;
        let tail = read::tail(&writer)?;
        if let Some(tail) = tail.as_ref().filter(|tail| tail.device != *device) {
            return Err(Problem::conflict(format!("The copy of a journal in {} is of another device.", dir.display()))
                .because(format!("It is of {}, and not of {device}.", tail.device))
                .next("Remove that folder: the journal is copied anew."));
        }
        let inner = Inner {
            dir: dir.to_owned(),
            device: device.clone(),
            readers: Readers::new(dir.to_owned(), limits::COPY_READERS_IDLE_MAX),
            writer: Mutex::new(writer),
            at: watch::Sender::new(tail.map(|tail| point(&tail)).unwrap_or_default()),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The device whose journal it is.
    pub fn device(&self) -> &Did {
        &self.inner.device
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
        let mut groups = groups(pieces)?.into_iter().peekable();
        while let Some(first) = groups.peek() {
            if let Some(back_to) = place(&connection, &end(&connection, &self.inner.device)?, first)? {
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
        let now = read::tail(connection)?.map(|tail| point(&tail)).unwrap_or_default();
        self.inner.at.send_if_modified(|at| std::mem::replace(at, now) != now);
        Ok(())
    }

    /// Goes back to an event from which another incarnation goes on. What is here now is kept beside it.
    fn go_back(&self, connection: &Connection, to: Seq) -> Result<(), Problem> {
        let (device, from) = (&self.inner.device, self.point());
        tracing::warn!(%device, from = from.seq.0, to = to.0, "a device restored its journal: the copy goes on from an earlier event");
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
        let name = |n: usize| self.inner.dir.join(format!("replaced-{n}.db"));
        let Some(free) = (0..limits::COPIES_ASIDE_MAX).map(name).find(|path| !path.exists()) else {
            tracing::warn!(device = %self.inner.device, at = at.seq.0, "so many replaced journals are kept that this one is not");
            return Ok(());
        };
        migrate::copy_to(connection, &free)
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

    /// Checks every link, hash and signature of every incarnation. Takes long for long journals.
    ///
    /// # Errors
    /// When it cannot be read at all; what is wrong inside is in the report.
    pub fn verify(&self) -> Result<VerifyReport, Problem> {
        self.inner.readers.with(|c| verify::verify_copy(c, &self.inner.device))
    }
}

fn point(tail: &Tail) -> Point {
    Point { incarnation: tail.incarnation, seq: tail.seq }
}

/// Pieces that end with a signature, which is sound.
struct Group<'p> {
    pieces: &'p [Piece],
    /// The hash of its last event.
    hash: Digest,
}

impl Group<'_> {
    fn first(&self) -> &Piece {
        &self.pieces[0]
    }

    fn signature(&self) -> &[u8] {
        self.pieces.last().map_or(&[][..], |last| last.signature.as_slice())
    }

    fn end(&self) -> Point {
        self.pieces.last().map(Piece::end).unwrap_or_default()
    }

    /// Refuses events that no journal would have: too large ones, and such as are not in canonical form.
    fn well_formed(&self) -> Result<(), Refused> {
        let fits = |payload: &Vec<u8>| payload.len() <= limits::EVENT_BYTES_MAX && identity::canonical::is_canonical(payload);
        match self.pieces.iter().flat_map(|piece| &piece.payloads).all(fits) {
            true => Ok(()),
            false => Err(Refused::Forged("an event is too large, or not canonical JSON".into())),
        }
    }
}

/// Takes pieces together that one signature covers. Their links within are checked; whose the signature is, is not yet.
fn groups(pieces: &[Piece]) -> Result<Vec<Group<'_>>, Refused> {
    let mut all = vec![];
    for group in pieces.split_inclusive(|piece| !piece.signature.is_empty()) {
        let Some(first) = group.first() else { continue };
        if group.last().is_none_or(|last| last.signature.is_empty()) {
            return Err(Refused::OutOfPlace("a group is not whole".into()));
        }
        let (mut hash, mut seq) = (first.previous, first.first);
        for piece in group {
            let fits = piece.incarnation == first.incarnation && piece.first == seq && piece.previous == hash;
            if !fits || piece.payloads.is_empty() {
                return Err(Refused::OutOfPlace("the pieces of a group do not follow each other".into()));
            }
            for payload in &piece.payloads {
                hash = chain::event_hash(first.incarnation.number, seq, &hash, payload);
                seq = Seq(seq.0.saturating_add(1));
            }
        }
        all.push(Group { pieces: group, hash });
    }
    Ok(all)
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
        match place(connection, &writing.tail, group).and_then(|back_to| group.well_formed().map(|()| back_to)) {
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

/// Forgets the events after one, in the open transaction, and makes the projections anew.
fn forget_after(connection: &Connection, to: Seq) -> Result<(), Problem> {
    let last = read::link(connection, to).map_err(|e| problem::database(&e))?;
    let (seq, incarnation) = (signed(to.0), signed(last.map_or(0, |(incarnation, _)| incarnation)));
    let sql = format!(
        "DELETE FROM event WHERE seq>{seq}; DELETE FROM head WHERE seq>{seq}; DELETE FROM incarnation WHERE number>{incarnation};
         DELETE FROM projected;"
    );
    connection.execute(sql).map_err(|e| problem::database(&e))?;
    project_anew(connection)
}

/// Where a copy ends; before everything where it is empty.
fn end(connection: &Connection, device: &Did) -> Result<Tail, Problem> {
    let nothing = || Tail { device: device.clone(), incarnation: 0, seq: Seq(0), hash: Digest::default() };
    Ok(read::tail(connection)?.unwrap_or_else(nothing))
}

/// Where a group goes: none where it follows the end, else the event to which the copy must go back first.
fn place(connection: &Connection, tail: &Tail, group: &Group<'_>) -> Result<Option<Seq>, Refused> {
    let (first, end) = (group.first(), group.end());
    let begins = &first.incarnation;
    // First whether the device signed it at all: only then it can have two journals.
    let message = chain::head_message(&tail.device, begins.number, end.seq, &group.hash);
    if !identity::verify(&tail.device, &message, group.signature()) {
        return Err(Refused::Forged(format!("the signature of event {} does not verify", end.seq)));
    }
    if begins.number == tail.incarnation {
        return match first.first.0 == tail.seq.0 + 1 {
            true if first.previous == tail.hash => Ok(None),
            true => Err(forked(tail.seq, "It was signed again with another content.")),
            false => Err(Refused::OutOfPlace(format!("event {} came after event {}", first.first, tail.seq))),
        };
    }
    let genesis = chain::genesis(&tail.device, begins.number, begins.after, &begins.after_hash);
    if begins.number < tail.incarnation || first.first.0 != begins.after.0.saturating_add(1) || begins.after > tail.seq {
        return Err(Refused::OutOfPlace(format!("event {} of incarnation {} came after event {}", first.first, begins.number, tail.seq)));
    }
    if first.previous != genesis {
        return Err(Refused::Forged(format!("event {} does not begin the incarnation that it is said to", first.first)));
    }
    let known = match begins.after {
        Seq(0) => begins.after_hash == Digest::default(),
        after => read::link(connection, after)?.is_some_and(|(_, hash)| hash[..] == begins.after_hash[..]),
    };
    match known {
        true if begins.after == tail.seq => Ok(None),
        true => Ok(Some(begins.after)),
        false => Err(forked(begins.after, "A new incarnation goes on from one that is not known here.")),
    }
}

fn forked(seq: Seq, why: &str) -> Refused {
    Refused::Forked { seq, why: why.to_owned() }
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
        (self.tail.incarnation, self.tail.hash) = (begins.number, first.previous);
        Ok(())
    }

    fn insert(&mut self, payload: &[u8]) -> Result<(), Refused> {
        let text = std::str::from_utf8(payload).map_err(|_| Refused::Forged("an event is not text".into()))?;
        let seq = Seq(self.tail.seq.0 + 1);
        let hash = chain::event_hash(self.tail.incarnation, seq, &self.tail.hash, payload);
        self.insert_event.reset()?;
        self.insert_event.bind((1, signed(seq.0)))?;
        self.insert_event.bind((2, signed(self.tail.incarnation)))?;
        self.insert_event.bind((3, &self.tail.hash[..]))?;
        self.insert_event.bind((4, &hash[..]))?;
        self.insert_event.bind((5, text))?;
        self.insert_event.next()?;
        self.insert_event.reset()?;
        (self.tail.seq, self.tail.hash) = (seq, hash);
        project(&mut self.projector, seq, payload).map_err(Refused::from)
    }
}

/// Projects an event of another device. One of a newer Meshwork, and one that makes no sense here, changes nothing: its place in the
/// chain is what counts.
fn project(projector: &mut Projector<'_>, seq: Seq, payload: &[u8]) -> sqlite::Result<()> {
    let Ok(event) = Event::read(payload) else {
        tracing::debug!(seq = seq.0, "an event of another device is of an unknown form, and changes nothing here");
        return Ok(());
    };
    let mut staged = Staged::default();
    match projector.project(&event, seq.0, &mut staged) {
        Ok(()) => {
            projector.take(staged);
            Ok(())
        }
        Err(Failure::Append(problem)) => {
            tracing::warn!(seq = seq.0, %problem, "an event of another device changes nothing here");
            Ok(())
        }
        Err(Failure::Database(error)) => Err(error),
    }
}

/// Makes the projections of a copy anew, in the open transaction. They must be empty.
fn project_anew(connection: &Connection) -> Result<(), Problem> {
    let mut projector = Projector::new(connection, "projected").map_err(|e| problem::database(&e))?;
    let mut at = Seq(0);
    loop {
        let rows = read::rows(connection, at, limits::REBUILD_BATCH)?;
        let Some(last) = rows.last() else { return Ok(()) };
        at = last.seq;
        for row in &rows {
            project(&mut projector, row.seq, &row.payload).map_err(|e| problem::database(&e))?;
        }
        projector.flush().map_err(|e| problem::database(&e))?;
        projector.settled();
    }
}
