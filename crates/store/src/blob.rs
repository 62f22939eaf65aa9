//! Blobs: content beside the journal, named by its BLAKE3 hash, that can be erased without touching the chain. A mark is left in the
//! place of one that was erased, so that it is told from one that was lost; and in the place of one that is known to be lost.
//!
//! A small one that comes with events ([`Parked`]) is written with them, into the database, in the one transaction: so it costs no wait
//! for the disk of its own. It becomes a file once nothing was written for [`limits::PARK_PAUSE`]. Until then it is found in memory; after
//! a crash the next opening finds it in the database.

use crate::{files, limits, problem};
use domain::{Hash, Kind, Problem};
use identity::envelope::hash_bytes;
use sqlite::{Connection, State};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The blobs of a store. Calls block on the disk.
#[derive(Clone, Debug)]
pub struct Blobs {
    dir: PathBuf,
    next: Arc<AtomicU64>,
    /// What is in the database and no file yet.
    parked: Arc<Mutex<Shelf>>,
    /// Held while one of these becomes a file, and while one is erased.
    making: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Shelf {
    blobs: HashMap<Hash, OnShelf>,
    bytes: usize,
}

/// A blob, and where it lies in the database: in several rows, if it came several times.
#[derive(Debug)]
struct OnShelf {
    bytes: Arc<[u8]>,
    rows: Vec<i64>,
}

/// Where a blob lies in the database. Numbers are given again, also when a transaction failed: the name says whether it is the one that is
/// meant.
pub(crate) type Row = (i64, Hash);

impl Shelf {
    fn put(&mut self, row: i64, hash: Hash, bytes: Arc<[u8]>) {
        let kept = self.blobs.entry(hash).or_insert_with(|| {
            self.bytes += bytes.len();
            OnShelf { bytes, rows: vec![] }
        });
        kept.rows.push(row);
    }

    /// Gives the rows where it lies.
    fn remove(&mut self, hash: &Hash) -> Vec<Row> {
        let Some(kept) = self.blobs.remove(hash) else { return vec![] };
        self.bytes -= kept.bytes.len();
        kept.rows.into_iter().map(|row| (row, hash.clone())).collect()
    }
}

/// A blob that comes with events, and is first kept with them.
#[derive(Clone, Debug)]
pub struct Parked {
    pub(crate) hash: Hash,
    pub(crate) bytes: Arc<[u8]>,
}

impl Parked {
    /// Its name.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }
}

/// How it is with a blob that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is there, as it was put.
    Whole,
    /// It was erased on purpose.
    Erased,
    /// It was lost, as is known, when the disk was put back.
    Lost,
    /// It is not there.
    Missing,
    /// It is not as it was put, or cannot be read: why.
    Altered(String),
}

impl Blobs {
    /// Opens the folder; what a crash left half written is removed.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, Problem> {
        let blobs = Self { dir, next: Arc::default(), parked: Arc::default(), making: Arc::default() };
        let temporary = blobs.temporary();
        match fs::remove_dir_all(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(problem::file("clear", &temporary, &e)),
            _ => {}
        }
        files::make_dir(&blobs.dir)?;
        files::make_dir(&temporary)?;
        Ok(blobs)
    }

    /// Keeps some bytes; they are on disk when this returns. The same bytes are kept once.
    ///
    /// # Errors
    /// When they are more than [`limits::BLOB_BYTES_MAX`], or the disk refuses.
    pub fn put(&self, bytes: &[u8]) -> Result<Hash, Problem> {
        if bytes.len() > limits::BLOB_BYTES_MAX {
            return Err(Problem::new(Kind::Limit, format!("{} bytes are too many to keep.", bytes.len()))
                .because(format!("One blob may have {}.", limits::BLOB_BYTES_MAX)));
        }
        let hash = hash_bytes(bytes);
        let path = self.path(&hash);
        files::make_dir(path.parent().unwrap_or(&self.dir))?;
        let kept = if path.exists() && fs::read(&path).is_ok_and(|found| found == bytes) {
            // Its name may be not yet durable, if another thread is just writing it.
            files::sync_parent(&path)
        } else {
            let temporary = self.temporary().join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
            files::write_new(&temporary, &path, bytes)
        };
        kept.map_err(|e| problem::file("write", &path, &e))?;
        for mark in [self.mark(&hash), self.mark_of_loss(&hash)] {
            match fs::remove_file(mark) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(problem::file("write", &path, &e)),
                _ => {}
            }
        }
        Ok(hash)
    }

    /// The bytes; nothing when they were erased or never there.
    ///
    /// # Errors
    /// When the disk refuses, or the bytes are not those of this name any more.
    pub fn get(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Problem> {
        // In this order: it is a file before it is no more here.
        if let Some(kept) = self.parked().blobs.get(hash) {
            return Ok(Some(kept.bytes.to_vec()));
        }
        let path = self.path(hash);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(problem::file("read", &path, &e)),
        };
        if hash_bytes(&bytes) != *hash {
            return Err(Problem::unavailable(format!("{} is damaged.", path.display()))
                .because("Its content does not fit its name.")
                .next("Put it back from a backup."));
        }
        Ok(Some(bytes))
    }

    /// How it is with a blob: reads all of it.
    pub(crate) fn look(&self, hash: &Hash) -> Look {
        match self.get(hash) {
            Ok(Some(_)) => Look::Whole,
            Ok(None) if self.mark(hash).exists() => Look::Erased,
            Ok(None) if self.mark_of_loss(hash).exists() => Look::Lost,
            Ok(None) => Look::Missing,
            Err(problem) => Look::Altered(problem.why.unwrap_or(problem.what)),
        }
    }

    /// Whether it is there.
    pub fn exists(&self, hash: &Hash) -> bool {
        self.parked().blobs.contains_key(hash) || self.path(hash).is_file()
    }

    /// Erases it, durably, and leaves a mark that says so. Erasing what is not there is fine.
    ///
    /// What is in the database still is not found any more, and goes from there with the next opening. No action erases yet: one that
    /// promises that the bytes are gone needs the writer to forget them at once, as it does with those that became files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn erase(&self, hash: &Hash) -> Result<(), Problem> {
        let path = self.path(hash);
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        files::make_dir(path.parent().unwrap_or(&self.dir))?;
        files::make_private(&self.mark(hash))?;
        self.parked().remove(hash);
        let erased = match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => files::sync_parent(&path),
        };
        erased.map_err(|e| problem::file("erase", &path, &e))
    }

    /// Notes that it was lost with the disk, where it is not there; durable after [`Blobs::sync`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn lose(&self, hash: &Hash) -> Result<(), Problem> {
        let path = self.path(hash);
        if path.exists() || self.mark(hash).exists() {
            return Ok(());
        }
        files::make_dir(path.parent().unwrap_or(&self.dir))?;
        files::make_private(&self.mark_of_loss(hash))
    }

    /// Makes the names in all folders durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn sync(&self) -> Result<(), Problem> {
        let sync = || -> io::Result<()> { fs::read_dir(&self.dir)?.try_for_each(|entry| fs::File::open(entry?.path())?.sync_all()) };
        sync().map_err(|e| problem::file("write", &self.dir, &e))
    }

    /// A blob that is to be written with events ([`crate::Ready::with_blobs`]).
    ///
    /// # Errors
    /// When too many of those before could not be made files yet.
    pub fn to_park(&self, bytes: Vec<u8>) -> Result<Parked, Problem> {
        if self.parked().bytes > 2 * limits::PARKED_BYTES_MAX {
            return Err(Problem::unavailable("Nothing more can be kept now.")
                .because(format!("Files cannot be made in {}.", self.dir.display()))
                .next("Is there room on its disk, and may Meshwork write there? It goes on by itself then."));
        }
        Ok(Parked { hash: hash_bytes(&bytes), bytes: bytes.into() })
    }

    /// Has these found, which are just being written into the database.
    pub(crate) fn park(&self, blobs: impl Iterator<Item = (i64, Parked)>) {
        for (row, Parked { hash, bytes }) in blobs {
            // Of one that was erased before.
            let _ = fs::remove_file(self.mark(&hash));
            self.parked().put(row, hash, bytes);
        }
    }

    /// Whether some are no files yet.
    pub(crate) fn any_parked(&self) -> bool {
        !self.parked().blobs.is_empty()
    }

    /// Whether these are so large that whoever writes waits for some.
    pub(crate) fn too_much_parked(&self) -> bool {
        self.parked().bytes > limits::PARKED_BYTES_MAX
    }

    /// Makes one of them a file; gives the rows in which it lies still.
    ///
    /// # Errors
    /// When the disk refuses; then it stays where it is.
    pub(crate) fn unpark_one(&self) -> Result<Vec<Row>, Problem> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.parked().blobs.iter().next().map(|(hash, kept)| (hash.clone(), kept.bytes.clone()));
        let Some((hash, bytes)) = next else { return Ok(vec![]) };
        self.put(&bytes)?;
        Ok(self.parked().remove(&hash))
    }

    fn parked(&self) -> MutexGuard<'_, Shelf> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        // A hash has 64 hexadecimal digits, so it is safe as a name, and its first two spread the files.
        self.dir.join(&hash.as_str()[..2]).join(hash.as_str())
    }

    /// Says that the blob was erased: an empty file.
    fn mark(&self, hash: &Hash) -> PathBuf {
        self.path(hash).with_extension("erased")
    }

    /// Says that the blob was lost: an empty file.
    fn mark_of_loss(&self, hash: &Hash) -> PathBuf {
        self.path(hash).with_extension("lost")
    }

    fn temporary(&self) -> PathBuf {
        self.dir.join("tmp")
    }
}

/// Has those found that are only in the database: the store was closed, or died, before they were files. Those that were erased since go.
///
/// # Errors
/// When the database refuses.
pub(crate) fn find_parked(connection: &Connection, blobs: &Blobs) -> Result<(), Problem> {
    let read = |erased: &mut Vec<Row>| -> sqlite::Result<()> {
        let mut statement = connection.prepare("SELECT id, hash, content FROM parked")?;
        while let State::Row = statement.next()? {
            let (row, Ok(hash)) = (statement.read::<i64, _>(0)?, statement.read::<String, _>(1)?.parse::<Hash>()) else { continue };
            if blobs.mark(&hash).exists() {
                erased.push((row, hash));
            } else {
                blobs.parked().put(row, hash, statement.read::<Vec<u8>, _>(2)?.into());
            }
        }
        Ok(())
    };
    let mut erased = vec![];
    read(&mut erased).map_err(|e| problem::database(&e))?;
    if erased.is_empty() { Ok(()) } else { forget_parked(connection, &erased) }
}

/// Removes these rows from the database.
///
/// # Errors
/// When it refuses.
pub(crate) fn forget_parked(connection: &Connection, rows: &[Row]) -> Result<(), Problem> {
    let remove = || -> sqlite::Result<()> {
        let mut statement = connection.prepare("DELETE FROM parked WHERE id=? AND hash=?")?;
        for (row, hash) in rows {
            statement.reset()?;
            statement.bind((1, *row))?;
            statement.bind((2, hash.as_str()))?;
            statement.next()?;
        }
        Ok(())
    };
    let all = || connection.execute("BEGIN IMMEDIATE").and_then(|()| remove()).and_then(|()| connection.execute("COMMIT"));
    all().map_err(|e| {
        // The first error tells more than one of giving up.
        let _ = connection.execute("ROLLBACK");
        problem::database(&e)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blobs_are_kept_once_found_and_erased() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).unwrap();
        let hash = blobs.put(b"hello").unwrap();
        assert_eq!(blobs.put(b"hello").unwrap(), hash);
        let again = Blobs::open(dir.path().join("blobs")).unwrap();
        assert_eq!(again.get(&hash).unwrap().as_deref(), Some(&b"hello"[..]));
        assert_eq!(again.get(&blobs.put(b"").unwrap()).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(again.look(&hash), Look::Whole);
        again.erase(&hash).unwrap();
        again.erase(&hash).unwrap();
        assert!(!again.exists(&hash));
        assert_eq!(again.get(&hash).unwrap(), None);
        assert_eq!(again.look(&hash), Look::Erased);
        // What is put again is there again, and missing if it goes in another way, until that is noted.
        again.lose(&hash).unwrap();
        assert_eq!(again.look(&hash), Look::Erased);
        again.put(b"hello").unwrap();
        again.lose(&hash).unwrap();
        assert_eq!(again.look(&hash), Look::Whole);
        fs::remove_file(again.path(&hash)).unwrap();
        assert_eq!(again.look(&hash), Look::Missing);
        again.lose(&hash).unwrap();
        assert_eq!(again.look(&hash), Look::Lost);
        again.put(b"hello").unwrap();
        fs::remove_file(again.path(&hash)).unwrap();
        assert_eq!(again.look(&hash), Look::Missing);
    }

    #[test]
    fn damage_is_noticed_and_mended_by_putting_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).unwrap();
        let hash = blobs.put(b"hello").unwrap();
        fs::write(blobs.path(&hash), b"hellp").unwrap();
        assert!(blobs.get(&hash).unwrap_err().what.contains("damaged"));
        assert!(matches!(blobs.look(&hash), Look::Altered(why) if why.contains("does not fit")));
        blobs.put(b"hello").unwrap();
        assert!(blobs.get(&hash).is_ok());
    }

    #[test]
    fn what_a_crash_left_is_removed_and_sizes_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).unwrap();
        fs::write(blobs.temporary().join("7"), b"half").unwrap();
        Blobs::open(dir.path().join("blobs")).unwrap();
        assert_eq!(fs::read_dir(blobs.temporary()).unwrap().count(), 0);
        assert_eq!(blobs.put(&vec![0; limits::BLOB_BYTES_MAX + 1]).unwrap_err().kind, Kind::Limit);
    }

    #[test]
    fn many_threads_may_put_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20u8).for_each(|n| drop(blobs.put(&[n]).unwrap())));
            }
        });
        assert!((0..20u8).all(|n| blobs.get(&hash_bytes(&[n])).unwrap().is_some()));
    }
}
