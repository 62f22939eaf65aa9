//! The mend of a journal whose disk was put back by hand to an earlier moment: other devices hold events of it that are not here any
//! more, and under their numbers others may have been written since.
//!
//! What others hold is copied into `branch/`, by the rules for every copy: nothing is in it but what this device signed. At the next
//! opening both are joined, as after a restore: the old incarnation ends at the last event that both have, and a new one goes on from
//! there. It tells first what came back, under the numbers that this had, then what was written here since, and last that and how it was
//! mended. Whoever followed either of the two can follow it. The journal as it was before the mend stays in `aside/`.

use crate::{
    blob::Blobs,
    chain::{self, Digest, Seq, Tail},
    copy::{self, JournalCopy},
    files,
    journal::{Signer, Store},
    limits, migrate, problem, read, remembered,
    session::{self, Prepared, Session},
    token::{Sort, TokenChange},
};
use domain::{
    Problem,
    event::{self, Body, Event, Mended},
};
use sqlite::Connection;
use std::{collections::HashMap, fs, io, path::Path, sync::Arc};

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

impl Store {
    /// The place for what other devices hold of this very journal, where that may be more than is here.
    ///
    /// # Errors
    /// When it is open already, or the disk refuses.
    pub fn branch(&self) -> Result<JournalCopy, Problem> {
        JournalCopy::open(&files::branch(self.dir()), self.device())
    }

    /// Removes the branch. What others hold is fetched again where it is needed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_branch(&self) -> Result<(), Problem> {
        let branch = files::branch(self.dir());
        match fs::remove_dir_all(&branch) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(problem::file("remove", &branch, &e)),
            _ => Ok(()),
        }
    }

    /// Has the next opening join the journal with its branch, as a new incarnation, so that it holds all of both.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn mend_when_opened(&self) -> Result<(), Problem> {
        files::mark_to_mend(self.dir())
    }
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
pub(crate) fn agreed(here: &Connection, there: &Connection, last: Seq) -> sqlite::Result<Seq> {
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

/// Joins the journal with its branch, where it was marked so. Says what stands in the way of that: then the journal is as it was, and the
/// mark stays for the next opening.
pub(crate) fn join(connection: &Connection, dir: &Path, signer: &Signer, blobs: &Blobs) -> Option<Problem> {
    if !files::is_to_mend(dir) {
        return None;
    }
    if let Err(problem) = joined(connection, dir, signer, blobs) {
        tracing::error!(%problem, "the journal could not be mended, and is opened as it is");
        return Some(problem);
    }
    if let Err(problem) = settled(connection, dir, signer) {
        tracing::warn!(%problem, "the journal was mended; that it was to be is marked until the next start");
    }
    None
}

fn joined(connection: &Connection, dir: &Path, signer: &Signer, blobs: &Blobs) -> Result<(), Problem> {
    let branch = files::branch(dir);
    // Held, and brought to the present form.
    let _held = JournalCopy::open(&branch, &signer.device)?;
    let there = open(&branch)?;
    // None: it was joined before, and only the mark stayed.
    let Some(apart) = apart(connection, &there)? else { return Ok(()) };
    let kept = files::aside(dir);
    if fs::read_dir(&kept).map_or(0, Iterator::count) >= limits::MENDS_ASIDE_MAX {
        return Err(too_often(&kept));
    }
    let aside = (apart.here > 0).then(|| aside_name(connection)).transpose()?;
    let folder = aside.as_ref().map(|name| kept.join(name));
    let written = in_one(connection, folder.as_deref(), |here| Sides { there: &there, here, aside, apart }.join(connection, signer, blobs));
    written.inspect_err(|_| {
        // It would only take room, and count as a mend.
        folder.iter().for_each(|folder| drop(fs::remove_dir_all(folder)));
    })?;
    tracing::warn!(after = apart.after.0, came_back = apart.there, written_here = apart.here, "the journal was mended");
    Ok(())
}

/// Lays the journal aside, where that is said, and changes it in one transaction.
fn in_one(
    connection: &Connection,
    folder: Option<&Path>,
    change: impl FnOnce(Option<&Connection>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let here = folder.map(|folder| lay_aside(connection, folder)).transpose()?;
    connection.execute("BEGIN IMMEDIATE").map_err(|e| problem::database(&e))?;
    let changed = change(here.as_ref()).and_then(|()| connection.execute("COMMIT").map_err(|e| problem::database(&e)));
    changed.inspect_err(|_| {
        // The first error tells more than one of giving up.
        let _ = connection.execute("ROLLBACK");
    })
}

/// What the journal was remembered by before the mend counts no more; then the mark goes.
fn settled(connection: &Connection, dir: &Path, signer: &Signer) -> Result<(), Problem> {
    if let Some(tail) = read::tail(connection)? {
        remembered::write(dir, signer, &tail)?;
    }
    files::clear_to_mend(dir)
}

fn too_often(aside: &Path) -> Problem {
    Problem::new(domain::Kind::Limit, "This journal was mended so often that a person has to look.")
        .because("A key that is used on two machines at once makes them fork each other without end.")
        .next(format!(
            "Is this device's key used on another machine too? Stop meshwork up there; then stop it here, move {} away, and start it.",
            aside.display()
        ))
}

fn open(dir: &Path) -> Result<Connection, Problem> {
    migrate::open_reader(dir).map_err(|e| problem::database(&e))
}

/// What the folder is called in which the journal lies aside: by its head, so that the same journal is kept once.
fn aside_name(connection: &Connection) -> Result<String, Problem> {
    let tail = read::tail(connection)?.ok_or_else(|| Problem::internal("the journal has no incarnation"))?;
    Ok(chain::shown(&tail.hash)?.as_str().chars().take(limits::ASIDE_NAME_CHARS).collect())
}

/// Lays a copy of the journal into a folder, as it is, and opens that.
fn lay_aside(connection: &Connection, folder: &Path) -> Result<Connection, Problem> {
    if let Some(all) = folder.parent() {
        files::make_dir(all)?;
    }
    files::make_dir(folder)?;
    migrate::copy_before(connection, &files::database(folder))?;
    open(folder)
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
        let Self { there, here, aside, apart: Apart { after, .. } } = self;
        let newest = newest(connection, signer)?.max(newest(there, signer)?);
        copy::forget_after(connection, after)?;
        let agreed = read::tail(connection)?.unwrap_or_else(|| Tail::empty(signer.device.clone()));
        let begun = Session::begin_incarnation(connection, Some(&Tail { incarnation: newest, ..agreed }), signer)?;
        let mut session = Session::new(connection, signer, begun).map_err(|e| problem::database(&e))?;
        let mut back = Back::default();
        let (came_back, _) = tell(&mut session, there, after, |event, payload| {
            if here.is_some() {
                back.note(event, payload)?;
            }
            revoke(event, connection)?;
            lost_blobs(event, blobs).map(|()| true)
        })?;
        blobs.sync()?;
        let (written_here, told_twice) = match here {
            Some(here) => tell(&mut session, here, after, |event, payload| Ok(!back.has(event, payload)?))?,
            None => (0, 0),
        };
        let mended = Mended { after: after.0, came_back, written_here, told_twice, aside };
        session.append(&session::prepare(vec![said(signer, Body::JournalMended(mended))])?)?;
        session.prepare_commit()
    }
}

/// What came back, and how often, so that nothing of it is told again because it is here too: an event that has another incarnation here,
/// since the disk was put back twice or the key is used twice, and what another device told.
#[derive(Default)]
struct Back(HashMap<Digest, u64>);

impl Back {
    fn note(&mut self, event: &Event, payload: &[u8]) -> Result<(), Problem> {
        *self.0.entry(fact(event, payload)?).or_default() += 1;
        Ok(())
    }

    /// Whether an event came back. Each that did counts for one.
    fn has(&mut self, event: &Event, payload: &[u8]) -> Result<bool, Problem> {
        let Some(left) = self.0.get_mut(&fact(event, payload)?).filter(|left| **left > 0) else { return Ok(false) };
        *left -= 1;
        Ok(true)
    }
}

/// What makes two events one. Of what another device told that is its number there and what it says, whenever it was heard: several facts
/// go by one number, and numbers change where that device mends its own journal.
fn fact(event: &Event, payload: &[u8]) -> Result<Digest, Problem> {
    let hash = match (&event.told, &event.body) {
        (None, _) | (_, Body::Unknown(_)) => blake3::hash(payload),
        (Some(told), body) => blake3::hash(&identity::canonical(&(&told.device, told.seq, body))?),
    };
    Ok(*hash.as_bytes())
}

/// The newest incarnation of a journal.
fn newest(connection: &Connection, signer: &Signer) -> Result<u64, Problem> {
    Ok(read::tail(connection)?.unwrap_or_else(|| Tail::empty(signer.device.clone())).incarnation)
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
    mut wanted: impl FnMut(&Event, &[u8]) -> Result<bool, Problem>,
) -> Result<(u64, u64), Problem> {
    let (mut at, mut told, mut left) = (after, 0, 0);
    loop {
        let rows = read::rows(from, at, limits::MEND_BATCH)?;
        let Some(last) = rows.last() else { return Ok((told, left)) };
        at = last.seq;
        for row in rows {
            let event = Event::read(&row.payload).map_err(|e| read::unreadable(row.seq, &e))?;
            if !wanted(&event, &row.payload)? {
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
