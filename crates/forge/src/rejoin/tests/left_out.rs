//! A third device rejected a patch knowing one of two lines of another's key, of which that one gave way when they were joined.
use super::*;
use crate::{patch::leaves_out, signing::object};
use radicle::cob::patch::TYPENAME;

/// On both lines the same revision was reviewed, and the verdict changed, which the third device knows of the one that gives way. The lines
/// are joined.
fn with_third() -> (Two, Forge) {
    let two = Two::new();
    for (forge, words) in [(&two.a, "There."), (&two.b, "Here.")] {
        review(&two, forge, Verdict::Reject, words);
        review(&two, forge, Verdict::Accept, words);
    }
    let gives_way = if here_gives_way(&two) { &two.b } else { &two.a };
    let third = Forge::create(&two.home.path().join("third/rad"), &two.home.path().join("third/member"), "third").unwrap();
    let id = convert::repo_id(&two.rid).unwrap();
    copy(gives_way.path_of(&id), &third.path_of(&id));
    review(&two, &third, Verdict::Reject, "No.");
    two.bring(&two.key());
    two.joined();
    (two, third)
}

fn review(two: &Two, forge: &Forge, verdict: Verdict, words: &str) {
    let revision = forge.patch(&two.rid, &"demo".parse().unwrap(), &two.patch).unwrap().revisions[0].id.clone();
    forge.review(&two.rid, &two.patch, &revision, verdict, words, &[]).unwrap();
}

/// Whether Radicle leaves out the end of the second device's line of the patch where it knows that of the first too.
fn here_gives_way(two: &Two) -> bool {
    let (id, name) = (convert::repo_id(&two.rid).unwrap(), object(&*TYPENAME, &two.patch));
    copy(two.a.path_of(&id).join("objects/."), &two.b.path_of(&id).join("objects"));
    let [there, here] = [&two.a, &two.b].map(|forge| forge.repository(&two.rid).unwrap());
    let [theirs, ours] = [&there, &here].map(|repo| repo.backend.refname_to_id(&whole(two.a.member_key(), &name)).unwrap());
    // It is read over all keys.
    let beside = whole(two.b.device_key(), &name);
    here.backend.reference(&beside, theirs, false, "test").unwrap();
    let gives_way = leaves_out(&here, &name, ours);
    assert_ne!(gives_way, leaves_out(&here, &name, theirs), "one of them does");
    let_go(&here.backend, &beside).unwrap();
    gives_way
}

/// Each has what the other signed, as after a fetch.
fn meet(two: &Two, third: &Forge) {
    let id = convert::repo_id(&two.rid).unwrap();
    for (from, to) in [(&two.b, third), (third, &two.b)] {
        copy(from.path_of(&id).join("objects/."), &to.path_of(&id).join("objects"));
        let (there, here) = (from.repository(&two.rid).unwrap(), to.repository(&two.rid).unwrap());
        let own = whole(to.member_key(), "");
        for found in there.backend.references_glob("refs/namespaces/*").unwrap() {
            let found = found.unwrap();
            let name = found.name().unwrap();
            if let (Some(at), false) = (found.target(), name.starts_with(&own)) {
                here.backend.reference(name, at, true, "fetch").unwrap();
            }
        }
    }
}

/// Whether the third device's rejection counts there.
fn rejected(two: &Two, forge: &Forge, third: &Forge) -> bool {
    let seen = forge.patch(&two.rid, &"demo".parse().unwrap(), &two.patch).unwrap();
    seen.revisions[0].reviews.iter().any(|review| review.by == third.member() && review.verdict == Some(Verdict::Reject))
}

#[test]
fn who_said_what_does_not_count_any_more_is_told_until_they_say_something_again() {
    let (two, third) = with_third();
    let left_out = |forge: &Forge| forge.left_out(&two.rid).unwrap();
    assert!(rejected(&two, &third, &third) && left_out(&third).is_empty(), "it knows of no other line");
    meet(&two, &third);
    assert!(!rejected(&two, &third, &third) && !rejected(&two, &two.b, &third));
    let tips = || tip_of(&third, &two.rid, &third.member());
    let before = tips();
    assert_eq!(left_out(&third), std::slice::from_ref(&two.patch));
    assert_eq!(tips(), before, "nothing is signed by looking");
    two.b.close(&two.rid, &two.patch).unwrap();
    assert!(left_out(&two.b).is_empty());
    meet(&two, &third);
    assert!(left_out(&third).is_empty(), "it is closed");
    two.b.reopen(&two.rid, &two.patch).unwrap();
    meet(&two, &third);
    assert_eq!(left_out(&third), std::slice::from_ref(&two.patch));

    review(&two, &third, Verdict::Reject, "No.");
    assert!(left_out(&third).is_empty());
    meet(&two, &third);
    assert!([&third, &two.b].into_iter().all(|forge| rejected(&two, forge, &third) && left_out(forge).is_empty()));
}

#[test]
fn whose_words_count_on_both_lines_is_told_of_nothing() {
    let two = Two::said();
    two.bring(&two.key());
    two.joined();
    assert!(two.b.left_out(&two.rid).unwrap().is_empty());
}
