//! Who signed what, verified from the repository alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::{Oid, patch::Verdict};
use forge::*;

/// A run's published work on a project, and the folder of the project's storage.
fn published() -> (Device, domain::Rid, RunKey, Work, std::path::PathBuf) {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let key = RunKey::new();
    let work = device.run(&rid, &key, "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let storage = device.forge.rad_home().join("storage").join(rid.as_str().trim_start_matches("rad:"));
    (device, rid, key, work, storage)
}

#[test]
fn a_commit_names_the_key_that_signed_it_and_a_changed_one_names_nobody() {
    let (device, rid, key, work, storage) = published();
    let signature = |commit: &Oid| device.forge.commit_proof(&rid, commit).unwrap().signature;
    assert_eq!(signature(&work.commit), CommitSignature::By(key.did()));
    assert_eq!(signature(&device.forge.head(&rid).unwrap()), CommitSignature::Missing);

    let changed = git(&storage, &["cat-file", "commit", work.commit.as_str()]).replace("\none", "\nown");
    put(&storage, "changed", format!("{changed}\n"));
    let changed: Oid = git(&storage, &["hash-object", "-t", "commit", "-w", "changed"]).parse().unwrap();
    assert_ne!(changed, work.commit);
    assert_eq!(signature(&changed), CommitSignature::Broken);

    assert_eq!(device.forge.find_commit(&rid, &work.commit.as_str()[..10]).unwrap(), Some(work.commit));
    assert_eq!(device.forge.find_commit(&rid, "0000000000").unwrap(), None);
}

#[test]
fn every_entry_of_a_patch_is_told_with_its_key_and_merging_anew_gives_the_same() {
    let (device, rid, key, work, _) = published();
    let Published { patch, revision, .. } = &work.published;
    device.forge.review(&rid, patch, revision, Verdict::Accept, "Good.", &[]).unwrap();
    let ours = device.forge.head(&rid).unwrap();
    device.forge.commit_files(&rid, "Another file", &[("b.txt".into(), Some(b"b\n".to_vec()))], Some(&ours)).unwrap();
    let onto = device.forge.head(&rid).unwrap();
    let MergeResult::Ready { commit, .. } = device.forge.merge_result(&rid, patch, None, &|_, _, _, _| None).unwrap() else {
        panic!("it merges")
    };
    assert_eq!(device.forge.vouchers(&rid, &commit).unwrap(), (vec![], 1), "nobody signed it yet");
    device.forge.merge(&rid, patch, revision, &commit).unwrap();

    let entries = device.forge.patch_entries(&rid, patch).unwrap();
    let by = |kind: &str| entries.iter().find(|e| e.does(kind, "revision", revision.as_str())).map(|e| (e.by.clone(), e.fits));
    assert_eq!((by("review"), by("merge")), (Some((device.forge.member(), true)), Some((device.forge.member(), true))));
    let first = entries.iter().find(|e| e.id.as_str() == patch.as_str()).unwrap();
    assert_eq!((&first.by, first.fits, first.does("revision", "oid", work.commit.as_str())), (&key.did(), true, true));
    assert_eq!(device.forge.patch_ids(&rid).unwrap(), std::slice::from_ref(patch));

    let (vouchers, threshold) = device.forge.vouchers(&rid, &commit).unwrap();
    assert_eq!((vouchers, threshold), (vec![Voucher { by: device.forge.member(), head: commit.clone() }], 1));
    assert_eq!(device.forge.parts_at(&rid, &onto, &work.commit).unwrap(), Some(ours));
    let anew = device.forge.merged_tree(&rid, &onto, &work.commit, &|_, _, _, _| None).unwrap();
    assert_eq!(anew, Some(device.forge.tree(&rid, &commit).unwrap()));
    assert_eq!(device.forge.commit_proof(&rid, &commit).unwrap().parents, [onto, work.commit]);
}
