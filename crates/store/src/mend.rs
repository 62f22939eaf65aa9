//! The mend of a journal whose disk was put back by hand to an earlier moment: other devices hold events of it that are not here any
//! more, and under their numbers others may have been written since.
//!
//! What others hold is copied into `branch/`, by the rules for every copy: nothing is in it but what this device signed. At the next
//! opening both are joined, as after a restore: the old incarnation ends at the last event that both have, and a new one goes on from
//! there. It tells first what came back, under the numbers that this had, then what was written here since, and last that and how it was
//! mended. Whoever followed either of the two can follow it. The journal as it was before the mend stays in `aside/`.

use crate::{
    blob::Blobs,
    chain::{self, Seq, Tail},
    copy::{self, JournalCopy},
    files,
    journal::Signer,
    limits, migrate, problem, read, remembered,
    session::{self, Prepared, Session},
    token::{Sort, TokenChange},
};
use domain::{
    Did, Problem,
    event::{self, Body, Event, Mended},
};
use sqlite::Connection;
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// How a journal and what others hold of it lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The last event that both have.
    pub after: Seq,
    /// How many events others hold beyond that; at least one.
    pub there: u64,
    /// How many events are here beyond that.
    pub here: u64,
}

/// How this journal and its branch lie apart; nothing where the branch is a part of the journal, or of what it went on from.
///
/// # Errors
/// When a database refuses.
pub(crate) fn apart(here: &Connection, there: &Connection) -> Result<Option<Apart>, Problem> {
    let (Some(own), Some(others)) = (read::tail(here)?, read::tail(there)?) else { return Ok(None) };
    if others.incarnation < own.incarnation {
        return Ok(None);
    }
    let after = agreed(here, there, own.seq.min(others.seq)).map_err(|e| problem::database(&e))?;
    let apart = Apart { after, there: others.seq.0 - after.0, here: own.seq.0 - after.0 };
    Ok(Some(apart).filter(|apart| apart.there > 0))
}

/// The last event up to `last` that both have. Where one is the same, so are all before it: each hash covers the one before.
fn agreed(here: &Connection, there: &Connection, last: Seq) -> sqlite::Result<Seq> {
    let (mut same, mut other) = (0, last.0 + 1);
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if read::link(here, Seq(middle))? == read::link(there, Seq(middle))? {
            same = middle;
        } else {
            other = middle;
        }
    }
    Ok(Seq(same))
}

/// Joins the journal with its branch, where it was marked so.
///
/// # Errors
/// When a database or the disk refuses; then the journal is as it was, or the mend is done at the next opening.
pub(crate) fn join(connection: &Connection, dir: &Path, signer: &Signer, blobs: &Blobs) -> Result<(), Problem> {
    if !files::is_to_mend(dir) {
        return Ok(());
    }
    let branch = files::branch(dir);
    // Held, and brought to the present form.
    let held = JournalCopy::open(&branch, &signer.device)?;
    let there = open(&branch)?;
    if let Some(apart) = apart(connection, &there)? {
        let aside = (apart.here > 0).then(|| keep_aside(connection, dir)).transpose()?;
        let here = aside.as_deref().map(|name| open(&files::aside(dir).join(name))).transpose()?;
        let sides = Sides { there: &there, here: here.as_ref(), aside, apart };
        connection.execute("BEGIN IMMEDIATE").map_err(|e| problem::database(&e))?;
        let joined = sides.join(connection, signer, blobs).and_then(|()| connection.execute("COMMIT").map_err(|e| problem::database(&e)));
        joined.inspect_err(|_| {
            // The first error tells more than one of giving up.
            let _ = connection.execute("ROLLBACK");
        })?;
        tracing::warn!(after = apart.after.0, came_back = apart.there, written_here = apart.here, "the journal was mended");
    }
    // Before the mark goes: what the journal was remembered by before the mend counts no more.
    if let Some(tail) = read::tail(connection)? {
        remembered::write(dir, signer, &tail)?;
    }
    drop((there, held));
    files::clear_to_mend(dir)
}

fn open(dir: &Path) -> Result<Connection, Problem> {
    migrate::open_reader(dir).map_err(|e| problem::database(&e))
}

/// Lays a copy of the journal aside, as it is, and gives its folder's name: that of its head, so that the same journal is kept once.
fn keep_aside(connection: &Connection, dir: &Path) -> Result<String, Problem> {
    let tail = read::tail(connection)?.ok_or_else(|| Problem::internal("the journal has no incarnation"))?;
    let name: String = chain::shown(&tail.hash)?.as_str().chars().take(limits::ASIDE_NAME_CHARS).collect();
    let folder = files::aside(dir).join(&name);
    files::make_dir(&files::aside(dir))?;
    files::make_dir(&folder)?;
    migrate::copy_before(connection, &files::database(&folder))?;
    Ok(name)
}

/// What is joined.
struct Sides<'a> {
    there: &'a Connection,
    /// The journal as it was before; none where it has nothing beyond the last event that both have.
    here: Option<&'a Connection>,
    /// Where that lies.
    aside: Option<String>,
    apart: Apart,
}

impl Sides<'_> {
    /// Goes back to the last event that both have, and on from it as a new incarnation, in the open transaction.
    fn join(self, connection: &Connection, signer: &Signer, blobs: &Blobs) -> Result<(), Problem> {
        let after = self.apart.after;
        let newest = newest(connection, signer)?.max(newest(self.there, signer)?);
        copy::forget_after(connection, after)?;
        let agreed = read::tail(connection)?.unwrap_or_else(|| Tail::empty(signer.device.clone()));
        let begun = Session::begin_incarnation(connection, Some(&Tail { incarnation: newest, ..agreed }), signer)?;
        let mut session = Session::new(connection, signer, begun).map_err(|e| problem::database(&e))?;
        let mut told = BTreeSet::new();
        let (came_back, _) = tell(&mut session, self.there, after, |event| {
            told.extend(told_by(event));
            revoke(event, connection)?;
            lost_blobs(event, blobs).map(|()| true)
        })?;
        let new = |event: &Event| Ok(told_by(event).is_none_or(|fact| !told.contains(&fact)));
        let (written_here, told_twice) = self.here.map_or(Ok((0, 0)), |here| tell(&mut session, here, after, new))?;
        let mended = Mended { after: after.0, came_back, written_here, told_twice, aside: self.aside };
        session.append(&session::prepare(vec![said(signer, Body::JournalMended(mended))])?)?;
        session.prepare_commit()
    }
}

/// The newest incarnation of a journal.
fn newest(connection: &Connection, signer: &Signer) -> Result<u64, Problem> {
    Ok(read::tail(connection)?.unwrap_or_else(|| Tail::empty(signer.device.clone())).incarnation)
}

/// Another device's fact that an event is: two such are one, though it was heard twice.
fn told_by(event: &Event) -> Option<(Did, u64)> {
    event.told.as_ref().map(|told| (told.device.clone(), told.seq))
}

/// What was revoked by an event that came back is revoked again: the table of tokens was put back too.
fn revoke(event: &Event, connection: &Connection) -> Result<(), Problem> {
    let (sort, id) = match &event.body {
        Body::TokenRevoked { id } => (Sort::Token, id),
        Body::BrowserSignedOut { id } => (Sort::Browser, id),
        _ => return Ok(()),
    };
    TokenChange::Revoke(sort, vec![id.clone()]).apply(connection).map_err(|e| problem::database(&e))
}

/// Notes which blobs of an event that came back are not here any more. What another device told of may lie there alone.
fn lost_blobs(event: &Event, blobs: &Blobs) -> Result<(), Problem> {
    let named = if event.told.is_none() { event.body.blobs() } else { vec![] };
    named.into_iter().try_for_each(|hash| blobs.lose(hash))
}

/// Appends those events of a journal after a place that are wanted, in groups; says how many were, and how many were not.
fn tell(
    session: &mut Session<'_>,
    from: &Connection,
    after: Seq,
    mut wanted: impl FnMut(&Event) -> Result<bool, Problem>,
) -> Result<(u64, u64), Problem> {
    let (mut at, mut told, mut left) = (after, 0, 0);
    loop {
        let rows = read::rows(from, at, limits::GROUP_EVENTS_MAX)?;
        let Some(last) = rows.last() else { return Ok((told, left)) };
        at = last.seq;
        for row in rows {
            let event = Event::read(&row.payload).map_err(|e| read::unreadable(row.seq, &e))?;
            if !wanted(&event)? {
                left += 1;
                continue;
            }
            let payload = String::from_utf8(row.payload).map_err(Problem::internal)?;
            session.append(&[Prepared { event: Arc::new(event), payload }])?;
            told += 1;
            if session.is_full() {
                session.end_group()?;
            }
        }
    }
}

fn said(signer: &Signer, body: Body) -> Event {
    Event { version: event::VERSION, at: chain::now(), actor: signer.device.clone(), via: None, told: None, body }
}
