//! What an engine committed in its clone beside its work: on other branches, in stashes, and what a reset let go. A run publishes the files
//! of the worktree, so none of that comes along.
//!
//! The clone is never opened as a repository: an engine can write there what git would wait for, or look for without end. Its names and
//! loose commits are read as plain files. A commit that cannot be read so counts as one that is saved nowhere.

use crate::{
    RunRepo,
    convert::{Told, git_oid},
    limits, objects,
    tree::FILE_FLAGS,
};
use domain::{Oid, Problem, shown};
use rustix::fs::{CWD, Mode, openat};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, File},
    io::Read,
    path::Path,
};
use zlib_rs::{Inflate, InflateFlush};

/// How much of a commit is read, in bytes: its tree and its parents stand first.
const COMMIT_BYTES: usize = 16 * 1024;
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
    /// as a commit that does or as `tree`, the saved worktree. A line for each branch, the stash, and each commit that a reset left.
    ///
    /// # Errors
    /// When the host's git folder cannot be read.
    pub fn beside(&self, work: &Path, tree: &Oid) -> Result<Vec<String>, Problem> {
        let git = work.join(".git");
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
        let mut left = resets(&git);
        left.retain(|id| !is_saved(*id) && !beside.iter().any(|(_, named)| *named == id));
        let named = beside.iter().map(|(name, id)| match name.strip_prefix("refs/heads/") {
            Some(branch) => format!("the commits of the branch {} ({})", shown(branch), short(**id)),
            None => format!("what git stash holds ({})", short(**id)),
        });
        Ok(named.chain(left.iter().map(|id| format!("the commit {}, which a reset left", short(*id)))).collect())
    }
}

/// As much of a commit's name as tells it from others.
fn short(id: git2::Oid) -> String {
    id.to_string().chars().take(10).collect()
}

/// The commit that is checked out, if there is one.
fn head(git: &Path, names: &BTreeMap<String, git2::Oid>) -> Option<git2::Oid> {
    let text = plain(&git.join("HEAD"))?;
    match text.trim().strip_prefix("ref: ") {
        Some(name) => names.get(name.trim()).copied(),
        None => oid(text.trim()),
    }
}

/// The branches and the stash, with their commits.
fn names(git: &Path) -> BTreeMap<String, git2::Oid> {
    let packed = plain(&git.join("packed-refs")).unwrap_or_default();
    let line = |line: &str| line.split_once(' ').and_then(|(id, name)| Some((name.to_owned(), oid(id)?)));
    let mut found: BTreeMap<String, git2::Oid> = packed.lines().filter_map(line).collect();
    found.retain(|name, _| name == STASH || name.strip_prefix(BRANCHES).is_some_and(|rest| rest.starts_with('/')));
    let mut next = vec![BRANCHES.to_owned(), STASH.to_owned()];
    for _ in 0..limits::CLONE_NAMES_MAX {
        let Some(name) = next.pop() else { break };
        let path = git.join(&name);
        if fs::symlink_metadata(&path).is_ok_and(|there| there.is_dir()) {
            let below = fs::read_dir(&path).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
            // Git's own drafts are called so, and no branch may be.
            let below = below.filter(|below| !below.ends_with(".lock")).map(|below| format!("{name}/{below}"));
            next.extend(below.take(limits::CLONE_NAMES_MAX));
        } else if let Some(id) = plain(&path).and_then(|text| oid(text.trim())) {
            // It counts, and not what was packed before.
            found.insert(name, id);
        }
    }
    found
}

/// The commits from which a reset led away, as git noted it. What an amended commit or a rebase replaces is not noted so.
fn resets(git: &Path) -> BTreeSet<git2::Oid> {
    let noted = plain(&git.join("logs/HEAD")).unwrap_or_default();
    let from = |line: &str| {
        let (ids, what) = line.split_once('\t')?;
        let mut ids = ids.split(' ').map(oid);
        let (before, after) = (ids.next()??, ids.next()??);
        // The clone itself began with a reset, from nothing; one that only throws changes away leaves no commit.
        (what.starts_with("reset: ") && !before.is_zero() && before != after).then_some(before)
    };
    noted.lines().filter_map(from).collect()
}

/// A commit that lies in the clone, in no pack.
fn commit(git: &Path, id: git2::Oid) -> Option<Commit> {
    let mut packed = vec![];
    open(&objects::loose(&git.join("objects"), id))?.take(limits::CLONE_FILE_BYTES_MAX).read_to_end(&mut packed).ok()?;
    let (mut inflate, mut raw) = (Inflate::new(true, objects::WINDOW_BITS), vec![0; COMMIT_BYTES]);
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
fn plain(path: &Path) -> Option<String> {
    let mut read = vec![];
    open(path)?.take(limits::CLONE_FILE_BYTES_MAX).read_to_end(&mut read).ok()?;
    Some(String::from_utf8_lossy(&read).into_owned())
}

/// A file to read, if it is one: no link, no device, nothing that makes wait.
fn open(path: &Path) -> Option<File> {
    let file = File::from(openat(CWD, path, FILE_FLAGS, Mode::empty()).ok()?);
    file.metadata().is_ok_and(|there| there.is_file()).then_some(file)
}
