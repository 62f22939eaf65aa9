//! What a journal comes to at its end: the newest of what is projected from it, for whoever has no copy of it yet.

use crate::{
    chain::{self, Digest, Head, Point, Seq},
    limits, problem,
    projector::signed,
    read::{self, unsigned},
};
use domain::{Hash, Problem, summary::Row};
use sqlite::{Connection, State};

/// Where the journal ends, and things of these kinds, one kind after the other, of each the newest first, until that is about so many bytes
/// of JSON.
pub(crate) fn summary(connection: &Connection, kinds: &[&str], bytes_max: usize) -> Result<(Head, Vec<Row>), Problem> {
    // One transaction, so that the end and what it comes to are of one moment.
    connection.execute("BEGIN").map_err(|e| problem::database(&e))?;
    let found = summed_up(connection, kinds, bytes_max);
    let ended = connection.execute("ROLLBACK");
    let found = found?;
    ended.map_err(|e| problem::database(&e))?;
    Ok(found)
}

fn summed_up(connection: &Connection, kinds: &[&str], bytes_max: usize) -> Result<(Head, Vec<Row>), Problem> {
    let tail = read::tail(connection)?.ok_or_else(|| Problem::internal("the journal has no incarnation"))?;
    let (mut rows, mut bytes) = (vec![], 0);
    for kind in kinds {
        let found = texts(connection, kind, bytes_max.saturating_sub(bytes)).map_err(|e| problem::database(&e))?;
        for (id, seq, text) in found {
            bytes += weight(&id, &text);
            let value = serde_json::from_str(&text).map_err(Problem::internal)?;
            rows.push(Row { kind: (*kind).to_owned(), id, seq: seq.0, value });
        }
    }
    Ok((tail.head()?, rows))
}

/// Things of one kind, the newest first: each with its name, the number of the event that changed it last, and itself as JSON text.
fn texts(connection: &Connection, kind: &str, bytes_max: usize) -> sqlite::Result<Vec<(String, Seq, String)>> {
    let sql = "SELECT id, last_seq, value FROM projected WHERE kind=? ORDER BY first_seq DESC, rowid DESC LIMIT ?";
    let mut statement = connection.prepare(sql)?;
    statement.bind((1, kind))?;
    statement.bind((2, signed(limits::READ_MAX as u64)))?;
    let (mut found, mut bytes) = (vec![], 0);
    while let State::Row = statement.next()? {
        let (id, text): (String, String) = (statement.read(0)?, statement.read(2)?);
        bytes += weight(&id, &text);
        if bytes > bytes_max {
            break;
        }
        found.push((id, Seq(unsigned(statement.read(1)?)), text));
    }
    Ok(found)
}

/// How many bytes a row takes, with what stands around it.
fn weight(id: &str, text: &str) -> usize {
    limits::SUMMARY_ROW_BYTES + id.len() + text.len()
}

/// The hash of the event at a place; none where there is no event of that number and incarnation.
pub(crate) fn hash_at(connection: &Connection, at: Point) -> Result<Option<Hash>, Problem> {
    let link = read::link(connection, at.seq).map_err(|e| problem::database(&e))?;
    let Some((_, hash)) = link.filter(|(incarnation, _)| *incarnation == at.incarnation) else { return Ok(None) };
    let hash = Digest::try_from(hash.as_slice()).map_err(|e| read::unreadable(at.seq, &e))?;
    chain::shown(&hash).map(Some)
}
