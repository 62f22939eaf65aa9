//! Nothing that an engine made is lost: where files are in neither commit nor checkpoint (ignored, too large, odd), the run's
//! folder is kept aside. There is a bound on how many and how large; the oldest go first, and the journal says so. What is left of a
//! damaged checkpoint is kept there too, until a person removes it.

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
use std::{
    collections::BTreeSet,
    fs,
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
                match fs::rename(from.join(name), to.join(name)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(storage(&to, &error)),
                    _ => {}
                }
            }
            fs::write(to.join(SIZE), size(&to).to_string()).map_err(|e| storage(&to, &e))?;
            Ok(beyond_the_bound(list(org)))
        })
        .await?;
    for old in beyond {
        let why = format!("No more than {} folders of {} GiB in all are kept.", limits::KEPT_MAX, limits::KEPT_BYTES_MAX >> 30);
        drop_kept(org, &Actor::from(&org.device), &old, why).await?;
    }
    Ok(())
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
    let mut found: Vec<Kept> = entries.filter_map(one).collect();
    found.sort_by(|a, b| a.run.cmp(&b.run));
    found
}

/// Of the kept folders those that are beyond the bound; the newest is never, nor what a disk left of a checkpoint.
fn beyond_the_bound(mut kept: Vec<Kept>) -> Vec<RunId> {
    let (mut count, mut bytes) = (0, 0u64);
    kept.retain(|one| !one.has_remains);
    kept.reverse();
    let over = kept.into_iter().filter(|one| {
        count += 1;
        bytes = bytes.saturating_add(one.bytes);
        count > 1 && (count > limits::KEPT_MAX || bytes > limits::KEPT_BYTES_MAX)
    });
    over.map(|one| one.run).collect()
}

/// Removes what is kept of a run.
///
/// # Errors
/// When nothing is, or the disk refuses.
pub(crate) async fn drop_kept(org: &Arc<Org>, by: &Actor, run: &RunId, why: String) -> Result<(), Problem> {
    let wanted = run.clone();
    org.blocking(move |org| {
        let folder = org.dir.kept().join(wanted.as_str());
        if folder.exists() {
            return remove(&folder);
        }
        let run: Option<Run> = org.store.get(kind::RUN, wanted.as_str())?;
        match run.and_then(|run| place(org, &run)) {
            Some(folder) => remove(&folder),
            None => Err(Problem::not_found(format!("Nothing of the run {wanted} is kept.")).next("meshwork run kept lists what is.")),
        }
    })
    .await?;
    org.record(by, vec![Body::WorkDropped { run: run.clone(), why }]).await
}

/// Where the folder of a run is kept, if it is: aside, or where the run worked when it could not be moved yet.
pub(crate) fn place(org: &Org, run: &Run) -> Option<PathBuf> {
    run.kept.as_ref()?;
    let aside = Some(org.dir.kept().join(run.id.as_str())).filter(|path| path.exists());
    // What is driven is about to be moved.
    let there = || Some(org.dir.run(&run.id)).filter(|path| run.state.ended() && !org.driven.drives(&run.id) && path.exists());
    aside.or_else(there)
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
        if run.kept.as_ref().and_then(LeftOut::why_everything).is_some() && place(org, &run).is_some() {
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
    use super::*;

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
        assert_eq!(beyond_the_bound(many), oldest);
        let large = vec![one(1, 1), one(2, limits::KEPT_BYTES_MAX), one(3, limits::KEPT_BYTES_MAX * 2)];
        assert_eq!(beyond_the_bound(large).len(), 2);
        let damaged = Kept { has_remains: true, ..one(1, limits::KEPT_BYTES_MAX * 2) };
        assert!(beyond_the_bound(vec![damaged, one(2, 1), one(3, 1)]).is_empty(), "a person says when that goes");
    }
}
