//! What an engine committed in its clone beside its work: on other branches, in stashes, and what a reset let go. A run publishes the files
//! of the worktree, so none of that comes along.
//!
//! The clone is never opened as a repository: an engine can write there what git would wait for, or look for without end. Its names and
//! loose commits are read as plain files, and no link is followed on the way to them: it may lead to what is none of the engine's. A commit
//! that cannot be read so counts as one that is saved nowhere.

use crate::{
    RunRepo,
    convert::{Told, git_oid},
    limits, objects,
    tree::{FILE_FLAGS, FOLDER_FLAGS},
};
use domain::{Oid, Problem, shown};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Dir, Mode, ResolveFlags, openat2},
    io::Errno,
    path::Arg,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::File,
    io::Read,
    path::Path,
};
use zlib_rs::{Inflate, InflateFlush};

/// How much of a commit is read, in bytes: its tree and its parents stand first.
const COMMIT_BYTES: u16 = 16 * 1024;
const PLAIN: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const BRANCHES: &str = "refs/heads";
const STASH: &str = "refs/stash";

/// What of a commit says where it belongs.
struct Commit {
    tree: git2::Oid,
    parents: Vec<git2::Oid>,
}

impl Commit {
    /// Whether these trees hold all of it. A third parent is what a stash took of files that git did not know: those are not in its tree.
    fn is_within(&self, trees: &HashSet<git2::Oid>) -> bool {
        self.parents.len() < 3 && trees.contains(&self.tree)
    }
}

impl RunRepo {
    /// What an engine committed in its clone `work` that neither came with it, nor belongs to what is checked out, nor has the same files
    /// as a commit that does or as `tree`, the saved worktree. A line for each branch, each stash, and each commit that a reset left.
    ///
    /// # Errors
    /// When the host's git folder cannot be read.
    pub fn beside(&self, work: &Path, tree: &Oid) -> Result<Vec<String>, Problem> {
        // As all below it: where the kernel has no such call that is told, and not that nothing is there.
        let git = match openat2(CWD, work.join(".git"), FOLDER_FLAGS, Mode::empty(), ResolveFlags::empty()) {
            Ok(git) => git,
            Err(Errno::NOENT) => return Ok(vec![]),
            Err(error) => return Ok(vec![format!("what git holds in its place, since .git is no folder that can be read: {error}")]),
        };
        let repo = self.open()?;
        let odb = repo.odb().told("The host's git folder cannot be read.")?;
        let names = names(&git);
        let (mut commits, mut trees) = (HashSet::new(), HashSet::from([git_oid(tree.as_str())?]));
        let mut next: Vec<git2::Oid> = head(&git, &names).into_iter().collect();
        while let Some(id) = next.pop() {
            if commits.len() < limits::CLONE_COMMITS_MAX
                && !odb.exists(id)
                && commits.insert(id)
                && let Some(found) = commit(&git, id)
            {
                trees.insert(found.tree);
                next.extend(found.parents);
            }
        }
        let is_saved =
            |id: git2::Oid| commits.contains(&id) || odb.exists(id) || commit(&git, id).is_some_and(|found| found.is_within(&trees));
        let beside: Vec<_> = names.iter().filter(|(_, id)| !is_saved(**id)).collect();
        let told: HashSet<_> = beside.iter().map(|(_, id)| **id).collect();
        let more = |ids: BTreeSet<git2::Oid>| ids.into_iter().filter(|id| !told.contains(id) && !is_saved(*id));
        let held = |id: git2::Oid| format!("what git stash holds ({})", short(id));
        let named = beside.iter().map(|(name, id)| match name.strip_prefix("refs/heads/") {
            Some(branch) => format!("the commits of the branch {} ({})", shown(branch), short(**id)),
            None => held(**id),
        });
        let stashes = more(noted(&git, "logs/refs/stash", |_, after, _| Some(after))).map(held);
        // The clone itself began with a reset, from nothing; one that only throws changes away leaves no commit.
        let left = |before: git2::Oid, after: git2::Oid, what: &str| {
            (what.starts_with("reset: ") && !before.is_zero() && before != after).then_some(before)
        };
        let left = more(noted(&git, "logs/HEAD", left)).map(|id| format!("the commit {}, which a reset left", short(id)));
        Ok(named.chain(stashes).chain(left).collect())
    }
}

/// As much of a commit's name as tells it from others.
fn short(id: git2::Oid) -> String {
    id.to_string().chars().take(10).collect()
}

/// The commit that is checked out, if there is one.
fn head(git: &OwnedFd, names: &BTreeMap<String, git2::Oid>) -> Option<git2::Oid> {
    let text = plain(git, "HEAD")?;
    match text.trim().strip_prefix("ref: ") {
        Some(name) => names.get(name.trim()).copied(),
        None => oid(text.trim()),
    }
}

/// The branches and the newest stash, with their commits.
fn names(git: &OwnedFd) -> BTreeMap<String, git2::Oid> {
    let packed = plain(git, "packed-refs").unwrap_or_default();
    let line = |line: &str| line.split_once(' ').and_then(|(id, name)| Some((name.to_owned(), oid(id)?)));
    let mut found: BTreeMap<String, git2::Oid> = packed.lines().filter_map(line).collect();
    found.retain(|name, _| name == STASH || name.strip_prefix(BRANCHES).is_some_and(|rest| rest.starts_with('/')));
    let mut next = vec![BRANCHES.to_owned(), STASH.to_owned()];
    for _ in 0..limits::CLONE_NAMES_MAX {
        let Some(name) = next.pop() else { break };
        let folder = openat2(git, &name, FOLDER_FLAGS, Mode::empty(), PLAIN).and_then(Dir::read_from);
        if let Ok(folder) = folder {
            let below = folder.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
            // Git's own drafts are called so, and no branch may be.
            let below = below.filter(|below| !matches!(below.as_str(), "." | "..") && !below.ends_with(".lock"));
            let room = limits::CLONE_NAMES_MAX.saturating_sub(next.len());
            next.extend(below.take(room).map(|below| format!("{name}/{below}")));
        } else if let Some(id) = plain(git, &name).and_then(|text| oid(text.trim())) {
            // It counts, and not what was packed before.
            found.insert(name, id);
        }
    }
    found
}

/// What git noted in a log that `of` wants: by the commit before, the one after, and why. What an amended commit or a rebase replaces is
/// not noted as a reset.
fn noted(git: &OwnedFd, log: &str, of: impl Fn(git2::Oid, git2::Oid, &str) -> Option<git2::Oid>) -> BTreeSet<git2::Oid> {
    let text = plain(git, log).unwrap_or_default();
    let one = |line: &str| {
        let (ids, what) = line.split_once('\t')?;
        let mut ids = ids.split(' ').map(oid);
        of(ids.next()??, ids.next()??, what)
    };
    text.lines().filter_map(one).collect()
}

/// A commit that lies in the clone, in no pack.
fn commit(git: &OwnedFd, id: git2::Oid) -> Option<Commit> {
    let mut packed = vec![];
    open(git, objects::loose(Path::new("objects"), id))?.take(COMMIT_BYTES.into()).read_to_end(&mut packed).ok()?;
    let (mut inflate, mut raw) = (Inflate::new(true, objects::WINDOW_BITS), vec![0; COMMIT_BYTES.into()]);
    inflate.decompress(&packed, &mut raw, InflateFlush::NoFlush).ok()?;
    raw.truncate(usize::try_from(inflate.total_out()).ok()?);
    let text = String::from_utf8_lossy(&raw);
    let (kind, content) = text.split_once('\0')?;
    let mut lines = content.lines();
    let tree = lines.next().filter(|_| kind.starts_with("commit "))?.strip_prefix("tree ").and_then(oid)?;
    let parents = lines.map_while(|line| line.strip_prefix("parent ").and_then(oid)).collect();
    Some(Commit { tree, parents })
}

fn oid(text: &str) -> Option<git2::Oid> {
    git2::Oid::from_str(text).ok().filter(|_| text.len() == 40)
}

/// The text of a file, within the bound.
fn plain(git: &OwnedFd, path: &str) -> Option<String> {
    let mut read = vec![];
    open(git, path)?.take(limits::CLONE_FILE_BYTES_MAX).read_to_end(&mut read).ok()?;
    Some(String::from_utf8_lossy(&read).into_owned())
}

/// A file to read, if it is one: no link, no device, nothing that makes wait.
fn open(git: &OwnedFd, path: impl Arg) -> Option<File> {
    let file = File::from(openat2(git, path, FILE_FLAGS, Mode::empty(), PLAIN).ok()?);
    file.metadata().is_ok_and(|there| there.is_file()).then_some(file)
}
