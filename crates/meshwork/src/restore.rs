//! `meshwork restore`: a backup becomes an org of a data folder again, as a new incarnation of its journal. `meshwork journal
//! accept-loss`: a journal that lost events goes on without them, likewise.

use domain::Problem;
use identity::{Secret, backup};
use orchestrator::data_dir::{DataDir, storage};
use serde::Deserialize;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// As much of an org's record as is needed to know where it belongs.
#[derive(Deserialize)]
struct Record {
    name: domain::OrgName,
}

/// Takes a backup up into a data folder that does not hold its org. Where that fails, what is left is what was there before.
pub(crate) fn restore(root: &Path, file: &Path, passphrase: Secret) -> Result<String, Problem> {
    let input = File::open(file).map_err(|e| storage(file, &e))?;
    // A folder opens like a file, and only reading it fails.
    if file.is_dir() {
        return Err(Problem::invalid(format!("{} is a folder, and a backup is one file.", file.display()))
            .next("Name a file that meshwork backup made."));
    }
    let absent = absent(root);
    let data = DataDir::open(root)?;
    let _lock = data.lock()?;
    let scratch = data.root().join("restoring");
    let _ = std::fs::remove_dir_all(&scratch);
    let unpacked = backup::unpack(input, &backup::With::Passphrase(passphrase), &scratch);
    let result = unpacked.and_then(|files| {
        place(&data, &scratch)
            .map(|org| format!("{files} files of the org {org} are back. Its journal goes on as a new incarnation: meshwork up."))
    });
    if result.is_err() {
        let _ = std::fs::remove_dir_all(&scratch);
        take_away(&absent);
    }
    result
}

/// What a restore makes besides the org and is not there yet, the innermost first: files of the data folder, it, and folders above it.
fn absent(root: &Path) -> Vec<PathBuf> {
    let inside = ["orgs", "version", "lock"].map(|name| root.join(name));
    let around = root.ancestors().filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned);
    // A link that leads nowhere is there.
    let nothing = |path: &PathBuf| std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    inside.into_iter().chain(around).filter(nothing).collect()
}

/// Takes files and empty folders away.
fn take_away(made: &[PathBuf]) {
    for path in made {
        if std::fs::remove_file(path).is_err() {
            let _ = std::fs::remove_dir(path);
        }
    }
}

/// Has the journal of an org go on without the events that it lost.
pub(crate) fn accept_loss(root: &Path, org: Option<&str>) -> Result<String, Problem> {
    let data = DataDir::open(root)?;
    let _lock = data.lock()?;
    let org = chosen(&data, org)?;
    let dir = data.org(&org);
    let _served = dir.lock()?;
    store::accept_loss(&dir.store())?;
    Ok(format!(
        "The org {org} goes on without what its journal lost, as a new incarnation: meshwork up. Runs whose end was lost are taken up \
         again; stop those that were done: meshwork run stop."
    ))
}

/// The org that is meant: the one that is named, else the only one.
fn chosen(data: &DataDir, org: Option<&str>) -> Result<domain::OrgName, Problem> {
    let mut orgs = data.orgs();
    match (org, orgs.pop()) {
        (Some(name), _) => data.known(name),
        (None, Some(only)) if orgs.is_empty() => Ok(only),
        (None, Some(_)) => Err(Problem::invalid("This machine is in several orgs.").next("Say which: --org NAME.")),
        (None, None) => Err(Problem::not_found("This machine is in no org yet.").next("Give its data folder with --data-dir.")),
    }
}

fn place(data: &DataDir, scratch: &Path) -> Result<domain::OrgName, Problem> {
    let record = std::fs::read(scratch.join("org.json"))
        .map_err(|_| Problem::invalid("The backup holds no org.").next("Name a file that meshwork backup made."))?;
    let org = serde_json::from_slice::<Record>(&record)
        .map_err(|e| Problem::invalid(format!("The backup's org is damaged: {e}.")).next("Use another copy of it."))?
        .name;
    if data.orgs().contains(&org) {
        return Err(Problem::conflict(format!("The data folder holds the org {org} already."))
            .next("Restore into another folder with --data-dir; nothing was changed."));
    }
    store::mark_restored(&scratch.join("store"))?;
    let target = data.org(&org).root;
    if let Some(parent) = target.parent() {
        orchestrator::data_dir::make_private(parent)?;
    }
    std::fs::rename(scratch, &target).map_err(|e| storage(&target, &e))?;
    Ok(org)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_restore_that_fails_leaves_what_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let backup = dir.path().join("no-backup");
        fs::write(&backup, "something else").unwrap();
        let root = dir.path().join("above/data");
        let fails = |file: &Path| restore(&root, file, Secret::new("correct horse battery".into())).unwrap_err();
        fails(&backup);
        fails(&dir.path().join("nowhere"));
        let folder = fails(dir.path());
        assert!(folder.what.ends_with("is a folder, and a backup is one file.") && folder.next.is_some(), "{folder}");
        assert!(!dir.path().join("above").exists());
        // A folder that is used keeps what it has.
        drop(DataDir::open(&root).unwrap().lock().unwrap());
        fs::write(root.join("mine"), "mine").unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("orgs")).unwrap();
        fails(&backup);
        let mut names: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["lock", "mine", "orgs", "version"]);
    }
}
