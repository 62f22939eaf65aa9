//! What a person is told when the database or the disk refuses.

use domain::Problem;
use std::{io, path::Path};

/// Codes of SQLite (<https://www.sqlite.org/rescode.html>).
const BUSY: isize = 5;
const READONLY: isize = 8;
const IOERR: isize = 10;
const CORRUPT: isize = 11;
const FULL: isize = 13;
const CANTOPEN: isize = 14;
const NOTADB: isize = 26;

/// The problem that an error of the database is.
pub(crate) fn database(error: &sqlite::Error) -> Problem {
    let why = error.message.clone().unwrap_or_else(|| error.to_string());
    // Extended codes carry the primary one in their lowest byte.
    match error.code.map(|code| code & 0xff) {
        Some(FULL) => Problem::unavailable("The journal cannot be written: the disk is full.")
            .because("What was acknowledged is safe; this was not written.")
            .next("Make room on the disk of the data folder; no restart is needed."),
        Some(READONLY) => Problem::unavailable("The journal cannot be written: its folder is read-only.")
            .because("What was acknowledged is safe; this was not written.")
            .next("Make the data folder writable for the user that runs Meshwork."),
        Some(IOERR | CANTOPEN) => Problem::unavailable("The journal cannot be read or written.")
            .because(format!("The disk answered: {why}."))
            .next("Look at the disk of the data folder (is it full, gone, or failing?); no restart is needed once it works."),
        Some(CORRUPT | NOTADB) => Problem::unavailable("The journal's file is damaged.")
            .because(format!("SQLite says: {why}."))
            .next("Restore the last backup with `meshwork restore`; keep the damaged file for now."),
        Some(BUSY) => Problem::unavailable("The journal is in use by something else.")
            .because("Another program holds a lock on journal.db.")
            .next("Close whatever has the file open (sqlite3, a backup program), then try again."),
        _ => Problem::internal(why),
    }
}

/// The problem that an error of the file system is; `action` reads as “cannot … the file”.
pub(crate) fn file(action: &str, path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::unavailable(format!("Cannot {action} {}.", path.display())).because(format!("{error}."));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => problem.next("Make room on this disk; no restart is needed."),
        io::ErrorKind::PermissionDenied => problem.next("Run as the user who owns the data folder."),
        io::ErrorKind::ReadOnlyFilesystem => problem.next("Make the file system writable, or choose another data folder."),
        _ => problem,
    }
}

/// The writer's thread has ended.
pub(crate) fn writer_gone() -> Problem {
    Problem::unavailable("The journal is closed.").next("Start Meshwork again; what was acknowledged is safe.")
}
