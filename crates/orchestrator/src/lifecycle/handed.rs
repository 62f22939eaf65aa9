//! What a run that goes on from another needs beside its saved work, where another device executes it than asked for it: the engine's
//! session, and the messages that the run before did not get. The device that asked gives it, and it lies in the run's folder.

use super::messages;
use crate::{data_dir::write_private, limits, org::Org};
use domain::{
    Problem,
    run::{Run, RunnerEvent},
};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, sync::Arc};

/// Among how many reports the engine has introduced itself.
const FIRST_REPORTS: usize = 50;
/// Its name in the run's folder.
const FILE: &str = "handed.json";

/// What is handed on with a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handed {
    /// The engine's own session of the run before.
    #[serde(default)]
    pub(crate) session: Option<String>,
    /// What the brief says of messages which that run did not get; empty: there were none.
    #[serde(default)]
    pub(crate) messages: String,
}

impl Handed {
    /// For a run that another device executes for this one. The messages count as handed on from now on; asked again, it is the same.
    ///
    /// # Errors
    /// When the journal or a log cannot be read.
    pub(crate) fn of(org: &Arc<Org>, run: &Run) -> Result<Self, Problem> {
        let mut messages = messages::handed_on(org, run)?;
        if messages.len() > limits::HANDED_BYTES_MAX {
            let end = (0..=limits::HANDED_BYTES_MAX).rev().find(|at| messages.is_char_boundary(*at)).unwrap_or_default();
            messages.truncate(end);
            messages.push_str("\n(There is more, which is too long.)\n");
        }
        Ok(Self { session: earlier_session(org, run)?, messages })
    }

    /// Keeps it for the run of this folder.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep(&self, folder: &Path) -> Result<(), Problem> {
        write_private(&folder.join(FILE), &serde_json::to_vec(self).map_err(Problem::internal)?)
    }

    /// What was kept for the run of this folder, if anything was.
    pub(super) fn kept(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(FILE)).ok()?).ok()
    }
}

/// The engine's own session of the run that this one goes on from.
///
/// # Errors
/// When its log cannot be read.
pub(super) fn earlier_session(org: &Org, run: &Run) -> Result<Option<String>, Problem> {
    let Some(earlier) = &run.continues else { return Ok(None) };
    let entries = org.store.run_log(earlier)?.read(0, FIRST_REPORTS)?;
    Ok(entries.iter().find_map(|entry| match entry.parsed() {
        Some(RunnerEvent::EngineReady { session, replay: false, .. }) => Some(session),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_handed_on_is_found_again_and_nothing_where_nothing_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Handed::kept(dir.path()), None);
        let handed = Handed { session: Some("s1".into()), messages: "- Mind the gap.\n".into() };
        handed.keep(dir.path()).unwrap();
        assert_eq!(Handed::kept(dir.path()), Some(handed));
    }
}
