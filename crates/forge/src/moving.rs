//! Checkpoints that move from one device to another: handed out object by object there, and here received into a git folder of their
//! own, checked as what a stranger made, and kept. What was received is used for nothing until all of it was checked.

use crate::{
    Forge,
    convert::{self, Told},
    limits,
    objects::{self, copy_objects},
    repository::{locked_ref, tree_of},
    run::{CHECKPOINTS, Checkpoint, bare, no_checkpoint, read_checkpoint},
    tree::is_git_name,
    whole::is_there,
};
use domain::{Kind, Oid, Problem, Rid, RunId};
use git2::{Delta, ErrorCode, ObjectType, Odb, Repository};
use std::{
    cell::Cell,
    collections::HashSet,
    path::{Path, PathBuf},
};

/// The kinds of git's objects that a checkpoint consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// The checkpoint itself.
    Commit,
    /// A folder.
    Tree,
    /// A file, or where a link leads.
    Blob,
}

impl ObjectKind {
    /// As git calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, Problem> {
        let all = [Self::Commit, Self::Tree, Self::Blob];
        all.into_iter().find(|kind| kind.name() == name).ok_or_else(|| bad(format!("“{}” is no kind of object.", domain::shown(name))))
    }

    fn git(self) -> ObjectType {
        match self {
            Self::Commit => ObjectType::Commit,
            Self::Tree => ObjectType::Tree,
            Self::Blob => ObjectType::Blob,
        }
    }
}

fn bad(why: impl Into<String>) -> Problem {
    Problem::invalid("What another device sent as a checkpoint is none, and was not taken.").because(why)
}

impl Forge {
    /// Hands out the objects of a run's checkpoint that are not those of the commit that the run began from, but the first `after`. They
    /// come in the same order whenever that is asked for; the checkpoint itself comes last.
    ///
    /// # Errors
    /// Not found when this is not the checkpoint of the run here. Else when it cannot be read, and those of `each`, which end it.
    pub fn hand_out(
        &self,
        rid: &Rid,
        run: &RunId,
        commit: &Oid,
        after: usize,
        each: &mut impl FnMut(ObjectKind, &[u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let what = "The checkpoint cannot be read.";
        if !is_there(&self.checkpoints_path(rid)).told(what)? {
            return Err(no_checkpoint(commit));
        }
        let kept = self.checkpoints(rid)?;
        let id = convert::git_oid(commit.as_str())?;
        match kept.refname_to_id(&format!("{CHECKPOINTS}/{run}")) {
            Ok(named) if named == id => {}
            Err(error) if error.code() != ErrorCode::NotFound => return Err(error).told(what),
            _ => return Err(no_checkpoint(commit)),
        }
        let found = read_checkpoint(&kept, id)?;
        let mut known = HashSet::new();
        let base = tree_of(&kept, convert::git_oid(found.base.as_str())?)?.id();
        below(&kept, base, &mut known, &mut |_, _| Ok(()))?;
        let odb = kept.odb().told(what)?;
        let (root, mut number, taken) = (tree_of(&kept, id)?.id(), 0, Cell::new(true));
        let mut next = |kind: ObjectKind, id: git2::Oid| -> Result<(), Problem> {
            number += 1;
            if number <= after {
                return Ok(());
            }
            let object = objects::read(&kept, id, |id| odb.read(id)).told(what)?;
            each(kind, object.data()).inspect_err(|_| taken.set(false))
        };
        let handed = below(&kept, root, &mut known, &mut next).and_then(|()| next(ObjectKind::Commit, id));
        if handed.is_err() && taken.get() {
            self.look_again(commit);
        }
        handed
    }

    /// How many bytes the objects of a run's checkpoint have that are not those of the commit that the run began from; none where there is
    /// no checkpoint.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn checkpoint_bytes(&self, rid: &Rid, run: &RunId) -> Result<u64, Problem> {
        let what = "The checkpoint cannot be read.";
        let Some(found) = self.checkpoint_of(rid, run)? else { return Ok(0) };
        let kept = self.checkpoints(rid)?;
        let odb = kept.odb().told(what)?;
        let root = |commit: &Oid| Ok::<_, Problem>(tree_of(&kept, convert::git_oid(commit.as_str())?)?.id());
        let (mut known, mut bytes) = (HashSet::new(), 0u64);
        below(&kept, root(&found.base)?, &mut known, &mut |_, _| Ok(()))?;
        below(&kept, root(&found.commit)?, &mut known, &mut |_, id| {
            bytes = bytes.saturating_add(odb.read_header(id).told(what)?.0 as u64);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Keeps a checkpoint that was received as that of this run, as if it had been made here.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn keep_arrived(&self, rid: &Rid, run: &RunId, received: &Arrived) -> Result<(), Problem> {
        let what = "The checkpoint could not be kept.";
        let commit = convert::git_oid(received.checkpoint.commit.as_str())?;
        self.saving.turn(convert::repo_id(rid)?, *self.device_key(), || {
            let kept = self.checkpoints(rid)?;
            copy_objects(&received.path.join("objects"), &kept.path().join("objects")).told(what)?;
            let name = format!("{CHECKPOINTS}/{run}");
            locked_ref(|| kept.reference(&name, commit, true, "checkpoint").map(drop)).told(what)
        })
    }

    /// As [`Forge::restore`], from the git folder in which a checkpoint was received, and checked.
    ///
    /// # Errors
    /// When it cannot be read, or not be laid.
    pub fn restore_received(
        &self,
        rid: &Rid,
        received: &Path,
        checkpoint: &Oid,
        into: &Path,
        session_into: Option<&Path>,
    ) -> Result<Checkpoint, Problem> {
        let kept = Repository::open_bare(received).told("What was received of a checkpoint cannot be opened.")?;
        self.restore_from(&kept, rid, checkpoint, into, session_into)
    }
}

/// Tells of every object of a tree that is not known yet, the tree's own too; then it is known.
pub(crate) fn below(
    repo: &Repository,
    root: git2::Oid,
    known: &mut HashSet<git2::Oid>,
    each: &mut dyn FnMut(ObjectKind, git2::Oid) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut open = vec![(ObjectKind::Tree, root)];
    while let Some((kind, id)) = open.pop() {
        if !known.insert(id) {
            continue;
        }
        if kind == ObjectKind::Tree {
            let tree = objects::read(repo, id, |id| repo.find_tree(id)).told("The checkpoint cannot be read.")?;
            open.extend(tree.iter().filter_map(|entry| match entry.kind() {
                Some(ObjectType::Tree) => Some((ObjectKind::Tree, entry.id())),
                Some(ObjectType::Blob) => Some((ObjectKind::Blob, entry.id())),
                // A submodule's commit lies in another repository.
                _ => None,
            }));
        }
        each(kind, id)?;
    }
    Ok(())
}

/// A checkpoint that is being received.
pub struct Incoming {
    path: PathBuf,
    repo: Repository,
    bytes: u64,
    objects: usize,
}

impl Incoming {
    /// Begins with one, in a new git folder at `path` that borrows the objects of the project's storage.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn begin(path: &Path, forge: &Forge, rid: &Rid) -> Result<Self, Problem> {
        bare(path, &forge.repository(rid)?.backend.path().join("objects"))?;
        let repo = Repository::open_bare(path).told("The folder for a checkpoint of another device cannot be opened.")?;
        Ok(Self { path: path.to_owned(), repo, bytes: 0, objects: 0 })
    }

    /// Takes an object, and gives its name, which is made from what it holds: so nothing can come under a name that is not its own.
    ///
    /// # Errors
    /// When there are more than a checkpoint may have, or the disk does not take it.
    pub fn write(&mut self, kind: ObjectKind, data: &[u8]) -> Result<Oid, Problem> {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if self.objects > limits::CHECKPOINT_OBJECTS_MAX || self.bytes > limits::CHECKPOINT_BYTES_MAX {
            return Err(too_large());
        }
        let what = "An object of a checkpoint could not be written.";
        convert::oid(self.repo.odb().told(what)?.write(kind.git(), data).told(what)?)
    }

    /// Checks that all of this checkpoint is here, and that nothing of it leads out of the folders into which it will be laid.
    ///
    /// # Errors
    /// When that is not so.
    pub fn finish(self, commit: &Oid) -> Result<Arrived, Problem> {
        let id = convert::git_oid(commit.as_str())?;
        let checkpoint = read_checkpoint(&self.repo, id).map_err(|problem| bad(problem.to_string()))?;
        self.nothing_else(id, &checkpoint)?;
        let base = tree_of(&self.repo, convert::git_oid(checkpoint.base.as_str())?)?;
        let odb = self.repo.odb().told("The checkpoint cannot be read.")?;
        let mut checked = Checked { repo: &self.repo, odb, entries: 0, paths: 0, bytes: 0 };
        checked.tree(&checkpoint.work)?;
        checked.laid(Some(&base), &checkpoint.work)?;
        if let Some(session) = &checkpoint.session {
            checked.tree(session)?;
            checked.laid(None, session)?;
        }
        Ok(Arrived { path: self.path, checkpoint })
    }

    /// Checks that this commit stands on one other, and holds the folders of a checkpoint and nothing else: what is not checked here, and
    /// need not be there, would be missed whenever it is looked at.
    fn nothing_else(&self, id: git2::Oid, checkpoint: &Checkpoint) -> Result<(), Problem> {
        let what = "The checkpoint cannot be read.";
        let commit = self.repo.find_commit(id).told(what)?;
        let root = commit.tree().told(what)?;
        let folders = 1 + usize::from(checkpoint.session.is_some());
        let plain = commit.parent_count() == 1 && root.len() == folders && root.iter().all(|entry| entry.filemode() == 0o040_000);
        if plain { Ok(()) } else { Err(bad("It holds more than the files of a run.")) }
    }
}

fn too_large() -> Problem {
    let (objects, mib) = (limits::CHECKPOINT_OBJECTS_MAX, limits::CHECKPOINT_BYTES_MAX >> 20);
    let what = format!("A checkpoint of another device may have {objects} objects, {mib} MiB, and paths to match; this one has more.");
    Problem::new(Kind::Limit, what).next("It stays where it is; its run can go on there.")
}

/// A checkpoint that was received and checked.
#[derive(Clone, Debug)]
pub struct Arrived {
    path: PathBuf,
    /// What it holds.
    pub checkpoint: Checkpoint,
}

/// How much of a checkpoint was checked.
struct Checked<'r> {
    repo: &'r Repository,
    odb: Odb<'r>,
    entries: usize,
    /// Bytes of the paths of these entries.
    paths: usize,
    bytes: u64,
}

impl Checked<'_> {
    /// Every folder below: names that stay within it, each once, so that no link comes in the place of a folder into which something
    /// else is laid; and everything that they name is here.
    fn tree(&mut self, root: &Oid) -> Result<(), Problem> {
        let mut open = vec![(convert::git_oid(root.as_str())?, 0, 0)];
        while let Some((id, depth, above)) = open.pop() {
            let tree = self.repo.find_tree(id).map_err(|_| bad(format!("The folder {id} is missing or broken.")))?;
            self.entries = self.entries.saturating_add(tree.len());
            if self.entries > 2 * limits::IMPORT_ENTRIES_MAX || depth > limits::IMPORT_DEPTH_MAX {
                return Err(too_large());
            }
            let mut names = HashSet::new();
            for entry in &tree {
                let name = entry.name_bytes();
                let plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0) && !is_git_name(name);
                if !plain || !names.insert(name.to_vec()) {
                    return Err(bad(format!("It has a file of the name “{}”.", domain::shown(&String::from_utf8_lossy(name)))));
                }
                let path = above + name.len();
                self.path(path)?;
                match entry.filemode() {
                    0o040_000 => open.push((entry.id(), depth + 1, path + 1)),
                    0o100_644 | 0o100_755 | 0o120_000 => self.blob(entry.id())?,
                    0o160_000 => {}
                    mode => return Err(bad(format!("It has a file of the mode {mode:o}."))),
                }
            }
        }
        Ok(())
    }

    /// One more path of so many bytes. Before anything is compared, which holds every path in memory: few objects can name very long ones.
    fn path(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes > limits::PATH_BYTES_MAX {
            return Err(bad("It has a file whose path is too long."));
        }
        self.paths = self.paths.saturating_add(bytes);
        if self.paths > limits::CHECKPOINT_PATHS_BYTES_MAX { Err(too_large()) } else { Ok(()) }
    }

    fn blob(&self, id: git2::Oid) -> Result<(), Problem> {
        match self.odb.read_header(id) {
            Ok((_, ObjectType::Blob)) => Ok(()),
            _ => Err(bad(format!("The file {id} is missing or broken."))),
        }
    }

    /// How much will be laid over the tree `from`: one small object may be named very often.
    fn laid(&mut self, from: Option<&git2::Tree<'_>>, to: &Oid) -> Result<(), Problem> {
        let what = "The checkpoint cannot be read.";
        let to = self.repo.find_tree(convert::git_oid(to.as_str())?).told(what)?;
        let diff = self.repo.diff_tree_to_tree(from, Some(&to), None).told(what)?;
        for delta in diff.deltas().filter(|delta| delta.status() != Delta::Deleted && delta.old_file().id() != delta.new_file().id()) {
            let file = delta.new_file();
            // Of a submodule only the folder is laid.
            self.bytes = self.bytes.saturating_add(self.odb.read_header(file.id()).map_or(0, |(size, _)| size as u64));
            if self.bytes > limits::CHECKPOINT_BYTES_MAX {
                return Err(too_large());
            }
        }
        Ok(())
    }
}
