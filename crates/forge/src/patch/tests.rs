//! What somebody said in a patch knowing one of two lines of another's key, of which that one gave way when they were joined.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    line::let_go,
    rejoin::tests::{Two, copy},
    review::tests::{said, say},
    signing::{object, whole},
};
use serde_json::json;

/// On both lines the same revision was reviewed, and the verdict changed; a third member rejected it, knowing the line that gave way when
/// the two were joined.
struct Three {
    two: Two,
    third: Forge,
}

impl Three {
    fn new() -> Self {
        let two = Two::new();
        let revision = two.a.patch(&two.rid, &"demo".parse().unwrap(), &two.patch).unwrap().revisions[0].id.clone();
        for (forge, words) in [(&two.a, "There."), (&two.b, "Here.")] {
            for verdict in [Verdict::Reject, Verdict::Accept] {
                forge.review(&two.rid, &two.patch, &revision, verdict, words, &[]).unwrap();
            }
        }
        let gives_way = if here_gives_way(&two) { &two.b } else { &two.a };
        let third = Forge::create(&two.home.path().join("third/rad"), &two.home.path().join("third/member"), "third").unwrap();
        let id = convert::repo_id(&two.rid).unwrap();
        copy(gives_way.path_of(&id), &third.path_of(&id));
        third.review(&two.rid, &two.patch, &revision, Verdict::Reject, "No.", &[]).unwrap();
        two.bring(&two.key());
        two.joined();
        let three = Self { two, third };
        three.meet();
        three
    }

    fn both(&self) -> [&Forge; 2] {
        [&self.two.b, &self.third]
    }

    /// Each has what the other signed, as after a fetch.
    fn meet(&self) {
        let id = convert::repo_id(&self.two.rid).unwrap();
        let [b, third] = self.both();
        for (from, to) in [(b, third), (third, b)] {
            copy(from.path_of(&id).join("objects/."), &to.path_of(&id).join("objects"));
            let (theirs, here) = (from.repository(&self.two.rid).unwrap(), to.repository(&self.two.rid).unwrap());
            let own = whole(to.member_key(), "");
            for found in theirs.backend.references_glob("refs/namespaces/*").unwrap() {
                let found = found.unwrap();
                let name = found.name().unwrap();
                if let (Some(at), false) = (found.target(), name.starts_with(&own)) {
                    here.backend.reference(name, at, true, "fetch").unwrap();
                }
            }
        }
    }

    fn seen(&self, forge: &Forge) -> Patch {
        forge.patch(&self.two.rid, &"demo".parse().unwrap(), &self.two.patch).unwrap()
    }

    /// Whether what the third member said is left out, as each of the two sees it. The third is told of its own while the patch is open.
    fn left_out(&self) -> [bool; 2] {
        let seen = self.both().map(|forge| self.seen(forge).left_out.contains(&self.third.member()));
        let told = self.third.left_out(&self.two.rid).unwrap().contains(&self.two.patch);
        assert_eq!(told, seen[1] && self.seen(&self.third).state == PatchState::Open);
        seen
    }
}

/// Whether Radicle leaves out the end of the second device's line of the patch where it knows that of the first too.
fn here_gives_way(two: &Two) -> bool {
    let (id, name) = (convert::repo_id(&two.rid).unwrap(), object(&*rad::TYPENAME, &two.patch));
    copy(two.a.path_of(&id).join("objects/."), &two.b.path_of(&id).join("objects"));
    let [there, here] = [&two.a, &two.b].map(|forge| forge.repository(&two.rid).unwrap());
    let [theirs, ours] = [&there, &here].map(|repo| repo.backend.refname_to_id(&whole(two.a.member_key(), &name)).unwrap());
    // Any name does under which the object is read.
    let beside = whole(two.b.device_key(), &name);
    here.backend.reference(&beside, theirs, false, "test").unwrap();
    let gives_way = leaves_out(&here, &name, ours);
    assert_ne!(gives_way, leaves_out(&here, &name, theirs), "one of them does");
    let_go(&here.backend, &beside).unwrap();
    gives_way
}

#[test]
fn a_patch_says_whose_words_do_not_count_until_they_say_something() {
    let three = Three::new();
    for forge in three.both() {
        let reviews = &three.seen(forge).revisions[0].reviews;
        assert!(reviews.iter().all(|review| review.by != three.third.member()), "else nothing of theirs is left out");
    }
    assert_eq!(three.left_out(), [true, true]);
    three.two.b.close(&three.two.rid, &three.two.patch).unwrap();
    assert!(three.two.b.left_out(&three.two.rid).unwrap().is_empty(), "it said something itself");
    three.meet();
    assert_eq!(three.left_out(), [true, true]);
    three.two.b.reopen(&three.two.rid, &three.two.patch).unwrap();
    three.meet();
    assert_eq!(three.left_out(), [true, true]);
    let (rid, patch) = (&three.two.rid, &three.two.patch);
    three.third.with_patch(rid, patch, |own| say(own, "I said no.")).unwrap();
    assert_eq!(three.left_out(), [true, false], "the other device has not heard of it yet");
    three.meet();
    assert_eq!(three.left_out(), [false, false]);
    for forge in three.both() {
        assert_eq!(said(forge, rid, patch, ["I said no."]), [1]);
    }
}

#[test]
fn words_about_an_earlier_revision_are_not_left_out() {
    let three = Three::new();
    let (b, latest) = (&three.two.b, three.seen(&three.two.b).revisions[0].clone());
    let [base, head] = [&latest.base, &latest.head].map(|at| convert::rad_oid(at).unwrap());
    b.with_patch(&three.two.rid, &three.two.patch, |own| own.update("Anew.", base, head).map(drop).told("No revision.")).unwrap();
    three.meet();
    assert_eq!(three.seen(b).revisions.len(), 2);
    assert_eq!(three.left_out(), [false, false]);
}

#[test]
fn it_is_seen_whose_words_they_are_though_the_entries_are_the_same() {
    let three = Three::new();
    let (b, third) = (&three.two.b, &three.third);
    let (repo, name) = (b.repository(&three.two.rid).unwrap(), object(&*rad::TYPENAME, &three.two.patch));
    let first = convert::git_oid(three.two.patch.as_str()).unwrap();
    let [member, device] = [third.member_key(), third.device_key()].map(|key| whole(key, &name));
    let left = repo.backend.refname_to_id(&member).unwrap();
    let set = |name: &str, at: git2::Oid| drop(repo.backend.reference(name, at, true, "test").unwrap());
    let silenced = || [third.member(), third.device()].map(|key| three.seen(b).left_out.contains(&key));
    set(&device, first);
    assert_eq!(silenced(), [true, false]);
    set(&device, left);
    set(&member, first);
    assert_eq!(silenced(), [false, true]);
}

/// As Radicle has it: when it was made stays, and each change adds when that was.
#[test]
fn a_review_is_dated_by_its_last_change() {
    let key = "z6MkwPUeUS2fJMfc2HZN1RQTQcTTuhw4HhPySB8JeUg2mVvx";
    let edit = |at: u64, body: &str| json!({ "author": key, "timestamp": at, "body": body, "embeds": [] });
    let told = |edits: Vec<serde_json::Value>| {
        let read: rad::Review = serde_json::from_value(json!({
            "id": "89d45fb371eb2622ba88188d474347cc526d80bb",
            "author": { "id": format!("did:key:{key}") },
            "verdict": "accept",
            "summary": edits,
            "comments": { "comments": {}, "timeline": [] },
            "labels": [],
            "timestamp": 1_710_947_885_000_u64,
        }))
        .unwrap();
        review(format!("did:key:{key}").parse().unwrap(), &read).unwrap()
    };
    let first = edit(1_710_947_885_000, "Not yet.");
    assert_eq!(told(vec![first.clone()]).at, Timestamp(1_710_947_885_000));
    let changed = told(vec![first, edit(1_710_947_999_000, "Fine now.")]);
    assert_eq!((changed.at, changed.summary.as_str()), (Timestamp(1_710_947_999_000), "Fine now."));
}
