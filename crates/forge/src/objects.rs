//! Loose objects of git, from one repository of ours into another.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// How much of two files is compared at once, in bytes.
const COMPARED_BYTES: usize = 64 * 1024;

static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Copies loose objects, each at once and durably. Objects are named by their content, so one that is there is the same, unless the disk
/// broke it: then it gives way.
pub(crate) fn copy_objects(from: &Path, to: &Path) -> io::Result<()> {
    for folder in fs::read_dir(from)? {
        let folder = folder?;
        let name = folder.file_name();
        if name.len() != 2 || !folder.file_type()?.is_dir() {
            continue;
        }
        let into = to.join(&name);
        let mut copied = false;
        for object in fs::read_dir(folder.path())? {
            let object = object?;
            let place = into.join(object.file_name());
            // Names of drafts are longer than those of objects.
            if object.file_name().len() < 38 || object.file_name().as_bytes().contains(&b'_') || is_same(&object.path(), &place) {
                continue;
            }
            fs::create_dir_all(&into)?;
            // Two runs may bring the same object at once, each by a draft of its own.
            let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
            let draft = into.join(format!("tmp_obj_{}_{number}", std::process::id()));
            fs::copy(object.path(), &draft)?;
            let file = File::open(&draft)?;
            file.set_permissions(fs::Permissions::from_mode(0o444))?;
            file.sync_all()?;
            fs::rename(&draft, &place)?;
            copied = true;
        }
        if copied {
            File::open(&into)?.sync_all()?;
        }
    }
    Ok(())
}

/// Whether both can be read, and hold the same.
fn is_same(one: &Path, other: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let (mut one, mut other) = (File::open(one)?, File::open(other)?);
        if one.metadata()?.len() != other.metadata()?.len() {
            return Ok(false);
        }
        let (mut here, mut there) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
        loop {
            let read = one.read(&mut here)?;
            other.read_exact(&mut there[..read])?;
            if read == 0 || here[..read] != there[..read] {
                return Ok(read == 0);
            }
        }
    };
    same().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_object_that_the_disk_broke_gives_way_and_one_that_is_the_same_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let object = format!("ab/{}", "c".repeat(38));
        let long = vec![7; 2 * COMPARED_BYTES + 1];
        let mut other = long.clone();
        other[COMPARED_BYTES] = 8;
        fs::create_dir_all(from.join("ab")).unwrap();
        fs::write(from.join(&object), &long).unwrap();
        fs::create_dir_all(to.join("ab")).unwrap();
        for broken in [long[..9].to_vec(), vec![], other] {
            fs::write(to.join(&object), broken).unwrap();
            copy_objects(&from, &to).unwrap();
            assert_eq!(fs::read(to.join(&object)).unwrap(), long);
            fs::remove_file(to.join(&object)).unwrap();
        }
        copy_objects(&from, &to).unwrap();
        let written = fs::metadata(to.join(&object)).unwrap().modified().unwrap();
        copy_objects(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join(&object)).unwrap().modified().unwrap(), written, "it is not written again");
    }
}
