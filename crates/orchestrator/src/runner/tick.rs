//! The task's mark: engines tick as they like, so the runner puts the file right when the engine is done.

use super::Job;
use domain::run::{Reason, RunnerJob, Tick};
use forge::{BaseTree, ImportLimits, tree_of};
use std::{fs, path::Path};

impl Job {
    /// Ticks the task, where the work was done and changed something; says otherwise.
    pub(super) fn tick(&self, reason: Reason) -> Reason {
        let RunnerJob::Agent(job) = &self.spec.job else { return reason };
        let (tick, base, from) = (&job.tick, &job.base, &job.from);
        if reason != Reason::Completed {
            return reason;
        }
        let Some(text) = without_ticks(&self.spec.work, tick) else { return reason };
        write(&self.spec.work, tick, &text);
        let git = self.spec.work.join(".git");
        let unchanged = || {
            let (base, from) = (BaseTree::read(&git, base).ok()?, BaseTree::read(&git, from).ok()?);
            let now = tree_of(&self.spec.work, &base, &ImportLimits::default()).ok()?;
            Some(now.tree == from.tree().ok()?)
        };
        if unchanged() == Some(true) {
            return Reason::NothingChanged;
        }
        if let Ok(ticked) = spec::tick(&text, &tick.task) {
            write(&self.spec.work, tick, &ticked);
        }
        reason
    }
}

/// The file as it is, with the engine's own ticks taken back where it changed nothing else there. None where the file is
/// not a plain one: then it is left alone, and the reviewers see it.
fn without_ticks(work: &Path, tick: &Tick) -> Option<Vec<u8>> {
    let before = tick.before.as_bytes();
    let after = match plain(work, &tick.path) {
        Plain::File => fs::read(work.join(&tick.path)).ok()?,
        Plain::Missing => return (!before.is_empty()).then(|| before.to_vec()),
        Plain::Odd => return None,
    };
    let ticked = spec::ticked(before, &after);
    Some(if spec::reapply(before, &ticked).text == after { before.to_vec() } else { after })
}

fn write(work: &Path, tick: &Tick, text: &[u8]) {
    let path = work.join(&tick.path);
    // The sandbox is gone, so nobody can swap a folder for a link now; a link that was there before is no plain file.
    if plain(work, &tick.path) != Plain::Odd && path.parent().is_some_and(|p| fs::create_dir_all(p).is_ok()) {
        let _ = fs::remove_file(&path);
        let _ = fs::write(&path, text);
    }
}

#[derive(PartialEq, Eq)]
enum Plain {
    File,
    Missing,
    Odd,
}

/// Whether a path is a plain file below plain folders.
fn plain(work: &Path, path: &str) -> Plain {
    let mut at = work.to_owned();
    let parts: Vec<_> = Path::new(path).components().collect();
    for (index, part) in parts.iter().enumerate() {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() && index + 1 < parts.len() => {}
            Ok(found) if found.is_file() && index + 1 == parts.len() => return Plain::File,
            Ok(_) => return Plain::Odd,
            Err(_) => return Plain::Missing,
        }
    }
    Plain::Odd
}
