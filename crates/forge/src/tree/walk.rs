//! The walk through a worktree, by descriptors and without following anything.

use super::{
    BaseTree, Ignore, ImportLimits, TooLarge,
    base::{GITLINK, join},
    ignored::{Ignored, Rules},
    object::{self, FOLDER, Objects, TreeEntry},
};
use crate::{convert::Told, limits};
use domain::{Kind, Problem, run::LeftOut};
use git2::ObjectType;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

const REGULAR: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;

/// What a walk found.
pub(super) struct Walked {
    pub(super) tree: git2::Oid,
    pub(super) files: usize,
    pub(super) notes: Vec<String>,
    pub(super) left_out: LeftOut,
}

pub(super) fn walk(work: &Path, base: &BaseTree, limits: &ImportLimits, objects: &mut dyn Objects) -> Result<Walked, Problem> {
    let what = || format!("The worktree {} cannot be read.", work.display());
    let root = openat(CWD, work, FOLDER_FLAGS, Mode::empty()).told(what())?;
    let device = fstat(&root).told(what())?.st_dev;
    let mut walk = Walk {
        base,
        limits,
        objects,
        device,
        entries: 0,
        files: 0,
        new_bytes: 0,
        by_base: 0,
        notes: Notes::default(),
        left_out: LeftOut::default(),
    };
    let top = walk.folder(&Folder { fd: root, path: Vec::new(), depth: 0, above: None, inside_ignored: false })?;
    let tree = match top {
        Some(tree) => tree,
        None => walk.put_tree(Vec::new())?,
    };
    if walk.by_base > 0 {
        let text = format!("{} new files or folders are left out because the base's .gitignore says so.", walk.by_base);
        walk.notes.add(text);
    }
    Ok(Walked { tree, files: walk.files, notes: walk.notes.end(), left_out: walk.left_out })
}

pub(crate) const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `NONBLOCK`: opening a FIFO must not wait for a writer.
pub(crate) const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

struct Walk<'a> {
    base: &'a BaseTree,
    limits: &'a ImportLimits,
    objects: &'a mut dyn Objects,
    /// The file system of the worktree: nothing mounted into it counts.
    device: u64,
    entries: usize,
    files: usize,
    new_bytes: u64,
    /// How much only the base's rules ignored.
    by_base: usize,
    notes: Notes,
    left_out: LeftOut,
}

/// A folder that is open.
struct Folder<'r> {
    fd: OwnedFd,
    path: Vec<u8>,
    depth: usize,
    above: Option<&'r Rules<'r>>,
    /// Only what the base tree has counts here.
    inside_ignored: bool,
}

impl Walk<'_> {
    /// The tree of a folder; none when nothing in it counts, since git knows no empty folders.
    fn folder(&mut self, dir: &Folder<'_>) -> Result<Option<git2::Oid>, Problem> {
        let names = self.names(dir)?;
        let own = self.own_rules(dir, &names)?;
        let rules = Rules::new(dir.above, &dir.path, self.base.ignores.get(&dir.path).map(Vec::as_slice), own.as_deref());
        let mut entries: Vec<TreeEntry> = Vec::new();
        for (name, oid) in self.base.gitlinks_in(&dir.path) {
            entries.push(TreeEntry { name: name.to_vec(), mode: GITLINK, oid });
        }
        for name in names {
            if let Some(entry) = self.entry(dir, &rules, name)? {
                entries.push(entry);
            }
        }
        if entries.is_empty() { Ok(None) } else { self.put_tree(entries).map(Some) }
    }

    fn put_tree(&mut self, entries: Vec<TreeEntry>) -> Result<git2::Oid, Problem> {
        let content = object::tree(entries);
        let oid = object::hash(ObjectType::Tree, &content)?;
        self.objects.put(ObjectType::Tree, oid, &content)?;
        Ok(oid)
    }

    /// The names in a folder, in an order that depends on nothing else.
    fn names(&mut self, dir: &Folder<'_>) -> Result<Vec<Vec<u8>>, Problem> {
        let what = || format!("The folder {} of the worktree cannot be read.", shown(&dir.path));
        let mut names = Vec::new();
        for entry in Dir::read_from(&dir.fd).told(what())? {
            let name = entry.told(what())?.file_name().to_bytes().to_vec();
            if name == b"." || name == b".." {
                continue;
            }
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(Problem::new(Kind::Limit, format!("The worktree has more than {} entries.", self.limits.entries))
                    .because(format!("The limit was reached in {}.", shown(&dir.path)))
                    .next("Remove what does not belong to the work; ignored folders count with their name only."));
            }
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The worktree's own ignore file in this folder.
    fn own_rules(&mut self, dir: &Folder<'_>, names: &[Vec<u8>]) -> Result<Option<Vec<u8>>, Problem> {
        if self.limits.ignore == Ignore::Not || !names.iter().any(|name| name == b".gitignore") {
            return Ok(None);
        }
        let Ok(fd) = openat(&dir.fd, ".gitignore", FILE_FLAGS, Mode::empty()) else { return Ok(None) };
        let stat = fstat(&fd).told("An ignore file cannot be read.")?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let mut content = Vec::new();
        File::from(fd).take(limits::IGNORE_BYTES_MAX).read_to_end(&mut content).told("An ignore file cannot be read.")?;
        Ok(Some(content))
    }

    fn entry(&mut self, dir: &Folder<'_>, rules: &Rules<'_>, name: Vec<u8>) -> Result<Option<TreeEntry>, Problem> {
        let path = join(&dir.path, &name);
        if is_git_name(&name) {
            // The worktree's own `.git` is none of our business; any other would be a repository within.
            if !(dir.path.is_empty() && name == b".git") {
                self.leave_out(format!("{} is left out: it would belong to a repository within the worktree.", shown(&path)));
            }
            return Ok(None);
        }
        if self.base.entries.get(&path).is_some_and(|entry| entry.mode == GITLINK) {
            return self.submodule(dir, &name, &path);
        }
        if path.len() > limits::PATH_BYTES_MAX {
            self.leave_out(format!("{} is left out: its path is too long.", shown(&path)));
            return Ok(None);
        }
        let stat = match statat(&dir.fd, &name[..], AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return self.unreadable(&path, &error.into()),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.subfolder(dir, rules, name, path),
            FileType::RegularFile if self.counts(dir, rules, &path, false) => self.file(dir, name, &path),
            FileType::Symlink if self.counts(dir, rules, &path, false) => self.link(dir, name, &path),
            FileType::RegularFile | FileType::Symlink => Ok(None),
            other => {
                self.leave_out(format!("{} is left out: it is {}.", shown(&path), kind(other)));
                Ok(None)
            }
        }
    }

    /// What stands where the base has a submodule. The submodule stays as it is, so that all but an empty folder is left out.
    fn submodule(&mut self, dir: &Folder<'_>, name: &[u8], path: &[u8]) -> Result<Option<TreeEntry>, Problem> {
        let empty = openat(&dir.fd, name, FOLDER_FLAGS, Mode::empty()).and_then(|fd| is_empty(&fd));
        match empty {
            Ok(true) | Err(Errno::NOENT) => Ok(None),
            Ok(false) => {
                self.leave_out(format!("{}/ is left out: it is a submodule, whose files belong to another repository.", shown(path)));
                Ok(None)
            }
            Err(Errno::LOOP | Errno::NOTDIR) => {
                self.leave_out(format!("{} is left out: it stands in the place of a submodule, which stays.", shown(path)));
                Ok(None)
            }
            Err(error) => self.unreadable(path, &error.into()),
        }
    }

    /// Whether a path is part of the work: the base tree's files always are.
    fn counts(&mut self, dir: &Folder<'_>, rules: &Rules<'_>, path: &[u8], is_dir: bool) -> bool {
        if self.limits.ignore == Ignore::Not || (!is_dir && self.base.entries.contains_key(path)) {
            return true;
        }
        let ignored = if dir.inside_ignored { Ignored::Yes } else { rules.ignored(path, is_dir) };
        if ignored == Ignored::ByBase {
            self.by_base += 1;
        }
        // Of a folder that is ignored and holds files of the base, the files that are new are told by themselves.
        if ignored != Ignored::No && !(is_dir && self.base.has_below(path)) {
            self.left_out.add(format!("{}{}", shown(path), if is_dir { "/" } else { "" }));
        }
        ignored == Ignored::No
    }

    /// Notes something that is in the worktree and not in the tree.
    fn leave_out(&mut self, note: String) {
        self.left_out.add(note.clone());
        self.notes.add(note);
    }

    fn subfolder(&mut self, dir: &Folder<'_>, rules: &Rules<'_>, name: Vec<u8>, path: Vec<u8>) -> Result<Option<TreeEntry>, Problem> {
        let counts = self.counts(dir, rules, &path, true);
        if !counts && !self.base.has_below(&path) {
            return Ok(None);
        }
        if dir.depth >= limits::IMPORT_DEPTH_MAX {
            return Err(Problem::new(Kind::Limit, format!("Folders are nested more than {} deep.", limits::IMPORT_DEPTH_MAX))
                .because(format!("The deepest is {}.", shown(&path)))
                .next("Remove what does not belong to the work."));
        }
        // Between the look above and this a folder can have become a link: then this fails, and nothing was followed.
        let fd = match openat(&dir.fd, &name[..], FOLDER_FLAGS, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(self.moved(&path)),
            Err(error) => return self.unreadable(&path, &error.into()),
        };
        if fstat(&fd).told("The worktree cannot be read.")?.st_dev != self.device {
            self.leave_out(format!("{} is left out: it is another file system.", shown(&path)));
            return Ok(None);
        }
        let below = Folder { fd, path, depth: dir.depth + 1, above: Some(rules), inside_ignored: !counts };
        Ok(self.folder(&below)?.map(|oid| TreeEntry { name, mode: FOLDER, oid }))
    }

    fn file(&mut self, dir: &Folder<'_>, name: Vec<u8>, path: &[u8]) -> Result<Option<TreeEntry>, Problem> {
        let fd = match openat(&dir.fd, &name[..], FILE_FLAGS, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(self.moved(path)),
            Err(error) => return self.unreadable(path, &error.into()),
        };
        let stat = fstat(&fd).told("The worktree cannot be read.")?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_dev != self.device {
            return Ok(self.moved(path));
        }
        let oid = match self.blob(File::from(fd), &stat, path) {
            Ok(Some(oid)) => oid,
            Ok(None) => return Ok(None),
            Err(Failed::Read(error)) => return self.unreadable(path, &error),
            Err(Failed::Told(problem)) => return Err(problem),
        };
        self.files += 1;
        let mode = if stat.st_mode & 0o100 == 0 { REGULAR } else { EXECUTABLE };
        Ok(Some(TreeEntry { name, mode, oid }))
    }

    /// The hash of a file's content; none when it is left out.
    fn blob(&mut self, file: File, stat: &Stat, path: &[u8]) -> Result<Option<git2::Oid>, Failed> {
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let before = self.base.entries.get(path).map(|entry| entry.oid);
        if size > self.limits.file_bytes {
            // A large file of the base stays, if it is still the same.
            let same = match before {
                Some(_) => object::hash_stream(file, size)?.transpose()?,
                None => None,
            };
            return if same.is_some() && same == before { Ok(before) } else { Ok(self.too_large(path, size)?) };
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.take(self.limits.file_bytes + 1).read_to_end(&mut content)?;
        let length = content.len() as u64;
        if length > self.limits.file_bytes {
            return Ok(self.too_large(path, length)?);
        }
        let oid = object::hash(ObjectType::Blob, &content)?;
        if before != Some(oid) {
            self.new_bytes = self.new_bytes.saturating_add(length);
            if self.new_bytes > self.limits.new_bytes {
                return Err(Failed::Told(self.too_much(path)));
            }
            if object::is_forged(ObjectType::Blob, &content) {
                let what = format!("{} was made to look like another file to git (a SHA-1 collision).", shown(path));
                return Err(Failed::Told(Problem::invalid(what).next("Remove it.")));
            }
            self.objects.put(ObjectType::Blob, oid, &content)?;
        }
        Ok(Some(oid))
    }

    fn link(&mut self, dir: &Folder<'_>, name: Vec<u8>, path: &[u8]) -> Result<Option<TreeEntry>, Problem> {
        let target = match readlinkat(&dir.fd, &name[..], Vec::new()) {
            Ok(target) => target.into_bytes(),
            Err(Errno::NOENT | Errno::INVAL) => return Ok(self.moved(path)),
            Err(error) => return self.unreadable(path, &error.into()),
        };
        if name.eq_ignore_ascii_case(b".gitmodules") {
            self.leave_out(format!("{} is left out: git refuses it as a link.", shown(path)));
            return Ok(None);
        }
        if leaves(&dir.path, &target) {
            self.notes.add(format!("{} is a link to {}, outside the worktree.", shown(path), shown(&target)));
        }
        let oid = object::hash(ObjectType::Blob, &target)?;
        self.objects.put(ObjectType::Blob, oid, &target)?;
        self.files += 1;
        Ok(Some(TreeEntry { name, mode: LINK, oid }))
    }

    fn moved<T>(&mut self, path: &[u8]) -> Option<T> {
        self.leave_out(format!("{} changed its kind while it was read, and is left out.", shown(path)));
        None
    }

    fn unreadable<T>(&mut self, path: &[u8], error: &io::Error) -> Result<Option<T>, Problem> {
        if self.limits.too_large == TooLarge::LeaveOut {
            self.leave_out(format!("{} is left out: {error}.", shown(path)));
            return Ok(None);
        }
        Err(Problem::conflict(format!("{} in the worktree cannot be read.", shown(path)))
            .because(error.to_string())
            .next("Make it readable, or remove it."))
    }

    fn too_large<T>(&mut self, path: &[u8], size: u64) -> Result<Option<T>, Problem> {
        let what = format!("{} has {}; a file may have {}.", shown(path), mib(size), mib(self.limits.file_bytes));
        if self.limits.too_large == TooLarge::LeaveOut {
            self.leave_out(format!("{what} It is left out."));
            return Ok(None);
        }
        Err(Problem::new(Kind::Limit, what).next("Remove it, or list it in .gitignore."))
    }

    fn too_much(&self, path: &[u8]) -> Problem {
        Problem::new(Kind::Limit, format!("More than {} are new or changed.", mib(self.limits.new_bytes)))
            .because(format!("The limit was reached at {}.", shown(path)))
            .next("Remove what does not belong to the work, or list it in .gitignore.")
    }
}

enum Failed {
    Read(io::Error),
    Told(Problem),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

#[derive(Default)]
struct Notes {
    kept: Vec<String>,
    more: usize,
}

impl Notes {
    fn add(&mut self, note: String) {
        if self.kept.len() < limits::NOTES_MAX { self.kept.push(note) } else { self.more += 1 }
    }

    fn end(mut self) -> Vec<String> {
        if self.more > 0 {
            self.kept.push(format!("And {} more.", self.more));
        }
        self.kept
    }
}

/// Whether a folder has nothing in it.
fn is_empty(folder: &OwnedFd) -> rustix::io::Result<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn shown(path: &[u8]) -> String {
    if path.is_empty() { "the root".to_owned() } else { domain::shown(&String::from_utf8_lossy(path)) }
}

fn mib(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{bytes} bytes") } else { format!("{} MiB", bytes >> 20) }
}

fn kind(of: FileType) -> &'static str {
    match of {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "no file, folder or link",
    }
}

/// Whether a link in `dir` points out of the worktree, by its text alone.
fn leaves(dir: &[u8], target: &[u8]) -> bool {
    if target.starts_with(b"/") {
        return true;
    }
    let mut depth = if dir.is_empty() { 0 } else { dir.split(|b| *b == b'/').count() };
    for part in target.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Whether some system takes this name for `.git`: in any case, with what HFS+ ignores in it, or as NTFS shortens or
/// extends it. Git refuses trees with such names.
pub(crate) fn is_git_name(name: &[u8]) -> bool {
    let text: String = String::from_utf8_lossy(name).chars().filter(|c| !ignored_by_hfs(*c)).collect();
    let text = text.to_ascii_lowercase();
    let plain = text.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    matches!(plain, ".git" | "git~1")
}

fn ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_system_takes_for_git_are_known() {
        let table: [(&str, bool); 11] = [
            (".git", true),
            (".GIT", true),
            (".gi\u{200c}t", true),
            ("git~1", true),
            (".git ", true),
            (".git.", true),
            (".git::$INDEX_ALLOCATION", true),
            (".gitignore", false),
            ("git", false),
            (".github", false),
            (".git2", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_git_name(name.as_bytes()), expected, "{name:?}");
        }
    }

    #[test]
    fn links_that_leave_are_told_by_their_text() {
        let table: [(&str, &str, bool); 6] = [
            ("", "a", false),
            ("", "../a", true),
            ("x/y", "../../a", false),
            ("x/y", "../../../a", true),
            ("x", "/etc/passwd", true),
            ("x", "a/../../..", true),
        ];
        for (dir, target, expected) in table {
            assert_eq!(leaves(dir.as_bytes(), target.as_bytes()), expected, "{dir} -> {target}");
        }
    }
}
