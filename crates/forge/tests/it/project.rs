//! Projects from working copies of every sort.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::Kind;
use forge::*;
use std::fs;

fn add(device: &Device, folder: &str) -> Result<InitProject, domain::Problem> {
    device.forge.init_project(&device.path(folder), &name("demo"), None, &Visibility::Public)
}

#[test]
fn a_working_copy_becomes_a_project_and_gets_nothing_but_a_remote() {
    let device = Device::new("laptop");
    let work = device.path("copy");
    working_copy(&work, &[("a.txt", "a\n")]);
    let hooked = device.path("hook-ran");
    put(&work, ".git/hooks/pre-push", format!("#!/bin/sh\ntouch {}\nexit 1\n", hooked.display()));
    std::process::Command::new("chmod").arg("+x").arg(work.join(".git/hooks/pre-push")).status().unwrap();
    let before = fs::read_to_string(work.join(".git/config")).unwrap();
    let made = add(&device, "copy").unwrap();
    assert!(made.notices.is_empty() && !made.existed, "{made:?}");
    assert_eq!((made.branch.as_str(), made.head.as_str()), ("main", git(&work, &["rev-parse", "HEAD"]).as_str()));
    assert_eq!(device.forge.head(&made.rid).unwrap(), made.head);
    assert_eq!(device.forge.branch(&made.rid).unwrap(), "main");
    assert_eq!(device.forge.delegates(&made.rid).unwrap(), [device.forge.member()]);
    assert!(!hooked.exists(), "no hook of the working copy ran");
    let added = fs::read_to_string(work.join(".git/config")).unwrap().replace(&before, "");
    assert!(added.trim().starts_with("[remote \"rad\"]") && added.matches('[').count() == 1, "{added}");
    assert_eq!(git(&work, &["status", "--porcelain"]), "");

    let again = add(&device, "copy").unwrap();
    assert_eq!((again.rid, again.existed), (made.rid, true));
}

#[test]
fn links_of_a_commit_are_named_and_never_read() {
    let device = Device::new("laptop");
    let work = device.path("copy");
    fs::create_dir_all(work.join("specs/001-a")).unwrap();
    std::os::unix::fs::symlink("../002-b/tasks.md", work.join("specs/001-a/tasks.md")).unwrap();
    std::os::unix::fs::symlink("specs", work.join("other")).unwrap();
    working_copy(&work, &[("specs/002-b/tasks.md", "b\n")]);
    let made = add(&device, "copy").unwrap();
    assert_eq!(device.forge.links(&made.rid, &made.head, &["specs/"]).unwrap(), ["specs/001-a/tasks.md"]);
    assert_eq!(device.forge.links(&made.rid, &made.head, &[""]).unwrap(), ["other", "specs/001-a/tasks.md"]);
    let read = device.forge.files(&made.rid, &made.head, &["specs/"]).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["specs/002-b/tasks.md"]);
}

#[test]
fn an_interrupted_attempt_is_taken_up_and_another_repository_of_the_name_is_not_mixed_in() {
    let device = Device::new("laptop");
    working_copy(&device.path("copy"), &[("a.txt", "a\n")]);
    let first = add(&device, "copy").unwrap();
    git(&device.path("copy"), &["remote", "remove", "rad"]);
    let again = add(&device, "copy").unwrap();
    assert_eq!((&again.rid, again.existed), (&first.rid, true));

    // The machine went down while the storage was being filled.
    git(&device.path("copy"), &["remote", "remove", "rad"]);
    let storage = device.path("rad/storage").join(first.rid.as_str().trim_start_matches("rad:"));
    fs::remove_dir_all(storage.join("refs")).unwrap();
    fs::create_dir(storage.join("refs")).unwrap();
    let anew = add(&device, "copy").unwrap();
    assert_eq!((&anew.rid, anew.existed), (&first.rid, false));
    assert_eq!(device.forge.head(&anew.rid).unwrap(), first.head);

    working_copy(&device.path("other"), &[("b.txt", "b\n")]);
    let problem = add(&device, "other").unwrap_err();
    assert!(problem.kind == Kind::Conflict && problem.what.contains("another project of this name"), "{problem}");
}

#[test]
fn working_copies_that_cannot_be_projects_are_told_why_and_what_to_do() {
    let device = Device::new("laptop");
    let dir = device.dir.path();
    working_copy(&device.path("good"), &[("a.txt", "a\n"), ("sub/b", "b\n")]);
    git(dir, &["init", "--quiet", "empty"]);
    git(dir, &["init", "--quiet", "--bare", "bare"]);
    fs::create_dir(device.path("plain")).unwrap();
    let from = format!("file://{}", device.path("good").display());
    put(&device.path("good"), "c", "c");
    git(&device.path("good"), &["add", "."]);
    git(&device.path("good"), &["commit", "--quiet", "--message=two"]);
    git(dir, &["clone", "--quiet", "--depth=1", &from, "shallow"]);
    git(dir, &["clone", "--quiet", &from, "detached"]);
    git(&device.path("detached"), &["checkout", "--quiet", "--detach"]);
    git(dir, &["clone", "--quiet", &from, "taken"]);
    git(&device.path("taken"), &["remote", "add", "rad", "https://example.org/x.git"]);
    git(dir, &["clone", "--quiet", &from, "elsewhere"]);
    git(&device.path("elsewhere"), &["remote", "add", "rad", "rad://z3gqcJUoA1n9HaHKufZs5FCSGazv5"]);
    let table = [
        ("missing", Kind::NotFound, "no folder"),
        ("plain", Kind::Invalid, "not a git repository"),
        ("good/sub", Kind::Invalid, "lies within"),
        ("empty", Kind::Invalid, "no commits"),
        ("bare", Kind::Invalid, "bare"),
        ("shallow", Kind::Invalid, "unshallow"),
        ("detached", Kind::Invalid, "detached HEAD"),
        ("taken", Kind::Conflict, "not Radicle's"),
        ("elsewhere", Kind::Conflict, "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5"),
    ];
    for (folder, kind, words) in table {
        let problem = add(&device, folder).unwrap_err();
        assert_eq!(problem.kind, kind, "{folder}: {problem}");
        assert!(problem.to_string().contains(words), "{folder}: {problem}");
        assert!(problem.next.is_some() || folder == "missing", "{folder}: {problem}");
    }
    let main = device.forge.init_project(&device.path("detached"), &name("demo"), Some("main"), &Visibility::Public);
    assert_eq!(main.unwrap().branch, "main", "a branch that is named needs no checkout");
    let none = device.forge.init_project(&device.path("good"), &name("x"), Some("nope"), &Visibility::Public);
    assert_eq!(none.unwrap_err().kind, Kind::NotFound);
}

#[test]
fn uncommitted_files_and_submodules_are_noticed_but_not_in_the_way() {
    let device = Device::new("laptop");
    let work = device.path("copy");
    working_copy(&work, &[("a.txt", "a\n"), (".gitignore", "out\n")]);
    git(&work, &["update-index", "--add", "--cacheinfo", &format!("160000,{},lib", "1".repeat(40))]);
    git(&work, &["commit", "--quiet", "--message=module"]);
    put(&work, "a.txt", "changed");
    put(&work, "new.txt", "new");
    put(&work, "out", "ignored");
    let made = add(&device, "copy").unwrap();
    assert_eq!(made.notices.len(), 2, "{:?}", made.notices);
    assert!(made.notices[0].starts_with("2 files are not committed"), "{:?}", made.notices);
    assert!(made.notices[1].starts_with("1 submodules"), "{:?}", made.notices);
    assert_eq!(files(&device.forge, &made.rid, &made.head)["a.txt"], "a\n");
}

#[test]
fn commits_of_the_member_change_exactly_what_they_say() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("dir/b.txt", "b\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let changes = [("dir/b.txt".to_owned(), None), ("c/d.txt".to_owned(), Some(b"d\n".to_vec())), ("never.txt".to_owned(), None)];
    let next = device.forge.commit_files(&rid, "change\n", &changes, Some(&head)).unwrap();
    assert_eq!(device.forge.head(&rid).unwrap(), next);
    assert_eq!(files(&device.forge, &rid, &next).into_keys().collect::<Vec<_>>(), ["a.txt", "c/d.txt"]);
    assert_eq!(device.forge.list_root(&rid, &next).unwrap(), ["a.txt", "c"]);
    assert_eq!(device.forge.read(&rid, &next, "c").unwrap(), None);
    let same = device.forge.commit_files(&rid, "nothing\n", &[changes[1].clone()], None).unwrap();
    assert_eq!(same, next, "what changes nothing makes no commit");
    let late = device.forge.commit_files(&rid, "late\n", &changes, Some(&head)).unwrap_err();
    assert_eq!(late.kind, Kind::Conflict);
    for path in ["", "/abs", "a/../b", ".git/config", "x//y", "sub/.GIT/hooks"] {
        let wrong = device.forge.commit_files(&rid, "x\n", &[(path.to_owned(), Some(vec![]))], None).unwrap_err();
        assert_eq!(wrong.kind, Kind::Invalid, "{path}");
    }
    let nothing = "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap();
    assert_eq!(device.forge.head(&nothing).unwrap_err().kind, Kind::NotFound);
}
