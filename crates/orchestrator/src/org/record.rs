//! What an org's folder says of it, and whether it is one.

use crate::{
    data_dir::{DataDir, OrgDir, storage},
    profile::Profile,
};
use domain::{OrgName, Problem, Rid};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

/// How an org came to this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// It was made here.
    #[default]
    Founded,
    /// It was joined.
    Joined {
        /// The invitation.
        invite: String,
    },
}

/// `org.json` in the org's folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: OrgName,
    pub(super) rid: Rid,
    /// How it came here.
    #[serde(default)]
    pub(super) origin: Origin,
    /// The person's Radicle profile that it is in; none: it has a Radicle home of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rad_home: Option<PathBuf>,
}

impl Record {
    pub(super) fn read(dir: &OrgDir) -> Result<Self, Problem> {
        let bytes = fs::read(dir.record()).map_err(|e| storage(&dir.record(), &e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Problem::conflict(format!("{} is damaged: {e}.", dir.record().display())).next("Restore it: meshwork restore <file>.")
        })
    }
}

/// A profile has one node, and a process of an org runs it: so a second org of this machine cannot use it.
pub(super) fn unused(data: &DataDir, profile: Option<&Profile>) -> Result<(), Problem> {
    let Some(profile) = profile else { return Ok(()) };
    let same = |org: &OrgName| Record::read(&data.org(org)).is_ok_and(|r| r.rad_home.as_ref() == Some(&profile.home));
    match data.orgs().into_iter().find(same) {
        None => Ok(()),
        Some(org) => Err(Problem::conflict(format!("The org {org} of this machine uses this Radicle profile."))
            .next("Give another profile with --rad-home, or none: then the org gets keys and a node of its own.")),
    }
}

/// Removes what a creation that was cut off left: keys and a repository that nobody used. An org that was in use has a
/// journal or a vault, and stays.
pub(crate) fn clear_half_made(dir: &OrgDir) -> Result<(), Problem> {
    let root = dir.root.display();
    if dir.record().exists() {
        return Err(Problem::conflict(format!("The org in {root} was made before, and is not open.")).next("Start meshwork up again."));
    }
    if [dir.store(), dir.vault()].iter().any(|part| part.exists()) {
        return Err(Problem::conflict(format!("{root} holds an org's journal or keys, but not its org.json."))
            .because("Making an org there would remove them.")
            .next("Restore a backup into another data folder (meshwork restore), or move that folder away first."));
    }
    if dir.root.exists() {
        fs::remove_dir_all(&dir.root).map_err(|e| storage(&dir.root, &e))?;
    }
    Ok(())
}
