//! Nothing that an engine made is lost: where files are in neither commit nor checkpoint (ignored, too large, odd), or commits of its own
//! are on another branch, in a stash or left by a reset, the run's folder is kept aside. There is a bound on how many and how large; the
//! oldest go first, and the journal says so. What is left of a damaged checkpoint is kept there too, until a person removes it.

use super::end::remove;
use crate::{
    data_dir::{make_private, storage},
    limits,
    org::Org,
};
use domain::{
    Oid, Problem, RunId,
    actor::Actor,
    event::{Body, kind},
    run::{LeftOut, Run},
};
use forge::{Imported, RunRepo};
use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// In a run's folder: what was left out of its commit.
const LEFT_OUT: &str = "left-out.json";
/// In a kept folder: its size.
const SIZE: &str = "size";
/// In a kept folder: what is left of a damaged checkpoint, as a git folder.
const REMAINS: &str = "checkpoint.git";

/// A run's folder that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The run.
    pub(crate) run: RunId,
    /// Where.
    pub(crate) path: PathBuf,
    /// How large it is.
    pub(crate) bytes: u64,
    /// Whether what is left of a damaged checkpoint is in it.
    pub(crate) has_remains: bool,
}

/// What is left of a run's worktree beside what was imported of it. What the engine committed elsewhere comes first, before any number of
/// files.
///
/// # Errors
/// When the host's git folder cannot be read.
pub(super) fn left_out(repo: &RunRepo, work: &Path, imported: &Imported) -> Result<LeftOut, Problem> {
    let mut left_out = LeftOut::default();
    let beside = repo.beside(work, &imported.tree)?;
    beside.into_iter().chain(imported.left_out.files.iter().cloned()).for_each(|one| left_out.add(one));
    left_out.more += imported.left_out.more;
    Ok(left_out)
}

/// Notes what was left out of a run's commit.
pub(super) fn note(folder: &Path, left_out: &LeftOut) -> Result<(), Problem> {
    let json = serde_json::to_vec(left_out).map_err(Problem::internal)?;
    crate::data_dir::write_private(&folder.join(LEFT_OUT), &json)
}

/// What was left out of the commit of a run that is done.
pub(super) fn noted(folder: &Path) -> LeftOut {
    fs::read(folder.join(LEFT_OUT)).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}

/// Moves what is kept of an ended run aside. May run again after a crash at any point.
pub(super) async fn keep(org: &Arc<Org>, run: &RunId) -> Result<(), Problem> {
    let wanted = run.clone();
    let beyond = org
        .blocking(move |org| {
            let (from, to) = (org.dir.run(&wanted), org.dir.kept().join(wanted.as_str()));
            make_private(&to)?;
            for name in ["work", "home"] {
                move_aside(&from.join(name), &to.join(name))?;
            }
            fs::write(to.join(SIZE), size(&to).to_string()).map_err(|e| storage(&to, &e))?;
            Ok(beyond_the_bound(list(org), |run| is_unsaved(org, run)))
        })
        .await?;
    for old in beyond {
        let why = format!("No more than {} folders of {} GiB in all are kept.", limits::KEPT_MAX, limits::KEPT_BYTES_MAX >> 30);
        drop_kept(org, &Actor::from(&org.device), &old, why).await?;
    }
    Ok(())
}

/// Moves a folder, if it is there. Only one that may be written to can be moved elsewhere, and an engine gives its own any mode.
fn move_aside(from: &Path, to: &Path) -> Result<(), Problem> {
    let moved = fs::rename(from, to).or_else(|error| match fs::symlink_metadata(from) {
        Ok(found) if error.kind() == ErrorKind::PermissionDenied && found.is_dir() => {
            fs::set_permissions(from, fs::Permissions::from_mode(found.permissions().mode() | 0o700))?;
            fs::rename(from, to)
        }
        _ => Err(error),
    });
    match moved {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(storage(to, &error)),
        _ => Ok(()),
    }
}

/// Copies aside what is left of a damaged checkpoint of a run. May be done again after a crash at any point.
///
/// # Errors
/// When it cannot be read, or the disk does not take it.
pub(super) fn set_aside(org: &Org, run: &Run, commit: &Oid) -> Result<(), Problem> {
    let (rid, to) = (org.project(Some(&run.project))?.rid, org.dir.kept().join(run.id.as_str()));
    make_private(&to)?;
    org.forge.copy_remains(&rid, &run.id, commit, &to.join(REMAINS))?;
    fs::write(to.join(SIZE), size(&to).to_string()).map_err(|e| storage(&to, &e))
}

/// The folders that are kept, oldest first.
pub(crate) fn list(org: &Org) -> Vec<Kept> {
    let entries = fs::read_dir(org.dir.kept()).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let run: RunId = entry.file_name().to_str()?.parse().ok()?;
        let bytes = fs::read_to_string(entry.path().join(SIZE)).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let has_remains = entry.path().join(REMAINS).exists();
        Some(Kept { run, path: entry.path(), bytes, has_remains })
    };
    let mut found: Vec<Kept> = entries.filter(|entry| holds_anything(&entry.path())).filter_map(one).collect();
    found.sort_by(|a, b| a.run.cmp(&b.run));
    found
}

/// Of the kept folders, oldest first, those that are beyond the bound: the newest is never, nor what a disk left of a checkpoint. Those
/// whose work was saved nowhere else go last, and of them the newest is never either.
fn beyond_the_bound(mut kept: Vec<Kept>, is_unsaved: impl Fn(&RunId) -> bool) -> Vec<RunId> {
    let (mut count, mut bytes) = (0, 0u64);
    kept.retain(|one| !one.has_remains);
    let newest = kept.last().map(|one| one.run.clone());
    kept.sort_by_cached_key(|one| is_unsaved(&one.run));
    kept.reverse();
    let over = kept.into_iter().filter(|one| {
        count += 1;
        bytes = bytes.saturating_add(one.bytes);
        count > 1 && Some(&one.run) != newest.as_ref() && (count > limits::KEPT_MAX || bytes > limits::KEPT_BYTES_MAX)
    });
    over.map(|one| one.run).collect()
}

/// Whether the work of a run could not be saved at its end, as far as can be told.
fn is_unsaved(org: &Org, run: &RunId) -> bool {
    org.store.get::<Run>(kind::RUN, run.as_str()).map_or(true, |run| run.as_ref().is_some_and(saved_nothing))
}

fn saved_nothing(run: &Run) -> bool {
    run.kept.as_ref().and_then(LeftOut::why_everything).is_some()
}

/// Removes what is kept of a run.
///
/// # Errors
/// When nothing is, or the disk refuses.
pub(crate) async fn drop_kept(org: &Arc<Org>, by: &Actor, run: &RunId, why: String) -> Result<(), Problem> {
    let wanted = run.clone();
    org.blocking(move |org| {
        let aside = Some(org.dir.kept().join(wanted.as_str())).filter(|path| path.exists());
        let run: Option<Run> = org.store.get(kind::RUN, wanted.as_str())?;
        let there = run.and_then(|run| not_moved_of(org, &run));
        if aside.is_none() && there.is_none() {
            return Err(
                Problem::not_found(format!("Nothing of the run {wanted} is kept on this device.")).next("meshwork run kept lists what is.")
            );
        }
        // Of both, where only a part could be moved: what was left would be saved once more.
        [aside, there].into_iter().flatten().try_for_each(|folder| remove(&folder))
    })
    .await?;
    org.record(by, vec![Body::WorkDropped { run: run.clone(), why }]).await
}

/// What is said of a run whose files another device keeps, as far as is known, and this one does not; else none.
///
/// # Errors
/// When the org cannot be read.
pub(crate) fn elsewhere(org: &Org, run: &Run) -> Result<Option<Problem>, Problem> {
    let there = run.place().filter(|there| **there != org.device && run.kept.is_some() && place(org, run).is_none());
    let Some(there) = there else { return Ok(None) };
    let name = org.state()?.called(there).unwrap_or_else(|| there.to_string());
    let problem = Problem::not_found(format!("Nothing of the run {} is kept on this device.", run.id));
    let problem = problem.because(format!("It worked on the device {name}, which keeps its files."));
    Ok(Some(problem.next(format!("Do it there: meshwork run drop {}.", run.id))))
}

/// Where the folder of a run is kept, if it is: aside, or where the run worked when it could not be moved yet.
pub(crate) fn place(org: &Org, run: &Run) -> Option<PathBuf> {
    run.kept.as_ref()?;
    let aside = Some(org.dir.kept().join(run.id.as_str())).filter(|path| holds_anything(path));
    aside.or_else(|| not_moved_of(org, run))
}

/// Whether there is anything in a folder: one is made before what is kept is moved into it, which may fail.
fn holds_anything(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Where a run worked whose folder is to be kept and is there still.
fn not_moved_of(org: &Org, run: &Run) -> Option<PathBuf> {
    // What is driven is about to be moved.
    let stays = run.kept.is_some() && run.state.ended() && !org.driven.drives(&run.id);
    Some(org.dir.run(&run.id)).filter(|path| stays && path.exists())
}

/// The folders that are to be kept and could not be moved aside yet.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn not_moved(org: &Org) -> Result<Vec<Kept>, Problem> {
    let entries = fs::read_dir(org.dir.runs()).into_iter().flatten().flatten();
    let mut found = vec![];
    for id in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<RunId>().ok()) {
        let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { continue };
        let path = org.dir.run(&id);
        if place(org, &run).as_ref() == Some(&path) {
            found.push(Kept { run: id, bytes: size(&path), path, has_remains: false });
        }
    }
    Ok(found)
}

/// The runs whose work could not be saved at their end, and whose files are kept here.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn unsaved(org: &Org) -> Result<BTreeSet<RunId>, Problem> {
    let entries = [org.dir.kept(), org.dir.runs()].into_iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    let mut found = BTreeSet::new();
    for id in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<RunId>().ok()) {
        let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { continue };
        if saved_nothing(&run) && place(org, &run).is_some() {
            found.insert(id);
        }
    }
    Ok(found)
}

/// Whether a run's folder is to be kept, as the journal says.
pub(super) fn wanted(org: &Org, run: &RunId) -> Result<bool, Problem> {
    Ok(org.store.get::<Run>(kind::RUN, run.as_str())?.is_some_and(|r| r.kept.is_some()))
}

/// The bytes of the files below a folder; no link is followed.
fn size(folder: &Path) -> u64 {
    let (mut bytes, mut folders) = (0u64, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission, clock,
        fixtures::{Opened, did},
    };
    use domain::{Timestamp, manifest::Class};

    #[tokio::test]
    async fn of_what_another_device_keeps_it_is_said_that_it_lies_there() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let new = admission::new_run(
            clock::run_id(),
            Class::Agent,
            "demo".parse().unwrap(),
            org.member.clone(),
            org.device.clone(),
            Timestamp(0),
        );
        let run = Run { device: Some(did('g')), kept: Some(LeftOut::everything("Full.")), ..new };
        let said = elsewhere(org, &run).unwrap().unwrap().to_string();
        assert!(said.contains("on this device") && said.contains(did('g').as_str()), "{said}");
        let here = Run { device: Some(org.device.clone()), ..run.clone() };
        assert!(elsewhere(org, &here).unwrap().is_none() && elsewhere(org, &Run { kept: None, ..run }).unwrap().is_none());
    }

    /// To root every mode is as good as another.
    #[test]
    fn a_folder_that_may_not_be_written_to_is_moved_and_one_that_is_not_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("run/work"), dir.path().join("kept"));
        fs::create_dir_all(&from).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("made.txt"), "made").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o555)).unwrap();
        move_aside(&from, &to.join("work")).unwrap();
        move_aside(&from, &to.join("work")).unwrap();
        assert!(!from.exists() && to.join("work/made.txt").exists());
    }

    #[test]
    fn the_oldest_are_beyond_the_bound_and_the_newest_never_is() {
        let one = |n: usize, bytes| Kept {
            run: format!("{n:026}").parse().unwrap_or_else(|p: Problem| unreachable!("{p}")),
            path: PathBuf::new(),
            bytes,
            has_remains: false,
        };
        let many: Vec<Kept> = (0..limits::KEPT_MAX + 2).map(|n| one(n, 1)).collect();
        let oldest = [many[1].run.clone(), many[0].run.clone()];
        assert_eq!(beyond_the_bound(many, |_| false), oldest);
        let many: Vec<Kept> = (0..limits::KEPT_MAX + 1).map(|n| one(n, 1)).collect();
        let (first, second) = (many[0].run.clone(), many[1].run.clone());
        assert_eq!(beyond_the_bound(many, |run| *run == first), [second], "what was saved nowhere else goes last");
        let many: Vec<Kept> = (0..limits::KEPT_MAX + 1).map(|n| one(n, 1)).collect();
        let newest = many[limits::KEPT_MAX].run.clone();
        assert!(beyond_the_bound(many, |run| *run != newest).is_empty(), "a person can still look at what was kept just now");
        let large = vec![one(1, 1), one(2, limits::KEPT_BYTES_MAX), one(3, limits::KEPT_BYTES_MAX * 2)];
        assert_eq!(beyond_the_bound(large, |_| false).len(), 2);
        let damaged = Kept { has_remains: true, ..one(1, limits::KEPT_BYTES_MAX * 2) };
        assert!(beyond_the_bound(vec![damaged, one(2, 1), one(3, 1)], |_| false).is_empty(), "a person says when that goes");
    }
}
