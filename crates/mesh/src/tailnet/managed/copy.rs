//! A copy of what a managed `headscale` knows, for a backup: its keys and its database. It may run meanwhile.

use super::{private_folder, unwritten};
use crate::limits;
use domain::Problem;
use sqlite::{Connection, OpenFlags};
use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Its key, by which machines know it again.
pub(super) const KEY: &str = "noise.key";
/// The key of its relay.
pub(super) const RELAY_KEY: &str = "derp.key";
/// Its database.
pub(super) const DATABASE: &str = "db.sqlite";

/// Copies what the server of the folder `dir` needs to be the same one elsewhere into the folder `to`, which is made; gives the names of
/// the files. None where it never ran.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_server(dir: &Path, to: &Path) -> Result<Vec<&'static str>, Problem> {
    private_folder(to)?;
    let mut copied = vec![];
    for name in [KEY, RELAY_KEY] {
        match fs::copy(dir.join(name), to.join(name)) {
            Ok(_) => copied.push(name),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unwritten(&to.join(name), &error)),
        }
    }
    if dir.join(DATABASE).exists() {
        copy_database(&dir.join(DATABASE), &to.join(DATABASE))?;
        copied.push(DATABASE);
    }
    Ok(copied)
}

/// Writes a consistent copy of a database that another process may be writing: a plain copy would lack what is in its log.
fn copy_database(database: &Path, to: &Path) -> Result<(), Problem> {
    let text = to.to_str().ok_or_else(|| Problem::invalid(format!("{} is not a path in UTF-8.", to.display())))?;
    // SQLite takes an empty file for one that is not there, and would make one that others can read.
    File::options().write(true).create_new(true).mode(0o600).open(to).map_err(|error| unwritten(to, &error))?;
    let copy = || -> sqlite::Result<()> {
        // Nothing is written to it, but copying is refused on a connection that only reads.
        let mut connection = Connection::open_with_flags(database, OpenFlags::new().with_read_write())?;
        connection.set_busy_timeout(limits::DATABASE_BUSY_MS)?;
        let mut statement = connection.prepare("VACUUM INTO ?")?;
        statement.bind((1, text))?;
        statement.next().map(drop)
    };
    copy().map_err(|error| {
        Problem::unavailable("The database of the Headscale server that this device runs could not be copied.")
            .because(format!("{}: {error}.", database.display()))
            .next("Make room on the disk; where the database is damaged, see headscale.log beside it.")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_running_server_has_committed_is_in_the_copy_and_nothing_else_of_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (server, to) = (dir.path().join("headscale"), dir.path().join("copy"));
        assert!(copy_server(&server, &to).unwrap().is_empty(), "it never ran");
        fs::create_dir(&server).unwrap();
        for name in [KEY, RELAY_KEY, "config.yaml", "headscale.log"] {
            fs::write(server.join(name), name).unwrap();
        }
        let running = sqlite::open(server.join(DATABASE)).unwrap();
        running.execute("PRAGMA journal_mode = WAL; CREATE TABLE nodes (id INTEGER); INSERT INTO nodes VALUES (7)").unwrap();
        running.execute("BEGIN; INSERT INTO nodes VALUES (8)").unwrap();

        assert_eq!(copy_server(&server, &to).unwrap(), [KEY, RELAY_KEY, DATABASE]);
        assert_eq!(fs::read_dir(&to).unwrap().count(), 3);
        assert_eq!(fs::read_to_string(to.join(KEY)).unwrap(), KEY);
        let copy = sqlite::open(to.join(DATABASE)).unwrap();
        let mut statement = copy.prepare("SELECT count(*), max(id) FROM nodes").unwrap();
        statement.next().unwrap();
        assert_eq!((statement.read::<i64, _>(0).unwrap(), statement.read::<i64, _>(1).unwrap()), (1, 7), "what is committed, and no more");
    }
}
