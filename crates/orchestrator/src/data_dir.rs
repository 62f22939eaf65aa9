//! The data folder of a machine: what lies where, who may open it, and the short folder for sockets.
//!
//! ```text
//! <data>/version            format of this folder
//! <data>/lock               held by the one `meshwork up` of this folder
//! <data>/room.lock          held by the org that takes room of the machine now
//! <data>/up.json            where that one listens, while it runs
//! <data>/cli.token          what the command line shows it (readable by the owner only, new at every start)
//! <data>/sign-in.html       sends the browser that `up` opens to its one-time link (readable by the owner only)
//! <data>/lend.toml          what the machine's owner lends to others; the usual where it is absent
//! <data>/lend-click.json    what the owner said last by a click: take it back, or lend it
//! <data>/engines/<name>/    installed coding engines
//! <data>/backups/version-<n>/  what an update from version n changed, as it was
//! <data>/orgs/<org>/        one org: radicle/ member/ store/ vault/ runs/; lock, held by the process that serves it; taken.json,
//!                           what it takes of the machine; cli.token, where each org has a process of its own
//! ```

mod org_dir;
mod update;

pub use org_dir::OrgDir;
pub use update::Updated;

use crate::limits;
use domain::{Kind, OrgName, Problem};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// The format that this build reads and writes; older ones are brought to it by [`DataDir::update`].
pub const VERSION: u32 = 2;

/// A machine's data folder.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Where a running `meshwork up` is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpRecord {
    /// Its process.
    pub pid: u32,
    /// Its address, as `http://127.0.0.1:7420`.
    pub url: String,
    /// Its version.
    pub version: String,
    /// How it serves the orgs of the folder.
    #[serde(default)]
    pub shape: Shape,
}

/// How a `meshwork up` serves the orgs of its data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// None or one, in the process itself; the command line shows `<data>/cli.token`.
    #[default]
    Whole,
    /// Each in a process of its own; the command line shows `<data>/orgs/<org>/cli.token`.
    Supervisor,
    /// It starts its program anew, as a supervisor or to mend a journal: who asks now asks again in a moment.
    Changing,
}

/// Holds the data folder for one process; let go when dropped, also by a crash.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// Opens the folder, making it when absent. One of an older Meshwork stays as it is.
    ///
    /// # Errors
    /// When it cannot be made, or was written by a newer Meshwork.
    pub fn open(root: &Path) -> Result<Self, Problem> {
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(|e| unmade(root, &e))?;
        make_private(root)?;
        let root = fs::canonicalize(root).map_err(|e| storage(root, &e))?;
        let file = root.join("version");
        match fs::read_to_string(&file) {
            Ok(text) => {
                check_version(&root, &text)?;
            }
            Err(e) if e.kind() == ErrorKind::NotFound => write_private(&file, VERSION.to_string().as_bytes())?,
            Err(e) => return Err(storage(&file, &e)),
        }
        Ok(Self { root })
    }

    /// The version of the folder's format, as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn version(&self) -> Result<u32, Problem> {
        let file = self.root.join("version");
        let text = fs::read_to_string(&file).map_err(|e| storage(&file, &e))?;
        check_version(&self.root, &text)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process holds it.
    pub fn lock(&self) -> Result<Lock, Problem> {
        // A program that a meshwork which just died was starting holds its files for the moment between fork and exec.
        let taken = lock(&self.root.join("lock"), limits::LOCK_WAIT)?.ok_or_else(|| {
            let by = self.up().map(|up| format!(" It runs as process {} at {}.", up.pid, up.url)).unwrap_or_default();
            Problem::conflict(format!("Another meshwork uses the data folder {}.{by}", self.root.display()))
                .next("Use that one, stop it first, or give another folder with --data-dir.")
        })?;
        // Who held it before may have taken the folder's version away too: see `lock`.
        Self::open(&self.root)?;
        Ok(taken)
    }

    /// Whether a process holds the folder. Where none does, its record and its token were left by one that died, and whoever
    /// listens at the address by now is somebody else.
    pub fn held(&self) -> bool {
        is_held(&self.root.join("lock"))
    }

    /// Held by the org that takes room of the machine now.
    pub(crate) fn room_lock(&self) -> PathBuf {
        self.root.join("room.lock")
    }

    /// What the machine's owner lends to others.
    pub fn lend_policy(&self) -> PathBuf {
        self.root.join("lend.toml")
    }

    /// What the machine's owner said last by a click.
    pub(crate) fn lend_click(&self) -> PathBuf {
        self.root.join("lend-click.json")
    }

    /// The running `meshwork up` of this folder, as far as its record tells.
    pub fn up(&self) -> Option<UpRecord> {
        serde_json::from_slice(&fs::read(self.root.join("up.json")).ok()?).ok()
    }

    /// Writes the record of this process, and the token for the command line.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn announce(&self, up: &UpRecord, token: &str) -> Result<(), Problem> {
        write_private(&self.root.join("cli.token"), token.as_bytes())?;
        write_private(&self.root.join("up.json"), &serde_json::to_vec(up).map_err(Problem::internal)?)
    }

    /// Writes a page that sends a browser to this link, for starting the browser: every user of the machine sees a program's
    /// arguments, but only the owner can read this file.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn sign_in_page(&self, link: &str) -> Result<PathBuf, Problem> {
        let path = self.root.join("sign-in.html");
        let page = format!(
            "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={link}\"><title>Meshwork</title>\n"
        );
        write_private(&path, page.as_bytes())?;
        Ok(path)
    }

    /// Takes the record away again.
    pub fn retract(&self) {
        for name in ["up.json", "cli.token", "sign-in.html"] {
            let _ = fs::remove_file(self.root.join(name));
        }
        for org in self.apart() {
            let _ = fs::remove_file(self.org(&org).cli_token());
        }
    }

    /// Says that the running `meshwork up` starts its program anew now: it becomes a supervisor, or mends a journal.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn changing(&self) -> Result<(), Problem> {
        let Some(up) = self.up() else { return Ok(()) };
        let record = UpRecord { shape: Shape::Changing, ..up };
        write_private(&self.root.join("up.json"), &serde_json::to_vec(&record).map_err(Problem::internal)?)
    }

    /// The command line's token of the running `meshwork up`.
    pub fn cli_token(&self) -> Option<String> {
        fs::read_to_string(self.root.join("cli.token")).ok()
    }

    /// The folder of installed engines; `MESHWORK_ENGINES` names one that several data folders share.
    pub fn engines(&self) -> PathBuf {
        std::env::var_os("MESHWORK_ENGINES").map_or_else(|| self.root.join("engines"), PathBuf::from)
    }

    /// The orgs that this machine joined.
    pub fn orgs(&self) -> Vec<OrgName> {
        let entries = fs::read_dir(self.root.join("orgs")).into_iter().flatten().flatten();
        let complete = entries.filter(|e| e.path().join("org.json").exists());
        let mut names: Vec<OrgName> = complete.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        names
    }

    /// The orgs that each have a process of their own where one has: those that this machine joined, and the one that it is joining, in
    /// the order in which that was begun.
    pub fn apart(&self) -> Vec<OrgName> {
        let mut orgs: Vec<OrgName> = self.orgs().into_iter().chain(self.joining()).collect();
        orgs.sort_by_key(|org| fs::metadata(self.org(org).root).and_then(|m| m.created().or_else(|_| m.modified())).ok());
        orgs
    }

    /// Whether each org has to have a process of its own: there are several, or one has a network namespace.
    pub fn needs_supervisor(&self) -> bool {
        self.orgs().len() > 1 || self.apart().iter().any(|org| self.org(org).has_own_tailscaled())
    }

    /// The org that this machine is joining.
    pub fn joining(&self) -> Option<OrgName> {
        let entries = fs::read_dir(self.root.join("orgs")).into_iter().flatten().flatten();
        let mut begun = entries.filter(|e| e.path().join("join.json").exists() && !e.path().join("org.json").exists());
        begun.find_map(|e| e.file_name().to_str()?.parse().ok())
    }

    /// Where the folders of orgs go that this machine left.
    pub fn left(&self) -> PathBuf {
        self.root.join("left")
    }

    /// The org of this name.
    ///
    /// # Errors
    /// When this machine joined none of that name.
    pub fn known(&self, name: &str) -> Result<OrgName, Problem> {
        let orgs = self.orgs();
        orgs.iter().find(|org| org.as_str() == name).cloned().ok_or_else(|| {
            let names: Vec<_> = orgs.iter().map(OrgName::as_str).collect();
            let next = match names.is_empty() {
                true => "It joined none yet: meshwork org create <name>.".to_owned(),
                false => format!("It joined: {}.", names.join(", ")),
            };
            Problem::not_found(format!("This machine is in no org “{}”.", domain::shown(name))).next(next)
        })
    }

    /// The folder of an org.
    pub fn org(&self, name: &OrgName) -> OrgDir {
        let root = self.root.join("orgs").join(name.as_str());
        OrgDir { sockets: sockets(&root), root }
    }
}

/// A short folder for an org's sockets, whose paths may have 107 bytes only: below `$XDG_RUNTIME_DIR`, else `/tmp`.
fn sockets(of: &Path) -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.as_os_str().len() < 40 && p.is_dir());
    let base = base.map_or_else(|| PathBuf::from(format!("/tmp/meshwork-{uid}")), |p| p.join("meshwork"));
    let hash = blake3::hash(of.as_os_str().as_encoded_bytes()).to_hex();
    base.join(&hash.as_str()[..10])
}

/// Whether a process holds a lock.
pub(crate) fn is_held(lock: &Path) -> bool {
    // Shared, so that several who look do not see each other; let go at once. Who takes it now tries again.
    File::open(lock).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// Waits so long for a lock; none: another process keeps it.
fn lock(path: &Path, wait: Duration) -> Result<Option<Lock>, Problem> {
    let begun = std::time::Instant::now();
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|e| storage(path, &e))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Who held it may have taken the file away, as a restore that failed does: then nobody else would see this lock.
            let same = file.metadata().is_ok_and(|held| fs::metadata(path).is_ok_and(|there| held.ino() == there.ino()));
            if same {
                return Ok(Some(Lock { _file: file }));
            }
        }
        if begun.elapsed() >= wait {
            return Ok(None);
        }
        std::thread::sleep(limits::LOCK_PAUSE);
    }
}

/// The version that a folder's file says, where this build can do something with it.
fn check_version(root: &Path, text: &str) -> Result<u32, Problem> {
    match text.trim().parse::<u32>() {
        Ok(known @ 1..=VERSION) => Ok(known),
        Ok(newer) if newer > VERSION => Err(Problem::conflict(format!(
            "The data folder {} was written by a newer Meshwork (format {newer}; this one knows {VERSION}).",
            root.display()
        ))
        .next("Install that version or newer. Nothing was changed.")),
        _ => Err(Problem::conflict(format!(
            "The folder {} is not a Meshwork data folder: its file “version” says “{}”.",
            root.display(),
            domain::shown(text)
        ))
        .next("Give another folder with --data-dir. Nothing was changed.")),
    }
}

/// What whoever named the data folder is told when it cannot be made: what is in the way, and what to do.
fn unmade(root: &Path, error: &std::io::Error) -> Problem {
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(root);
    let why = match there.is_dir() {
        true => format!("No folder can be made in {}: {error}.", there.display()),
        false => format!("{} is a file.", there.display()),
    };
    Problem::unavailable(format!("The data folder {} cannot be made.", root.display()))
        .because(why)
        .next("Give a folder that this user may make or has, with --data-dir or MESHWORK_DATA_DIR.")
}

/// Makes a folder that only its owner can enter, and checks that an existing one is ours.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub fn make_private(path: &Path) -> Result<(), Problem> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| if path.exists() && !path.is_dir() { no_folder(path) } else { storage(path, &e) })?;
    let owner = fs::metadata(path).map_err(|e| storage(path, &e))?;
    if owner.uid() != rustix::process::getuid().as_raw() {
        return Err(Problem::new(Kind::Unavailable, format!("{} belongs to another user.", path.display()))
            .next("Give a folder of your own with --data-dir."));
    }
    Ok(())
}

/// As [`make_private`], for a folder in a place that everybody can write: a link in its place is refused, and so is a
/// folder that others may enter.
///
/// # Errors
/// When somebody else was there first.
pub fn make_unshared(path: &Path) -> Result<(), Problem> {
    make_private(path)?;
    let found = fs::symlink_metadata(path).map_err(|e| storage(path, &e))?;
    if found.is_dir() && found.uid() == rustix::process::getuid().as_raw() && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Problem::new(Kind::Unavailable, format!("{} is not a folder of this user alone.", path.display()))
        .because("Sockets there could be somebody else's.")
        .next("Remove it, or set XDG_RUNTIME_DIR to a short folder of your own."))
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
/// When the disk does not take it.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(|e| storage(path, &e))
}

/// Makes a folder for something that this process alone uses.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn fresh_folder(path: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(storage(path, &e)),
        _ => {}
    }
    make_private(path)
}

/// What nothing uses of the disk below a folder, in bytes. Where nobody can say, writing does: then it is as much as can be.
pub(crate) fn left_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether enough is left free of a disk that has `left_bytes` when `wanted_bytes` of another device are written to it.
pub(crate) fn leaves(left_bytes: u64, wanted_bytes: u64) -> bool {
    left_bytes.saturating_sub(wanted_bytes) >= limits::COPIES_DISK_LEFT_BYTES
}

/// That little is left of the disk below a folder, what comes of it, and what to do; none: there is enough.
pub fn little_left(folder: &Path) -> Option<String> {
    little(folder, left_bytes(folder))
}

fn little(folder: &Path, left_bytes: u64) -> Option<String> {
    let [left, copies, runs] = [left_bytes, limits::COPIES_DISK_LEFT_BYTES, sandbox::limits::DISK_RESERVE_BYTES].map(|bytes| bytes >> 20);
    (left_bytes < sandbox::limits::DISK_WARNED_BYTES).then(|| {
        format!(
            "disk: {left} MiB are left at {}. Below {copies} MiB nothing of other devices is copied here, below {runs} MiB runs that still \
             write are ended, and on a full disk nothing is taken. Free some disk space: meshwork run kept lists what is kept of runs.",
            folder.display()
        )
    })
}

/// What a person is told when a file cannot be read or written.
pub fn storage(path: &Path, error: &std::io::Error) -> Problem {
    let next = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Free some disk space; nothing that was reported as done is lost.",
        ErrorKind::PermissionDenied => "Give this user the right to it, or another folder with --data-dir.",
        ErrorKind::ReadOnlyFilesystem => "Give a folder on a disk that can be written with --data-dir.",
        ErrorKind::NotADirectory => return no_folder(path),
        ErrorKind::NotFound => return absent(path),
        ErrorKind::IsADirectory => "It is a folder: name a file.",
        _ => "See whether the disk and the path are in order.",
    };
    Problem::unavailable(format!("{} cannot be used: {error}.", path.display())).next(next)
}

fn no_folder(path: &Path) -> Problem {
    Problem::unavailable(format!("{} is not a folder, or lies below a file.", path.display()))
        .next("Name a folder, or one that is to be made.")
}

fn absent(path: &Path) -> Problem {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty() && !above.exists());
    let what =
        above.map_or_else(|| format!("There is no file {}.", path.display()), |above| format!("There is no folder {}.", above.display()));
    Problem::unavailable(what).next("Check the path; a folder for it must be there.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_disk_that_becomes_full_is_told_before_anything_stops() {
        let folder = Path::new("/data");
        assert_eq!(little(folder, sandbox::limits::DISK_WARNED_BYTES), None);
        assert_eq!(little(folder, u64::MAX), None, "nobody can say");
        let told = little(folder, sandbox::limits::DISK_WARNED_BYTES - 1).unwrap();
        assert!(told.starts_with("disk: 1023 MiB are left at /data. Below 512 MiB") && told.contains("below 256 MiB"), "{told}");
        assert!(little(folder, 0).is_some());
    }

    #[test]
    fn paths_that_are_not_there_or_of_another_kind_are_called_that() {
        let dir = tempfile::tempdir().unwrap();
        let (file, absent) = (dir.path().join("file"), dir.path().join("absent"));
        fs::write(&file, "").unwrap();
        let read = |path: &Path| storage(path, &fs::read(path).unwrap_err()).what;
        assert_eq!(read(&absent), format!("There is no file {}.", absent.display()));
        assert_eq!(read(&absent.join("file")), format!("There is no folder {}.", absent.display()));
        assert!(read(&file.join("below")).contains("is not a folder, or lies below a file"));
        assert!(make_private(&file).unwrap_err().what.contains("is not a folder"));
        let (below, nowhere) = (file.join("below/it"), PathBuf::from("/proc/nowhere"));
        for (root, why) in [(&file, "file is a file."), (&below, "file is a file."), (&nowhere, "No folder can be made in /proc: ")] {
            let problem = DataDir::open(root).unwrap_err();
            assert_eq!((problem.kind, problem.what), (Kind::Unavailable, format!("The data folder {} cannot be made.", root.display())));
            assert!(problem.why.unwrap().contains(why) && problem.next.unwrap().contains("--data-dir"), "{why}");
        }
    }
}
