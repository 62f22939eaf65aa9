//! The remembered head: a recent signed head in a file of its own beside the database, `journal.head`. A journal that lost its end
//! (a damaged write-ahead log, removed rows, an older copy put in its place) is sound in itself; by this file it is told from one
//! that lost nothing. It is written now and then, after the events that it names are on disk, so it is never ahead of them.

use crate::{
    chain::{self, Digest, Seq, Tail},
    files,
    journal::Signer,
    migrate, problem, read,
};
use domain::{Did, Hash, Problem};
use serde::{Deserialize, Serialize};
use sqlite::Connection;
use std::{fs, io, path::Path};

/// The version of the file that this build writes and reads.
const VERSION: u32 = 1;

/// A head that the journal had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remembered {
    version: u32,
    incarnation: u64,
    seq: Seq,
    hash: Hash,
    signature: Vec<u8>,
}

/// How a journal differs from its remembered head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It ends too early.
    End {
        /// Its last event.
        last: Seq,
        /// How many are missing behind it, at least.
        events: u64,
    },
    /// This event is not the one that was signed.
    Other(Seq),
}

impl Remembered {
    /// The one in this folder, if it is there and signed by this device.
    pub(crate) fn read(dir: &Path, device: &Did) -> Option<Self> {
        let head = Self::unchecked(dir)?;
        let message = chain::head_message(device, head.incarnation, head.seq, &head.digest()?);
        if identity::verify(device, &message, &head.signature) {
            return Some(head);
        }
        tracing::warn!(dir = %dir.display(), "the remembered head of the journal is not signed by this device; it is written anew");
        None
    }

    /// The one in this folder, whoever signed it.
    fn unchecked(dir: &Path) -> Option<Self> {
        let path = files::remembered(dir);
        let read = fs::read(&path).and_then(|bytes| serde_json::from_slice::<Self>(&bytes).map_err(io::Error::other));
        match read {
            Ok(head) => Some(head).filter(|head| head.version == VERSION),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the remembered head of the journal cannot be read; it is written anew");
                None
            }
        }
    }

    fn digest(&self) -> Option<Digest> {
        blake3::Hash::from_hex(self.hash.as_str()).ok().map(|hash| *hash.as_bytes())
    }

    /// What the journal lacks of it.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn lost(&self, connection: &Connection) -> Result<Option<Lost>, Problem> {
        if self.seq == Seq(0) {
            return Ok(None);
        }
        let there = read::link(connection, self.seq).map_err(|e| problem::database(&e))?;
        let digest = self.digest().unwrap_or_default();
        if there.as_ref().is_some_and(|(incarnation, hash)| *incarnation == self.incarnation && hash[..] == digest[..]) {
            return Ok(None);
        }
        let last = read::last(connection).map_err(|e| problem::database(&e))?;
        Ok(Some(match self.seq.0.checked_sub(last.0).filter(|missing| *missing > 0) {
            Some(events) => Lost::End { last, events },
            None => Lost::Other(self.seq),
        }))
    }
}

impl Lost {
    /// Where it begins.
    pub(crate) fn at(self) -> Seq {
        match self {
            Self::End { last, .. } => Seq(last.0 + 1),
            Self::Other(seq) => seq,
        }
    }

    /// What is known of it: a clause.
    pub(crate) fn text(self) -> String {
        match self {
            Self::End { events: 1, .. } => "1 event or more is missing: the journal was damaged".into(),
            Self::End { events, .. } => format!("{events} events or more are missing: the journal was damaged"),
            Self::Other(seq) => format!("event {seq} is not the one that was signed: the journal was replaced or damaged"),
        }
    }

    /// Refuses to go on without what is lost. The write-ahead log, which SQLite removes next, is kept: it may hold it.
    fn refuse(self, dir: &Path) -> Problem {
        let (log, kept) = files::log(dir);
        if fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
            // One that was kept before is the one that was damaged.
            let _ = fs::hard_link(log, kept);
        }
        let text = self.text();
        Problem::conflict(format!("The journal in {} is not whole: {text}.", dir.display()))
            .because("Its remembered head names what is not there. Work that is finished would be done again without it.")
            .next(
                "Do other devices of the org have copies of this journal? Move its file journal.head away and start meshwork up: what they \
                 hold comes back. Else restore the last backup into another data folder: meshwork restore FILE --data-dir FOLDER. Without \
                 either go on without those events: meshwork journal accept-loss. What others hold of them does not come back then.",
            )
    }
}

/// Refuses a journal that lost what its remembered head names. A mend that was cut off after its commit went on as a later incarnation:
/// what is remembered is of the one before.
///
/// # Errors
/// When it did, or the database refuses.
pub(crate) fn check(dir: &Path, connection: &Connection, device: &Did) -> Result<(), Problem> {
    let Some(head) = Remembered::read(dir, device) else { return Ok(()) };
    if files::is_to_mend(dir) && read::tail(connection)?.is_some_and(|tail| tail.incarnation > head.incarnation) {
        return Ok(());
    }
    head.lost(connection)?.map_or(Ok(()), |lost| Err(lost.refuse(dir)))
}

/// Refuses to begin a new journal where one was whose head is still remembered, unless its folder was restored.
///
/// # Errors
/// When there was one.
pub(crate) fn none_before(dir: &Path) -> Result<(), Problem> {
    match Remembered::unchecked(dir) {
        Some(head) if head.seq > Seq(0) && !files::is_restored(dir) => Err(Lost::End { last: Seq(0), events: head.seq.0 }.refuse(dir)),
        _ => Ok(()),
    }
}

/// Remembers a head whose events are on disk.
///
/// # Errors
/// When it cannot be signed, or the disk refuses; then the one before is still remembered.
pub(crate) fn write(dir: &Path, signer: &Signer, tail: &Tail) -> Result<(), Problem> {
    let signature = (signer.sign)(&tail.message())?.to_vec();
    let head = Remembered { version: VERSION, incarnation: tail.incarnation, seq: tail.seq, hash: chain::shown(&tail.hash)?, signature };
    let bytes = serde_json::to_vec(&head).map_err(Problem::internal)?;
    let path = files::remembered(dir);
    let draft = path.with_extension("head.new");
    // From an attempt that was cut off.
    let _ = fs::remove_file(&draft);
    files::write_new(&draft, &path, &bytes).map_err(|e| problem::file("write", &path, &e))
}

/// Has a journal that lost events go on without them: the next opening begins a new incarnation, as after a restore.
///
/// # Errors
/// When nothing is known to be missing, or the disk refuses.
pub fn accept_loss(dir: &Path) -> Result<(), Problem> {
    let nothing = || {
        Problem::conflict(format!("Nothing is known to be missing from the journal in {}.", dir.display()))
            .next("Nothing was changed: meshwork up goes on with it as it is.")
    };
    let head = Remembered::unchecked(dir).ok_or_else(nothing)?;
    let lost = migrate::open_reader(dir).map_err(|e| problem::database(&e)).and_then(|connection| head.lost(&connection));
    // What cannot be read at all lost everything.
    if matches!(lost, Ok(None)) { Err(nothing()) } else { files::mark_restored(dir) }
}
