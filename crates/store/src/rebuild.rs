//! Makes the projections anew from the journal, and compares.

use crate::{
    chain::Seq,
    copy, limits, problem,
    projector::{Failure, Projector, Staged},
    read::{self, Row, unsigned},
};
use domain::{
    Problem,
    event::{self, Body},
};
use serde::Serialize;
use serde_json::Value;
use sqlite::{Connection, State};

/// What a rebuild did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Events that were projected.
    pub events: u64,
    /// How many of them changed nothing: a newer Meshwork wrote them, and this one does not understand them; by the rules for copies also
    /// what cannot be read or projected.
    pub unknown: u64,
    /// Things that there are now.
    pub things: u64,
    /// How many were different before.
    pub differences: u64,
    /// The first of them.
    pub first: Vec<Difference>,
}

/// A projected thing that was not as the journal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// As it was; none when it was missing.
    pub was: Option<Value>,
    /// As the journal says it is; none when there is no such thing.
    pub is: Option<Value>,
}

/// By whose rules a journal is projected: so much of its events must be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// This device's own: it wrote them all, so one that cannot be read or projected is damaged.
    Own,
    /// A copy of another's: what cannot be read, or makes no sense here, changes nothing.
    Copy,
}

/// Makes the projections anew, in one transaction.
pub(crate) fn rebuild(connection: &Connection, of: Of) -> Result<RebuildReport, Problem> {
    connection.execute("BEGIN IMMEDIATE").map_err(|e| problem::database(&e))?;
    let report = within(connection, of).and_then(|report| {
        note(connection)?;
        connection.execute("COMMIT").map_err(|e| problem::database(&e))?;
        Ok(report)
    });
    report.inspect_err(|_| {
        // The first error tells more than one of giving up.
        let _ = connection.execute("ROLLBACK");
    })
}

/// Makes the projections anew where a build of another version of events made them: it understood more of these than this one, or fewer.
/// The rules for copies hold for this device's own journal too: a newer build may have written into it what cannot be read here, and the
/// device starts all the same.
pub(crate) fn unless_made_here(connection: &Connection) -> Result<(), Problem> {
    if is_made_here(connection).map_err(|e| problem::database(&e))? {
        return Ok(());
    }
    tracing::info!("a journal is projected anew, by this version of events; a long one takes minutes");
    let RebuildReport { events, differences, unknown, .. } = rebuild(connection, Of::Copy)?;
    tracing::info!(events, differences, "a journal was projected anew");
    if unknown > 0 {
        tracing::warn!(unknown, "some events of a journal are not understood here, and change nothing until this machine is updated");
    }
    Ok(())
}

/// Notes that the projections are those of this build, in the transaction that is open.
pub(crate) fn note(connection: &Connection) -> Result<(), Problem> {
    let sql = format!("DELETE FROM projected_by; INSERT INTO projected_by VALUES({});", event::VERSION);
    connection.execute(sql).map_err(|e| problem::database(&e))
}

/// Whether the projections are those of this version of events.
pub(crate) fn is_made_here(connection: &Connection) -> sqlite::Result<bool> {
    Ok(version(connection)? == Some(i64::from(event::VERSION)))
}

/// The version of events of the build that made the projections; none where that is not known.
fn version(connection: &Connection) -> sqlite::Result<Option<i64>> {
    let mut statement = connection.prepare("SELECT version FROM projected_by")?;
    match statement.next()? {
        State::Row => statement.read(0).map(Some),
        State::Done => Ok(None),
    }
}

/// Makes the projections anew, in the transaction that is open.
pub(crate) fn within(connection: &Connection, of: Of) -> Result<RebuildReport, Problem> {
    let execute = |sql: &str| connection.execute(sql).map_err(|e| problem::database(&e));
    execute(
        "CREATE TABLE rebuilt(kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL) STRICT;
         CREATE UNIQUE INDEX rebuilt_by_id ON rebuilt(kind, id);",
    )?;
    let mut report = RebuildReport::default();
    project_all(connection, of, &mut report)?;
    compare(connection, &mut report).map_err(|e| problem::database(&e))?;
    execute(
        "DELETE FROM projected;
         INSERT INTO projected(kind, id, value, first_seq, last_seq) SELECT kind, id, value, first_seq, last_seq FROM rebuilt ORDER BY rowid;
         DROP TABLE rebuilt;",
    )?;
    Ok(report)
}

fn project_all(connection: &Connection, of: Of, report: &mut RebuildReport) -> Result<(), Problem> {
    let mut projector = Projector::new(connection, "rebuilt").map_err(|e| problem::database(&e))?;
    let mut at = Seq(0);
    loop {
        let batch = read::rows(connection, at, limits::REBUILD_BATCH)?;
        let Some(last) = batch.last() else { return Ok(()) };
        at = last.seq;
        report.events += batch.len() as u64;
        for row in batch {
            match of {
                Of::Own => project(&mut projector, row, report)?,
                Of::Copy => {
                    let understood = copy::project(&mut projector, row.seq, &row.payload).map_err(|e| problem::database(&e))?;
                    report.unknown += u64::from(!understood);
                }
            }
        }
        projector.flush().map_err(|e| problem::database(&e))?;
        projector.settled();
    }
}

/// Projects an event of this device's own journal.
fn project(projector: &mut Projector<'_>, row: Row, report: &mut RebuildReport) -> Result<(), Problem> {
    let recorded = row.recorded()?;
    let mut staged = Staged::default();
    projector.project(&recorded.event, recorded.seq.0, &mut staged).map_err(|failure| match failure {
        Failure::Append(why) => read::unreadable(recorded.seq, &why),
        Failure::Database(error) => problem::database(&error),
    })?;
    projector.take(staged);
    report.unknown += u64::from(matches!(recorded.event.body, Body::Unknown(_)));
    Ok(())
}

fn compare(connection: &Connection, report: &mut RebuildReport) -> sqlite::Result<()> {
    let mut rows = connection.prepare(
        "SELECT r.kind, r.id, p.value, r.value FROM rebuilt r LEFT JOIN projected p ON p.kind=r.kind AND p.id=r.id
         UNION ALL
         SELECT p.kind, p.id, p.value, NULL FROM projected p LEFT JOIN rebuilt r ON p.kind=r.kind AND p.id=r.id WHERE r.kind IS NULL",
    )?;
    while let State::Row = rows.next()? {
        let (was, is) = (rows.read::<Option<String>, _>(2)?, rows.read::<Option<String>, _>(3)?);
        report.things += u64::from(is.is_some());
        let (was, is) = (was.as_deref().map(parsed), is.as_deref().map(parsed));
        if was == is {
            continue;
        }
        report.differences += 1;
        if report.first.len() < limits::DIFFERENCES_MAX {
            report.first.push(Difference { kind: rows.read(0)?, id: rows.read(1)?, was, is });
        }
    }
    // Numbers of events matter too, for the order of lists.
    let mut moved = connection.prepare(
        "SELECT count(*) FROM rebuilt r JOIN projected p ON p.kind=r.kind AND p.id=r.id
         WHERE p.value=r.value AND (p.first_seq<>r.first_seq OR p.last_seq<>r.last_seq)",
    )?;
    moved.next()?;
    report.differences += unsigned(moved.read(0)?);
    Ok(())
}

/// A damaged value is shown as text.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
