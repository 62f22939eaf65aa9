//! A mirror at an ordinary git host: here a bare repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::Kind;

fn edit(device: &Device, rid: &domain::Rid, path: &str, text: &str) -> domain::Oid {
    device.forge.commit_files(rid, "edit\n", &[(path.to_owned(), Some(text.into()))], None).unwrap()
}

fn pull(device: &Device, rid: &domain::Rid, remote: &str) -> Result<Option<domain::Oid>, domain::Problem> {
    let found = device.forge.mirror_fetch(rid, remote)?;
    device.forge.mirror_bring(rid, &found)
}

/// A bare repository with a commit of its own on a branch.
fn other(device: &Device, branch: &str) -> std::path::PathBuf {
    let (work, bare) = (device.path(&format!("work-{branch}")), device.path(&format!("{branch}.git")));
    working_copy(&work, &[("other.txt", "other\n")]);
    git(&work, &["branch", "--move", branch]);
    git(device.dir.path(), &["clone", "--quiet", "--bare", work.to_str().unwrap(), bare.to_str().unwrap()]);
    bare
}

#[test]
fn a_mirror_of_another_repository_is_refused_and_left_as_it_was() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    for branch in ["main", "trunk"] {
        let bare = other(&device, branch);
        let before = git(&bare, &["show-ref"]);
        let problem = pull(&device, &rid, bare.to_str().unwrap()).unwrap_err();
        assert!(problem.kind == Kind::Conflict && problem.what.contains("another repository"), "{problem}");
        assert_eq!((git(&bare, &["show-ref"]), device.forge.head(&rid).unwrap()), (before, head.clone()));
    }
    // Nothing that was fetched stays.
    let storage = device.forge.rad_home().join("storage").join(rid.as_str().trim_start_matches("rad:"));
    assert!(!git(&storage, &["show-ref"]).contains("refs/meshwork/"));
}

#[test]
fn the_default_branch_goes_to_the_mirror_and_its_changes_come_back() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let bare = device.path("mirror.git");
    git(device.dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "mirror.git"]);
    let remote = bare.to_str().unwrap();
    assert_eq!(pull(&device, &rid, remote).unwrap(), None, "an empty mirror has nothing new");
    let head = device.forge.mirror_push(&rid, remote).unwrap();
    assert_eq!(git(&bare, &["rev-parse", "main"]), head.as_str());

    // Somebody pushes to the mirror: it comes back as it is.
    git(device.dir.path(), &["clone", "--quiet", remote, "clone"]);
    let clone = device.path("clone");
    put(&clone, "theirs.txt", "t\n");
    git(&clone, &["add", "."]);
    git(&clone, &["commit", "--quiet", "--message=theirs"]);
    git(&clone, &["push", "--quiet", "origin", "main"]);
    let theirs = git(&clone, &["rev-parse", "main"]);
    assert_eq!(pull(&device, &rid, remote).unwrap().unwrap().as_str(), theirs);
    assert_eq!(device.forge.head(&rid).unwrap().as_str(), theirs);
    assert_eq!(pull(&device, &rid, remote).unwrap(), None);

    // Both sides go on: a push is refused, not forced; after a fetch that merges it goes through.
    put(&clone, "more.txt", "m\n");
    git(&clone, &["add", "."]);
    git(&clone, &["commit", "--quiet", "--message=more"]);
    git(&clone, &["push", "--quiet", "origin", "main"]);
    edit(&device, &rid, "ours.txt", "o\n");
    assert_eq!(device.forge.mirror_push(&rid, remote).unwrap_err().kind, Kind::Conflict);
    let merged = pull(&device, &rid, remote).unwrap().unwrap();
    let found = files(&device.forge, &rid, &merged);
    assert!(["theirs.txt", "more.txt", "ours.txt"].iter().all(|path| found.contains_key(*path)), "{found:?}");
    assert_eq!(device.forge.mirror_push(&rid, remote).unwrap(), merged);
}

#[test]
fn contradicting_changes_are_told_and_nothing_is_forced() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    git(device.dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "mirror.git"]);
    let bare = device.path("mirror.git");
    let remote = bare.to_str().unwrap();
    device.forge.mirror_push(&rid, remote).unwrap();
    git(device.dir.path(), &["clone", "--quiet", remote, "clone"]);
    let clone = device.path("clone");
    put(&clone, "a.txt", "theirs\n");
    git(&clone, &["commit", "--quiet", "--all", "--message=theirs"]);
    git(&clone, &["push", "--quiet", "origin", "main"]);
    let ours = edit(&device, &rid, "a.txt", "ours\n");
    let problem = pull(&device, &rid, remote).unwrap_err();
    assert!(problem.kind == Kind::Conflict && problem.why.as_deref().unwrap().contains("a.txt"), "{problem}");
    assert_eq!(device.forge.head(&rid).unwrap(), ours);
    assert_eq!(git(&bare, &["rev-parse", "main"]), git(&clone, &["rev-parse", "main"]));
}

#[test]
fn addresses_that_run_commands_or_lead_nowhere_are_refused() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    for bad in ["ext::sh -c id", "--upload-pack=id", "", "a\nb"] {
        assert_eq!(device.forge.mirror_push(&rid, bad).unwrap_err().kind, Kind::Invalid, "{bad}");
    }
    let nowhere = device.path("nowhere.git");
    let problem = device.forge.mirror_push(&rid, nowhere.to_str().unwrap()).unwrap_err();
    assert!(problem.kind == Kind::NotFound && problem.what.contains("no folder"), "{problem}");
    std::fs::create_dir(&nowhere).unwrap();
    let problem = device.forge.mirror_fetch(&rid, nowhere.to_str().unwrap()).unwrap_err();
    assert!(problem.kind == Kind::Invalid && problem.what.contains("not a git repository"), "{problem}");
    let secret = device.forge.mirror_fetch(&rid, "http://joe:s3cret@127.0.0.1:9/x.git").unwrap_err();
    assert!(!secret.to_string().contains("s3cret"), "{secret}");
}
