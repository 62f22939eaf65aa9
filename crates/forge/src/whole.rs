//! Whether a checkpoint is whole on this disk. What is missing or broken for good is told apart from what cannot be read just now, as where
//! a disk is away or failing: that is an error, and says nothing of the checkpoint. What is left of a damaged one can be copied aside.

use crate::{
    Forge,
    convert::{self, Told},
    durable::sync_made,
    limits,
    moving::{ObjectKind, below},
    objects::{self, loose},
    queue::lock,
    repository::{locked_ref, tree_of},
    run::{CHECKPOINTS, bare, read_checkpoint},
};
use domain::{Kind, Oid, Problem, Rid, RunId};
use git2::{ErrorClass, ErrorCode, ObjectType, Repository};
use std::{
    collections::HashSet,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// What is said of what cannot be read just now.
const UNREAD: &str = "A checkpoint cannot be read now; it is kept as it is.";

/// What the disk has of the checkpoint of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnDisk {
    /// Nothing.
    Nothing,
    /// All of this one.
    Whole(Oid),
    /// Some of it: what is missing or broken, in words.
    Damaged(String),
}

/// How closely a checkpoint is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Whether everything is there.
    Over,
    /// Whether everything can be read. What was found whole is not read again, until it could not be used.
    Through,
}

impl Forge {
    /// What the disk has of a run's checkpoint, which is this commit as far as is known. Where that has lost its name alone, it gets its
    /// name back.
    ///
    /// # Errors
    /// When that cannot be told just now, also because the commit on which it stands cannot be read.
    pub fn look_at_checkpoint(&self, rid: &Rid, run: &RunId, commit: &Oid, look: Look) -> Result<OnDisk, Problem> {
        let (wanted, id) = (convert::git_oid(commit.as_str())?, convert::repo_id(rid)?);
        // Reading all of one that is large takes long: whoever saves work meanwhile does not wait for that.
        if let Ok(Some(whole)) = self.reading.turn(id, *self.device_key(), || self.named_whole(rid, run, look)) {
            return Ok(whole);
        }
        // Nobody may remove anything meanwhile: what was missing may just have been dropped.
        self.saving.turn(id, *self.device_key(), || {
            if !is_there(&self.checkpoints_path(rid)).told(UNREAD)? {
                return Ok(OnDisk::Nothing);
            }
            let kept = self.checkpoints(rid)?;
            let named = named_again(&kept, run, wanted)?;
            let mut flaw = None;
            if let Named::Commit(id) = named {
                flaw = self.flaw(&kept, rid, id, look)?;
                if flaw.is_none() {
                    return Ok(OnDisk::Whole(convert::oid(id)?));
                }
            }
            if named != Named::Commit(wanted) {
                match self.flaw(&kept, rid, wanted, look)? {
                    None => return name_again(&kept, &name_of(run), named, wanted).map(|()| OnDisk::Whole(commit.clone())),
                    Some(other) => flaw = flaw.or(Some(other)),
                }
                if named == Named::Nothing && !is_there(&loose(&kept.path().join("objects"), wanted)).told(UNREAD)? {
                    return Ok(OnDisk::Nothing);
                }
            }
            Ok(OnDisk::Damaged(flaw.unwrap_or_default()))
        })
    }

    /// The checkpoint that has the name of this run's, if it is whole.
    fn named_whole(&self, rid: &Rid, run: &RunId, look: Look) -> Result<Option<OnDisk>, Problem> {
        if !is_there(&self.checkpoints_path(rid)).told(UNREAD)? {
            return Ok(None);
        }
        let kept = self.checkpoints(rid)?;
        let Named::Commit(id) = Named::of(&kept, &name_of(run))? else { return Ok(None) };
        let flaw = self.flaw(&kept, rid, id, look)?;
        Ok(if flaw.is_none() { Some(OnDisk::Whole(convert::oid(id)?)) } else { None })
    }

    /// Gives a run's checkpoint, which is this commit as far as is known, its name back where it has none any more. What no name leads to
    /// is removed with the next checkpoint that goes, whole or not.
    ///
    /// # Errors
    /// When its name cannot be read, or not be written.
    pub fn name_checkpoint(&self, rid: &Rid, run: &RunId, commit: &Oid) -> Result<(), Problem> {
        let wanted = convert::git_oid(commit.as_str())?;
        self.saving.turn(convert::repo_id(rid)?, *self.device_key(), || {
            if !is_there(&self.checkpoints_path(rid)).told(UNREAD)? {
                return Ok(());
            }
            named_again(&self.checkpoints(rid)?, run, wanted).map(drop)
        })
    }

    /// Whether this checkpoint was read whole already, and could be used since: then it is looked through in a moment.
    pub fn was_whole(&self, commit: &Oid) -> bool {
        convert::git_oid(commit.as_str()).is_ok_and(|id| lock(&self.whole).contains(&id))
    }

    /// The next look at this checkpoint reads all of it: it could not be used.
    pub fn look_again(&self, commit: &Oid) {
        if let Ok(id) = convert::git_oid(commit.as_str()) {
            lock(&self.whole).remove(&id);
        }
    }

    /// What is missing or broken of a checkpoint, in words; none: it is whole.
    fn flaw(&self, kept: &Repository, rid: &Rid, id: git2::Oid, look: Look) -> Result<Option<String>, Problem> {
        if lock(&self.whole).contains(&id) && read_checkpoint(kept, id).is_ok() {
            return Ok(None);
        }
        let storage = self.repository(rid)?.backend.path().join("objects");
        let mut looked = Looked { kept, own: kept.path().join("objects"), storage, lost: vec![], more: 0 };
        looked.checkpoint(id, look)?;
        let flaw = looked.text();
        let mut whole = lock(&self.whole);
        whole.remove(&id);
        if flaw.is_none() && look == Look::Through {
            if whole.len() >= limits::WHOLE_KNOWN_MAX {
                whole.clear();
            }
            whole.insert(id);
        }
        Ok(flaw)
    }

    /// Copies what is left of a run's checkpoint into a git folder at `into`, as it lies on the disk: with what is broken, and with all
    /// that no other checkpoint needs, since it may not be known any more what belonged to it. Its branch `saved` names the checkpoint.
    /// May be done again.
    ///
    /// # Errors
    /// When something cannot be read, or the disk does not take it.
    pub fn copy_remains(&self, rid: &Rid, run: &RunId, commit: &Oid, into: &Path) -> Result<(), Problem> {
        let what = "What is left of a damaged checkpoint could not be copied.";
        let wanted = convert::git_oid(commit.as_str())?;
        self.saving.turn(convert::repo_id(rid)?, *self.device_key(), || {
            let (kept, name) = (self.checkpoints(rid)?, name_of(run));
            let (mut its, mut others) = (HashSet::new(), HashSet::new());
            names(&kept, wanted, &mut its);
            for found in kept.references_glob(&format!("{CHECKPOINTS}/*")).told(what)? {
                let found = found.told(what)?;
                let of_run = found.name().is_ok_and(|found| found == name);
                if let Some(id) = found.target() {
                    names(&kept, id, if of_run { &mut its } else { &mut others });
                }
            }
            bare(into, &self.repository(rid)?.backend.path().join("objects"))?;
            let left = |id: git2::Oid| its.contains(&id) || !others.contains(&id);
            copy_as_it_is(&kept.path().join("objects"), &into.join("objects"), left).told(what)?;
            let heads = into.join("refs/heads");
            fs::create_dir_all(&heads).and_then(|()| fs::write(heads.join("saved"), format!("{commit}\n"))).told(what)?;
            sync_made(into)
        })
    }

    /// Forgets the name of a damaged checkpoint, unless the run has another one by now.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_damaged(&self, rid: &Rid, run: &RunId, commit: &Oid) -> Result<(), Problem> {
        let what = "The name of a damaged checkpoint could not be removed.";
        let id = convert::git_oid(commit.as_str())?;
        self.saving.turn(convert::repo_id(rid)?, *self.device_key(), || {
            if !is_there(&self.checkpoints_path(rid)).told(what)? {
                return Ok(());
            }
            let kept = self.checkpoints(rid)?;
            match kept.find_reference(&name_of(run)) {
                Ok(mut found) if found.target() == Some(id) => found.delete().told(what),
                _ => Ok(()),
            }
        })
    }
}

/// What the name of a run's checkpoint stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// There is no such name.
    Nothing,
    /// It is there, and no name any more.
    Broken,
    /// This commit.
    Commit(git2::Oid),
}

impl Named {
    fn of(kept: &Repository, name: &str) -> Result<Self, Problem> {
        match kept.refname_to_id(name) {
            Ok(id) => Ok(Self::Commit(id)),
            // Git says so too of what may not be looked at.
            Err(error) if error.code() == ErrorCode::NotFound => match is_there(&kept.path().join(name)) {
                Ok(false) => Ok(Self::Nothing),
                Ok(true) => Err(error).told(UNREAD),
                Err(error) => Err(error).told(UNREAD),
            },
            Err(error) if error.class() == ErrorClass::Reference => fs::read(kept.path().join(name)).map(|_| Self::Broken).told(UNREAD),
            Err(error) => Err(error).told(UNREAD),
        }
    }
}

fn name_of(run: &RunId) -> String {
    format!("{CHECKPOINTS}/{run}")
}

/// What the name of a run's checkpoint stands for, once that has it back: one that is on the disk, whole or damaged, may have lost it.
fn named_again(kept: &Repository, run: &RunId, wanted: git2::Oid) -> Result<Named, Problem> {
    let name = name_of(run);
    let named = Named::of(kept, &name)?;
    if matches!(named, Named::Commit(_)) || objects::read(kept, wanted, |id| kept.find_commit(id)).is_err() {
        return Ok(named);
    }
    name_again(kept, &name, named, wanted).map(|()| Named::Commit(wanted))
}

/// Gives a checkpoint its name back.
fn name_again(kept: &Repository, name: &str, named: Named, id: git2::Oid) -> Result<(), Problem> {
    let what = "A checkpoint that has lost its name could not be named again.";
    if named == Named::Broken {
        fs::remove_file(kept.path().join(name)).told(what)?;
    }
    tracing::warn!(name, checkpoint = %id, "a checkpoint had another name than it is known by, or none: it is named again");
    locked_ref(|| kept.reference(name, id, true, "checkpoint").map(drop)).told(what)
}

/// A checkpoint that is looked at.
struct Looked<'r> {
    kept: &'r Repository,
    /// Where its objects lie.
    own: PathBuf,
    /// Where those lie that it borrows.
    storage: PathBuf,
    /// What is missing or broken, and how much more than is named.
    lost: Vec<String>,
    more: u64,
}

impl Looked<'_> {
    fn checkpoint(&mut self, id: git2::Oid, look: Look) -> Result<(), Problem> {
        let kept = self.kept;
        let commit = match objects::read(kept, id, |id| kept.find_commit(id)) {
            Ok(commit) => commit,
            Err(error) => return self.lost(id, "the checkpoint itself", &error),
        };
        let Ok(base) = commit.parent_id(0) else {
            self.note("it stands on no commit".into());
            return Ok(());
        };
        let known = self.base(base)?;
        self.files(commit.tree_id(), known, look)?;
        match read_checkpoint(kept, id) {
            Err(problem) if self.lost.is_empty() && problem.kind == Kind::Invalid => self.note("it holds no work".into()),
            Err(problem) if self.lost.is_empty() => return Err(problem),
            _ => {}
        }
        Ok(())
    }

    /// What the commit consists of on which it stands. Of that nothing is lost with a checkpoint: the project's storage has it, or gets it
    /// again.
    fn base(&self, base: git2::Oid) -> Result<HashSet<git2::Oid>, Problem> {
        let mut known = HashSet::new();
        let read = tree_of(self.kept, base).and_then(|tree| below(self.kept, tree.id(), &mut known, &mut |_, _| Ok(())));
        let unread = |problem: Problem| {
            Problem::unavailable(format!("The commit {base}, on which a checkpoint stands, cannot be read in the project's storage."))
                .because(problem.to_string())
                .next("The checkpoint is kept as it is. Connect a device that has the project, and try again.")
        };
        read.map(|()| known).map_err(unread)
    }

    /// Looks at every file and folder below one that is not known.
    fn files(&mut self, root: git2::Oid, mut known: HashSet<git2::Oid>, look: Look) -> Result<(), Problem> {
        let kept = self.kept;
        let odb = kept.odb().told(UNREAD)?;
        let mut open = vec![(ObjectKind::Tree, root, String::new())];
        while let Some((kind, id, path)) = open.pop() {
            if !known.insert(id) {
                continue;
            }
            let read = match (kind, look) {
                (ObjectKind::Tree, _) => objects::read(kept, id, |id| kept.find_tree(id)).map(|tree| open.extend(entries(&tree, &path))),
                (_, Look::Over) => odb.read_header(id).map(drop),
                (_, Look::Through) => objects::read(kept, id, |id| odb.read(id).map(drop)),
            };
            if let Err(error) = read {
                let what = if path.is_empty() { "the list of its files" } else { path.as_str() };
                self.lost(id, what, &error)?;
            }
        }
        Ok(())
    }

    /// Notes that an object is missing or broken; an error where that may pass.
    fn lost(&mut self, id: git2::Oid, what: &str, error: &git2::Error) -> Result<(), Problem> {
        let how = self.how(id, error).told(UNREAD)?;
        self.note(format!("{} {how}", domain::shown(what)));
        Ok(())
    }

    /// How an object is lost that git could not read. Git says that one is missing also where it may not look for it, and leaves out
    /// storage that it cannot open.
    fn how(&self, id: git2::Oid, error: &git2::Error) -> io::Result<&'static str> {
        let passes = || Err(io::Error::other(error.message().to_owned()));
        let (missing, place) = (error.code() == ErrorCode::NotFound, loose(&self.own, id));
        if is_there(&place)? {
            fs::read(&place)?;
            let broken = !missing && !matches!(error.class(), ErrorClass::Os | ErrorClass::NoMemory);
            return if broken { Ok("is broken") } else { passes() };
        }
        readable(&self.own)?;
        readable(&self.storage)?;
        if missing && !is_there(&loose(&self.storage, id))? { Ok("is missing") } else { passes() }
    }

    fn note(&mut self, lost: String) {
        if self.lost.len() < limits::LOST_NAMED_MAX { self.lost.push(lost) } else { self.more += 1 }
    }

    fn text(&self) -> Option<String> {
        let more = if self.more > 0 { format!(", and {} more", self.more) } else { String::new() };
        (!self.lost.is_empty()).then(|| format!("{}{more}", self.lost.join(", ")))
    }
}

/// What a folder holds, each with its path. A submodule's commit lies in another repository.
fn entries(tree: &git2::Tree<'_>, path: &str) -> Vec<(ObjectKind, git2::Oid, String)> {
    let entry = |entry: git2::TreeEntry<'_>| {
        let kind = match entry.kind() {
            Some(ObjectType::Tree) => ObjectKind::Tree,
            Some(ObjectType::Blob) => ObjectKind::Blob,
            _ => return None,
        };
        let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
        Some((kind, entry.id(), if path.is_empty() { name } else { format!("{path}/{name}") }))
    };
    tree.iter().filter_map(entry).collect()
}

/// Adds what a checkpoint consists of, as far as it can be read.
fn names(kept: &Repository, commit: git2::Oid, found: &mut HashSet<git2::Oid>) {
    found.insert(commit);
    let mut open: Vec<git2::Oid> = objects::read(kept, commit, |id| kept.find_commit(id)).iter().map(git2::Commit::tree_id).collect();
    while let Some(id) = open.pop() {
        if !found.insert(id) {
            continue;
        }
        let Ok(tree) = objects::read(kept, id, |id| kept.find_tree(id)) else { continue };
        for (kind, id, _) in entries(&tree, "") {
            if kind == ObjectKind::Tree {
                open.push(id);
            } else {
                found.insert(id);
            }
        }
    }
}

/// Copies the files of these objects, whatever they hold.
fn copy_as_it_is(from: &Path, to: &Path, wanted: impl Fn(git2::Oid) -> bool) -> io::Result<()> {
    for folder in fs::read_dir(from)? {
        let folder = folder?;
        let begin = folder.file_name().to_string_lossy().into_owned();
        if begin.len() != 2 || !folder.file_type()?.is_dir() {
            continue;
        }
        for object in fs::read_dir(folder.path())? {
            let object = object?;
            let name = format!("{begin}{}", object.file_name().to_string_lossy());
            // Of a draft, which is no object, the name is longer.
            if name.len() != 40 || !git2::Oid::from_str(&name).is_ok_and(&wanted) {
                continue;
            }
            let (into, draft) = (to.join(&begin), to.join("draft"));
            fs::create_dir_all(&into)?;
            // What a crash left may not be written to.
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::copy(object.path(), &draft)?;
            fs::rename(&draft, into.join(object.file_name()))?;
        }
    }
    Ok(())
}

/// Whether something is there. An error where that cannot be seen, as where a link leads to a disk that is away.
pub(crate) fn is_there(path: &Path) -> io::Result<bool> {
    for above in path.ancestors() {
        match fs::symlink_metadata(above) {
            Ok(found) if found.is_symlink() => return fs::metadata(above).map(|_| above == path),
            Ok(_) => return Ok(above == path),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Sees that objects can be looked for here: everything that git leaves out where it cannot open it.
fn readable(objects: &Path) -> io::Result<()> {
    fs::read_dir(objects)?;
    let packs = objects.join("pack");
    if !is_there(&packs)? {
        return Ok(());
    }
    for pack in fs::read_dir(&packs)? {
        fs::File::open(pack?.path())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_a_link_leads_to_that_is_away_is_not_said_to_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        fs::create_dir(place("disk")).unwrap();
        fs::write(place("disk/file"), "").unwrap();
        symlink(place("disk"), place("link")).unwrap();
        let table =
            [("disk/file", true), ("disk/none", false), ("none/at/all", false), ("link", true), ("link/file", true), ("link/none", false)];
        for (path, there) in table {
            assert_eq!(is_there(&place(path)).unwrap(), there, "{path}");
        }
        fs::rename(place("disk"), place("away")).unwrap();
        for path in ["link", "link/file", "link/deep/file"] {
            assert!(is_there(&place(path)).is_err(), "{path}");
        }
        assert!(is_there(&place("away/file/below")).is_err(), "a file is no folder");
    }
}
