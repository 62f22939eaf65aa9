//! Patches by runs: publishing, revisions, reviews, closing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::Kind;
use domain::patch::{LineRef, PatchState, Side, Verdict};
use forge::*;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn a_run_publishes_with_its_own_key_and_the_trace_travels_along() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let key = RunKey::new();
    let dir = device.path("run");
    let repo = RunRepo::create(&dir.join("host.git"), &device.forge, &rid).unwrap();
    repo.checkout(&head, &dir.join("work")).unwrap();
    let base = repo.base_tree(&head).unwrap();
    put(&dir.join("work"), "a.txt", "two\n");
    let imported = repo.import(&dir.join("work"), &base, &ImportLimits::default()).unwrap();
    let commit = repo.commit(&imported.tree, std::slice::from_ref(&head), "coder", "change a\n", &key).unwrap();
    let description = describe("Changes a.", Some(&trace())).unwrap();
    let what = Publication { repo: &repo, commit: &commit, base: &head, title: "Change  a\n", description: &description, existing: None };
    let published = device.forge.publish(&rid, &key, &what).unwrap();

    let patch = device.forge.patch(&rid, &name("demo"), &published.patch).unwrap();
    assert_eq!((patch.title.as_str(), patch.description.as_str()), ("Change a", "Changes a."));
    assert_eq!((patch.state, patch.author, patch.trace), (PatchState::Open, key.did(), Some(trace())));
    assert_eq!((&patch.head, &patch.base, patch.revisions.len()), (&commit, &head, 1));
    assert_eq!(device.forge.read(&rid, &commit, "a.txt").unwrap().unwrap(), b"two\n");
    assert_eq!(device.forge.head(&rid).unwrap(), head, "publishing moves no branch");
    let diff = device.forge.diff(&rid, &head, &commit).unwrap();
    assert!(diff.contains("-one\n+two\n"), "{diff}");
    let changed = device.forge.changed_files(&rid, &head, &commit).unwrap();
    assert_eq!((changed.len(), changed[0].path.as_str(), changed[0].added, changed[0].removed), (1, "a.txt", 1, 1));
}

#[test]
fn the_runs_commit_carries_a_signature_that_git_verifies() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let key = RunKey::new();
    let work = device.run(&rid, &key, "signed", &head, None, |dir| put(dir, "a.txt", "two\n"));
    if std::process::Command::new("ssh-keygen").arg("-?").output().is_err() {
        println!("skipped: ssh-keygen is not installed");
        return;
    }
    let public = radicle::crypto::ssh::fmt::key(&radicle::crypto::PublicKey::from_bytes(key.key()));
    put(device.dir.path(), "signers", format!("run@meshwork.invalid {public}\n"));
    let allowed = format!("gpg.ssh.allowedSignersFile={}", device.path("signers").display());
    git(work.repo.path(), &["-c", &allowed, "-c", "gpg.format=ssh", "verify-commit", work.commit.as_str()]);
}

#[test]
fn publishing_again_after_a_crash_finds_what_was_made() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let key = RunKey::new();
    let work = device.run(&rid, &key, "once", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let what = Publication { repo: &work.repo, commit: &work.commit, base: &head, title: "once", description: "", existing: None };
    assert_eq!(device.forge.publish(&rid, &key, &what).unwrap(), work.published);

    // A crash between the change of the patch and the signature over the refs: head ref and signature are missing.
    let storage = device.forge.rad_home().join("storage").join(rid.as_str().trim_start_matches("rad:"));
    let namespace = format!("refs/namespaces/{}", key.did().as_str().trim_start_matches("did:key:"));
    git(&storage, &["update-ref", "-d", &format!("{namespace}/refs/heads/patches/{}", work.published.patch)]);
    git(&storage, &["update-ref", "-d", &format!("{namespace}/refs/rad/sigrefs")]);
    let again = device.forge.publish(&rid, &key, &what).unwrap();
    assert_eq!((&again.patch, &again.revision), (&work.published.patch, &work.published.revision));
    assert_eq!(device.forge.patches(&rid, &name("demo")).unwrap().len(), 1);
    let head_ref = git(&storage, &["rev-parse", &format!("{namespace}/refs/heads/patches/{}", work.published.patch)]);
    assert_eq!(head_ref, work.commit.as_str());
}

/// A runner that is away when the signature of this number is asked for, and there again then.
struct AwayOnce<'a> {
    key: &'a RunKey,
    at: usize,
    asked: AtomicUsize,
}

impl RunSigner for AwayOnce<'_> {
    fn key(&self) -> [u8; 32] {
        self.key.key()
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], domain::Problem> {
        match self.asked.fetch_add(1, Ordering::Relaxed) == self.at {
            true => Err(domain::Problem::unavailable("The runner is away.")),
            false => self.key.sign(message),
        }
    }
}

/// Publishes with keys of their own, of which each is away at one signature, until none is left; says how many there are.
fn publish_twice(device: &Device, rid: &domain::Rid, what: &Publication<'_>) -> usize {
    for at in 0.. {
        let key = RunKey::new();
        let signer = AwayOnce { key: &key, at, asked: AtomicUsize::new(0) };
        let Err(problem) = device.forge.publish(rid, &signer, what) else { return at };
        assert_eq!(problem.what, "The runner is away.");
        let published = device.forge.publish(rid, &signer, what).unwrap();
        let all = device.forge.patches(rid, &name("demo")).unwrap();
        let revisions = all.iter().flat_map(|patch| patch.revisions.iter().map(move |revision| (&patch.id, revision)));
        let own: Vec<_> = revisions.filter(|(_, revision)| revision.author == key.did()).map(|(id, revision)| (id, &revision.id)).collect();
        assert_eq!(own, [(&published.patch, &published.revision)], "signature {at} failed at first");
        assert_eq!(device.forge.signed_refs(rid, &key.did()).unwrap(), Some(published.signed_refs), "others fetch it");
    }
    unreachable!("the last signature was found")
}

#[test]
fn what_failed_at_any_signature_is_published_at_the_second_try_and_once() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let what = Publication { repo: &work.repo, commit: &work.commit, base: &head, title: "again", description: "", existing: None };
    // The change of the patch, and the list of the run's refs.
    let signatures = publish_twice(&device, &rid, &what);
    assert!(signatures >= 2, "{signatures}");
    // One patch for each of them, and that of the beginning and of the last.
    assert_eq!(device.forge.patches(&rid, &name("demo")).unwrap().len(), signatures + 2);
    let further = Publication { existing: Some(&work.published.patch), ..what };
    assert!(publish_twice(&device, &rid, &further) >= 2);
    assert_eq!(device.forge.patches(&rid, &name("demo")).unwrap().len(), signatures + 2, "further revisions make no patch");
}

#[test]
fn a_second_run_adds_a_revision_to_anothers_patch() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let (first, second) = (RunKey::new(), RunKey::new());
    let one = device.run(&rid, &first, "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let two = device.run(&rid, &second, "two", &head, Some(&one.published.patch), |dir| put(dir, "a.txt", "three\n"));
    assert_eq!(two.published.patch, one.published.patch);

    let patch = device.forge.patch(&rid, &name("demo"), &one.published.patch).unwrap();
    let authors: Vec<_> = patch.revisions.iter().map(|r| r.author.clone()).collect();
    assert_eq!(authors, [first.did(), second.did()]);
    assert_eq!((patch.head, patch.author), (two.commit.clone(), first.did()));
    let what =
        Publication { repo: &two.repo, commit: &two.commit, base: &head, title: "", description: "", existing: Some(&one.published.patch) };
    assert_eq!(device.forge.publish(&rid, &second, &what).unwrap(), two.published, "a further revision is found again too");
}

#[test]
fn a_runner_that_refuses_to_sign_is_quoted_and_nothing_is_left() {
    struct Refuses;
    impl RunSigner for Refuses {
        fn key(&self) -> [u8; 32] {
            identity::Key::from_seed(&[7; 32]).public()
        }
        fn sign(&self, _: &[u8]) -> Result<[u8; 64], domain::Problem> {
            Err(domain::Problem::new(Kind::Forbidden, "The trees differ."))
        }
    }
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let key = RunKey::new();
    let work = device.run(&rid, &key, "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let what = Publication { repo: &work.repo, commit: &work.commit, base: &head, title: "x", description: "", existing: None };
    let problem = device.forge.publish(&rid, &Refuses, &what).unwrap_err();
    assert_eq!((problem.kind, problem.what.as_str()), (Kind::Forbidden, "The trees differ."));
    assert_eq!(device.forge.patches(&rid, &name("demo")).unwrap().len(), 1);
}

#[test]
fn a_wrong_signature_never_reaches_the_repository() {
    struct Wrong;
    impl RunSigner for Wrong {
        fn key(&self) -> [u8; 32] {
            identity::Key::from_seed(&[7; 32]).public()
        }
        fn sign(&self, message: &[u8]) -> Result<[u8; 64], domain::Problem> {
            Ok(identity::Key::from_seed(&[8; 32]).sign(message))
        }
    }
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let what = Publication { repo: &work.repo, commit: &work.commit, base: &head, title: "x", description: "", existing: None };
    assert_eq!(device.forge.publish(&rid, &Wrong, &what).unwrap_err().kind, Kind::Invalid);
    assert_eq!(device.forge.patches(&rid, &name("demo")).unwrap().len(), 1);
}

#[test]
fn a_second_review_of_a_revision_changes_the_first() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let Published { patch, revision, .. } = &work.published;
    let at = LineRef { path: "a.txt".into(), line: 1, side: Side::New };
    let lines = [(at.clone(), "Say three.".to_owned())];
    device.forge.review(&rid, patch, revision, Verdict::Reject, "Not yet.", &lines).unwrap();
    device.forge.review(&rid, patch, revision, Verdict::Reject, "Not yet.", &lines).unwrap();
    let reviews = |of: &str| device.forge.patch(&rid, &name(of), patch).unwrap().revisions[0].reviews.clone();
    let found = reviews("demo");
    assert_eq!((found.len(), found[0].verdict, found[0].summary.as_str()), (1, Some(Verdict::Reject), "Not yet."));
    let comments = device.forge.patch(&rid, &name("demo"), patch).unwrap().revisions[0].comments.clone();
    assert_eq!(comments.len(), 1, "the same comment on a line comes once");
    assert_eq!(comments[0].line, Some(at));

    device.forge.review(&rid, patch, revision, Verdict::Accept, "Fine now.", &[]).unwrap();
    let found = reviews("demo");
    assert_eq!((found.len(), found[0].verdict, found[0].summary.as_str()), (1, Some(Verdict::Accept), "Fine now."));
    assert_eq!(found[0].by, device.forge.member());
    let nothing = device.forge.review(&rid, patch, revision, Verdict::Comment, " ", &[]);
    assert_eq!(nothing.unwrap_err().kind, Kind::Invalid);
}

#[test]
fn comments_closing_and_reopening() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let Published { patch, revision, .. } = &work.published;
    let first = device.forge.comment(&rid, patch, revision, "Why two?", None).unwrap();
    device.forge.comment(&rid, patch, revision, "Because.", Some(&first)).unwrap();
    device.forge.comment(&rid, patch, revision, "And more.", None).unwrap();
    let read = || device.forge.patch(&rid, &name("demo"), patch).unwrap();
    let bodies: Vec<_> = read().revisions[0].comments.iter().map(|c| c.body.clone()).collect();
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    assert!(["Why two?", "Because.", "And more."].iter().all(|text| bodies.iter().any(|b| b == text)), "{bodies:?}");

    device.forge.close(&rid, patch).unwrap();
    assert_eq!(read().state, PatchState::Archived);
    let late = Publication { repo: &work.repo, commit: &head, base: &head, title: "", description: "", existing: Some(patch) };
    assert_eq!(device.forge.publish(&rid, &RunKey::new(), &late).unwrap_err().kind, Kind::Conflict);
    device.forge.reopen(&rid, patch).unwrap();
    assert_eq!(read().state, PatchState::Open);
    let nobody = "0".repeat(40).parse().unwrap();
    assert_eq!(device.forge.close(&rid, &nobody).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn many_keys_and_many_threads_write_into_one_storage_and_nothing_is_lost() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "first", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let Published { patch, revision, .. } = &work.published;
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (device, rid, head) = (&device, &rid, &head);
            scope.spawn(move || {
                let change = |dir: &std::path::Path| put(dir, &format!("n{n}.txt"), "the same content in every run\n");
                device.run(rid, &RunKey::new(), &format!("run {n}"), head, None, change)
            });
            scope.spawn(move || {
                for i in 0..5 {
                    device.forge.comment(rid, patch, revision, &format!("comment {n}.{i}"), None).unwrap();
                }
            });
        }
    });
    let patches = device.forge.patches(&rid, &name("demo")).unwrap();
    assert_eq!(patches.len(), 5);
    let commented = patches.iter().find(|p| p.id == *patch).unwrap();
    assert_eq!(commented.revisions[0].comments.len(), 20);
}
