//! Removes what no checkpoint of a project needs any more: what earlier ones of a run left, and what came with one that is gone.

use crate::{convert::Told, moving::below, objects, run::CHECKPOINTS};
use domain::Problem;
use git2::{Oid, Repository};
use std::{collections::HashSet, fs};

/// Removes the loose objects of this git folder that no checkpoint reaches. Where something of one cannot be read, nothing is removed.
/// Nobody may add to the folder meanwhile.
///
/// # Errors
/// Then, and when an object cannot be removed.
pub(crate) fn remove_unreached(kept: &Repository) -> Result<(), Problem> {
    let what = "What no checkpoint needs any more could not be removed.";
    let reached = reached(kept)?;
    for folder in fs::read_dir(kept.path().join("objects")).told(what)? {
        let folder = folder.told(what)?;
        let begin = folder.file_name().to_string_lossy().into_owned();
        if begin.len() != 2 || !folder.file_type().told(what)?.is_dir() {
            continue;
        }
        for object in fs::read_dir(folder.path()).told(what)? {
            let object = object.told(what)?;
            let name = format!("{begin}{}", object.file_name().to_string_lossy());
            // Of a draft, which is no object, the name is longer.
            let id = Oid::from_str(&name).ok().filter(|_| name.len() == 40);
            if id.is_some_and(|id| !reached.contains(&id)) {
                fs::remove_file(object.path()).told(what)?;
            }
        }
    }
    Ok(())
}

/// Everything that the checkpoints consist of, with the commits on which they stand.
fn reached(kept: &Repository) -> Result<HashSet<Oid>, Problem> {
    let what = "The checkpoints cannot be read.";
    let mut reached = HashSet::new();
    for found in kept.references_glob(&format!("{CHECKPOINTS}/*")).told(what)? {
        let named = found.told(what)?.target().ok_or_else(|| Problem::internal("the name of a checkpoint names no commit"))?;
        let checkpoint = objects::read(kept, named, |id| kept.find_commit(id)).told(what)?;
        for id in checkpoint.parent_ids().chain([checkpoint.id()]) {
            let tree = objects::read(kept, id, |id| kept.find_commit(id)).told(what)?.tree_id();
            reached.insert(id);
            below(kept, tree, &mut reached, &mut |_, _| Ok(()))?;
        }
    }
    Ok(reached)
}
