//! Worktrees for engines, and checkpoints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::{Oid, Rid, RunId};
use forge::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn run_id() -> RunId {
    "01J00000000000000000000000".parse().unwrap()
}

/// A project with these files, and its head in an engine's clone `work`.
fn checked_out(device: &Device, files: &[(&str, &str)]) -> (Rid, Oid, RunRepo, PathBuf) {
    let rid = device.project("demo", files, &[]);
    let head = device.forge.head(&rid).unwrap();
    let repo = RunRepo::create(&device.path("host.git"), &device.forge, &rid).unwrap();
    let work = device.path("work");
    repo.checkout(&head, &work).unwrap();
    (rid, head, repo, work)
}

/// Every file below a folder.
fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

#[test]
fn an_engines_clone_shares_nothing_and_runs_nothing() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("bin/tool", "#!/bin/sh\n")], &[]);
    let head = device.forge.commit_files(&rid, "more\n", &[("b.txt".into(), Some(b"b\n".to_vec()))], None).unwrap();
    let work = device.path("work");
    device.forge.checkout(&rid, &head, &work).unwrap();
    assert_eq!(git(&work, &["status", "--porcelain"]), "");
    assert_eq!(git(&work, &["rev-parse", "HEAD"]), head.as_str());
    assert_eq!(git(&work, &["branch", "--show-current"]), "main");
    assert_eq!(git(&work, &["log", "--format=%s"]), "more\nfirst", "an engine sees history");
    assert_eq!(git(&work, &["remote"]), "");
    git(&work, &["fsck", "--strict"]);
    assert!(!work.join(".git/hooks").exists() && !work.join(".git/objects/info/alternates").exists());
    let mut all = Vec::new();
    walk(&work, &mut all);
    let shared: Vec<_> = all.iter().filter(|file| fs::symlink_metadata(file).unwrap().nlink() > 1).collect();
    assert!(shared.is_empty(), "an engine could write these of the storage: {shared:?}");
    let storage = device.path("rad").display().to_string();
    assert!(all.iter().all(|file| !String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).contains(&storage)), "no path leads back");
}

#[test]
fn a_commit_that_only_the_run_has_can_be_checked_out_for_its_checks() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let repo = RunRepo::create(&device.path("host.git"), &device.forge, &rid).unwrap();
    repo.checkout(&head, &device.path("work")).unwrap();
    let base = repo.base_tree(&head).unwrap();
    put(&device.path("work"), "b.txt", "b\n");
    let tree = repo.import(&device.path("work"), &base, &ImportLimits::default()).unwrap().tree;
    let commit = repo.commit(&tree, &[head], "coder", "work\n", &RunKey::new()).unwrap();
    assert!(!device.forge.has_commit(&rid, &commit).unwrap());
    repo.checkout(&commit, &device.path("checks")).unwrap();
    assert_eq!(fs::read_to_string(device.path("checks/b.txt")).unwrap(), "b\n");
    assert_eq!(RunRepo::create(&device.path("host.git"), &device.forge, &rid).unwrap().base_tree(&commit).unwrap().tree().unwrap(), tree);
}

#[test]
fn runner_and_host_agree_on_the_hash_each_from_what_it_has() {
    let device = Device::new("laptop");
    let (_, head, repo, work) = checked_out(&device, &[("a.txt", "a\n"), (".gitignore", "out/\n")]);
    let runners = BaseTree::read(&work.join(".git"), &head).unwrap();
    put(&work, "out/x", "ignored");
    put(&work, "new/file", "n");
    let hosts = repo.base_tree(&head).unwrap();
    let by_host = repo.import(&work, &hosts, &ImportLimits::default()).unwrap();
    assert_eq!(tree_of(&work, &runners, &ImportLimits::default()).unwrap(), by_host);
}

#[test]
fn a_checkpoint_survives_the_runs_folder_and_comes_back_as_changes() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("dir/b.txt", "b\n"), ("gone.txt", "g\n"), ("folder/x", "x\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let dir = device.path("run");
    let repo = RunRepo::create(&dir.join("host.git"), &device.forge, &rid).unwrap();
    let work = dir.join("work");
    repo.checkout(&head, &work).unwrap();
    let base = repo.base_tree(&head).unwrap();
    put(&work, "a.txt", "changed\n");
    put(&work, "new/script.sh", "#!/bin/sh\n");
    fs::set_permissions(work.join("new/script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(work.join("gone.txt")).unwrap();
    fs::remove_dir_all(work.join("folder")).unwrap();
    symlink("/etc", work.join("folder")).unwrap();
    fs::remove_file(work.join("dir/b.txt")).unwrap();
    put(&dir.join("home"), "session.json", "{\"turn\": 3}");
    let imported = repo.import(&work, &base, &ImportLimits::default()).unwrap();
    let all = ImportLimits { ignore: Ignore::Not, ..ImportLimits::default() };
    let session = repo.import(&dir.join("home"), &BaseTree::empty().unwrap(), &all).unwrap();
    let saved = device.forge.checkpoint(&rid, &run_id(), &repo, &head, &imported.tree, Some(&session.tree)).unwrap();
    fs::remove_dir_all(&dir).unwrap();

    let found = device.forge.checkpoint_of(&rid, &run_id()).unwrap().unwrap();
    assert_eq!((&found.commit, &found.base, &found.work), (&saved, &head, &imported.tree));
    let (again, home) = (device.path("again"), device.path("home"));
    device.forge.restore(&rid, &saved, &again, Some(&home)).unwrap();
    assert_eq!(fs::read_to_string(home.join("session.json")).unwrap(), "{\"turn\": 3}");
    assert_eq!(git(&again, &["rev-parse", "HEAD"]), head.as_str());
    assert!(!again.join("dir").exists(), "folders that became empty are gone");
    assert_eq!(fs::read_link(again.join("folder")).unwrap(), Path::new("/etc"));
    assert!(git(&again, &["status", "--porcelain"]).contains("M a.txt"));
    let repo = RunRepo::create(&device.path("second.git"), &device.forge, &rid).unwrap();
    let reread = repo.import(&again, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap();
    assert_eq!(reread.tree, imported.tree, "what comes back is what was saved");

    device.forge.drop_checkpoint(&rid, &run_id()).unwrap();
    assert_eq!(device.forge.checkpoint_of(&rid, &run_id()).unwrap(), None);
}

#[test]
fn saved_work_comes_back_also_where_the_folder_lies_elsewhere_now() {
    let device = Device::new("laptop");
    let (rid, head, repo, work) = checked_out(&device, &[("a.txt", "a\n")]);
    put(&work, "a.txt", "changed\n");
    let imported = repo.import(&work, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap();
    let saved = device.forge.checkpoint(&rid, &run_id(), &repo, &head, &imported.tree, None).unwrap();
    let Device { dir, forge } = device;
    drop(forge);
    let restored = dir.path().join("restored");
    fs::create_dir(&restored).unwrap();
    for name in ["rad", "member"] {
        fs::rename(dir.path().join(name), restored.join(name)).unwrap();
    }
    let forge = Forge::open(&restored.join("rad"), &restored.join("member")).unwrap();
    let again = dir.path().join("again");
    forge.restore(&rid, &saved, &again, None).unwrap();
    assert_eq!(fs::read_to_string(again.join("a.txt")).unwrap(), "changed\n");
    let repo = RunRepo::create(&dir.path().join("host.git"), &forge, &rid).unwrap();
    assert_eq!(repo.diff(&head, &head).unwrap(), "");
}

#[test]
fn what_a_run_changed_is_shown_before_it_is_published() {
    let device = Device::new("laptop");
    let (rid, head, repo, work) = checked_out(&device, &[("a.txt", "a\n")]);
    put(&work, "a.txt", "changed\n");
    let imported = repo.import(&work, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap();
    let saved = device.forge.checkpoint(&rid, &run_id(), &repo, &head, &imported.tree, Some(&imported.tree)).unwrap();
    assert!(device.forge.diff(&rid, &head, &saved).is_err(), "it lies beside the storage");
    let diff = device.forge.diff_checkpoint(&rid, &saved).unwrap();
    assert!(diff.contains("+++ b/a.txt") && diff.contains("\n+changed\n") && !diff.contains("session"), "{diff}");
    let commit = repo.commit(&imported.tree, std::slice::from_ref(&head), "coder", "Work\n", &RunKey::new()).unwrap();
    assert_eq!(repo.diff(&head, &commit).unwrap(), diff);
    device.forge.drop_checkpoint(&rid, &run_id()).unwrap();
    assert_eq!(device.forge.diff_checkpoint(&rid, &saved).unwrap_err().kind, domain::Kind::NotFound);
}

#[test]
fn what_an_engine_committed_beside_its_work_is_told() {
    let device = Device::new("laptop");
    let (_, head, repo, work) = checked_out(&device, &[("a.txt", "a\n")]);
    let base = repo.base_tree(&head).unwrap();
    let beside = || repo.beside(&work, &repo.import(&work, &base, &ImportLimits::default()).unwrap().tree).unwrap();
    let commit = |file: &str, more: &[&str]| {
        put(&work, file, format!("{file} {}\n", more.len()));
        git(&work, &["add", "."]);
        git(&work, &[&["commit", "--quiet", "--message", file][..], more].concat());
        git(&work, &["rev-parse", "HEAD"])[..10].to_owned()
    };
    // What is ordinary: commits, one that is amended, a branch that is merged, one that is squashed, a rebase, changes thrown away.
    commit("one.txt", &[]);
    commit("one.txt", &["--amend"]);
    git(&work, &["checkout", "--quiet", "-b", "merged"]);
    commit("two.txt", &[]);
    git(&work, &["checkout", "--quiet", "main"]);
    git(&work, &["merge", "--quiet", "merged"]);
    git(&work, &["checkout", "--quiet", "-b", "squashed"]);
    commit("three.txt", &[]);
    commit("four.txt", &[]);
    git(&work, &["checkout", "--quiet", "main"]);
    git(&work, &["merge", "--quiet", "--squash", "squashed"]);
    git(&work, &["commit", "--quiet", "--message", "squashed"]);
    git(&work, &["checkout", "--quiet", "-b", "rebased", "HEAD~1"]);
    commit("five.txt", &[]);
    git(&work, &["rebase", "--quiet", "main"]);
    git(&work, &["checkout", "--quiet", "main"]);
    git(&work, &["merge", "--quiet", "rebased"]);
    put(&work, "a.txt", "not wanted\n");
    git(&work, &["reset", "--quiet", "--hard"]);
    git(&work, &["pack-refs", "--all"]);
    put(&work, "a.txt", "not in a commit yet\n");
    assert_eq!(beside(), Vec::<String>::new());

    git(&work, &["stash", "--quiet"]);
    let stash = git(&work, &["rev-parse", "refs/stash"])[..10].to_owned();
    git(&work, &["checkout", "--quiet", "-b", "more/wip"]);
    let wip = commit("wip.txt", &[]);
    git(&work, &["checkout", "--quiet", "main"]);
    let left = commit("left.txt", &[]);
    git(&work, &["reset", "--quiet", "--hard", "HEAD~1"]);
    let [of_branch, of_stash, of_reset] = [
        format!("the commits of the branch more/wip ({wip})"),
        format!("what git stash holds ({stash})"),
        format!("the commit {left}, which a reset left"),
    ];
    assert_eq!(beside(), [of_branch.clone(), of_stash.clone(), of_reset.clone()]);
    git(&work, &["pack-refs", "--all"]);
    assert_eq!(beside(), [of_branch, of_stash.clone(), of_reset.clone()]);
    git(&work, &["checkout", "--quiet", "more/wip"]);
    assert_eq!(beside(), [of_stash, of_reset], "what is checked out is the work");
}

#[test]
fn files_that_git_did_not_know_are_told_where_a_stash_took_them() {
    let device = Device::new("laptop");
    let (_, head, repo, work) = checked_out(&device, &[("a.txt", "a\n")]);
    let tree = repo.base_tree(&head).unwrap().tree().unwrap();
    assert!(repo.beside(&work, &tree).unwrap().is_empty());
    put(&work, "new.txt", "new\n");
    git(&work, &["stash", "--quiet", "--include-untracked"]);
    assert_eq!(repo.beside(&work, &tree).unwrap().len(), 1);
    // Nothing there makes us wait, and a clone without git holds no commits.
    let head_file = work.join(".git/HEAD");
    fs::remove_file(&head_file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&head_file).status().unwrap().success());
    assert_eq!(repo.beside(&work, &tree).unwrap().len(), 1);
    fs::remove_dir_all(work.join(".git")).unwrap();
    assert!(repo.beside(&work, &tree).unwrap().is_empty());
}

#[test]
fn each_stash_is_told_that_is_not_in_the_work() {
    let device = Device::new("laptop");
    let (_, head, repo, work) = checked_out(&device, &[("a.txt", "a\n")]);
    let stash = |content: &str| {
        put(&work, "a.txt", content);
        git(&work, &["stash", "--quiet"]);
        git(&work, &["rev-parse", "refs/stash"])[..10].to_owned()
    };
    let older = stash("one\n");
    stash("two\n");
    git(&work, &["stash", "apply", "--quiet"]);
    let tree = repo.import(&work, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap().tree;
    assert_eq!(repo.beside(&work, &tree).unwrap(), [format!("what git stash holds ({older})")]);
}

#[test]
fn nothing_is_told_of_a_repository_to_which_an_engine_made_a_link() {
    let device = Device::new("laptop");
    let (_, head, repo, work) = checked_out(&device, &[("a.txt", "a\n")]);
    let tree = repo.base_tree(&head).unwrap().tree().unwrap();
    let (outside, refs) = (device.path("outside"), work.join(".git/refs"));
    put(&outside, "refs/heads/secret", "1".repeat(40));
    fs::remove_dir_all(&refs).unwrap();
    symlink(outside.join("refs"), &refs).unwrap();
    assert_eq!(repo.beside(&work, &tree).unwrap(), Vec::<String>::new());
    fs::rename(work.join(".git"), device.path("elsewhere")).unwrap();
    symlink(&outside, work.join(".git")).unwrap();
    let told = repo.beside(&work, &tree).unwrap();
    assert!(told.len() == 1 && told[0].contains(".git is no folder"), "{told:?}");
}
