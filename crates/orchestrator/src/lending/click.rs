//! What the owner said last by a click, on disk so that it stands over a restart: all orgs of the machine read the same.

use crate::{
    data_dir::{DataDir, storage, write_private},
    limits,
};
use domain::{Problem, lend::Click};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
};

/// What was said; none where nothing was, or nobody can read it any more.
pub(super) fn read(data: &DataDir) -> Option<Click> {
    match serde_json::from_slice(&lies(data).ok()??) {
        Ok(click) => Some(click),
        Err(error) => {
            // What stood there was most likely that the owner wants the machine: guests can wait for a further click.
            tracing::warn!(%error, "what the owner of the machine said last cannot be read: it counts as reclaimed until they say more");
            Some(Click::Reclaimed { until: None })
        }
    }
}

/// What lies on the disk, whatever it means; none: nothing does.
///
/// # Errors
/// When it cannot be read now.
pub(super) fn lies(data: &DataDir) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(data.lend_click()) {
        Ok(file) => file.take(limits::LEND_BYTES_MAX).read_to_end(&mut bytes).map(|_| Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says it from now on; none: nothing is said.
///
/// # Errors
/// When the disk does not take it.
pub(super) fn write(data: &DataDir, click: Option<Click>) -> Result<(), Problem> {
    let path = data.lend_click();
    match click {
        Some(click) => write_private(&path, &serde_json::to_vec(&click).map_err(Problem::internal)?),
        None => match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(storage(&path, &e)),
            _ => Ok(()),
        },
    }
}
