//! Whether other users of this machine can write in the data folder: then they can replace the journal, though keys are kept from them.

use sandbox::Finding;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// That others can write there, with how to keep them out; none: they cannot, or there is no such folder yet.
pub(super) fn finding(data: &Path) -> Option<Finding> {
    let root = fs::canonicalize(data).ok()?;
    if is_closed_above(&root) { None } else { open(&root) }
}

/// Whether nobody else enters a folder above: then nobody gets to this one, whatever it allows itself.
fn is_closed_above(root: &Path) -> bool {
    root.ancestors().skip(1).any(|above| fs::metadata(above).is_ok_and(|found| found.mode() & 0o011 == 0))
}

fn open(root: &Path) -> Option<Finding> {
    // The group and all others. The files of an org's journal lie four folders deep.
    let open = writable(root, 0o011, 4)?;
    Some(Finding {
        what: "data folder".into(),
        ok: false,
        detail: format!(
            "other users of this machine can write to {}: they can replace the journal, and what else is there",
            open.display()
        ),
        next: Some(format!("Keep them out of the whole folder: chmod 700 {}", root.display())),
    })
}

/// The first thing that others can write to, of those that they get to: `reach` are the bits by which they enter the folders above.
fn writable(path: &Path, reach: u32, deep: u32) -> Option<PathBuf> {
    let found = fs::symlink_metadata(path).ok().filter(|found| found.is_dir() || found.is_file())?;
    let (enter, write) = (found.mode() & reach, found.mode() & (reach << 1));
    if write != 0 {
        return Some(path.to_owned());
    }
    if enter == 0 || deep == 0 || !found.is_dir() {
        return None;
    }
    fs::read_dir(path).ok()?.flatten().find_map(|entry| writable(&entry.path(), enter, deep - 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    #[test]
    fn what_others_can_write_to_is_told_unless_they_do_not_get_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap().join("data");
        let store = root.join("orgs/crew/store");
        assert_eq!(finding(&root), None, "there is no such folder yet");
        fs::create_dir_all(&store).unwrap();
        let journal = store.join("journal.db");
        fs::write(&journal, "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let usual = [(&root, 0o755), (&root.join("orgs"), 0o755), (&root.join("orgs/crew"), 0o755), (&store, 0o755), (&journal, 0o644)];
        for (path, mode, root_mode, told) in [
            (&root, 0o777, 0o777, true),
            (&root, 0o770, 0o770, true),
            (&root, 0o755, 0o755, false),
            (&store, 0o775, 0o755, true),
            (&journal, 0o666, 0o755, true),
            (&journal, 0o666, 0o700, false),
            (&journal, 0o660, 0o701, false),
            (&journal, 0o666, 0o701, true),
        ] {
            usual.iter().for_each(|(path, mode)| set(path, *mode));
            set(path, mode);
            set(&root, root_mode);
            let found = open(&root);
            assert_eq!(found.is_some(), told, "{} {mode:o} in {root_mode:o}: {found:?}", path.display());
            let Some(found) = found else { continue };
            assert!(!found.ok && found.detail.contains(&format!("write to {}:", path.display())), "{found:?}");
            assert!(found.next.unwrap().ends_with(&format!("chmod 700 {}", root.display())));
        }
        set(&root, 0o777);
        set(dir.path(), 0o700);
        assert_eq!(finding(&root), None, "nobody else enters the folder above");
    }
}
