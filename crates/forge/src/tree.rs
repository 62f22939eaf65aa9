//! A worktree as a git tree, read as plain files: hostile ground that is only looked at.
//!
//! An engine can write everything in the worktree, its `.git` too, while we look. So git never runs there, `.git` is never
//! read, and no link is ever followed: every file is opened relative to its folder's descriptor with `O_NOFOLLOW`.
//! The result depends on nothing but the files and the base tree, so that runner and host get the same hash from the same
//! files. Filters of `.gitattributes` are never run.

mod base;
mod ignored;
mod object;
mod walk;

pub use base::BaseTree;
pub(crate) use object::{Objects, Odb};
pub(crate) use walk::{FILE_FLAGS, FOLDER_FLAGS, is_git_name};

use crate::{convert, limits};
use domain::{Oid, Problem, run::LeftOut};
use std::path::Path;

/// What an import does with a file that is too large or cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TooLarge {
    /// Nothing is imported; the problem names the file. For commits.
    #[default]
    Refuse,
    /// The file is left out, and a note names it. For checkpoints, which should save what they can.
    LeaveOut,
}

/// The limits of an import, and how it treats what goes beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// How many files, links and folders there may be.
    pub entries: usize,
    /// The largest file that may be new or changed, in bytes.
    pub file_bytes: u64,
    /// How many bytes may be new or changed in all.
    pub new_bytes: u64,
    /// What happens to files that are too large.
    pub too_large: TooLarge,
    /// Whether ignore files are heeded.
    pub ignore: Ignore,
}

/// Whether ignore files are heeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ignore {
    /// What the base tree's or the worktree's `.gitignore` files ignore is left out, unless the base tree has it.
    #[default]
    Heeded,
    /// Everything counts: for folders that are no worktree, such as an engine's session files.
    Not,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            entries: limits::IMPORT_ENTRIES_MAX,
            file_bytes: limits::IMPORT_FILE_BYTES_MAX,
            new_bytes: limits::IMPORT_NEW_BYTES_MAX,
            too_large: TooLarge::default(),
            ignore: Ignore::default(),
        }
    }
}

/// A worktree that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The tree's hash.
    pub tree: Oid,
    /// Whether it differs from the base tree.
    pub changed: bool,
    /// How many files and links it has.
    pub files: usize,
    /// What was left out or is odd: sentences. The same for the same files.
    pub notes: Vec<String>,
    /// What is in the worktree and not in the tree, ignored files too.
    pub left_out: LeftOut,
}

/// The hash of the tree that `work` would be as a commit on top of `base`. Writes nothing anywhere.
pub fn tree_of(work: &Path, base: &BaseTree, limits: &ImportLimits) -> Result<Imported, Problem> {
    import(work, base, limits, &mut object::HashOnly)
}

/// As [`tree_of`]; what is new goes into `objects`.
pub(crate) fn import(work: &Path, base: &BaseTree, limits: &ImportLimits, objects: &mut dyn Objects) -> Result<Imported, Problem> {
    let walked = walk::walk(work, base, limits, objects)?;
    Ok(Imported {
        tree: convert::oid(walked.tree)?,
        changed: walked.tree != base.tree,
        files: walked.files,
        notes: walked.notes,
        left_out: walked.left_out,
    })
}
