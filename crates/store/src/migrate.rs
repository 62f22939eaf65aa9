//! The database's form: made, checked, and brought up to date.
//!
//! `PRAGMA user_version` holds the form's version. Each step brings it one version further, all of them in one transaction; before
//! the first step of an older journal a copy of it is laid down. A newer one is left alone.

use crate::{
    fault::Fault,
    files, limits, problem, read,
    rebuild::{self, Of},
    remembered,
};
use domain::Problem;
use sqlite::{Connection, OpenFlags};
use std::{fs::File, path::Path};

/// The step from version n to n + 1 stands at place n; a new journal takes them all.
const STEPS: &[Step] = &[
    // 1: the first form. The view is for people who look into the file with other tools.
    Step::Sql(
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
    ),
    // 2: browsers that are signed in.
    Step::Sql("CREATE TABLE browser(id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;"),
    // 3: which stop orders count, and which runs have not ended, by themselves.
    Step::Rebuild,
    // 4: content that came with events and is no file of its own yet.
    Step::Sql("CREATE TABLE parked(hash TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT, WITHOUT ROWID;"),
    // 5: by which version of events it was projected.
    Step::Sql("CREATE TABLE projected_by(version INTEGER NOT NULL) STRICT;"),
    // 6: parked content in the order in which it came: one by one at the end of the table, and not each on a page of its own.
    Step::Sql(
        "CREATE TABLE parked_in_order(id INTEGER PRIMARY KEY, hash TEXT NOT NULL, content BLOB NOT NULL) STRICT;
        INSERT INTO parked_in_order(hash, content) SELECT hash, content FROM parked;
        DROP TABLE parked;
        ALTER TABLE parked_in_order RENAME TO parked;",
    ),
];

/// What brings the database to the next version.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Statements.
    Sql(&'static str),
    /// Its tables stay as they are; what is projected from the events is made anew.
    Rebuild,
}

impl Step {
    /// Does what it says, in the transaction that is open.
    fn apply(self, connection: &Connection, of: Of) -> Result<(), Problem> {
        match self {
            Self::Sql(sql) => connection.execute(sql).map_err(|e| problem::database(&e)),
            Self::Rebuild => rebuild::within(connection, of).map(drop),
        }
    }
}

/// Opens the writer's connection, with this device's own journal of the present form behind it.
pub(crate) fn open_writer(dir: &Path, fault: Fault) -> Result<Connection, Problem> {
    open_of(dir, fault, Of::Own)
}

/// Opens the connection of whoever writes into the copy of another device's journal, of the present form.
pub(crate) fn open_copy(dir: &Path) -> Result<Connection, Problem> {
    open_of(dir, Fault::None, Of::Copy)
}

fn open_of(dir: &Path, fault: Fault, of: Of) -> Result<Connection, Problem> {
    let connection = open_as_it_is(dir, fault)?;
    migrate(&connection, dir, STEPS, None, of)?;
    if of == Of::Copy {
        forget_earlier_forms(dir);
    }
    Ok(connection)
}

/// Removes what lies beside the copy of another device's journal in earlier forms of it: its device has it.
fn forget_earlier_forms(dir: &Path) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let earlier = |name: &str| name.starts_with("journal.version-") && name.ends_with(".db");
    for path in entries.filter(|entry| entry.file_name().to_str().is_some_and(earlier)).map(|entry| entry.path()) {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "an earlier form of the copy of a journal could not be removed");
        }
    }
}

/// Brings the journal in this folder to the present form, where it is in an older one, and says whether it was. Before that `copy`
/// becomes a copy of it; one that was cut off is made anew. A journal that lost events is not touched.
///
/// # Errors
/// When another process uses it, it was written by a newer Meshwork, is damaged or lost events, or the disk refuses; then it is as it was.
pub fn bring_up_to_date(dir: &Path, copy: &Path) -> Result<bool, Problem> {
    if !files::database(dir).exists() {
        return Ok(false);
    }
    let _lock = files::lock(dir)?;
    let connection = open_as_it_is(dir, Fault::None)?;
    let found = form(&connection)?;
    // An empty one is made when it is opened; one of this form has nothing to gain.
    if found == 0 || found == STEPS.len() {
        return Ok(false);
    }
    if found < STEPS.len()
        && !files::is_restored(dir)
        && let Some(tail) = read::tail(&connection)?
    {
        remembered::check(dir, &connection, &tail.device)?;
    }
    migrate(&connection, dir, STEPS, Some(copy), Of::Own)
}

/// Whether the copy of another device's journal in this folder opens at once: its form is the present one, and this version of events
/// projected it. Otherwise a long one takes minutes. What cannot be looked at is told by whoever opens it.
pub fn opens_at_once(dir: &Path) -> bool {
    let look = || -> sqlite::Result<bool> {
        let connection = open_reader(dir)?;
        Ok(usize::try_from(pragma::<i64>(&connection, "user_version")?) == Ok(STEPS.len()) && rebuild::is_made_here(&connection)?)
    };
    !files::database(dir).exists() || look().unwrap_or(true)
}

/// Opens the writer's connection, whatever form the journal has.
fn open_as_it_is(dir: &Path, fault: Fault) -> Result<Connection, Problem> {
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
        "PRAGMA synchronous={sync}; PRAGMA wal_autocheckpoint={}; PRAGMA journal_size_limit={}; PRAGMA temp_store=MEMORY;
         PRAGMA cache_size=-{};",
        limits::WAL_PAGES,
        limits::WAL_BYTES_KEPT,
        limits::WRITER_CACHE_KIB
    );
    connection.execute(settings).map_err(|e| problem::database(&e))?;
    let synchronous: i64 = pragma(&connection, "synchronous").map_err(|e| problem::database(&e))?;
    if fault == Fault::None && synchronous != 2 {
        return Err(Problem::internal(format!("SQLite does not sync commits (synchronous={synchronous})")));
    }
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

/// The version of the form that the database has; 0: it is empty.
fn form(connection: &Connection) -> Result<usize, Problem> {
    let found: i64 = pragma(connection, "user_version").map_err(|e| problem::database(&e))?;
    usize::try_from(found).map_err(|_| Problem::unavailable("The journal's file is damaged.").because("Its version is negative."))
}

/// Takes the steps that are missing, and says whether there were any. Of this device's own journal a copy is laid down first, where it is
/// said, else beside it. That of another device needs none: it can be fetched again.
fn migrate(connection: &Connection, dir: &Path, steps: &[Step], copy: Option<&Path>, of: Of) -> Result<bool, Problem> {
    let (found, newest) = (form(connection)?, steps.len());
    if found > newest {
        return Err(Problem::unavailable(format!("The journal in {} was written by a newer Meshwork.", dir.display()))
            .because(format!("Its form has version {found}, and this build knows up to {newest}."))
            .next("Update Meshwork on this machine; nothing was changed."));
    }
    if found == newest {
        return Ok(false);
    }
    if found > 0 && of == Of::Own {
        let beside = dir.join(format!("journal.version-{found}.db"));
        copy_before(connection, copy.unwrap_or(&beside))?;
    }
    if found == 0 {
        remembered::none_before(dir)?;
    }
    connection.execute("BEGIN IMMEDIATE").map_err(|e| problem::database(&e))?;
    let end = format!("PRAGMA user_version={newest}; COMMIT;");
    let missing = &steps[found..];
    let rebuilt = missing.iter().any(|step| matches!(step, Step::Rebuild));
    let taken = missing
        .iter()
        .try_for_each(|step| step.apply(connection, of))
        .and_then(|()| if rebuilt { rebuild::note(connection) } else { Ok(()) })
        .and_then(|()| connection.execute(end).map_err(|e| problem::database(&e)));
    taken.map(|()| true).map_err(|why| {
        let _ = connection.execute("ROLLBACK");
        not_brought_up(dir, found, &why)
    })
}

fn not_brought_up(dir: &Path, found: usize, why: &Problem) -> Problem {
    if found == 0 {
        return why.clone();
    }
    Problem::new(why.kind, format!("The journal in {} could not be brought from form {found} to the present one.", dir.display()))
        .because(why.to_string())
        .next(
            "It is as it was, and the Meshwork that was installed before still opens it. Where it is damaged, restore the last backup: \
             meshwork restore.",
        )
}

/// Lays a copy of the journal down, as it is before it is changed.
pub(crate) fn copy_before(connection: &Connection, copy: &Path) -> Result<(), Problem> {
    if let Some(folder) = copy.parent() {
        files::make_dir(folder)?;
    }
    if copy.exists() {
        // From an attempt that was cut off: the journal itself is still in the old form, so copy it again.
        std::fs::remove_file(copy).map_err(|e| problem::file("replace", copy, &e))?;
    }
    copy_to(connection, copy)
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
        let further = [STEPS, &[Step::Sql("ALTER TABLE token ADD COLUMN more TEXT;")]].concat();
        assert!(migrate(&connection, dir.path(), &further, None, Of::Own).unwrap());
        assert!(!migrate(&connection, dir.path(), &further, None, Of::Own).unwrap(), "there is nothing more to do");
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
        let broken = [STEPS, &[Step::Sql("CREATE TABLE half(a);"), Step::Sql("INSERT INTO nowhere VALUES(1);")]].concat();
        let refused = migrate(&connection, dir.path(), &broken, None, Of::Own).unwrap_err();
        assert!(refused.next.is_some(), "{refused}");
        assert_eq!(pragma::<i64>(&connection, "user_version").unwrap(), STEPS.len() as i64);
        assert!(connection.prepare("SELECT * FROM half").is_err());
        assert!(!migrate(&connection, dir.path(), STEPS, None, Of::Own).unwrap());
    }

    #[test]
    fn a_journal_of_a_device_is_copied_where_it_is_said_and_brought_up_to_date_once() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("backup/store/journal.db");
        assert!(!bring_up_to_date(dir.path(), &copy).unwrap(), "there is no journal");
        let connection = open(dir.path());
        connection
            .execute("INSERT INTO token VALUES('old', '{}'); DROP TABLE parked; DROP TABLE projected_by; PRAGMA user_version=2;")
            .unwrap();
        drop(connection);
        // From an attempt that was cut off.
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::write(&copy, "half a copy").unwrap();
        assert!(bring_up_to_date(dir.path(), &copy).unwrap());
        assert!(!bring_up_to_date(dir.path(), &copy).unwrap(), "it is of the present form");
        let forms = [files::database(dir.path()), copy].map(|file| form(&sqlite::open(file).unwrap()).unwrap());
        assert_eq!(forms, [STEPS.len(), 2]);
        assert!(!dir.path().join("journal.version-2.db").exists(), "one copy is enough");
    }

    #[test]
    fn what_is_parked_stays_when_the_table_takes_another_form() {
        let dir = tempfile::tempdir().unwrap();
        let connection = sqlite::open(files::database(dir.path())).unwrap();
        assert!(migrate(&connection, dir.path(), &STEPS[..5], None, Of::Own).unwrap());
        connection.execute("INSERT INTO parked(hash, content) VALUES('a', x'01'), ('b', x'02')").unwrap();
        assert!(migrate(&connection, dir.path(), STEPS, None, Of::Own).unwrap());
        assert_eq!(pragma::<i64>(&connection, "user_version").unwrap(), STEPS.len() as i64);
        let mut left = connection.prepare("SELECT group_concat(id || hash || hex(content)) FROM parked").unwrap();
        left.next().unwrap();
        assert_eq!(left.read::<String, _>(0).unwrap(), "1a01,2b02");
    }

    #[test]
    fn a_copy_that_is_projected_anew_or_of_an_earlier_form_does_not_open_at_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(opens_at_once(dir.path()), "there is none");
        let connection = open_copy(dir.path()).unwrap();
        assert!(opens_at_once(dir.path()));
        for other in ["UPDATE projected_by SET version=0;", "DELETE FROM projected_by;", "DROP TABLE projected_by; PRAGMA user_version=2;"]
        {
            connection.execute(other).unwrap();
            assert!(!opens_at_once(dir.path()), "{other}");
        }
    }

    #[test]
    fn of_the_copy_of_another_devices_journal_no_earlier_form_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        drop(open_copy(dir.path()).unwrap());
        let connection = sqlite::open(files::database(dir.path())).unwrap();
        connection.execute("DROP TABLE parked; DROP TABLE projected_by; PRAGMA user_version=2;").unwrap();
        drop(connection);
        let named = |name: &str| dir.path().join(name);
        for name in ["journal.version-1.db", "replaced-0.db"] {
            std::fs::write(named(name), "").unwrap();
        }
        assert_eq!(form(&open_copy(dir.path()).unwrap()).unwrap(), STEPS.len());
        let lies = ["journal.version-1.db", "journal.version-2.db", "replaced-0.db"].map(|name| named(name).exists());
        assert_eq!(lies, [false, false, true], "what its device replaced is nowhere else");
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
