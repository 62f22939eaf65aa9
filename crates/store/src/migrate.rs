//! The database's form: made, checked, and brought up to date.
//!
//! `PRAGMA user_version` holds the form's version. Each step brings it one version further; before the first step of an
//! older journal a copy of it is laid beside it. A newer one is left alone.

use crate::{fault::Fault, files, limits, problem};
use domain::Problem;
use sqlite::{Connection, OpenFlags};
use std::{fs::File, path::Path};

/// The step from version n to n + 1 stands at place n; a new journal takes them all.
const STEPS: &[&str] = &[
    // 1: the first form. The view is for people who look into the file with other tools.
    "CREATE TABLE incarnation(
        number INTEGER PRIMARY KEY, device TEXT NOT NULL, after_seq INTEGER NOT NULL, after_hash BLOB NOT NULL
    ) STRICT;
    CREATE TABLE event(
        seq INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL, payload TEXT NOT NULL
    ) STRICT;
    CREATE VIEW journal AS
        SELECT seq, incarnation, json_extract(payload, '$.type') AS type, json_extract(payload, '$.at') AS at, payload, hex(hash) AS hash FROM event;
    CREATE TABLE head(seq INTEGER PRIMARY KEY, signature BLOB NOT NULL) STRICT;
    CREATE TABLE projected(
        kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX projected_by_id ON projected(kind, id);
    CREATE INDEX projected_by_age ON projected(kind, first_seq);
    CREATE TABLE token(id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;",
    // 2: browsers that are signed in.
    "CREATE TABLE browser(id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;",
];

/// Opens the writer's connection, with a journal of the present form behind it.
pub(crate) fn open_writer(dir: &Path, fault: Fault) -> Result<Connection, Problem> {
    let path = files::database(dir);
    files::make_private(&path)?;
    let connection = connect(&path, OpenFlags::new().with_create().with_read_write().with_no_mutex()).map_err(|e| problem::database(&e))?;
    let mode: String = pragma(&connection, "journal_mode=WAL").map_err(|e| problem::database(&e))?;
    if mode != "wal" {
        return Err(Problem::unavailable(format!("The journal cannot live in {}.", dir.display()))
            .because("This file system does not offer the shared memory that SQLite's write-ahead log needs.")
            .next("Choose a data folder on a local disk."));
    }
    let sync = if fault == Fault::NoSync { "OFF" } else { "FULL" };
    let settings = format!(
        "PRAGMA synchronous={sync}; PRAGMA wal_autocheckpoint={}; PRAGMA journal_size_limit={}; PRAGMA temp_store=MEMORY;",
        limits::WAL_PAGES,
        limits::WAL_BYTES_KEPT
    );
    connection.execute(settings).map_err(|e| problem::database(&e))?;
    let synchronous: i64 = pragma(&connection, "synchronous").map_err(|e| problem::database(&e))?;
    if fault == Fault::None && synchronous != 2 {
        return Err(Problem::internal(format!("SQLite does not sync commits (synchronous={synchronous})")));
    }
    migrate(&connection, dir, STEPS)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(dir: &Path) -> sqlite::Result<Connection> {
    let connection = connect(&files::database(dir), OpenFlags::new().with_read_write().with_no_mutex())?;
    connection.execute("PRAGMA query_only=1;")?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> sqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.set_busy_timeout(limits::BUSY_MS)?;
    Ok(connection)
}

/// Reads the first value that a pragma answers.
pub(crate) fn pragma<T: sqlite::ReadableWithIndex>(connection: &Connection, text: &str) -> sqlite::Result<T> {
    let mut statement = connection.prepare(format!("PRAGMA {text}"))?;
    statement.next()?;
    statement.read::<T, _>(0)
}

fn migrate(connection: &Connection, dir: &Path, steps: &[&str]) -> Result<(), Problem> {
    let newest = steps.len();
    let found: i64 = pragma(connection, "user_version").map_err(|e| problem::database(&e))?;
    let found =
        usize::try_from(found).map_err(|_| Problem::unavailable("The journal's file is damaged.").because("Its version is negative."))?;
    if found > newest {
        return Err(Problem::unavailable(format!("The journal in {} was written by a newer Meshwork.", dir.display()))
            .because(format!("Its form has version {found}, and this build knows up to {newest}."))
            .next("Update Meshwork on this machine; nothing was changed."));
    }
    if found == newest {
        return Ok(());
    }
    if found > 0 {
        copy_before(connection, dir, found)?;
    }
    let all = steps[found..].concat();
    let sql = format!("BEGIN IMMEDIATE; {all} PRAGMA user_version={newest}; COMMIT;");
    connection.execute(sql).map_err(|e| {
        let _ = connection.execute("ROLLBACK");
        problem::database(&e)
    })
}

/// Lays a copy of the journal beside it, as it was in the older form.
fn copy_before(connection: &Connection, dir: &Path, version: usize) -> Result<(), Problem> {
    let copy = dir.join(format!("journal.version-{version}.db"));
    if copy.exists() {
        // From an attempt that was cut off: the journal itself is still in the old form, so copy it again.
        std::fs::remove_file(&copy).map_err(|e| problem::file("replace", &copy, &e))?;
    }
    copy_to(connection, &copy)
}

/// Writes a consistent copy of the whole database into a new file, durably.
pub(crate) fn copy_to(connection: &Connection, to: &Path) -> Result<(), Problem> {
    let text = to.to_str().ok_or_else(|| Problem::invalid(format!("{} is not a path in UTF-8.", to.display())))?;
    // SQLite takes an empty file for one that is not there.
    files::make_private(to)?;
    let mut statement = connection.prepare("VACUUM INTO ?").map_err(|e| problem::database(&e))?;
    statement.bind((1, text)).and_then(|()| statement.next()).map_err(|e| problem::database(&e))?;
    let sync = || File::open(to)?.sync_all().and_then(|()| files::sync_parent(to));
    sync().map_err(|e| problem::file("write", to, &e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(dir: &Path) -> Connection {
        open_writer(dir, Fault::None).unwrap()
    }

    #[test]
    fn an_older_journal_is_brought_up_to_date_and_a_copy_stays() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open(dir.path());
        connection.execute("INSERT INTO token VALUES('old', '{}')").unwrap();
        let further = [STEPS, &["ALTER TABLE token ADD COLUMN more TEXT;"]].concat();
        for _ in 0..2 {
            migrate(&connection, dir.path(), &further).unwrap();
        }
        assert_eq!(pragma::<i64>(&connection, "user_version").unwrap(), STEPS.len() as i64 + 1);
        connection.execute("UPDATE token SET more='x' WHERE id='old'").unwrap();
        assert_eq!(connection.change_count(), 1);

        let copy = sqlite::open(dir.path().join(format!("journal.version-{}.db", STEPS.len()))).unwrap();
        assert_eq!(pragma::<i64>(&copy, "user_version").unwrap(), STEPS.len() as i64);
        let mut rows = copy.prepare("SELECT count(*) FROM token").unwrap();
        rows.next().unwrap();
        assert_eq!(rows.read::<i64, _>(0).unwrap(), 1);
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_form() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open(dir.path());
        let broken = [STEPS, &["CREATE TABLE half(a); INSERT INTO nowhere VALUES(1);"]].concat();
        assert!(migrate(&connection, dir.path(), &broken).is_err());
        assert_eq!(pragma::<i64>(&connection, "user_version").unwrap(), STEPS.len() as i64);
        assert!(connection.prepare("SELECT * FROM half").is_err());
        migrate(&connection, dir.path(), STEPS).unwrap();
    }

    #[test]
    fn a_newer_journal_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).execute("PRAGMA user_version=99").unwrap();
        let problem = open_writer(dir.path(), Fault::None).map(|_| ()).unwrap_err();
        assert!(problem.what.contains("newer Meshwork") && problem.next.is_some(), "{problem}");
    }

    #[test]
    fn commits_are_synced() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open(dir.path());
        assert_eq!(pragma::<i64>(&connection, "synchronous").unwrap(), 2);
        assert_eq!(pragma::<String>(&connection, "journal_mode").unwrap(), "wal");
    }
}
