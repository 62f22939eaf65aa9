//! The tree that a run began from, as far as an import needs it: paths, modes, hashes, and ignore files.

use crate::{
    convert::{self, Told},
    limits,
    repository::tree_of,
};
use domain::{Kind, Oid, Problem};
use git2::{ObjectType, RepositoryOpenFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

/// The listing of a tree. Read it from a repository that no engine has written yet.
#[derive(Clone, Debug)]
pub struct BaseTree {
    pub(super) tree: git2::Oid,
    pub(super) entries: BTreeMap<Vec<u8>, Entry>,
    /// Content of the `.gitignore` of each folder that has one; the root is the empty path.
    pub(super) ignores: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// An entry that is no folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: u32,
    pub(super) oid: git2::Oid,
}

/// The mode of a submodule's commit.
pub(super) const GITLINK: u32 = 0o160_000;

impl BaseTree {
    /// No files at all.
    pub fn empty() -> Result<Self, Problem> {
        let tree = git2::Oid::hash_object(ObjectType::Tree, b"").map_err(Problem::internal)?;
        Ok(Self { tree, entries: BTreeMap::new(), ignores: BTreeMap::new() })
    }

    /// The tree of a commit in the repository at `git_dir`. The runner reads it from its fresh clone before the engine
    /// starts, the host from its own git folder.
    pub fn read(git_dir: &Path, commit: &Oid) -> Result<Self, Problem> {
        let none: [&OsStr; 0] = [];
        let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
        let repo = git2::Repository::open_ext(git_dir, flags, none);
        Self::of(&repo.told(format!("The repository {} cannot be read.", git_dir.display()))?, commit)
    }

    pub(crate) fn of(repo: &git2::Repository, commit: &Oid) -> Result<Self, Problem> {
        let tree = tree_of(repo, convert::git_oid(commit.as_str())?)?;
        let mut base = Self { tree: tree.id(), entries: BTreeMap::new(), ignores: BTreeMap::new() };
        base.add(repo, &tree, &[], 0)?;
        Ok(base)
    }

    /// The tree's hash.
    pub fn tree(&self) -> Result<Oid, Problem> {
        convert::oid(self.tree)
    }

    fn add(&mut self, repo: &git2::Repository, tree: &git2::Tree<'_>, dir: &[u8], depth: usize) -> Result<(), Problem> {
        let too_large = || Problem::new(Kind::Limit, "The commit has too many files, or folders nested too deeply.");
        for entry in tree.iter() {
            let path = join(dir, entry.name_bytes());
            if entry.kind() == Some(ObjectType::Tree) {
                let below = repo.find_tree(entry.id()).told("The commit's tree cannot be read.")?;
                if depth >= limits::IMPORT_DEPTH_MAX {
                    return Err(too_large());
                }
                self.add(repo, &below, &path, depth + 1)?;
                continue;
            }
            if entry.name_bytes() == b".gitignore" && entry.filemode() & 0o170_000 == 0o100_000 {
                let blob = repo.find_blob(entry.id()).told("The commit's ignore files cannot be read.")?;
                self.ignores.insert(dir.to_vec(), blob.content().to_vec());
            }
            let mode = u32::try_from(entry.filemode()).unwrap_or_default();
            self.entries.insert(path, Entry { mode, oid: entry.id() });
        }
        if self.entries.len() > limits::IMPORT_ENTRIES_MAX { Err(too_large()) } else { Ok(()) }
    }

    /// Whether something below a folder is in the base tree.
    pub(super) fn has_below(&self, dir: &[u8]) -> bool {
        let below = join(dir, b"");
        self.entries.range(below.clone()..).next().is_some_and(|(path, _)| path.starts_with(&below))
    }

    /// The submodules directly within a folder, by name.
    pub(super) fn gitlinks_in<'a>(&'a self, dir: &'a [u8]) -> impl Iterator<Item = (&'a [u8], git2::Oid)> {
        let below = if dir.is_empty() { Vec::new() } else { join(dir, b"") };
        let start = below.len();
        let within = self.entries.range(below.clone()..).take_while(move |(path, _)| path.starts_with(&below));
        within
            .filter(move |(path, entry)| entry.mode == GITLINK && !path[start..].contains(&b'/'))
            .map(move |(path, e)| (&path[start..], e.oid))
    }
}

/// A path below a folder; the root folder is the empty path.
pub(super) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() {
        return name.to_vec();
    }
    [dir, b"/", name].concat()
}
