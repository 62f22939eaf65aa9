//! How a journal begins: its first incarnation, and the next one after a restore.

use crate::{
    chain::{self, Tail},
    files,
    journal::Signer,
    problem, read, remembered,
    session::{self, Prepared, Session},
};
use domain::{
    Problem,
    event::{self, Body, Event},
};
use sqlite::Connection;
use std::path::Path;

/// Makes sure that nothing is missing and that an incarnation has begun, and a new one after a restore.
pub(crate) fn begin(connection: &Connection, dir: &Path, signer: &Signer) -> Result<(), Problem> {
    let found = read::tail(connection)?;
    if let Some(tail) = &found
        && tail.device != signer.device
    {
        return Err(Problem::conflict(format!("The journal in {} belongs to another device.", dir.display()))
            .because(format!("It is the journal of {}, and this device is {}.", tail.device, signer.device))
            .next("Use the data folder of this device, or restore its keys from the same backup."));
    }
    let restored = files::is_restored(dir);
    if !restored {
        remembered::check(dir, connection, &signer.device)?;
    }
    if found.is_some() && !restored {
        return Ok(());
    }
    let in_transaction = |found: Option<&Tail>| -> Result<Tail, Problem> {
        connection.execute("BEGIN IMMEDIATE").map_err(|e| problem::database(&e))?;
        let tail = Session::begin_incarnation(connection, found, signer)?;
        let mut session = Session::new(connection, signer, tail).map_err(|e| problem::database(&e))?;
        session.append(&restored_event(signer, found.is_some())?)?;
        session.prepare_commit()?;
        connection.execute("COMMIT").map_err(|e| problem::database(&e))?;
        Ok(session.tail().clone())
    };
    let tail = in_transaction(found.as_ref())?;
    // Before the mark goes: what the lost journal is remembered by counts no more.
    remembered::write(dir, signer, &tail)?;
    if restored { files::clear_restored(dir) } else { Ok(()) }
}

/// The first event of an incarnation that goes on from a backup.
fn restored_event(signer: &Signer, restored: bool) -> Result<Vec<Prepared>, Problem> {
    let event =
        Event { version: event::VERSION, at: chain::now(), actor: signer.device.clone(), via: None, told: None, body: Body::Restored };
    session::prepare(if restored { vec![event] } else { vec![] })
}
