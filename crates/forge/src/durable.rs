//! That what is written to the storage survives a power cut: an answer means that it is on disk.
//!
//! Of itself neither libgit2 nor git syncs loose objects and refs. libgit2 does it for both where `core.fsyncObjectFiles` says
//! so (odb.c, refdb_fs.c); git knows `core.fsync`, which is given to those of our commands that write there.

use crate::convert::Told;
use domain::Problem;
use git2::ConfigLevel;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// In the forge's own folder: read on top of a repository's own configuration, by this process only. In the repositories
/// themselves git would warn of this name at each command, also of the person whose profile it is.
const FILE: &str = "durable.gitconfig";
const CONFIG: &str = "[core]\n\tfsyncObjectFiles = true\n";

/// Git's own way to say it, after `-c`.
pub(crate) const GIT: &str = "core.fsync=all";

/// Lays what [`make_durable`] needs into a forge's own folder; the answer is for it.
pub(crate) fn prepare(own: &Path) -> Result<PathBuf, Problem> {
    let (file, draft) = (own.join(FILE), own.join(format!("{FILE}.new")));
    if !fs::read(&file).is_ok_and(|there| there == CONFIG.as_bytes()) {
        let lay = fs::write(&draft, CONFIG).and_then(|()| fs::rename(&draft, &file));
        lay.told(format!("{} could not be written.", file.display()))?;
    }
    Ok(file)
}

/// From now on everything that is written by way of this handle is synced. To be called before anything is read by it.
pub(crate) fn make_durable(repo: &git2::Repository, config: &Path) -> Result<(), Problem> {
    let added = repo.config().and_then(|mut all| all.add_file(config, ConfigLevel::App, false));
    added.told("The configuration of a repository cannot be read.")
}

/// Syncs all files of a repository that was just made by others' hands, and the folder that it lies in.
pub(crate) fn sync_made(repository: &Path) -> Result<(), Problem> {
    let parent = repository.parent().map_or(Ok(()), sync);
    sync_below(repository).and(parent).told("The new repository could not be written to disk.")
}

/// Syncs the packs of a repository, of which libgit2 syncs none.
pub(crate) fn sync_packs(repository: &Path) -> Result<(), Problem> {
    let folder = repository.join("objects/pack");
    // Git may take some away meanwhile, and what it is still writing.
    let one = |path: PathBuf| match sync(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    };
    let all = fs::read_dir(&folder).and_then(|all| all.flatten().try_for_each(|entry| one(entry.path())));
    all.and_then(|()| sync(&folder)).told("What was taken could not be written to disk.")
}

fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_below(&entry.path())?;
        } else if kind.is_file() {
            sync(&entry.path())?;
        }
    }
    sync(folder)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Forge, Visibility};

    #[test]
    fn the_storage_is_written_durably_and_its_own_configuration_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let forge = Forge::create(&dir.path().join("rad"), &dir.path().join("member"), "laptop").unwrap();
        let copy = git2::Repository::init(dir.path().join("copy")).unwrap();
        let tree = copy.find_tree(copy.index().unwrap().write_tree().unwrap()).unwrap();
        let who = git2::Signature::now("a", "a@example.org").unwrap();
        copy.commit(Some("HEAD"), &who, &who, "First", &tree, &[]).unwrap();
        let private = Visibility::Private { allow: vec![] };
        let made = forge.init_project(&dir.path().join("copy"), &"demo".parse().unwrap(), None, &private).unwrap();
        let repo = forge.repository(&made.rid).unwrap();
        assert!(repo.backend.config().unwrap().get_bool("core.fsyncObjectFiles").unwrap());
        let own = fs::read_to_string(repo.backend.path().join("config")).unwrap();
        assert!(!own.to_lowercase().contains("fsync"), "{own}");
    }
}
