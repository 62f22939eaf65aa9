//! Backups: many files in one age file, for a passphrase or an age recipient.
//!
//! # Format
//! An age file (<https://age-encryption.org/v1>, binary). Inside: the line `MESHWORK-BACKUP-1`, then for each file the
//! length of its path (u32), its path (UTF-8, relative, parts separated by `/`), its length (u64) and its bytes; at the end
//! a u32 of zero and the number of files (u64). Numbers are big-endian. age authenticates all of it, so a changed, cut or
//! reordered backup does not open.
//!
//! Files stream through: memory stays at some buffers of [`limits::BACKUP_BUFFER_BYTES`], and 128 MiB for a passphrase.

use crate::{
    Secret, file, limits,
    vault::keyfile::{check_passphrase, secret_string},
};
use age::{Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use domain::{Kind, Problem};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The first line of every age file.
const AGE: &[u8] = b"age-encryption.org/v1\n";
/// The first line inside.
const MAGIC: &[u8] = b"MESHWORK-BACKUP-1\n";

/// For whom a backup is encrypted.
#[derive(Clone, Debug)]
pub enum To {
    /// Whoever knows this.
    Passphrase(Secret),
    /// Whoever has the key of this age recipient (`age1…`).
    Recipient(String),
}

/// What opens a backup.
#[derive(Clone, Debug)]
pub enum With {
    /// The passphrase.
    Passphrase(Secret),
    /// An age secret key (`AGE-SECRET-KEY-1…`).
    Key(Secret),
}

/// A file that goes into a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path within the backup.
    pub path: String,
    /// Where it is now. It must not shrink while it is read; what is added meanwhile stays out.
    pub file: PathBuf,
}

/// Writes a backup of these files to `out`, which is flushed but not synced. Returns how many bytes of files it holds.
pub fn seal(out: impl Write, to: &To, sources: &[Source]) -> Result<u64, Problem> {
    if sources.len() as u64 > limits::BACKUP_FILES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A backup holds {} files at most.", limits::BACKUP_FILES_MAX)));
    }
    let recipient = recipient(to)?;
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient.as_ref())).map_err(Problem::internal)?;
    let stream = encryptor.wrap_output(out).map_err(|e| unwritable(&e))?;
    let mut stream = BufWriter::with_capacity(limits::BACKUP_BUFFER_BYTES, stream);
    stream.write_all(MAGIC).map_err(|e| unwritable(&e))?;
    let mut bytes = 0;
    for source in sources {
        bytes += add(&mut stream, source)?;
    }
    let end = || -> io::Result<()> {
        stream.write_all(&0u32.to_be_bytes())?;
        stream.write_all(&(sources.len() as u64).to_be_bytes())?;
        stream.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush()
    };
    end().map_err(|e| unwritable(&e))?;
    Ok(bytes)
}

/// Reads a backup: calls `place(path, length, bytes)` for each file, whose path is safe to join to a folder. What was placed
/// counts only when all of it opened: this returns how many files there were, or the first problem.
pub fn open(input: impl Read, with: &With, mut place: impl FnMut(&str, u64, &mut dyn Read) -> Result<(), Problem>) -> Result<u64, Problem> {
    let identity = identity(with)?;
    let mut input = BufReader::new(input);
    let head = head(&mut input)?;
    let decryptor = Decryptor::new_buffered(head.chain(input)).map_err(|e| unreadable(&e))?;
    let stream = decryptor.decrypt(std::iter::once(identity.as_ref())).map_err(|e| unreadable(&e))?;
    let mut stream = BufReader::with_capacity(limits::BACKUP_BUFFER_BYTES, stream);
    let mut magic = [0u8; MAGIC.len()];
    stream.read_exact(&mut magic).map_err(|e| damaged(&e))?;
    if magic != MAGIC {
        return Err(Problem::invalid("This is not a backup that this Meshwork can read.")
            .because("It opened, but holds something else.")
            .next("If it comes from a newer Meshwork, update this one."));
    }
    let mut files = 0;
    while let Some(path) = next_path(&mut stream)? {
        files += 1;
        if files > limits::BACKUP_FILES_MAX {
            return Err(damaged(&"too many files"));
        }
        let length = read_u64(&mut stream)?;
        if length > limits::BACKUP_FILE_BYTES_MAX {
            return Err(damaged(&"a file is too large"));
        }
        let mut bytes = (&mut stream).take(length);
        place(&path, length, &mut bytes)?;
        // What the caller left unread.
        let rest = bytes.limit();
        if rest > 0 && io::copy(&mut bytes, &mut io::sink()).map_err(|e| damaged(&e))? != rest {
            return Err(damaged(&"it ends early"));
        }
    }
    if read_u64(&mut stream)? != files || stream.read(&mut [0u8]).map_err(|e| damaged(&e))? != 0 {
        return Err(damaged(&"its end does not fit"));
    }
    Ok(files)
}

/// Reads the head of an age file, up to its last line. age itself keeps all of a file in memory that has no end of a line.
fn head(input: &mut impl BufRead) -> Result<io::Cursor<Vec<u8>>, Problem> {
    let (mut input, mut head) = (input.take(limits::BACKUP_HEAD_BYTES_MAX), vec![]);
    loop {
        let from = head.len();
        input.read_until(b'\n', &mut head).map_err(|e| damaged(&e))?;
        let line = &head[from..];
        if from == 0 && line != AGE {
            return Err(no_backup());
        }
        if !line.ends_with(b"\n") {
            return Err(if input.limit() == 0 { no_backup() } else { damaged(&"it ends early") });
        }
        if line.starts_with(b"---") {
            return Ok(io::Cursor::new(head));
        }
    }
}

/// Takes a backup up into a folder that is empty or not there. Every file becomes private (mode 0600) and is synced. After
/// a problem the folder holds pieces only; throw it away.
pub fn unpack(input: impl Read, with: &With, into: &Path) -> Result<u64, Problem> {
    file::make_private_dir(into)?;
    if fs::read_dir(into).map_err(|e| file::failed("read", into, &e))?.next().is_some() {
        return Err(Problem::conflict(format!("{} is not empty.", into.display())).next("Restore into a new folder."));
    }
    open(input, with, |path, length, bytes| {
        let target = into.join(path);
        file::make_private_dir(target.parent().unwrap_or(into))?;
        let write = |bytes: &mut dyn Read| -> io::Result<u64> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
            let copied = io::copy(bytes, &mut file)?;
            file.sync_all()?;
            file::sync_parent(&target)?;
            Ok(copied)
        };
        match write(bytes) {
            Ok(copied) if copied == length => Ok(()),
            Ok(_) => Err(damaged(&"it ends early")),
            // So says the backup that is read, and no disk that is written.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => Err(damaged(&e)),
            Err(e) => Err(file::failed("restore", &target, &e)),
        }
    })
}

fn add(stream: &mut impl Write, source: &Source) -> Result<u64, Problem> {
    check_path(&source.path)?;
    let unreadable = |e: &io::Error| file::failed("read", &source.file, e);
    let mut from = File::open(&source.file).map_err(|e| unreadable(&e))?;
    let length = from.metadata().map_err(|e| unreadable(&e))?.len();
    if length > limits::BACKUP_FILE_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("{} is too large for a backup.", source.file.display())));
    }
    let path_length = u32::try_from(source.path.len()).map_err(Problem::internal)?;
    let head = [&path_length.to_be_bytes()[..], source.path.as_bytes(), &length.to_be_bytes()[..]].concat();
    stream.write_all(&head).map_err(|e| unwritable(&e))?;
    let copied = io::copy(&mut (&mut from).take(length), stream).map_err(|e| unwritable(&e))?;
    if copied != length {
        return Err(Problem::conflict(format!("{} shrank while it was saved.", source.file.display())).next("Try again."));
    }
    Ok(length)
}

fn next_path(stream: &mut impl Read) -> Result<Option<String>, Problem> {
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).map_err(|e| damaged(&e))?;
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 {
        return Ok(None);
    }
    if length > limits::BACKUP_PATH_BYTES_MAX {
        return Err(damaged(&"a path is too long"));
    }
    let mut path = vec![0u8; length];
    stream.read_exact(&mut path).map_err(|e| damaged(&e))?;
    let path = String::from_utf8(path).map_err(|_| damaged(&"a path is not text"))?;
    check_path(&path)?;
    Ok(Some(path))
}

fn read_u64(stream: &mut impl Read) -> Result<u64, Problem> {
    let mut bytes = [0u8; 8];
    stream.read_exact(&mut bytes).map_err(|e| damaged(&e))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Lets only paths pass that stay below the folder they are joined to.
fn check_path(path: &str) -> Result<(), Problem> {
    let parts_fit = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if parts_fit && path.len() <= limits::BACKUP_PATH_BYTES_MAX && !path.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Problem::invalid(format!("“{}” cannot be a path in a backup.", domain::shown(path))))
}

fn recipient(to: &To) -> Result<Box<dyn Recipient>, Problem> {
    match to {
        To::Passphrase(passphrase) => {
            check_passphrase(passphrase)?;
            let mut recipient = scrypt::Recipient::new(secret_string(passphrase));
            recipient.set_work_factor(limits::PASSPHRASE_LOG_N);
            Ok(Box::new(recipient))
        }
        To::Recipient(text) => text
            .parse::<x25519::Recipient>()
            .map(|r| Box::new(r) as Box<dyn Recipient>)
            .map_err(|_| Problem::invalid(format!("“{}” is not an age recipient.", domain::shown(text))).next("It begins with age1.")),
    }
}

fn identity(with: &With) -> Result<Box<dyn Identity>, Problem> {
    match with {
        With::Passphrase(passphrase) => {
            let mut identity = scrypt::Identity::new(secret_string(passphrase));
            identity.set_max_work_factor(limits::PASSPHRASE_LOG_N_MAX);
            Ok(Box::new(identity))
        }
        With::Key(key) => key
            .expose()
            .trim()
            .parse::<x25519::Identity>()
            .map(|i| Box::new(i) as Box<dyn Identity>)
            .map_err(|_| Problem::invalid("This is not an age secret key.").next("It begins with AGE-SECRET-KEY-1.")),
    }
}

fn unreadable(error: &age::DecryptError) -> Problem {
    use age::DecryptError as E;
    match error {
        E::NoMatchingKeys | E::DecryptionFailed | E::KeyDecryptionFailed => {
            Problem::new(Kind::Unauthenticated, "This does not open the backup.")
                .next("Give the passphrase or the key that it was made for.")
        }
        E::UnknownFormat | E::InvalidHeader => no_backup(),
        other => damaged(&other),
    }
}

fn no_backup() -> Problem {
    Problem::invalid("This is not a backup.").next("Name a file that `meshwork backup` made.")
}

fn damaged(why: &dyn std::fmt::Display) -> Problem {
    Problem::invalid("The backup is damaged.").because(format!("{why}.")).next("Use another copy of it.")
}

fn unwritable(error: &io::Error) -> Problem {
    let problem = Problem::unavailable("The backup cannot be written.").because(format!("{error}."));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => problem.next("Make room, or write it elsewhere."),
        _ => problem.next("See whether the disk is in order, or write it elsewhere."),
    }
}

#[cfg(test)]
mod tests;
