//! Reads: each on a connection of its own, so that they never wait for the writer.

use crate::{
    chain::{self, Digest, Recorded, Seq, Tail},
    limits, migrate, problem,
    projector::signed,
};
use domain::{Did, Problem, event::Event};
use sqlite::{Connection, State, Statement};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// In which order things come: by the event that made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// The readers' connections.
pub(crate) struct Readers {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
    idle_max: usize,
}

impl Readers {
    /// For a folder; so many connections are kept when nobody reads.
    pub(crate) fn new(dir: PathBuf, idle_max: usize) -> Self {
        Self { dir, idle: Mutex::default(), idle_max }
    }

    /// Runs a read on a connection of its own.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Problem>) -> Result<T, Problem> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => migrate::open_reader(&self.dir).map_err(|e| problem::database(&e))?,
        };
        let answer = read(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // After a failure the connection itself may be what is broken.
        if answer.is_ok() && idle.len() < self.idle_max {
            idle.push(connection);
        }
        answer
    }
}

/// A projected thing, as JSON text.
pub(crate) fn value_text(connection: &Connection, kind: &str, id: &str) -> sqlite::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT value FROM projected WHERE kind=? AND id=?")?;
    statement.bind((1, kind))?;
    statement.bind((2, id))?;
    match statement.next()? {
        State::Row => statement.read(0).map(Some),
        State::Done => Ok(None),
    }
}

/// Projected things of one kind, as JSON text.
pub(crate) fn list_texts(connection: &Connection, table: &str, kind: &str, order: Order, limit: usize) -> sqlite::Result<Vec<String>> {
    let direction = match order {
        Order::Newest => "DESC",
        Order::Oldest => "ASC",
    };
    let sql = format!("SELECT value FROM {table} WHERE kind=? ORDER BY first_seq {direction}, rowid {direction} LIMIT ?");
    let mut statement = connection.prepare(sql)?;
    statement.bind((1, kind))?;
    statement.bind((2, signed(limit.min(limits::READ_MAX) as u64)))?;
    texts(statement)
}

/// Projected things of one kind, as JSON text: those whose id another kind has too, in the order in which they came into that.
pub(crate) fn texts_among(connection: &Connection, kind: &str, among: &str, limit: usize) -> sqlite::Result<Vec<String>> {
    let sql = "SELECT thing.value FROM projected AS member JOIN projected AS thing ON thing.kind=? AND thing.id=member.id
        WHERE member.kind=? ORDER BY member.first_seq, member.rowid LIMIT ?";
    let mut statement = connection.prepare(sql)?;
    statement.bind((1, kind))?;
    statement.bind((2, among))?;
    statement.bind((3, signed(limit.min(limits::READ_MAX) as u64)))?;
    texts(statement)
}

/// The first column of all rows.
fn texts(mut statement: Statement<'_>) -> sqlite::Result<Vec<String>> {
    let mut texts = vec![];
    while let State::Row = statement.next()? {
        texts.push(statement.read(0)?);
    }
    Ok(texts)
}

/// A projected thing, as JSON text, with the number of the event that changed it last.
pub(crate) fn numbered_text(connection: &Connection, kind: &str, id: &str) -> sqlite::Result<Option<(Seq, String)>> {
    let mut statement = connection.prepare("SELECT last_seq, value FROM projected WHERE kind=? AND id=?")?;
    statement.bind((1, kind))?;
    statement.bind((2, id))?;
    match statement.next()? {
        State::Row => Ok(Some((Seq(unsigned(statement.read(0)?)), statement.read(1)?))),
        State::Done => Ok(None),
    }
}

/// Projected things of one kind, the newest first, as JSON text, each with the number of the event that changed it last.
pub(crate) fn numbered_texts(connection: &Connection, kind: &str, limit: usize) -> sqlite::Result<Vec<(Seq, String)>> {
    let sql = "SELECT last_seq, value FROM projected WHERE kind=? ORDER BY first_seq DESC, rowid DESC LIMIT ?";
    let mut statement = connection.prepare(sql)?;
    statement.bind((1, kind))?;
    statement.bind((2, signed(limit.min(limits::READ_MAX) as u64)))?;
    let mut found = vec![];
    while let State::Row = statement.next()? {
        found.push((Seq(unsigned(statement.read(0)?)), statement.read(1)?));
    }
    Ok(found)
}

/// Events after `after`, oldest first.
pub(crate) fn events(connection: &Connection, after: Seq, limit: usize) -> Result<Vec<Recorded>, Problem> {
    rows(connection, after, limit)?.into_iter().map(Row::recorded).collect()
}

/// Rows of the table of events after `after`, oldest first.
pub(crate) fn rows(connection: &Connection, after: Seq, limit: usize) -> Result<Vec<Row>, Problem> {
    let read = |statement: &mut Statement<'_>| -> sqlite::Result<Vec<Row>> {
        statement.bind((1, signed(after.0)))?;
        statement.bind((2, signed(limit.min(limits::READ_MAX) as u64)))?;
        let mut rows = vec![];
        while let State::Row = statement.next()? {
            rows.push(Row::read(statement)?);
        }
        Ok(rows)
    };
    connection
        .prepare("SELECT seq, incarnation, previous, hash, payload FROM event WHERE seq>? ORDER BY seq LIMIT ?")
        .and_then(|mut statement| read(&mut statement))
        .map_err(|e| problem::database(&e))
}

/// One row of the table of events.
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) incarnation: u64,
    pub(crate) previous: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Row {
    /// Reads the columns seq, incarnation, previous, hash and payload.
    pub(crate) fn read(statement: &Statement<'_>) -> sqlite::Result<Self> {
        Ok(Self {
            seq: Seq(unsigned(statement.read(0)?)),
            incarnation: unsigned(statement.read(1)?),
            previous: statement.read(2)?,
            hash: statement.read(3)?,
            payload: statement.read(4)?,
        })
    }

    pub(crate) fn recorded(self) -> Result<Recorded, Problem> {
        let event = Event::read(&self.payload).map_err(|e| unreadable(self.seq, &e))?;
        let hash = Digest::try_from(self.hash.as_slice()).map_err(|e| unreadable(self.seq, &e))?;
        Ok(Recorded { seq: self.seq, incarnation: self.incarnation, hash: chain::shown(&hash)?, event: Arc::new(event) })
    }
}

/// An event of the journal that cannot be read.
pub(crate) fn unreadable(seq: Seq, why: &dyn std::fmt::Display) -> Problem {
    Problem::unavailable(format!("Event {seq} of the journal cannot be read."))
        .because(format!("{why}."))
        .next("Run `meshwork journal verify`. If it is sound, it was written by a newer Meshwork: update this machine.")
}

/// The end of the journal; nothing when no incarnation ever began.
pub(crate) fn tail(connection: &Connection) -> Result<Option<Tail>, Problem> {
    let sql = "SELECT number, device, after_seq, after_hash, coalesce((SELECT max(seq) FROM event), 0) FROM incarnation ORDER BY number DESC LIMIT 1";
    let read = |statement: &mut Statement<'_>| -> sqlite::Result<Option<Last>> {
        Ok(match statement.next()? {
            State::Row => Some(Last {
                incarnation: unsigned(statement.read(0)?),
                device: statement.read(1)?,
                after: Seq(unsigned(statement.read(2)?)),
                after_hash: statement.read(3)?,
                seq: Seq(unsigned(statement.read(4)?)),
            }),
            State::Done => None,
        })
    };
    let last = connection.prepare(sql).and_then(|mut statement| read(&mut statement)).map_err(|e| problem::database(&e))?;
    let Some(Last { incarnation, device, after, after_hash, seq }) = last else { return Ok(None) };
    let device: Did = device.parse()?;
    let hash = if seq > after {
        hash_of(connection, seq)?
    } else {
        let before = Digest::try_from(after_hash.as_slice()).map_err(|e| unreadable(after, &e))?;
        chain::genesis(&device, incarnation, after, &before)
    };
    Ok(Some(Tail { device, incarnation, seq, hash }))
}

/// The last incarnation, and the last event.
struct Last {
    incarnation: u64,
    device: String,
    after: Seq,
    after_hash: Vec<u8>,
    seq: Seq,
}

fn hash_of(connection: &Connection, seq: Seq) -> Result<Digest, Problem> {
    let read = |statement: &mut Statement<'_>| -> sqlite::Result<Vec<u8>> {
        statement.bind((1, signed(seq.0)))?;
        statement.next()?;
        statement.read(0)
    };
    let hash = connection.prepare("SELECT hash FROM event WHERE seq=?").and_then(|mut statement| read(&mut statement));
    let hash = hash.map_err(|e| problem::database(&e))?;
    Digest::try_from(hash.as_slice()).map_err(|e| unreadable(seq, &e))
}

/// The incarnation and the hash of an event; nothing when there is none of this number.
pub(crate) fn link(connection: &Connection, seq: Seq) -> sqlite::Result<Option<(u64, Vec<u8>)>> {
    let mut statement = connection.prepare("SELECT incarnation, hash FROM event WHERE seq=?")?;
    statement.bind((1, signed(seq.0)))?;
    Ok(match statement.next()? {
        State::Row => Some((unsigned(statement.read(0)?), statement.read(1)?)),
        State::Done => None,
    })
}

/// The number of the last event; 0 when there is none.
pub(crate) fn last(connection: &Connection) -> sqlite::Result<Seq> {
    let mut statement = connection.prepare("SELECT coalesce(max(seq), 0) FROM event")?;
    statement.next()?;
    Ok(Seq(unsigned(statement.read(0)?)))
}

/// Numbers of events are never negative; a damaged row reads as 0 and does not verify.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
