//! What the owner said last by a click, on disk so that it stands over a restart: all orgs of the machine read the same.

use crate::{
    data_dir::{DataDir, storage, write_private},
    limits,
};
use domain::{Problem, lend::Click};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    os::unix::fs::MetadataExt,
    time::SystemTime,
};

/// What lies on the disk. Who says the same again writes another file: so that is told from what lay there before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lying {
    inode: u64,
    modified: SystemTime,
    /// Whatever they mean; empty: nothing is said any more.
    bytes: Vec<u8>,
}

/// What was said; none where nothing was, or nobody can read it any more.
pub(super) fn read(data: &DataDir) -> Option<Click> {
    let lying = lies(data).ok()?.filter(|lying| !lying.bytes.is_empty())?;
    match serde_json::from_slice(&lying.bytes) {
        Ok(click) => Some(click),
        Err(error) => {
            // What stood there was most likely that the owner wants the machine: guests can wait for a further click.
            tracing::warn!(%error, "what the owner of the machine said last cannot be read: it counts as reclaimed until they say more");
            Some(Click::Reclaimed { until: None })
        }
    }
}

/// What lies on the disk; none: nothing does.
///
/// # Errors
/// When it cannot be read now.
pub(super) fn lies(data: &DataDir) -> io::Result<Option<Lying>> {
    let file = match File::open(data.lend_click()) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(limits::LEND_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(Lying { inode: about.ino(), modified: about.modified()?, bytes }))
}

/// Says it from now on; none: nothing is said. That leaves an empty file, which a full disk mostly takes too: another process whose click
/// was not saved sees by it that this came after. Where not even that can be made, it sees it only if something lay there before.
///
/// # Errors
/// When the disk does not take it.
pub(super) fn write(data: &DataDir, click: Option<Click>) -> Result<(), Problem> {
    let path = data.lend_click();
    match click {
        Some(click) => write_private(&path, &serde_json::to_vec(&click).map_err(Problem::internal)?),
        None => write_private(&path, &[]).or_else(|_| match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(storage(&path, &e)),
            _ => Ok(()),
        }),
    }
}
