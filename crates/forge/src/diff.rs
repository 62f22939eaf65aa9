//! What changed between two commits.

use crate::{
    Forge,
    convert::{self, Told},
    limits,
    merge::{Resolve, merge_trees},
    repository::tree_of,
};
use domain::{Oid, Problem, Rid};
use git2::{Delta, Diff, DiffFindOptions, DiffFormat, DiffOptions, Patch};
use serde::Serialize;

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedFile {
    /// Its path, in the later commit unless it was removed.
    pub path: String,
    /// Its path in the earlier commit, where it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happened to it.
    pub change: FileChange,
    /// Lines that came.
    pub added: usize,
    /// Lines that went.
    pub removed: usize,
    /// Whether it is not text.
    pub binary: bool,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It is new.
    Added,
    /// It has other content, mode or kind.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path.
    Renamed,
}

impl Forge {
    /// The difference of two commits as a unified diff. What is longer than its limit ends with a line that says so.
    pub fn diff(&self, rid: &Rid, from: &Oid, to: &Oid) -> Result<String, Problem> {
        let repo = self.repository(rid)?;
        print(&between(&repo.backend, from, to)?)
    }

    /// The difference of two works, each a commit and the commit that it began from, as if the first had begun where the second
    /// did. None where the first conflicts there.
    pub fn diff_rebased(&self, rid: &Rid, from: (&Oid, &Oid), to: (&Oid, &Oid), resolve: &Resolve<'_>) -> Result<Option<String>, Problem> {
        let what = "The diff could not be made.";
        let repo = self.repository(rid)?;
        let git = &repo.backend;
        // What is merged for a look is kept in memory alone.
        git.odb().and_then(|odb| odb.add_new_mempack_backend(i32::MAX).map(drop)).told(what)?;
        let tree = |oid: &Oid| tree_of(git, convert::git_oid(oid.as_str())?);
        match merge_trees(git, &[tree(from.0)?, tree(to.0)?, tree(from.1)?], resolve)? {
            Ok(laid) => print(&trees(git, &git.find_tree(laid).told(what)?, &tree(to.1)?)?).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The files that differ between two commits.
    pub fn changed_files(&self, rid: &Rid, from: &Oid, to: &Oid) -> Result<Vec<ChangedFile>, Problem> {
        let repo = self.repository(rid)?;
        let diff = between(&repo.backend, from, to)?;
        let count = diff.deltas().len();
        if count > limits::CHANGED_FILES_MAX {
            return Err(Problem::new(
                domain::Kind::Limit,
                format!("{count} files differ; {} are listed at most.", limits::CHANGED_FILES_MAX),
            ));
        }
        (0..count).map(|at| changed(&diff, at)).collect()
    }
}

/// As a unified diff. What is longer than its limit ends with a line that says so.
fn print(diff: &Diff<'_>) -> Result<String, Problem> {
    let (mut text, mut full) = (Vec::new(), false);
    let printed = diff.print(DiffFormat::Patch, |_, _, line| {
        if matches!(line.origin(), '+' | '-' | ' ') {
            text.push(line.origin() as u8);
        }
        text.extend_from_slice(line.content());
        full = text.len() > limits::DIFF_BYTES_MAX;
        !full
    });
    if full {
        text.truncate(limits::DIFF_BYTES_MAX);
        let shown = format!("\n[cut here: the diff is longer than {} MiB]\n", limits::DIFF_BYTES_MAX >> 20);
        text.extend_from_slice(shown.as_bytes());
    } else {
        printed.told("The diff could not be made.")?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn between<'r>(git: &'r git2::Repository, from: &Oid, to: &Oid) -> Result<Diff<'r>, Problem> {
    let from = tree_of(git, convert::git_oid(from.as_str())?)?;
    let to = tree_of(git, convert::git_oid(to.as_str())?)?;
    trees(git, &from, &to)
}

fn trees<'r>(git: &'r git2::Repository, from: &git2::Tree<'r>, to: &git2::Tree<'r>) -> Result<Diff<'r>, Problem> {
    let what = "The diff could not be made.";
    let mut options = DiffOptions::new();
    options.max_size(i64::try_from(limits::DIFF_BYTES_MAX).unwrap_or(i64::MAX));
    let mut diff = git.diff_tree_to_tree(Some(from), Some(to), Some(&mut options)).told(what)?;
    diff.find_similar(Some(DiffFindOptions::new().renames(true).rename_limit(500))).told(what)?;
    Ok(diff)
}

fn changed(diff: &Diff<'_>, at: usize) -> Result<ChangedFile, Problem> {
    let what = "The diff could not be made.";
    let patch = Patch::from_diff(diff, at).told(what)?;
    let (_, added, removed) = patch.as_ref().map_or(Ok((0, 0, 0)), Patch::line_stats).told(what)?;
    let delta = diff.get_delta(at).ok_or_else(|| Problem::internal("a diff changed while it was read"))?;
    let path = |file: git2::DiffFile<'_>| file.path_bytes().map(|path| String::from_utf8_lossy(path).into_owned()).unwrap_or_default();
    let (old, new) = (path(delta.old_file()), path(delta.new_file()));
    let change = match delta.status() {
        Delta::Added => FileChange::Added,
        Delta::Deleted => FileChange::Deleted,
        Delta::Renamed => FileChange::Renamed,
        _ => FileChange::Modified,
    };
    let from = (change == FileChange::Renamed).then(|| old.clone());
    let path = if change == FileChange::Deleted { old } else { new };
    Ok(ChangedFile { path, from, change, added, removed, binary: delta.flags().is_binary() })
}
