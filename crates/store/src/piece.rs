//! A journal as it goes from one device to another: pieces, each some events of one incarnation that follow each other, exactly as
//! they stand; where a group of commits ends, with the signature of its head. And reads that a journal and a copy share.

use crate::{
    chain::{Digest, Point, Seq},
    limits, link, problem,
    projector::signed,
    read::{self, Row, unsigned},
};
use domain::Problem;
use serde::de::DeserializeOwned;
use sqlite::{Connection, State};

/// How an incarnation began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// Its number.
    pub number: u64,
    /// It goes on after this event; 0 for a journal's first.
    pub after: Seq,
    /// That event's hash; zeros for a journal's first.
    pub after_hash: [u8; 32],
}

/// Some events of one incarnation that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The incarnation that they belong to.
    pub incarnation: Incarnation,
    /// The number of the first.
    pub first: Seq,
    /// The hash that the first one follows.
    pub previous: [u8; 32],
    /// The events, each as canonical JSON.
    pub payloads: Vec<Vec<u8>>,
    /// The device's signature of the head that the last of them is; empty where their group goes on with the next piece.
    pub signature: Vec<u8>,
}

impl Piece {
    /// How large its events are, in bytes.
    pub fn bytes(&self) -> usize {
        self.payloads.iter().map(Vec::len).sum()
    }

    /// The place after it.
    pub fn end(&self) -> Point {
        let events = u64::try_from(self.payloads.len()).unwrap_or(u64::MAX);
        Point { incarnation: self.incarnation.number, seq: Seq(self.first.0.saturating_add(events).saturating_sub(1)) }
    }
}

/// What follows a place: about `bytes` of it, or one event.
pub(crate) fn pieces(connection: &Connection, after: Point, bytes: usize) -> Result<Vec<Piece>, Problem> {
    // One transaction, so that events, heads and incarnations are of one moment.
    connection.execute("BEGIN").map_err(|e| problem::database(&e))?;
    let found = incarnations(connection).and_then(|all| match begin(connection, &all, after)? {
        Some(begin) => follow(connection, &all, begin, bytes),
        None => Ok(vec![]),
    });
    let ended = connection.execute("ROLLBACK");
    let found = found.map_err(|e| problem::database(&e))?;
    ended.map_err(|e| problem::database(&e))?;
    Ok(found)
}

fn incarnations(connection: &Connection) -> sqlite::Result<Vec<Incarnation>> {
    let mut rows = connection.prepare("SELECT number, after_seq, after_hash FROM incarnation ORDER BY number")?;
    let mut all = vec![];
    while let State::Row = rows.next()? {
        all.push(Incarnation {
            number: unsigned(rows.read(0)?),
            after: Seq(unsigned(rows.read(1)?)),
            after_hash: digest(&rows.read::<Vec<u8>, _>(2)?),
        });
    }
    Ok(all)
}

/// The event after which to go on for somebody who is at `after`; none where this journal has nothing for them.
fn begin(connection: &Connection, all: &[Incarnation], after: Point) -> sqlite::Result<Option<Seq>> {
    let there = read::link(connection, after.seq)?.map(|(incarnation, _)| incarnation);
    Ok(link::goes_on(all, after, there))
}

fn follow(connection: &Connection, all: &[Incarnation], begin: Seq, bytes: usize) -> sqlite::Result<Vec<Piece>> {
    let sql = "SELECT e.seq, e.incarnation, e.previous, e.hash, e.payload, h.signature
        FROM event e LEFT JOIN head h ON h.seq=e.seq WHERE e.seq>? ORDER BY e.seq LIMIT ?";
    let mut rows = connection.prepare(sql)?;
    rows.bind((1, signed(begin.0)))?;
    rows.bind((2, signed(limits::READ_MAX as u64)))?;
    let (mut pieces, mut size): (Vec<Piece>, usize) = (vec![], 0);
    while size < bytes
        && let State::Row = rows.next()?
    {
        let row = Row::read(&rows)?;
        let signature: Vec<u8> = rows.read::<Option<Vec<u8>>, _>(5)?.unwrap_or_default();
        size += row.payload.len();
        match pieces.last_mut().filter(|last| last.signature.is_empty() && last.incarnation.number == row.incarnation) {
            Some(last) => {
                last.payloads.push(row.payload);
                last.signature = signature;
            }
            None => {
                let incarnation = all.iter().find(|one| one.number == row.incarnation).cloned();
                let unknown = || Incarnation { number: row.incarnation, after: Seq(0), after_hash: Digest::default() };
                pieces.push(Piece {
                    incarnation: incarnation.unwrap_or_else(unknown),
                    first: row.seq,
                    previous: digest(&row.previous),
                    payloads: vec![row.payload],
                    signature,
                });
            }
        }
    }
    Ok(pieces)
}

/// A hash as it stands in a column; a damaged one becomes one that fits nothing.
fn digest(bytes: &[u8]) -> Digest {
    Digest::try_from(bytes).unwrap_or_default()
}

/// One projected thing, with the number of the event that changed it last.
pub(crate) fn numbered<T: DeserializeOwned>(connection: &Connection, kind: &str, id: &str) -> Result<Option<(Seq, T)>, Problem> {
    let found = read::numbered_text(connection, kind, id).map_err(|e| problem::database(&e))?;
    found.map(|(seq, text)| Ok((seq, serde_json::from_str(&text).map_err(Problem::internal)?))).transpose()
}

/// Projected things of one kind, the newest first, each with the number of the event that changed it last.
pub(crate) fn list_numbered<T: DeserializeOwned>(connection: &Connection, kind: &str, limit: usize) -> Result<Vec<(Seq, T)>, Problem> {
    let found = read::numbered_texts(connection, kind, limit).map_err(|e| problem::database(&e))?;
    found.into_iter().map(|(seq, text)| Ok((seq, serde_json::from_str(&text).map_err(Problem::internal)?))).collect()
}
