//! Loose objects of git, from one repository of ours into another.

use git2::{ErrorClass, ErrorCode, Repository};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};
use zlib_rs::{Inflate, InflateFlush, Status};

/// How much of two files is compared at once, in bytes.
const COMPARED_BYTES: usize = 64 * 1024;

/// The window of zlib, as git uses it, in bits.
pub(crate) const WINDOW_BITS: u8 = 15;

static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Copies loose objects, each at once and durably. Objects are named by their content, so one that is there is the same, unless the disk
/// broke one of the two: that which is what its name says stays, or comes.
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
            // Those of a run are not synced: after a power cut it may be they that are cut off.
            let id = format!("{}{}", name.to_string_lossy(), object.file_name().to_string_lossy());
            if fs::symlink_metadata(&place).is_ok() && !holds(&object.path(), &id, &draft.with_extension("alone"))? {
                continue;
            }
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

/// Whether a file can be read, and holds the object of this name. That is looked at in a folder of its own, `alone`, where git finds no
/// other of that name.
fn holds(file: &Path, id: &str, alone: &Path) -> io::Result<bool> {
    let (Ok(true), Ok(bytes), Ok(oid), 40) = (ends(file), fs::read(file), git2::Oid::from_str(id), id.len()) else { return Ok(false) };
    let folder = alone.join(&id[..2]);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(&id[2..]), bytes)?;
    let read = || -> Result<(), git2::Error> {
        let odb = git2::Odb::new()?;
        odb.add_disk_alternate(&alone.to_string_lossy())?;
        odb.read(oid).map(drop)
    };
    let held = read().is_ok();
    fs::remove_dir_all(alone)?;
    Ok(held)
}

/// Where an object lies that is in no pack.
pub(crate) fn loose(objects: &Path, id: git2::Oid) -> PathBuf {
    let name = id.to_string();
    objects.join(&name[..2]).join(&name[2..])
}

/// Reads an object of a repository of ours, unless it is one that was cut off: libgit2 (1.9) looks for the end of such a file for ever.
pub(crate) fn read<T>(repo: &Repository, id: git2::Oid, read: impl FnOnce(git2::Oid) -> Result<T, git2::Error>) -> Result<T, git2::Error> {
    match ends(&loose(&repo.path().join("objects"), id)) {
        Ok(false) => Err(git2::Error::new(ErrorCode::GenericError, ErrorClass::Zlib, format!("the object {id} is cut off or garbled"))),
        // What is in a pack, or borrowed, or cannot be opened, git tells apart.
        _ => read(id),
    }
}

/// Whether what a file holds is compressed, and ends where the file does.
fn ends(file: &Path) -> io::Result<bool> {
    let (mut file, mut inflate) = (File::open(file)?, Inflate::new(true, WINDOW_BITS));
    let (mut packed, mut plain) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    loop {
        let read = file.read(&mut packed)?;
        let mut rest = &packed[..read];
        loop {
            let before = (inflate.total_in(), inflate.total_out());
            let Ok(status) = inflate.decompress(rest, &mut plain, InflateFlush::NoFlush) else { return Ok(false) };
            let used = usize::try_from(inflate.total_in() - before.0).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            if status == Status::StreamEnd {
                return Ok(rest.is_empty() && file.read(&mut packed)? == 0);
            }
            // It wants more.
            if used == 0 && inflate.total_out() == before.1 {
                break;
            }
        }
        if read == 0 || !rest.is_empty() {
            return Ok(false);
        }
    }
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
    fn an_object_that_the_disk_broke_gives_way_and_one_that_is_in_order_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from/objects"), dir.path().join("to"));
        let made = git2::Repository::init_bare(dir.path().join("from")).unwrap();
        // What does not get smaller, so that the file is longer than what is compared at once.
        let mut seed = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .take(3 * COMPARED_BYTES)
        .collect();
        let id = made.blob(&noise).unwrap().to_string();
        let object = format!("{}/{}", &id[..2], &id[2..]);
        let long = fs::read(from.join(&object)).unwrap();
        assert!(long.len() > COMPARED_BYTES + 1);
        let mut other = long.clone();
        other[COMPARED_BYTES] ^= 1;
        let broken = [long[..9].to_vec(), vec![], other];
        let lay = |below: &Path, bytes: &[u8]| {
            // Nobody may write to one that was copied.
            let _ = fs::remove_file(below.join(&object));
            fs::write(below.join(&object), bytes).unwrap();
        };
        fs::create_dir_all(to.join(&id[..2])).unwrap();
        for broken in &broken {
            lay(&to, broken);
            copy_objects(&from, &to).unwrap();
            assert_eq!(fs::read(to.join(&object)).unwrap(), long);
        }
        let written = fs::metadata(to.join(&object)).unwrap().modified().unwrap();
        copy_objects(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join(&object)).unwrap().modified().unwrap(), written, "it is not written again");
        for broken in &broken {
            lay(&from, broken);
            copy_objects(&from, &to).unwrap();
            assert_eq!(fs::read(to.join(&object)).unwrap(), long, "what a crash cut off takes no sound one's place");
        }
        assert_eq!(fs::read_dir(to.join(&id[..2])).unwrap().count(), 1, "nothing is left of looking");
    }
}
