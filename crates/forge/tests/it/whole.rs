//! Checkpoints that the disk lost, or broke, and those that cannot be read just now.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::{Kind, Oid, Rid, RunId};
use forge::*;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

fn run_id() -> RunId {
    "01J00000000000000000000000".parse().unwrap()
}

/// A device with a project, and in it a checkpoint of a changed and a new file.
struct Saved {
    device: Device,
    rid: Rid,
    commit: Oid,
}

impl Saved {
    fn new() -> Self {
        let device = Device::new("laptop");
        let rid = device.project("demo", &[("a.txt", "a\n"), ("same.txt", "the same\n")], &[]);
        let commit = save(&device, &rid, &run_id(), "host.git", "half of it\n");
        Self { device, rid, commit }
    }

    fn look(&self, look: Look) -> Result<OnDisk, domain::Problem> {
        self.device.forge.look_at_checkpoint(&self.rid, &run_id(), &self.commit, look)
    }

    /// What is lost, in words.
    fn flaw(&self, look: Look) -> String {
        match self.look(look).unwrap() {
            OnDisk::Damaged(flaw) => flaw,
            other => panic!("{other:?}"),
        }
    }

    fn whole(&self) -> OnDisk {
        OnDisk::Whole(self.commit.clone())
    }

    fn folder(&self) -> PathBuf {
        fs::read_dir(self.device.path("rad/checkpoints")).unwrap().next().unwrap().unwrap().path()
    }

    /// The file of the object at a path in the checkpoint; of the checkpoint itself where that is empty.
    fn object(&self, path: &str) -> PathBuf {
        let name = if path.is_empty() { self.commit.to_string() } else { format!("{}:{path}", self.commit) };
        let id = git(&self.folder(), &["rev-parse", &name]);
        self.folder().join("objects").join(&id[..2]).join(&id[2..])
    }

    fn name(&self) -> PathBuf {
        self.folder().join("refs/meshwork/checkpoints").join(run_id().as_str())
    }
}

fn save(device: &Device, rid: &Rid, run: &RunId, folder: &str, half: &str) -> Oid {
    let head = device.forge.head(rid).unwrap();
    let (repo, work) = (RunRepo::create(&device.path(folder), &device.forge, rid).unwrap(), device.path(&format!("{folder}.work")));
    repo.checkout(&head, &work).unwrap();
    put(&work, "a.txt", "changed\n");
    put(&work, "new/half.txt", half);
    let imported = repo.import(&work, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap();
    device.forge.checkpoint(rid, run, &repo, &head, &imported.tree, None).unwrap()
}

/// Writes over an object, which nobody may write to otherwise.
fn overwrite(object: &Path, bytes: &[u8]) {
    fs::remove_file(object).unwrap();
    fs::write(object, bytes).unwrap();
}

#[test]
fn a_checkpoint_is_whole_until_something_of_it_is_lost_for_good() {
    let saved = Saved::new();
    assert_eq!((saved.look(Look::Over).unwrap(), saved.look(Look::Through).unwrap()), (saved.whole(), saved.whole()));
    let lost = [
        ("work/new/half.txt", "work/new/half.txt is missing"),
        ("work/new", "work/new is missing"),
        ("", "the checkpoint itself is missing"),
    ];
    for (path, said) in lost {
        let saved = Saved::new();
        fs::remove_file(saved.object(path)).unwrap();
        assert_eq!((saved.flaw(Look::Over).as_str(), saved.flaw(Look::Through).as_str()), (said, said));
    }
    let none = Saved::new();
    fs::remove_dir_all(none.folder()).unwrap();
    assert_eq!(none.look(Look::Through).unwrap(), OnDisk::Nothing);
}

#[test]
fn a_broken_object_is_found_whether_it_is_cut_off_empty_or_another() {
    let other = Saved::new();
    let another = fs::read(other.object("work/a.txt")).unwrap();
    let whole = fs::read(other.object("work/new/half.txt")).unwrap();
    for broken in [&whole[..whole.len() - 6], &whole[..0], &b"no object"[..], &another[..]] {
        let saved = Saved::new();
        overwrite(&saved.object("work/new/half.txt"), broken);
        assert_eq!(saved.flaw(Look::Through), "work/new/half.txt is broken", "{broken:?}");
        let forge = &saved.device.forge;
        assert!(forge.diff_checkpoint(&saved.rid, &saved.commit).is_err(), "{broken:?}");
        assert!(forge.restore(&saved.rid, &saved.commit, &saved.device.path("again"), None).is_err(), "{broken:?}");
    }
}

#[test]
fn what_was_found_whole_is_read_again_once_it_could_not_be_used() {
    let saved = Saved::new();
    assert_eq!(saved.look(Look::Through).unwrap(), saved.whole());
    overwrite(&saved.object("work/new/half.txt"), b"no object");
    assert_eq!(saved.look(Look::Through).unwrap(), saved.whole(), "it was read a moment ago");
    assert!(saved.device.forge.restore(&saved.rid, &saved.commit, &saved.device.path("again"), None).is_err());
    assert_eq!(saved.flaw(Look::Through), "work/new/half.txt is broken");
}

#[test]
fn of_what_cannot_be_read_just_now_nothing_is_said() {
    let unread = |saved: &Saved, what: &str| {
        for look in [Look::Over, Look::Through] {
            let problem = saved.look(look).expect_err(what);
            assert!(problem.kind == Kind::Unavailable && problem.passes(), "{what}: {problem}");
        }
    };
    // Links that lead to themselves cannot be followed by anybody, whatever they may read.
    let saved = Saved::new();
    let (object, kept) = (saved.object("work/new/half.txt"), saved.device.path("kept"));
    fs::rename(&object, &kept).unwrap();
    symlink(&object, &object).unwrap();
    unread(&saved, "an object that cannot be opened");
    fs::remove_file(&object).unwrap();
    fs::rename(&kept, &object).unwrap();
    assert_eq!(saved.look(Look::Through).unwrap(), saved.whole(), "and then it can");

    let (place, away) = (saved.device.path("rad/checkpoints"), saved.device.path("away"));
    fs::rename(&place, &away).unwrap();
    symlink(saved.device.path("not-mounted"), &place).unwrap();
    unread(&saved, "a disk that is away");
    let refused = saved.device.forge.hand_out(&saved.rid, &run_id(), &saved.commit, 0, &mut |_, _| Ok(()));
    assert!(refused.is_err_and(|problem| problem.passes()), "nobody is told that it is gone");
    fs::remove_file(&place).unwrap();
    fs::rename(&away, &place).unwrap();
    assert_eq!(saved.look(Look::Through).unwrap(), saved.whole(), "and then it is there");

    // The commit on which it stands is the project's, and can be had from others.
    let storage = saved.device.path("rad/storage").join(saved.rid.as_str().trim_start_matches("rad:"));
    fs::rename(storage.join("objects"), saved.device.path("objects")).unwrap();
    fs::create_dir(storage.join("objects")).unwrap();
    saved.device.forge.look_again(&saved.commit);
    unread(&saved, "a storage that lost its objects");
}

#[test]
fn a_checkpoint_that_lost_its_name_alone_gets_it_again() {
    for broken in [None, Some(""), Some("no name\n")] {
        let saved = Saved::new();
        fs::remove_file(saved.name()).unwrap();
        if let Some(broken) = broken {
            fs::write(saved.name(), broken).unwrap();
        }
        assert_eq!(saved.look(Look::Over).unwrap(), saved.whole(), "{broken:?}");
        assert_eq!(fs::read_to_string(saved.name()).unwrap().trim(), saved.commit.as_str());
    }
    // The same of a folder that is no repository any more.
    let saved = Saved::new();
    fs::remove_file(saved.folder().join("HEAD")).unwrap();
    fs::remove_dir_all(saved.folder().join("refs")).unwrap();
    assert_eq!(saved.look(Look::Through).unwrap(), saved.whole());
    saved.device.forge.restore(&saved.rid, &saved.commit, &saved.device.path("again"), None).unwrap();
}

#[test]
fn what_is_left_of_one_that_lost_its_name_too_stays_when_another_is_dropped() {
    let saved = Saved::new();
    let (forge, other) = (&saved.device.forge, "01J00000000000000000000001".parse::<RunId>().unwrap());
    save(&saved.device, &saved.rid, &other, "other.git", "of another run\n");
    let left = saved.object("work/a.txt");
    fs::remove_file(saved.object("work/new/half.txt")).unwrap();
    fs::remove_file(saved.name()).unwrap();
    forge.name_checkpoint(&saved.rid, &run_id(), &saved.commit).unwrap();
    forge.drop_checkpoint(&saved.rid, &other).unwrap();
    assert!(left.exists());
    assert_eq!(saved.flaw(Look::Through), "work/new/half.txt is missing");

    // One that has another name by now keeps that.
    let newer = save(&saved.device, &saved.rid, &run_id(), "newer.git", "more of it\n");
    forge.name_checkpoint(&saved.rid, &run_id(), &saved.commit).unwrap();
    assert_eq!(forge.checkpoint_of(&saved.rid, &run_id()).unwrap().unwrap().commit, newer);
}

#[test]
fn what_is_left_of_a_damaged_checkpoint_is_copied_aside_and_stays_when_that_is_dropped() {
    let saved = Saved::new();
    let other: RunId = "01J00000000000000000000001".parse().unwrap();
    save(&saved.device, &saved.rid, &other, "other.git", "of another run\n");
    overwrite(&saved.object("work/a.txt"), b"no object");
    fs::remove_file(saved.object("work/new/half.txt")).unwrap();
    let flaw = saved.flaw(Look::Through);
    assert!(flaw.contains("work/a.txt is broken") && flaw.contains("work/new/half.txt is missing"), "{flaw}");
    let (aside, forge) = (saved.device.path("kept/checkpoint.git"), &saved.device.forge);
    fs::create_dir(saved.device.path("kept")).unwrap();
    for _ in 0..2 {
        forge.copy_remains(&saved.rid, &run_id(), &saved.commit, &aside).unwrap();
    }
    forge.forget_damaged(&saved.rid, &other, &saved.commit).unwrap();
    assert_eq!(forge.checkpointed(&saved.rid).unwrap().len(), 2, "another run's is not forgotten");
    forge.forget_damaged(&saved.rid, &run_id(), &saved.commit).unwrap();
    assert_eq!(forge.checkpointed(&saved.rid).unwrap(), std::slice::from_ref(&other));
    forge.drop_checkpoint(&saved.rid, &other).unwrap();

    assert_eq!(git(&aside, &["ls-tree", "-r", "--name-only", "saved:work"]), "a.txt\nnew/half.txt\nsame.txt");
    let broken = git(&aside, &["rev-parse", "saved:work/a.txt"]);
    assert_eq!(fs::read(aside.join("objects").join(&broken[..2]).join(&broken[2..])).unwrap(), b"no object");
}

#[test]
fn a_new_checkpoint_of_the_same_file_is_whole_where_the_disk_broke_the_old_one() {
    let saved = Saved::new();
    overwrite(&saved.object("work/new/half.txt"), b"no object");
    let other: RunId = "01J00000000000000000000001".parse().unwrap();
    let commit = save(&saved.device, &saved.rid, &other, "other.git", "half of it\n");
    let forge = &saved.device.forge;
    assert_eq!(forge.look_at_checkpoint(&saved.rid, &other, &commit, Look::Through).unwrap(), OnDisk::Whole(commit));
    assert_eq!(saved.look(Look::Through).unwrap(), saved.whole(), "and so is the old one again");
}
