//! What a run needs of git: a plain clone for its engine, the host's own git folder beside it, commits, and checkpoints.

use crate::{
    Forge, RunSigner,
    convert::{self, Told},
    diff,
    durable::make_durable,
    git,
    key::commit_signature,
    limits,
    moving::below,
    objects::{self, copy_objects},
    repository::{canonical, locked_ref, tree_of},
    tree::{self, BaseTree, ImportLimits, Imported},
    unreached::remove_unreached,
    whole::is_there,
};
use domain::{Oid, Problem, Rid, RunId};
use git2::{Delta, ErrorCode, FileMode, ObjectType};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The host's own git folder of a run: bare, outside everything that the engine can write. It borrows the objects of the
/// project's storage and keeps what the run made.
pub struct RunRepo {
    path: PathBuf,
    branch: String,
}

/// A commit that waits for the run's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedCommit {
    /// The commit without signature, as git would store it.
    pub raw: Vec<u8>,
    /// Its tree, which the runner compares with its own.
    pub tree: Oid,
}

/// Saved work of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The commit that holds it.
    pub commit: Oid,
    /// The commit that the run began from.
    pub base: Oid,
    /// The worktree.
    pub work: Oid,
    /// The engine's session files, where there were any.
    pub session: Option<Oid>,
}

pub(crate) const CHECKPOINTS: &str = "refs/meshwork/checkpoints";
const WORK: &str = "work";
const SESSION: &str = "session";

impl RunRepo {
    /// Makes the git folder at `path`, or opens it when it is there.
    pub fn create(path: &Path, forge: &Forge, rid: &Rid) -> Result<Self, Problem> {
        let storage = forge.repository(rid)?;
        bare(path, &storage.backend.path().join("objects"))?;
        Ok(Self { path: path.to_owned(), branch: canonical(&storage)?.0 })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The listing of a commit's tree.
    pub fn base_tree(&self, commit: &Oid) -> Result<BaseTree, Problem> {
        BaseTree::of(&self.open()?, commit)
    }

    /// Reads a worktree as plain files into this git folder; see [`crate::tree_of`].
    pub fn import(&self, work: &Path, base: &BaseTree, limits: &ImportLimits) -> Result<Imported, Problem> {
        let repo = self.open()?;
        let odb = repo.odb().told("The host's git folder cannot be read.")?;
        tree::import(work, base, limits, &mut tree::Odb(odb))
    }

    /// A commit by the run, to be signed by it.
    pub fn prepare_commit(&self, tree: &Oid, parents: &[Oid], author: &str, message: &str) -> Result<PreparedCommit, Problem> {
        let repo = self.open()?;
        let what = "The run's commit could not be made.";
        let author = git2::Signature::now(author, "run@meshwork.invalid").told(what)?;
        let found = repo.find_tree(convert::git_oid(tree.as_str())?).told(what)?;
        let parents = parents.iter().map(|p| repo.find_commit(convert::git_oid(p.as_str())?).told(what)).collect::<Result<Vec<_>, _>>()?;
        let parents: Vec<_> = parents.iter().collect();
        let raw = repo.commit_create_buffer(&author, &author, message, &found, &parents).told(what)?;
        Ok(PreparedCommit { raw: raw.to_vec(), tree: tree.clone() })
    }

    /// Has the run sign a commit, and stores it.
    pub fn sign_commit(&self, commit: &PreparedCommit, signer: &dyn RunSigner) -> Result<Oid, Problem> {
        let what = "The run's commit could not be stored.";
        let signature = commit_signature(signer.key(), &signer.sign_commit(&commit.raw, &commit.tree)?)?;
        let raw = std::str::from_utf8(&commit.raw).told(what)?;
        convert::oid(self.open()?.commit_signed(raw, &signature, None).told(what)?)
    }

    /// [`RunRepo::prepare_commit`] and [`RunRepo::sign_commit`] in one.
    pub fn commit(&self, tree: &Oid, parents: &[Oid], author: &str, message: &str, signer: &dyn RunSigner) -> Result<Oid, Problem> {
        self.sign_commit(&self.prepare_commit(tree, parents, author, message)?, signer)
    }

    /// A plain clone of a commit that lies here or in the project's storage; see [`Forge::checkout`].
    pub fn checkout(&self, commit: &Oid, into: &Path) -> Result<(), Problem> {
        checkout(&self.path, &self.branch, commit, into)
    }

    /// The difference of two commits that lie here or in the project's storage; see [`Forge::diff`].
    pub fn diff(&self, from: &Oid, to: &Oid) -> Result<String, Problem> {
        diff::commits(&self.open()?, from, to)
    }

    pub(crate) fn open(&self) -> Result<git2::Repository, Problem> {
        git2::Repository::open_bare(&self.path).told(format!("The host's git folder {} cannot be opened.", self.path.display()))
    }

    /// Brings everything that the run made into another repository of ours.
    pub(crate) fn objects_into(&self, repository: &Path) -> Result<(), Problem> {
        copy_objects(&self.path.join("objects"), &repository.join("objects")).told("The run's objects could not be copied.")
    }
}

impl Forge {
    /// A plain clone of a commit for an engine: its own `.git` with a piece of history, no remotes, no hooks, nothing borrowed
    /// and nothing shared with the storage, so that an engine can break only its own. To be made before any engine runs.
    pub fn checkout(&self, rid: &Rid, commit: &Oid, into: &Path) -> Result<(), Problem> {
        let repo = self.repository(rid)?;
        checkout(repo.backend.path(), &canonical(&repo)?.0, commit, into)
    }

    /// Saves the work of a run beside the storage, where it survives the run's folder. `work` and `session` are trees that
    /// were imported into `repo`. A later checkpoint of the same run takes the place of the earlier.
    pub fn checkpoint(
        &self,
        rid: &Rid,
        run: &RunId,
        repo: &RunRepo,
        base: &Oid,
        work: &Oid,
        session: Option<&Oid>,
    ) -> Result<Oid, Problem> {
        let what = "The checkpoint could not be written.";
        let commit = checkpoint_commit(&repo.open()?, run, base, work, session).told(what)?;
        self.saving.turn(convert::repo_id(rid)?, *self.device_key(), || {
            let kept = self.checkpoints(rid)?;
            repo.objects_into(kept.path())?;
            let name = format!("{CHECKPOINTS}/{run}");
            locked_ref(|| kept.reference(&name, commit, true, "checkpoint").map(drop)).told(what)
        })?;
        convert::oid(commit)
    }

    /// The last checkpoint of a run.
    ///
    /// # Errors
    /// Not found when its name is there, and it is not. Else when it cannot be read now.
    pub fn checkpoint_of(&self, rid: &Rid, run: &RunId) -> Result<Option<Checkpoint>, Problem> {
        // Made only when the first checkpoint is written.
        if !is_there(&self.checkpoints_path(rid)).told("The checkpoint cannot be read.")? {
            return Ok(None);
        }
        let kept = self.checkpoints(rid)?;
        match kept.refname_to_id(&format!("{CHECKPOINTS}/{run}")) {
            Ok(commit) => read_checkpoint(&kept, commit).map(Some),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            // It may be there all the same.
            Err(error) => Err(error).told("The checkpoint cannot be read."),
        }
    }

    /// What saved work changed since the commit that its run began from; see [`Forge::diff`].
    pub fn diff_checkpoint(&self, rid: &Rid, checkpoint: &Oid) -> Result<String, Problem> {
        if !is_there(&self.checkpoints_path(rid)).told("The checkpoint cannot be read.")? {
            return Err(no_checkpoint(checkpoint));
        }
        let kept = self.checkpoints(rid)?;
        let found = read_checkpoint(&kept, convert::git_oid(checkpoint.as_str())?)?;
        let base = tree_of(&kept, convert::git_oid(found.base.as_str())?)?;
        sound(&kept, base.id(), &[&found.work])?;
        let work = kept.find_tree(convert::git_oid(found.work.as_str())?).told("The saved work cannot be read.")?;
        diff::trees(&kept, &base, &work)
    }

    /// The runs that have a checkpoint.
    pub fn checkpointed(&self, rid: &Rid) -> Result<Vec<RunId>, Problem> {
        if !self.checkpoints_path(rid).exists() {
            return Ok(Vec::new());
        }
        let what = "The checkpoints cannot be listed.";
        let kept = self.checkpoints(rid)?;
        let references = kept.references_glob(&format!("{CHECKPOINTS}/*")).told(what)?;
        let run = |name: &str| name.rsplit('/').next().and_then(|id| id.parse().ok());
        Ok(references.filter_map(|found| found.ok().and_then(|f| f.name().ok().and_then(run))).collect())
    }

    /// Forgets the checkpoint of a run: when its work is published, or a person said so.
    pub fn drop_checkpoint(&self, rid: &Rid, run: &RunId) -> Result<(), Problem> {
        let what = "The checkpoint could not be removed.";
        self.saving.turn(convert::repo_id(rid)?, *self.device_key(), || {
            if !self.checkpoints_path(rid).exists() {
                return Ok(());
            }
            let kept = self.checkpoints(rid)?;
            if let Ok(mut found) = kept.find_reference(&format!("{CHECKPOINTS}/{run}")) {
                found.delete().told(what)?;
            }
            let none_left = kept.references_glob(&format!("{CHECKPOINTS}/*")).told(what)?.next().is_none();
            if none_left {
                return remove_whole(kept.path()).told(what);
            }
            // It is gone; what is left of it takes room alone.
            if let Err(problem) = remove_unreached(&kept) {
                tracing::warn!(%rid, %problem, "objects that no checkpoint needs were left; the next that is removed takes them along");
            }
            Ok(())
        })
    }

    /// Lays saved work into a fresh clone at `into`: git sees it as changes since the run's base. The engine's session files
    /// go below `session_into`, if asked for.
    pub fn restore(&self, rid: &Rid, checkpoint: &Oid, into: &Path, session_into: Option<&Path>) -> Result<Checkpoint, Problem> {
        let restored = self.restore_from(&self.checkpoints(rid)?, rid, checkpoint, into, session_into);
        if restored.is_err() {
            self.look_again(checkpoint);
        }
        restored
    }

    /// The same, from the git folder that holds it.
    pub(crate) fn restore_from(
        &self,
        kept: &git2::Repository,
        rid: &Rid,
        checkpoint: &Oid,
        into: &Path,
        session_into: Option<&Path>,
    ) -> Result<Checkpoint, Problem> {
        let found = read_checkpoint(kept, convert::git_oid(checkpoint.as_str())?)?;
        self.checkout(rid, &found.base, into)?;
        let base = tree_of(kept, convert::git_oid(found.base.as_str())?)?;
        sound(kept, base.id(), &[Some(&found.work), found.session.as_ref()].into_iter().flatten().collect::<Vec<_>>())?;
        lay(kept, Some(&base), &found.work, into)?;
        if let (Some(session), Some(into)) = (&found.session, session_into) {
            fs::create_dir_all(into).told("The engine's session files could not be laid.")?;
            lay(kept, None, session, into)?;
        }
        Ok(found)
    }

    pub(crate) fn checkpoints_path(&self, rid: &Rid) -> PathBuf {
        self.own.join("checkpoints").join(format!("{}.git", rid.as_str().trim_start_matches("rad:")))
    }

    /// The repository that holds the checkpoints: never announced, and it borrows the objects of the projects.
    pub(crate) fn checkpoints(&self, rid: &Rid) -> Result<git2::Repository, Problem> {
        let path = self.checkpoints_path(rid);
        bare(&path, &self.repository(rid)?.backend.path().join("objects"))?;
        let repo = git2::Repository::open_bare(&path).told("The checkpoints cannot be opened.")?;
        make_durable(&repo, &self.durable)?;
        Ok(repo)
    }
}

/// Removes a git folder, whole or not at all: in half of one nothing could be saved any more, and no new one take its place.
fn remove_whole(path: &Path) -> std::io::Result<()> {
    let gone = path.with_extension("gone");
    match fs::remove_dir_all(&gone) {
        // What a crash left of one before.
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(path, &gone)?;
    fs::remove_dir_all(&gone)
}

/// Makes a bare repository that borrows objects, without hooks. Where it is there, it borrows them from now on.
pub(crate) fn bare(path: &Path, from: &Path) -> Result<(), Problem> {
    let what = format!("The git folder {} could not be made.", path.display());
    if is_whole(path) {
        return borrow(path, from).told(what);
    }
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).external_template(false).mkpath(true);
    // HEAD is what says that it is there, so everything is made elsewhere and moved.
    let draft = path.with_extension("new");
    let _ = fs::remove_dir_all(&draft);
    let repo = git2::Repository::init_opts(&draft, &options).told(what.clone())?;
    drop(repo);
    let _ = fs::remove_dir_all(draft.join("hooks"));
    borrow(&draft, from).told(what.clone())?;
    match fs::rename(&draft, path) {
        Err(_) if is_whole(path) => Ok(()),
        Err(_) if path.is_dir() => complete(path, &draft).and_then(|()| borrow(path, from)).told(what),
        renamed => renamed.told(what),
    }
}

/// Whether git takes it for a repository.
fn is_whole(path: &Path) -> bool {
    ["objects", "refs", "HEAD"].iter().all(|part| path.join(part).exists())
}

/// Lays what is missing in a git folder of which a part was lost. What is there stays as it is.
fn complete(path: &Path, draft: &Path) -> std::io::Result<()> {
    tracing::warn!(path = %path.display(), "a git folder had lost a part of what makes it one, which is made anew");
    let mut parts = fs::read_dir(draft)?.collect::<std::io::Result<Vec<_>>>()?;
    parts.sort_by_key(|part| part.file_name() == "HEAD");
    for part in parts {
        let place = path.join(part.file_name());
        if !is_there(&place)? {
            fs::rename(part.path(), place)?;
        }
    }
    fs::remove_dir_all(draft)
}

/// Says in a git folder of ours where the objects lie that it borrows. They lie elsewhere after a restore into another folder.
fn borrow(path: &Path, from: &Path) -> std::io::Result<()> {
    let mut line = from.canonicalize()?.into_os_string().into_vec();
    line.push(b'\n');
    let info = path.join("objects/info");
    let place = info.join("alternates");
    if fs::read(&place).is_ok_and(|there| there == line) {
        return Ok(());
    }
    fs::create_dir_all(&info)?;
    let draft = info.join(format!("tmp_alternates_{}", DRAFTS.fetch_add(1, Ordering::Relaxed)));
    fs::write(&draft, line)?;
    fs::rename(&draft, &place)
}

fn checkout(from: &Path, branch: &str, commit: &Oid, into: &Path) -> Result<(), Problem> {
    let what = "The worktree could not be laid.";
    fs::create_dir_all(into).told(what)?;
    git::run(into, ["init", "--quiet", "--template=", "--initial-branch", branch, "."], what)?;
    let depth = format!("--depth={}", limits::HISTORY_COMMITS);
    let from = from.canonicalize().told(what)?;
    let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", &depth, "--"].map(OsStr::new);
    git::run(into, fetch.into_iter().chain([from.as_os_str(), OsStr::new(commit.as_str())]), what)?;
    git::run(into, ["config", "user.name", "meshwork run"], what)?;
    git::run(into, ["config", "user.email", "run@meshwork.invalid"], what)?;
    // The files as they are in git, byte for byte: the import takes them as they are too. Whatever the project's own
    // attributes convert would otherwise come back as changes that nobody made.
    fs::create_dir_all(into.join(".git/info")).told(what)?;
    fs::write(into.join(".git/info/attributes"), "* -text -ident -filter -working-tree-encoding\n").told(what)?;
    git::run(into, ["config", "core.autocrlf", "false"], what)?;
    git::run(into, ["reset", "--quiet", "--hard", commit.as_str()], what)?;
    Ok(())
}

fn checkpoint_commit(
    repo: &git2::Repository,
    run: &RunId,
    base: &Oid,
    work: &Oid,
    session: Option<&Oid>,
) -> Result<git2::Oid, git2::Error> {
    let id = |oid: &Oid| git2::Oid::from_str(oid.as_str());
    let mut tree = repo.treebuilder(None)?;
    tree.insert(WORK, id(work)?, FileMode::Tree.into())?;
    if let Some(session) = session {
        tree.insert(SESSION, id(session)?, FileMode::Tree.into())?;
    }
    let tree = repo.find_tree(tree.write()?)?;
    let author = git2::Signature::now("meshwork", "checkpoint@meshwork.invalid")?;
    let base = repo.find_commit(id(base)?)?;
    repo.commit(None, &author, &author, &format!("Checkpoint of run {run}\n"), &tree, &[&base])
}

pub(crate) fn read_checkpoint(repo: &git2::Repository, commit: git2::Oid) -> Result<Checkpoint, Problem> {
    let what = "The checkpoint cannot be read.";
    let found = match objects::read(repo, commit, |id| repo.find_commit(id)) {
        Err(error) if error.code() == ErrorCode::NotFound => return Err(no_checkpoint(&commit)),
        found => found.told(what)?,
    };
    let tree = objects::read(repo, found.tree_id(), |id| repo.find_tree(id)).told(what)?;
    let work = tree.get_name(WORK).ok_or_else(|| Problem::invalid(format!("The commit {commit} is not a checkpoint.")))?.id();
    let session = tree.get_name(SESSION).map(|entry| convert::oid(entry.id())).transpose()?;
    Ok(Checkpoint {
        commit: convert::oid(commit)?,
        base: convert::oid(found.parent_id(0).told(what)?)?,
        work: convert::oid(work)?,
        session,
    })
}

pub(crate) fn no_checkpoint(commit: &dyn std::fmt::Display) -> Problem {
    Problem::not_found(format!("The checkpoint {commit} is not on this device."))
}

/// Refuses trees with an object that was cut off, other than those of the tree `base`: git would look for its end for ever.
fn sound(repo: &git2::Repository, base: git2::Oid, trees: &[&Oid]) -> Result<(), Problem> {
    let mut known = HashSet::new();
    below(repo, base, &mut known, &mut |_, _| Ok(()))?;
    for tree in trees {
        below(repo, convert::git_oid(tree.as_str())?, &mut known, &mut |_, id| {
            objects::read(repo, id, |_| Ok(())).told("The checkpoint cannot be read.")
        })?;
    }
    Ok(())
}

/// Makes the files below `dir`, which are those of `from`, those of the tree `to`. Nobody else writes there yet.
fn lay(repo: &git2::Repository, from: Option<&git2::Tree<'_>>, to: &Oid, dir: &Path) -> Result<(), Problem> {
    let what = "The saved work could not be laid.";
    let to = repo.find_tree(convert::git_oid(to.as_str())?).told(what)?;
    let diff = repo.diff_tree_to_tree(from, Some(&to), None).told(what)?;
    // What goes away goes first: a folder may have become a link, or a link a folder.
    for delta in diff.deltas().filter(|d| d.status() != Delta::Added) {
        if let Some(path) = delta.old_file().path_bytes() {
            remove(dir, path).told(what)?;
        }
    }
    for delta in diff.deltas().filter(|d| d.status() != Delta::Deleted) {
        let file = delta.new_file();
        if let Some(path) = file.path_bytes() {
            write(repo, dir, path, file.id(), file.mode()).told(what)?;
        }
    }
    Ok(())
}

fn remove(dir: &Path, path: &[u8]) -> std::io::Result<()> {
    let file = dir.join(OsStr::from_bytes(path));
    match fs::symlink_metadata(&file) {
        // An empty folder stands for a submodule.
        Ok(found) if found.is_dir() => fs::remove_dir(&file)?,
        Ok(_) => fs::remove_file(&file)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Folders that became empty go too, since git knows none.
    let mut above = file.parent();
    while let Some(folder) = above.filter(|folder| *folder != dir) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
        above = folder.parent();
    }
    Ok(())
}

fn write(repo: &git2::Repository, dir: &Path, path: &[u8], oid: git2::Oid, mode: FileMode) -> Result<(), Box<dyn std::error::Error>> {
    let file = dir.join(OsStr::from_bytes(path));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    if mode == FileMode::Commit {
        return Ok(fs::create_dir_all(&file)?);
    }
    let object = repo.find_object(oid, Some(ObjectType::Blob))?;
    let content = object.as_blob().map(git2::Blob::content).unwrap_or_default();
    if mode == FileMode::Link {
        return Ok(symlink(OsStr::from_bytes(content), &file)?);
    }
    let bits = if mode == FileMode::BlobExecutable { 0o777 } else { 0o666 };
    fs::OpenOptions::new().write(true).create_new(true).mode(bits).open(&file)?.write_all(content)?;
    Ok(())
}

static DRAFTS: AtomicU64 = AtomicU64::new(0);
