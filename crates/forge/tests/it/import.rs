//! Reading worktrees that an engine wrote: the same tree as git makes, and nothing of what hostile ones try.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::{Kind, Oid};
use forge::*;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// A git repository with a commit, as the worktree of a run.
struct Ground {
    dir: TempDir,
    base: BaseTree,
}

impl Ground {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        working_copy(&work, files);
        let head: Oid = git(&work, &["rev-parse", "HEAD"]).parse().unwrap();
        let base = BaseTree::read(&work.join(".git"), &head).unwrap();
        Self { dir, base }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn tree(&self) -> Imported {
        tree_of(&self.work(), &self.base, &ImportLimits::default()).unwrap()
    }

    fn with(&self, limits: ImportLimits) -> Result<Imported, domain::Problem> {
        tree_of(&self.work(), &self.base, &limits)
    }

    /// What git itself makes of the worktree.
    fn by_git(&self) -> String {
        git(&self.work(), &["add", "--all"]);
        git(&self.work(), &["write-tree"])
    }

    /// The paths of a tree, stored in a fresh repository.
    fn paths(&self, device: &Device) -> Vec<String> {
        let rid = device.project("ground", &[("x", "x")], &[]);
        let repo = RunRepo::create(&device.path("ground.git"), &device.forge, &rid).unwrap();
        let tree = repo.import(&self.work(), &self.base, &ImportLimits::default()).unwrap().tree;
        let listed = git(repo.path(), &["ls-tree", "-r", "--format=%(objectmode) %(path)", tree.as_str()]);
        listed.lines().map(str::to_owned).collect()
    }
}

#[test]
fn an_untouched_worktree_is_the_base_tree() {
    let ground = Ground::new(&[("a.txt", "a\n"), ("dir/b.txt", "b\n")]);
    let imported = ground.tree();
    assert!(!imported.changed && imported.notes.is_empty(), "{imported:?}");
    assert_eq!((imported.files, imported.tree.as_str()), (2, ground.by_git().as_str()));
}

#[test]
fn the_hash_is_gits_own_for_odd_names_modes_links_and_ignored_files() {
    let ground = Ground::new(&[
        (".gitignore", "target/\n*.log\n!keep.log\n/only-here\nsub/**/deep\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("src/gone.rs", "x\n"),
        ("kept/in.log", "tracked before it was ignored\n"),
        ("foo.txt", "file beside folder\n"),
    ]);
    let work = ground.work();
    git(&work, &["rm", "--quiet", "--cached", "foo.txt"]);
    git(&work, &["add", "--force", "kept/in.log"]);
    git(&work, &["commit", "--quiet", "--message=force"]);
    let head: Oid = git(&work, &["rev-parse", "HEAD"]).parse().unwrap();
    let ground = Ground { base: BaseTree::read(&work.join(".git"), &head).unwrap(), ..ground };
    fs::remove_file(work.join("src/gone.rs")).unwrap();
    for (path, content) in [
        ("target/debug/x", "no"),
        ("a.log", "no"),
        ("keep.log", "yes"),
        ("only-here", "no"),
        ("below/only-here", "yes"),
        ("sub/a/b/deep", "no"),
        ("foo/bar", "folder foo before foo.txt?"),
        ("foo-bar", "order"),
        ("names/with space", "1"),
        ("names/öäü", "2"),
        ("names/-dash", "3"),
        ("names/tab\there", "4"),
        ("names/.gitignore", "ignored-here\n"),
        ("names/ignored-here", "no"),
    ] {
        put(&work, path, content);
    }
    fs::write(work.join("names").join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "not Unicode").unwrap();
    symlink("main.rs", work.join("src/link.rs")).unwrap();
    fs::set_permissions(work.join("src/main.rs"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(work.join("empty/folders")).unwrap();
    let imported = ground.tree();
    assert!(imported.changed && imported.notes.is_empty(), "{imported:?}");
    assert_eq!(imported.tree.as_str(), ground.by_git());
    assert_eq!(imported, ground.tree(), "the same files give the same answer");
}

#[test]
fn what_the_base_ignores_stays_ignored_when_an_engine_removes_the_rule() {
    let ground = Ground::new(&[(".gitignore", "target/\n"), ("a", "a")]);
    put(&ground.work(), ".gitignore", "");
    put(&ground.work(), "target/huge.o", "x");
    let device = Device::new("laptop");
    assert_eq!(ground.paths(&device), ["100644 .gitignore", "100644 a"]);
    assert!(ground.tree().notes[0].contains("base's .gitignore"), "{:?}", ground.tree().notes);
}

#[test]
fn repositories_within_the_worktree_are_plain_files_without_their_git() {
    let ground = Ground::new(&[("a", "a")]);
    let work = ground.work();
    working_copy(&work.join("nested"), &[("inner", "i")]);
    put(&work, "file/.git", "gitdir: /etc\n");
    put(&work, "file/x", "x");
    put(&work, "odd/.GIT/config", "[core]\n");
    put(&work, "odd/git~1/config", "[core]\n");
    let device = Device::new("laptop");
    assert_eq!(ground.paths(&device), ["100644 a", "100644 file/x", "100644 nested/inner"]);
    let notes = ground.tree().notes;
    for path in ["nested/.git", "file/.git", "odd/.GIT", "odd/git~1"] {
        assert!(notes.iter().any(|n| n.starts_with(path)), "{path} in {notes:?}");
    }
}

#[test]
fn the_worktrees_own_git_folder_is_never_looked_at() {
    let ground = Ground::new(&[("a", "a"), ("b", "b")]);
    let work = ground.work();
    let before = ground.tree();
    // Whatever an engine does there: commits, an index that lies, hooks, configuration that runs programs, a link.
    put(&work, "c", "c");
    git(&work, &["add", "--all"]);
    git(&work, &["commit", "--quiet", "--message=by the engine"]);
    git(&work, &["update-index", "--assume-unchanged", "a"]);
    fs::remove_file(work.join("c")).unwrap();
    let marker = ground.dir.path().join("ran");
    let run = format!("#!/bin/sh\ntouch {}\n", marker.display());
    put(&work, ".git/hooks/post-index-change", &run);
    put(&work, "evil.sh", &run);
    for file in [".git/hooks/post-index-change", "evil.sh"] {
        fs::set_permissions(work.join(file), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let evil = work.join("evil.sh").display().to_string();
    put(&work, ".git/config", format!("[core]\nfsmonitor = {evil}\nworktree = /\n[filter \"x\"]\nclean = {evil}\nrequired = true\n"));
    put(&work, ".gitattributes", "* filter=x\n");
    put(&work, ".git/info/exclude", "*\n");
    ground.tree();
    fs::remove_dir_all(work.join(".git")).unwrap();
    symlink("/etc", work.join(".git")).unwrap();
    ground.tree();
    fs::remove_file(work.join("evil.sh")).unwrap();
    fs::remove_file(work.join(".gitattributes")).unwrap();
    assert_eq!(ground.tree(), before);
    assert!(!marker.exists());
}

#[test]
fn what_is_no_file_is_left_out_and_named() {
    let ground = Ground::new(&[("a", "a")]);
    let work = ground.work();
    assert!(std::process::Command::new("mkfifo").arg(work.join("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(work.join("socket")).unwrap();
    let imported = ground.tree();
    assert!(!imported.changed);
    assert!(imported.notes.iter().any(|n| n == "pipe is left out: it is a FIFO."), "{:?}", imported.notes);
    assert!(imported.notes.iter().any(|n| n == "socket is left out: it is a socket."), "{:?}", imported.notes);
}

#[test]
fn links_are_kept_as_links_and_those_that_leave_are_named() {
    let ground = Ground::new(&[("a", "a"), ("dir/b", "b")]);
    let work = ground.work();
    fs::remove_file(work.join("a")).unwrap();
    symlink("/etc/passwd", work.join("a")).unwrap();
    fs::remove_dir_all(work.join("dir")).unwrap();
    symlink("/etc", work.join("dir")).unwrap();
    symlink("../../up", work.join("up")).unwrap();
    symlink("a", work.join("inside")).unwrap();
    symlink("a", work.join(".gitmodules")).unwrap();
    let device = Device::new("laptop");
    assert_eq!(ground.paths(&device), ["120000 a", "120000 dir", "120000 inside", "120000 up"]);
    let notes = ground.tree().notes;
    assert_eq!(notes.iter().filter(|n| n.contains("outside the worktree")).count(), 3, "{notes:?}");
    assert!(notes.iter().any(|n| n.starts_with(".gitmodules")), "{notes:?}");
}

#[test]
fn a_link_swapped_for_a_folder_or_file_at_any_moment_never_leads_outside() {
    let ground = Ground::new(&[("a", "a")]);
    let outside = ground.dir.path().join("outside");
    put(&outside, "secret", "the secret");
    let secret = "100644 d/secret";
    let work = ground.work();
    let stop = AtomicBool::new(false);
    let device = Device::new("laptop");
    let rid = device.project("ground", &[("x", "x")], &[]);
    let repo = RunRepo::create(&device.path("ground.git"), &device.forge, &rid).unwrap();
    let (mut as_folder, mut otherwise) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap(&work, &outside);
            }
        });
        let end = std::time::Instant::now() + PATIENCE;
        // Both sides of the race must have been seen, many times.
        while as_folder < 50 || otherwise < 50 {
            assert!(std::time::Instant::now() < end, "the race was never tight: {as_folder} {otherwise}");
            let tree = repo.import(&work, &ground.base, &ImportLimits::default()).unwrap().tree;
            let listed = git(repo.path(), &["ls-tree", "-r", "--format=%(objectmode) %(path)", tree.as_str()]);
            assert!(!listed.contains(secret), "{listed}");
            if listed.contains("100644 d/inner") { as_folder += 1 } else { otherwise += 1 }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let hash = git(repo.path(), &["hash-object", outside.join("secret").to_str().unwrap()]);
    let there = std::process::Command::new("git").current_dir(repo.path()).args(["cat-file", "-e", &hash]).status().unwrap();
    assert!(!there.success(), "the secret was read into the host's git folder");
}

/// Makes `d` a folder, then a link to `outside`, then nothing; and `f` a file, then a link to the secret.
fn swap(work: &Path, outside: &Path) {
    put(work, "d/inner", "i");
    let _ = fs::write(work.join("f"), "f");
    let _ = fs::rename(work.join("d"), outside.parent().unwrap().join("moved"));
    symlink(outside, work.join("d")).unwrap();
    let _ = fs::remove_file(work.join("f"));
    let _ = symlink(outside.join("secret"), work.join("f"));
    fs::remove_file(work.join("d")).unwrap();
    let _ = fs::remove_file(work.join("f"));
    let _ = fs::remove_dir_all(outside.parent().unwrap().join("moved"));
}

#[test]
fn submodules_of_the_base_stay_as_they_are() {
    let ground = Ground::new(&[("a", "a")]);
    let work = ground.work();
    let module = "1".repeat(40);
    git(&work, &["update-index", "--add", "--cacheinfo", &format!("160000,{module},vendor/lib")]);
    git(&work, &["commit", "--quiet", "--message=module"]);
    let head: Oid = git(&work, &["rev-parse", "HEAD"]).parse().unwrap();
    let ground = Ground { base: BaseTree::read(&work.join(".git"), &head).unwrap(), ..ground };
    let untouched = |ground: &Ground| !ground.tree().changed && ground.tree().left_out.is_empty();
    fs::create_dir(work.join("vendor")).unwrap();
    assert!(untouched(&ground), "without its folder: {:?}", ground.tree());
    fs::create_dir_all(work.join("vendor/lib")).unwrap();
    assert!(untouched(&ground), "with an empty one: {:?}", ground.tree());

    // Whatever an engine puts there is in no commit, so it is named, and the folder is kept.
    put(&work, "vendor/lib/file", "an engine put this here");
    put(&work, "vendor/lib/.git/HEAD", "x");
    assert_named(&ground.tree(), "vendor/lib/ is left out: it is a submodule");
    fs::remove_dir_all(work.join("vendor/lib")).unwrap();
    symlink("/etc/passwd", work.join("vendor/lib")).unwrap();
    assert_named(&ground.tree(), "vendor/lib is left out: it stands in the place of a submodule");
    fs::remove_file(work.join("vendor/lib")).unwrap();
    put(&work, "vendor/lib", "a file");
    assert_named(&ground.tree(), "vendor/lib is left out: it stands in the place of a submodule");
}

/// That nothing changed, and exactly one thing was left out, as a note says too.
fn assert_named(imported: &Imported, note: &str) {
    assert!(!imported.changed, "{imported:?}");
    let named = |list: &[String]| list.len() == 1 && list[0].starts_with(note);
    assert!(named(&imported.notes) && named(&imported.left_out.files), "{imported:?}");
}

#[test]
fn limits_are_reached_with_a_reason_or_a_note() {
    let ground = Ground::new(&[("a", "a"), ("large-of-base", &"l".repeat(5000))]);
    let work = ground.work();
    let small = ImportLimits { file_bytes: 1000, ..ImportLimits::default() };
    assert!(!ground.with(small).unwrap().changed, "a large file of the base may stay");

    fs::File::create(work.join("huge.bin")).unwrap().set_len(8 << 30).unwrap();
    let problem = ground.with(ImportLimits::default()).unwrap_err();
    assert!(problem.kind == Kind::Limit && problem.what.starts_with("huge.bin has 8192 MiB"), "{problem}");
    let saved = ground.with(ImportLimits { too_large: TooLarge::LeaveOut, ..ImportLimits::default() }).unwrap();
    assert!(!saved.changed && saved.notes[0].contains("left out"), "{saved:?}");
    fs::remove_file(work.join("huge.bin")).unwrap();

    put(&work, "large-of-base", "m".repeat(5001));
    assert_eq!(ground.with(small).unwrap_err().kind, Kind::Limit, "but not change");
    put(&work, "large-of-base", "l".repeat(5000));

    put(&work, "n1", "x".repeat(600));
    put(&work, "n2", "y".repeat(600));
    let problem = ground.with(ImportLimits { new_bytes: 1000, ..ImportLimits::default() }).unwrap_err();
    assert!(problem.kind == Kind::Limit && problem.to_string().contains("n2"), "{problem}");
    let problem = ground.with(ImportLimits { entries: 3, ..ImportLimits::default() }).unwrap_err();
    assert!(problem.kind == Kind::Limit && problem.what.contains("3 entries"), "{problem}");

    let deep: PathBuf = std::iter::repeat_n("d", 200).collect();
    fs::create_dir_all(work.join(deep)).unwrap();
    assert!(ground.with(ImportLimits::default()).unwrap_err().what.contains("nested"));
}

#[test]
fn a_missing_worktree_and_a_link_in_its_place_are_problems() {
    let ground = Ground::new(&[("a", "a")]);
    let base = &ground.base;
    assert!(tree_of(Path::new("/nowhere/at/all"), base, &ImportLimits::default()).is_err());
    let link = ground.dir.path().join("link");
    symlink(ground.work(), &link).unwrap();
    assert!(tree_of(&link, base, &ImportLimits::default()).is_err(), "an engine cannot choose another worktree");
}

#[test]
fn a_folder_of_session_files_is_taken_whole() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), ".gitignore", "*\n");
    put(dir.path(), "sessions/1.json", "{}");
    let all = ImportLimits { ignore: Ignore::Not, ..ImportLimits::default() };
    assert_eq!(tree_of(dir.path(), &BaseTree::empty().unwrap(), &all).unwrap().files, 2);
}
