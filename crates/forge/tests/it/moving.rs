//! Checkpoints that move between devices, honest ones and others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::{Kind, Oid, Problem, Rid, RunId};
use forge::*;
use std::{fs, path::Path};

fn run_id() -> RunId {
    "01J00000000000000000000000".parse().unwrap()
}

/// A checkpoint of changed, new and removed files, a link, and a session.
fn saved(device: &Device, rid: &Rid) -> Oid {
    let head = device.forge.head(rid).unwrap();
    let dir = device.path("run");
    let repo = RunRepo::create(&dir.join("host.git"), &device.forge, rid).unwrap();
    let work = dir.join("work");
    repo.checkout(&head, &work).unwrap();
    put(&work, "a.txt", "changed\n");
    put(&work, "new/half.txt", "first half\n");
    fs::remove_file(work.join("gone.txt")).unwrap();
    std::os::unix::fs::symlink("a.txt", work.join("link")).unwrap();
    put(&dir.join("home"), "session.json", "{}");
    let imported = repo.import(&work, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap();
    let all = ImportLimits { ignore: Ignore::Not, ..ImportLimits::default() };
    let session = repo.import(&dir.join("home"), &BaseTree::empty().unwrap(), &all).unwrap();
    device.forge.checkpoint(rid, &run_id(), &repo, &head, &imported.tree, Some(&session.tree)).unwrap()
}

/// What is handed out of it.
fn objects(device: &Device, rid: &Rid, commit: &Oid) -> Vec<(ObjectKind, Vec<u8>)> {
    let mut all = Vec::new();
    let mut each = |kind, data: &[u8]| {
        all.push((kind, data.to_vec()));
        Ok(())
    };
    device.forge.hand_out(rid, &run_id(), commit, 0, &mut each).unwrap();
    all
}

fn received(device: &Device, rid: &Rid, into: &Path, objects: &[(ObjectKind, Vec<u8>)], commit: &Oid) -> Result<Arrived, Problem> {
    let mut incoming = Incoming::begin(into, &device.forge, rid)?;
    for (kind, data) in objects {
        incoming.write(*kind, data)?;
    }
    incoming.finish(commit)
}

#[test]
fn a_checkpoint_that_moved_is_the_same_and_brings_only_what_is_new() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("gone.txt", "g\n"), ("same/large.txt", "the same\n")], &[]);
    let commit = saved(&device, &rid);
    let objects = objects(&device, &rid, &commit);
    assert_eq!(objects.last().unwrap().0, ObjectKind::Commit, "whoever has it has the rest");
    assert!(objects.iter().all(|(_, data)| data != b"the same\n"), "the base is there already");
    let bytes: usize = objects[..objects.len() - 1].iter().map(|(_, data)| data.len()).sum();
    assert_eq!(device.forge.checkpoint_bytes(&rid, &run_id()).unwrap(), bytes as u64, "all but the commit, which is small");
    let other: Oid = "1".repeat(40).parse().unwrap();
    let refused = device.forge.hand_out(&rid, &run_id(), &other, 0, &mut |_, _| Ok(()));
    assert_eq!(refused.unwrap_err().kind, Kind::NotFound);

    // Where it is not any more it comes back from what was received.
    device.forge.drop_checkpoint(&rid, &run_id()).unwrap();
    assert_eq!(device.forge.checkpoint_bytes(&rid, &run_id()).unwrap(), 0);
    let into = device.path("saved.git");
    let whole = received(&device, &rid, &into, &objects, &commit).unwrap();
    let (work, home) = (device.path("again"), device.path("home"));
    device.forge.restore_received(&rid, &into, &commit, &work, Some(&home)).unwrap();
    assert_eq!(fs::read_to_string(work.join("new/half.txt")).unwrap(), "first half\n");
    assert_eq!(fs::read_link(work.join("link")).unwrap(), Path::new("a.txt"));
    assert!(!work.join("gone.txt").exists());
    assert_eq!(fs::read_to_string(home.join("session.json")).unwrap(), "{}");

    device.forge.keep_arrived(&rid, &run_id(), &whole).unwrap();
    fs::remove_dir_all(&into).unwrap();
    assert_eq!(device.forge.checkpoint_of(&rid, &run_id()).unwrap().unwrap(), whole.checkpoint);
    device.forge.restore(&rid, &commit, &device.path("kept"), None).unwrap();
    assert_eq!(fs::read_to_string(device.path("kept/a.txt")).unwrap(), "changed\n");
}

#[test]
fn a_checkpoint_is_handed_out_from_where_its_way_broke() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("gone.txt", "g\n")], &[]);
    let commit = saved(&device, &rid);
    let all = objects(&device, &rid, &commit);
    for broke_at in 0..=all.len() {
        let mut rest = Vec::new();
        let mut each = |kind, data: &[u8]| {
            rest.push((kind, data.to_vec()));
            Ok(())
        };
        device.forge.hand_out(&rid, &run_id(), &commit, broke_at, &mut each).unwrap();
        assert_eq!(rest, all[broke_at..], "after {broke_at}");
    }
}

#[test]
fn a_checkpoint_that_lacks_anything_is_none() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("gone.txt", "g\n")], &[]);
    let commit = saved(&device, &rid);
    let objects = objects(&device, &rid, &commit);
    device.forge.drop_checkpoint(&rid, &run_id()).unwrap();
    for without in 0..objects.len() {
        let mut some = objects.clone();
        some.remove(without);
        let into = device.path(&format!("saved-{without}.git"));
        let refused = received(&device, &rid, &into, &some, &commit).unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid, "{refused}");
    }
}

/// A git folder of another device's making.
struct Forged {
    incoming: Incoming,
    base: Oid,
}

impl Forged {
    fn begin(device: &Device, rid: &Rid, name: &str) -> Self {
        let incoming = Incoming::begin(&device.path(name), &device.forge, rid).unwrap();
        Self { incoming, base: device.forge.head(rid).unwrap() }
    }

    fn blob(&mut self, data: &[u8]) -> Oid {
        self.incoming.write(ObjectKind::Blob, data).unwrap()
    }

    /// A folder of exactly these entries, whether git would make it or not.
    fn tree(&mut self, entries: &[(&str, &str, &Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(format!("{mode} ").as_bytes());
            raw.extend_from_slice(name.as_bytes());
            raw.push(0);
            let hex = id.as_str();
            raw.extend((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()));
        }
        self.incoming.write(ObjectKind::Tree, &raw).unwrap()
    }

    /// The checkpoint with this folder as its worktree.
    fn finish(mut self, work: &Oid) -> Result<Arrived, Problem> {
        let (root, base) = (self.tree(&[("40000", "work", work)]), self.base.clone());
        self.finish_upon(&root, &[&base])
    }

    /// The checkpoint that is this folder, on these commits.
    fn finish_upon(mut self, root: &Oid, parents: &[&Oid]) -> Result<Arrived, Problem> {
        let who = "meshwork <checkpoint@meshwork.invalid> 0 +0000";
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let raw = format!("tree {root}\n{parents}author {who}\ncommitter {who}\n\nCheckpoint\n");
        let commit = self.incoming.write(ObjectKind::Commit, raw.as_bytes()).unwrap();
        self.incoming.finish(&commit)
    }
}

#[test]
fn names_that_lead_out_of_the_worktree_are_refused() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n")], &[]);
    let mut honest = Forged::begin(&device, &rid, "honest.git");
    let file = honest.blob(b"x");
    let work = honest.tree(&[("100644", "x", &file)]);
    honest.finish(&work).unwrap();
    for (at, name) in ["..", ".", "../x", "/etc/x", "a/b", ".git", ".GIT", "git~1"].into_iter().enumerate() {
        let mut forged = Forged::begin(&device, &rid, &format!("name-{at}.git"));
        let file = forged.blob(b"x");
        let (flat, folder) = (forged.tree(&[("100644", name, &file)]), forged.tree(&[("100644", "x", &file)]));
        let refused = forged.finish(&flat).unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid, "{refused}");
        let mut forged = Forged::begin(&device, &rid, &format!("name-{at}.git"));
        let deep = forged.tree(&[("40000", name, &folder)]);
        assert_eq!(forged.finish(&deep).unwrap_err().kind, Kind::Invalid);
    }
}

/// Makes a root of a forged checkpoint, of its worktree and a file.
type Root = fn(&mut Forged, &Oid, &Oid) -> Oid;

/// Whether a checkpoint of this root is refused; `more` is a commit on which it stands too.
fn is_refused(device: &Device, rid: &Rid, name: &str, root: Root, more: Option<&Oid>) -> bool {
    let mut forged = Forged::begin(device, rid, name);
    let file = forged.blob(b"x");
    let work = forged.tree(&[("100644", "x", &file)]);
    let (root, base) = (root(&mut forged, &work, &file), forged.base.clone());
    let parents: Vec<&Oid> = std::iter::once(&base).chain(more).collect();
    forged.finish_upon(&root, &parents).is_err_and(|problem| problem.kind == Kind::Invalid)
}

#[test]
fn what_belongs_to_no_checkpoint_is_refused_beside_its_folders() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n")], &[]);
    let plain: Root = |forged, work, _| forged.tree(&[("40000", "work", work)]);
    let as_file: Root = |forged, work, _| forged.tree(&[("100644", "work", work)]);
    let more: Root = |forged, work, file| forged.tree(&[("100644", "else", file), ("40000", "work", work)]);
    let missing: Root = |forged, work, _| {
        let none: Oid = "1".repeat(40).parse().unwrap();
        forged.tree(&[("40000", "else", &none), ("40000", "work", work)])
    };
    assert!(!is_refused(&device, &rid, "plain.git", plain, None));
    for (name, root) in [("as-file.git", as_file), ("more.git", more), ("missing.git", missing)] {
        assert!(is_refused(&device, &rid, name, root, None), "{name}");
    }
    let nobodys: Oid = "1".repeat(40).parse().unwrap();
    assert!(is_refused(&device, &rid, "commits.git", plain, Some(&nobodys)));
}

#[test]
fn a_link_never_comes_in_the_place_of_a_folder_and_folders_end() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n")], &[]);
    let mut forged = Forged::begin(&device, &rid, "link.git");
    let (out, file) = (forged.blob(b"/tmp"), forged.blob(b"x"));
    let folder = forged.tree(&[("100644", "x", &file)]);
    let twice = forged.tree(&[("120000", "d", &out), ("100644", "d.txt", &file), ("40000", "d", &folder)]);
    assert_eq!(forged.finish(&twice).unwrap_err().kind, Kind::Invalid);

    // Two folders in each of many folders are more than any disk takes, and hardly any bytes.
    let mut forged = Forged::begin(&device, &rid, "deep.git");
    let file = forged.blob(b"x");
    let mut folder = forged.tree(&[("100644", "x", &file)]);
    for _ in 0..64 {
        folder = forged.tree(&[("40000", "a", &folder), ("40000", "b", &folder)]);
    }
    assert_eq!(forged.finish(&folder).unwrap_err().kind, Kind::Limit);

    // One file under many names is laid as often.
    let mut forged = Forged::begin(&device, &rid, "many.git");
    let large = forged.blob(&vec![7; 16 << 20]);
    let names: Vec<String> = (100..200).map(|n| n.to_string()).collect();
    let entries: Vec<(&str, &str, &Oid)> = names.iter().map(|name| ("100644", name.as_str(), &large)).collect();
    let work = forged.tree(&entries);
    assert_eq!(forged.finish(&work).unwrap_err().kind, Kind::Limit);
}

#[test]
fn paths_have_a_bound_each_and_together_before_anything_holds_them() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n")], &[]);
    let mut forged = Forged::begin(&device, &rid, "long.git");
    let (file, name) = (forged.blob(b"x"), "n".repeat(3000));
    let inner = forged.tree(&[("100644", name.as_str(), &file)]);
    let long = forged.tree(&[("40000", name.as_str(), &inner)]);
    assert_eq!(forged.finish(&long).unwrap_err().kind, Kind::Invalid);

    // One folder of many files under many names: some kilobytes, whose paths are gigabytes.
    let mut forged = Forged::begin(&device, &rid, "broad.git");
    let file = forged.blob(b"x");
    let names: Vec<String> = (1000..2000).map(|n| n.to_string()).collect();
    let files: Vec<(&str, &str, &Oid)> = names.iter().map(|name| ("100644", name.as_str(), &file)).collect();
    let folder = forged.tree(&files);
    let long: Vec<String> = names[..100].iter().map(|name| format!("{name}{}", "n".repeat(3900))).collect();
    let folders: Vec<(&str, &str, &Oid)> = long.iter().map(|name| ("40000", name.as_str(), &folder)).collect();
    let work = forged.tree(&folders);
    assert_eq!(forged.finish(&work).unwrap_err().kind, Kind::Limit);
}

#[test]
fn the_last_checkpoint_goes_whole_with_what_a_crash_left_of_one_before() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n"), ("gone.txt", "g\n")], &[]);
    saved(&device, &rid);
    let folder = device.path("rad").join("checkpoints");
    let kept = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    put(&kept.with_extension("gone"), "objects/half", "x");
    device.forge.drop_checkpoint(&rid, &run_id()).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert!(device.forge.checkpoint_of(&rid, &run_id()).unwrap().is_none());
}

#[test]
fn what_no_checkpoint_needs_goes_with_the_next_that_is_removed() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "a\n")], &[]);
    let (head, work) = (device.forge.head(&rid).unwrap(), device.path("work"));
    RunRepo::create(&device.path("host.git"), &device.forge, &rid).unwrap().checkout(&head, &work).unwrap();
    let save = |run: &RunId, text: &str| {
        put(&work, "half.txt", text);
        let repo = RunRepo::create(&device.path(&format!("{text}.git")), &device.forge, &rid).unwrap();
        let imported = repo.import(&work, &repo.base_tree(&head).unwrap(), &ImportLimits::default()).unwrap();
        device.forge.checkpoint(&rid, run, &repo, &head, &imported.tree, None).unwrap()
    };
    let other: RunId = "01J00000000000000000000001".parse().unwrap();
    save(&run_id(), "first");
    save(&other, "other");
    let last = save(&run_id(), "last");
    let objects = || {
        let kept = fs::read_dir(device.path("rad/checkpoints")).unwrap().next().unwrap().unwrap().path();
        let folders = fs::read_dir(kept.join("objects")).unwrap().map(|folder| folder.unwrap().path());
        folders.flat_map(|folder| fs::read_dir(folder).unwrap()).filter(|file| file.as_ref().unwrap().file_name().len() == 38).count()
    };
    let before = objects();
    device.forge.drop_checkpoint(&rid, &other).unwrap();
    // The checkpoint, its two folders and the file.
    assert!(before > 4 && objects() == 4, "{before} {}", objects());
    device.forge.restore(&rid, &last, &device.path("again"), None).unwrap();
    assert_eq!(fs::read_to_string(device.path("again/half.txt")).unwrap(), "last");
}
