//! `meshwork restore`: a backup becomes a data folder again, as a new incarnation of its journal.

use domain::Problem;
use identity::{Secret, backup};
use orchestrator::data_dir::{DataDir, storage};
use serde::Deserialize;
use std::{fs::File, path::Path};

/// As much of an org's record as is needed to know where it belongs.
#[derive(Deserialize)]
struct Record {
    name: domain::OrgName,
}

/// Takes a backup up into an empty data folder.
pub(crate) fn restore(root: &Path, file: &Path, passphrase: Secret) -> Result<String, Problem> {
    let data = DataDir::open(root)?;
    let _lock = data.lock()?;
    if let Some(org) = data.orgs().first() {
        return Err(Problem::conflict(format!("The data folder holds the org {org} already."))
            .next("Restore into another folder with --data-dir; nothing was changed."));
    }
    let scratch = data.root().join("restoring");
    let _ = std::fs::remove_dir_all(&scratch);
    let input = File::open(file).map_err(|e| storage(file, &e))?;
    let unpacked = backup::unpack(input, &backup::With::Passphrase(passphrase), &scratch);
    let result = unpacked.and_then(|files| {
        place(&data, &scratch)
            .map(|org| format!("{files} files of the org {org} are back. Its journal goes on as a new incarnation: meshwork up."))
    });
    if result.is_err() {
        let _ = std::fs::remove_dir_all(&scratch);
    }
    result
}

fn place(data: &DataDir, scratch: &Path) -> Result<domain::OrgName, Problem> {
    let record = std::fs::read(scratch.join("org.json")).map_err(|_| Problem::invalid("The backup holds no org."))?;
    let org = serde_json::from_slice::<Record>(&record).map_err(|e| Problem::invalid(format!("The backup's org is damaged: {e}.")))?.name;
    store::mark_restored(&scratch.join("store"))?;
    let target = data.org(&org).root;
    if let Some(parent) = target.parent() {
        orchestrator::data_dir::make_private(parent)?;
    }
    std::fs::rename(scratch, &target).map_err(|e| storage(&target, &e))?;
    Ok(org)
}
