//! Two devices with the same keys and the same repository, each of which went on alone: what a disk that was put back leads to.
#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::{
    limits,
    line::count,
    review::tests::{said, say, with_patch},
};
use domain::patch::{LineRef, Side, Verdict};
use std::{collections::VecDeque, fs, path::Path, process::Command};
use tempfile::TempDir;

pub(crate) struct Two {
    /// The one that others met.
    pub(crate) a: Forge,
    /// The one that was put back.
    pub(crate) b: Forge,
    pub(crate) rid: Rid,
    pub(crate) patch: PatchId,
    pub(crate) home: TempDir,
}

impl Two {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (first, second) = (home.path().join("first"), home.path().join("second"));
        fs::create_dir(&first).unwrap();
        let (a, rid, patch) = with_patch(&first);
        copy(&first, &second);
        let b = Forge::open(&second.join("rad"), &second.join("member")).unwrap();
        Self { a, b, rid, patch, home }
    }

    /// Each of them has said something in the patch.
    pub(crate) fn said() -> Self {
        let two = Self::new();
        two.say(&two.a, "Said there.");
        two.say(&two.b, "Said here.");
        two
    }

    fn say(&self, forge: &Forge, words: &str) {
        forge.with_patch(&self.rid, &self.patch, |own| say(own, words)).unwrap();
    }

    pub(crate) fn key(&self) -> Did {
        self.a.member()
    }

    fn tip(&self, forge: &Forge) -> Oid {
        tip_of(forge, &self.rid, &self.key()).unwrap()
    }

    /// What one who has these signatures lacks of a key's line on the first device.
    fn given(&self, key: &Did, have: &[Oid]) -> VecDeque<Vec<u8>> {
        let (tip, mut pieces) = (tip_of(&self.a, &self.rid, key).unwrap(), VecDeque::new());
        let mut keep = |piece: &[u8]| {
            pieces.push_back(piece.to_vec());
            Ok(())
        };
        self.a.give_line(&self.rid, key, &tip, have, &mut keep).unwrap();
        pieces
    }

    /// Brings a key's line of the first device to the second. The answer is its newest signature.
    pub(crate) fn bring(&self, key: &Did) -> Oid {
        let tip = tip_of(&self.a, &self.rid, key).unwrap();
        let mut pieces = self.given(key, &self.b.line_known(&self.rid, key).unwrap());
        self.b.take_line(&self.rid, key, &tip, &mut || Ok(pieces.pop_front())).unwrap();
        tip
    }

    pub(crate) fn joined(&self) -> Joined {
        let joined = self.joined_untold();
        self.b.joined_told(&self.rid, &self.key()).unwrap();
        joined
    }

    /// As after a crash before it was written down.
    fn joined_untold(&self) -> Joined {
        match self.b.rejoin(&self.rid, &self.key()).unwrap() {
            Some(Rejoined::Joined(joined)) => joined,
            other => panic!("{other:?}"),
        }
    }

    /// That the second device refused what was sent, and is as it was.
    fn assert_untouched(&self, refused: &Problem, before: &Oid) {
        assert!(refused.what.contains("line"), "{refused}");
        assert_eq!(self.tip(&self.b), *before);
        assert_eq!(self.b.rejoin(&self.rid, &self.key()).unwrap(), None);
    }
}

pub(crate) fn tip_of(forge: &Forge, rid: &Rid, key: &Did) -> Option<Oid> {
    forge.line_tips(rid, std::slice::from_ref(key)).unwrap().remove(0)
}

pub(crate) fn copy(from: impl AsRef<Path>, to: &Path) {
    assert!(Command::new("cp").arg("-af").arg(from.as_ref()).arg(to).status().unwrap().success());
}

fn git_oid(oid: &Oid) -> git2::Oid {
    convert::git_oid(oid.as_str()).unwrap()
}

#[test]
fn what_both_lines_said_is_said_once_and_the_joined_line_stands_on_the_other() {
    let two = Two::said();
    let ours = two.tip(&two.b);
    assert!(two.b.is_other_line(&two.rid, &two.key(), &two.tip(&two.a)).unwrap());
    let theirs = two.bring(&two.key());
    let joined = two.joined();
    assert_eq!((&joined.ours, &joined.theirs), (&ours, &theirs));
    assert!(joined.kept_under.is_some() && joined.aside.is_empty() && joined.review_again.is_empty(), "{joined:?}");
    assert_eq!(said(&two.b, &two.rid, &two.patch, ["Said there.", "Said here."]), [1, 1]);
    let (repo, tip) = (two.b.repository(&two.rid).unwrap(), two.tip(&two.b));
    assert_eq!(repo.backend.find_commit(git_oid(&tip)).unwrap().parent_ids().collect::<Vec<_>>(), [git_oid(&theirs)]);
    assert!(pinned(&repo.backend, two.b.member_key(), OURS).is_none());
    assert_eq!(two.b.rejoin(&two.rid, &two.key()).unwrap(), None);
    for old in [&theirs, &ours] {
        assert!(!two.b.is_other_line(&two.rid, &two.key(), old).unwrap());
    }
    // It is not joined the other way round where one who still has it offers the line that was left.
    two.b.take_line(&two.rid, &two.key(), &ours, &mut || Ok(None)).unwrap();
    assert_eq!(two.b.rejoin(&two.rid, &two.key()).unwrap(), None);
    assert_eq!(two.tip(&two.b), tip);
    // And what is said next follows both.
    two.say(&two.b, "Said later.");
    assert_eq!(said(&two.b, &two.rid, &two.patch, ["Said there.", "Said here.", "Said later."]), [1, 1, 1]);
}

#[test]
fn a_crash_at_any_step_comes_to_the_same() {
    for laid in [None, Some(false), Some(true)] {
        let two = Two::said();
        let (ours, theirs) = (git_oid(&two.tip(&two.b)), git_oid(&two.bring(&two.key())));
        let (repo, own) = (two.b.repository(&two.rid).unwrap(), &two.b.member);
        let lines = Lines { theirs, ours };
        let union = joined_refs(&repo, own.public_key(), lines).unwrap();
        let kept = keep(&repo, own, &union.kept, ours).unwrap();
        if let Some(line) = laid {
            lay(&repo, own.public_key(), &union, line.then_some(theirs)).unwrap();
        }
        let joined = two.joined_untold();
        assert!(joined.kept_under.is_some() && joined.kept_under == kept);
        assert_eq!((git_oid(&joined.ours), git_oid(&joined.theirs)), (ours, theirs));
        assert_eq!(said(&two.b, &two.rid, &two.patch, ["Said there.", "Said here."]), [1, 1]);
        // Before it was told.
        let tip = two.tip(&two.b);
        assert_eq!(two.joined(), joined);
        assert_eq!(two.tip(&two.b), tip);
        assert_eq!(two.b.rejoin(&two.rid, &two.key()).unwrap(), None);
    }
}

#[test]
fn what_is_said_between_taking_a_line_and_joining_it_counts_too() {
    let two = Two::said();
    two.bring(&two.key());
    two.say(&two.b, "Said between.");
    let ours = two.tip(&two.b);
    assert_eq!(two.joined().ours, ours);
    assert_eq!(said(&two.b, &two.rid, &two.patch, ["Said there.", "Said here.", "Said between."]), [1, 1, 1]);
}

#[test]
fn a_fetch_that_began_before_lines_were_joined_takes_nothing_back() {
    let two = Two::said();
    let (repo, key) = (two.b.repository(&two.rid).unwrap(), two.b.member_key());
    let left = signed(&repo, key).unwrap();
    two.bring(&two.key());
    two.joined();
    let joined = signed(&repo, key).unwrap();
    let own = joined.iter().filter(|(name, _)| !name.starts_with("refs/rad/"));
    // As radicle-fetch does where the device that is fetched from has the line that was left.
    for (name, _) in own.clone() {
        match left.get(name) {
            Some(at) => set(&repo, key, name, *at).unwrap(),
            None => let_go(&repo.backend, &whole(key, name)).unwrap(),
        }
    }
    assert!(two.b.bring_forward(&two.rid).unwrap());
    for (name, at) in own {
        assert_eq!(repo.backend.refname_to_id(&whole(key, name)).ok(), Some(*at), "{name}");
    }
}

#[test]
fn a_delegates_branch_that_both_lines_moved_stays_as_others_know_it_and_this_one_is_aside() {
    let two = Two::new();
    let [there, here] = [(&two.a, "there"), (&two.b, "here")].map(|(forge, word)| {
        let change = [(format!("{word}.txt"), Some(word.as_bytes().to_vec()))];
        forge.commit_files(&two.rid, word, &change, None).unwrap()
    });
    assert!(two.b.delegates(&two.rid).unwrap().contains(&two.key()));
    two.bring(&two.key());
    let joined = two.joined();
    assert_eq!(two.b.head(&two.rid).unwrap(), there);
    assert_eq!(joined.aside, [format!("aside/{}/main", &joined.ours.as_str()[..SHORT])]);
    let signed = signed(&two.b.repository(&two.rid).unwrap(), two.b.member_key()).unwrap();
    assert_eq!(signed.get(&format!("refs/heads/{}", joined.aside[0])), Some(&git_oid(&here)));
    assert_eq!(signed.get("refs/heads/main"), Some(&git_oid(&there)));
    // The branch can be moved again.
    let change = [("more.txt".to_owned(), Some(b"more".to_vec()))];
    two.b.commit_files(&two.rid, "more", &change, Some(&there)).unwrap();
}

#[test]
fn a_branch_that_is_named_as_a_folder_of_the_other_line_is_aside() {
    for (there, here) in [("work/one", "work"), ("work", "work/one")] {
        let two = Two::new();
        let head = git_oid(&two.a.head(&two.rid).unwrap());
        for (forge, name) in [(&two.a, there), (&two.b, here), (&two.b, "aside")] {
            let refs = Refs::from([(format!("refs/heads/{name}"), head)]);
            forge.as_key(&two.rid, &forge.member, |repo| sign(repo, &forge.member, refs)).unwrap();
        }
        two.bring(&two.key());
        let joined = two.joined_untold();
        let short = &joined.ours.as_str()[..SHORT];
        assert_eq!(joined.aside, [format!("aside/{short}/aside"), format!("aside/{short}/{here}")]);
        assert_eq!(two.joined(), joined, "and so after a crash");
        let signed = signed(&two.b.repository(&two.rid).unwrap(), two.b.member_key()).unwrap();
        for name in joined.aside.iter().map(String::as_str).chain([there]) {
            assert_eq!(signed.get(&format!("refs/heads/{name}")), Some(&head), "{name}");
        }
        assert!(!signed.contains_key(&format!("refs/heads/{here}")) && !signed.contains_key("refs/heads/aside"));
    }
}

#[test]
fn a_line_that_only_lacks_something_is_set_forward() {
    let two = Two::new();
    two.say(&two.a, "Said there.");
    two.bring(&two.key());
    assert_eq!(two.b.rejoin(&two.rid, &two.key()).unwrap(), Some(Rejoined::Forward));
    assert_eq!(two.tip(&two.b), two.tip(&two.a));
    assert_eq!(said(&two.b, &two.rid, &two.patch, ["Said there."]), [1]);
    assert_eq!(two.b.rejoin(&two.rid, &two.key()).unwrap(), None);
}

#[test]
fn a_device_that_lost_all_that_its_key_signed_takes_it_back() {
    let two = Two::new();
    let head = git_oid(&two.a.head(&two.rid).unwrap());
    let other = Refs::from([("refs/heads/other".to_owned(), head)]);
    two.a.as_key(&two.rid, &two.a.device, |repo| sign(repo, &two.a.device, other)).unwrap();
    let key = two.a.device();
    assert_eq!(tip_of(&two.b, &two.rid, &key), None);
    let size = |have: &[Oid]| two.given(&key, have).iter().map(Vec::len).sum::<usize>();
    assert!(size(&two.b.line_known(&two.rid, &key).unwrap()) < size(&[]), "what is on the default branch is not sent again");
    let tip = two.bring(&key);
    assert_eq!(two.b.rejoin(&two.rid, &key).unwrap(), Some(Rejoined::Forward));
    assert_eq!(tip_of(&two.b, &two.rid, &key), Some(tip));
    let repo = two.b.repository(&two.rid).unwrap();
    assert_eq!(repo.backend.refname_to_id(&whole(two.b.device_key(), "refs/heads/other")).unwrap(), head);
}

#[test]
fn where_both_lines_reviewed_the_same_revision_a_person_is_asked_again() {
    let two = Two::new();
    let revision = two.a.patch(&two.rid, &"demo".parse().unwrap(), &two.patch).unwrap().revisions[0].id.clone();
    for (forge, words) in [(&two.a, "Good."), (&two.b, "Good too.")] {
        forge.review(&two.rid, &two.patch, &revision, Verdict::Accept, words, &[]).unwrap();
    }
    two.bring(&two.key());
    assert_eq!(two.joined().review_again, std::slice::from_ref(&two.patch));
}

#[test]
fn comments_on_lines_stay_where_both_lines_reviewed_the_same_revision() {
    let two = Two::new();
    let read = || two.b.patch(&two.rid, &"demo".parse().unwrap(), &two.patch).unwrap().revisions[0].clone();
    let path = two.b.changed_files(&two.rid, &read().base, &read().head).unwrap()[0].path.clone();
    let line = LineRef { path, line: 1, side: Side::New };
    for (forge, words) in [(&two.a, "There."), (&two.b, "Here.")] {
        forge.review(&two.rid, &two.patch, &read().id, Verdict::Reject, words, &[(line.clone(), words.to_owned())]).unwrap();
        two.say(forge, &format!("After that: {words}"));
    }
    two.bring(&two.key());
    two.joined();
    let mut bodies: Vec<String> = read().comments.into_iter().map(|comment| comment.body).collect();
    bodies.sort();
    assert_eq!(bodies, ["After that: Here.", "After that: There.", "Here.", "There."]);
}

#[test]
fn whose_words_radicle_leaves_out_may_go_on() {
    let two = Two::new();
    let revision = two.a.patch(&two.rid, &"demo".parse().unwrap(), &two.patch).unwrap().revisions[0].id.clone();
    // Whichever of the two reviews counts, the change of the other has nothing to follow.
    for (forge, words) in [(&two.a, "There."), (&two.b, "Here.")] {
        for verdict in [Verdict::Reject, Verdict::Accept] {
            forge.review(&two.rid, &two.patch, &revision, verdict, words, &[]).unwrap();
        }
    }
    two.bring(&two.key());
    assert_eq!(two.joined().review_again, std::slice::from_ref(&two.patch));
    two.say(&two.b, "And on.");
    two.say(&two.b, "And on and on.");
    assert_eq!(said(&two.b, &two.rid, &two.patch, ["And on.", "And on and on."]), [1, 1]);
}

#[test]
fn an_old_signature_in_a_new_commit_takes_nothing_back() {
    let two = Two::new();
    let (repo, own) = (two.b.repository(&two.rid).unwrap(), &two.b.member);
    let (git, who) = (&repo.backend, git2::Signature::now("person", "person@example.org").unwrap());
    let head = git_oid(&two.b.head(&two.rid).unwrap());
    let other = git.commit(None, &who, &who, "other", &git.find_commit(head).unwrap().tree().unwrap(), &[]).unwrap();
    let branch = "refs/heads/moved";
    for at in [head, other] {
        two.b.as_key(&two.rid, own, |repo| sign(repo, own, Refs::from([(branch.to_owned(), at)]))).unwrap();
    }
    let old = git.find_commit(git_oid(&two.tip(&two.b))).unwrap().parent(0).unwrap();
    let anew = git.commit(None, &who, &who, "anew", &old.tree().unwrap(), &[&old.parent(0).unwrap()]).unwrap();
    assert_eq!(signed_at(&repo, own.public_key(), anew).unwrap().get(branch), Some(&head));
    two.b.take_line(&two.rid, &two.key(), &convert::oid(anew).unwrap(), &mut || Ok(None)).unwrap();
    assert!(two.joined().aside.is_empty());
    assert_eq!(signed(&repo, own.public_key()).unwrap().get(branch), Some(&other));
}

#[test]
fn what_was_signed_on_a_line_that_was_left_takes_nothing_back_in_a_new_commit() {
    let two = Two::new();
    let (repo, key) = (two.b.repository(&two.rid).unwrap(), two.b.member_key());
    let who = git2::Signature::now("person", "person@example.org").unwrap();
    let branch = "refs/heads/moved";
    let [there, _] = [(&two.a, "there"), (&two.b, "here")].map(|(forge, words)| {
        let git = &forge.repository(&two.rid).unwrap().backend;
        let tree = git.find_commit(git_oid(&forge.head(&two.rid).unwrap())).unwrap().tree().unwrap();
        let at = git.commit(None, &who, &who, words, &tree, &[]).unwrap();
        forge.as_key(&two.rid, &forge.member, |repo| sign(repo, &forge.member, Refs::from([(branch.to_owned(), at)]))).unwrap();
        at
    });
    two.bring(&two.key());
    let ours = repo.backend.find_commit(git_oid(&two.joined().ours)).unwrap();
    assert_eq!(signed(&repo, key).unwrap().get(branch), Some(&there));
    let anew = repo.backend.commit(None, &who, &who, "anew", &ours.tree().unwrap(), &[&ours.parent(0).unwrap()]).unwrap();
    two.b.take_line(&two.rid, &two.key(), &convert::oid(anew).unwrap(), &mut || Ok(None)).unwrap();
    assert!(two.joined().aside.is_empty());
    assert_eq!(signed(&repo, key).unwrap().get(branch), Some(&there));
}

#[test]
fn what_another_key_signed_is_refused() {
    let two = Two::said();
    let (head, before) = (git_oid(&two.a.head(&two.rid).unwrap()), two.tip(&two.b));
    let other = Refs::from([("refs/heads/other".to_owned(), head)]);
    two.a.as_key(&two.rid, &two.a.device, |repo| sign(repo, &two.a.device, other)).unwrap();
    let tip = tip_of(&two.a, &two.rid, &two.a.device()).unwrap();
    let mut pieces = two.given(&two.a.device(), &[]);
    let refused = two.b.take_line(&two.rid, &two.key(), &tip, &mut || Ok(pieces.pop_front())).unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid);
    two.assert_untouched(&refused, &before);
}

#[test]
fn what_is_not_whole_is_refused() {
    let two = Two::said();
    let (middle, before) = (two.tip(&two.a), two.tip(&two.b));
    two.say(&two.a, "Said there again.");
    let tip = two.tip(&two.a);
    // A pack that ends too early, and one that lacks what the other device is said to have.
    let mut cut = two.given(&two.key(), &[]);
    let last = cut.back_mut().unwrap();
    last.truncate(last.len() - 5);
    let lacking = two.given(&two.key(), &[middle]);
    assert!(!lacking.is_empty());
    for mut pieces in [cut, lacking] {
        let refused = two.b.take_line(&two.rid, &two.key(), &tip, &mut || Ok(pieces.pop_front())).unwrap_err();
        two.assert_untouched(&refused, &before);
    }
}

#[test]
fn nothing_is_sent_to_one_who_lacks_nothing_and_no_line_of_another_device_is_taken() {
    let two = Two::said();
    assert!(two.given(&two.key(), &[two.tip(&two.a)]).is_empty());
    let foreign = Forge::create(&two.home.path().join("third/rad"), &two.home.path().join("third/member"), "third").unwrap();
    let refused = two.b.take_line(&two.rid, &foreign.member(), &two.tip(&two.a), &mut || Ok(None)).unwrap_err();
    assert_eq!(refused.kind, Kind::Forbidden);
}

#[test]
fn a_line_without_end_is_given_up() {
    let mut bytes = limits::LINE_BYTES_MAX - 1;
    count(&mut bytes, 1).unwrap();
    assert_eq!(count(&mut bytes, 1).unwrap_err().kind, Kind::Limit);
}

#[test]
fn what_is_here_of_a_line_is_told_in_growing_steps_down_to_the_first() {
    let two = Two::new();
    for number in 0..8 {
        two.say(&two.b, &number.to_string());
    }
    let mut known = two.b.line_known(&two.rid, &two.key()).unwrap();
    assert_eq!(known.pop(), two.b.head(&two.rid).ok(), "and what is on the default branch");
    let (repo, mut line) = (two.b.repository(&two.rid).unwrap(), vec![two.tip(&two.b)]);
    while let Ok(parent) = repo.backend.find_commit(git_oid(line.last().unwrap())).unwrap().parent_id(0) {
        line.push(convert::oid(parent).unwrap());
    }
    assert!(line.len() > 7, "{line:?}");
    let steps: Vec<&Oid> = [0, 1, 3, 7].iter().filter(|at| **at + 1 < line.len()).map(|at| &line[*at]).chain(line.last()).collect();
    assert_eq!(known.iter().collect::<Vec<_>>(), steps);
}

#[test]
fn a_third_device_leaves_a_line_only_where_its_key_says_that_it_was_joined() {
    let two = Two::said();
    let (ours, key) = (two.tip(&two.b), two.key());
    let third = Forge::create(&two.home.path().join("third/rad"), &two.home.path().join("third/member"), "third").unwrap();
    let id = convert::repo_id(&two.rid).unwrap();
    copy(two.b.path_of(&id), &third.path_of(&id));
    let fetch = |from: &Forge| copy(from.path_of(&id).join("objects/."), &third.path_of(&id).join("objects"));

    fetch(&two.a);
    assert!(!third.follow_joined(&two.rid, &key, &two.tip(&two.a)).unwrap());
    assert_eq!(two.tip(&third), ours);

    let theirs = two.bring(&key);
    two.joined();
    let tip = two.tip(&two.b);
    assert!(!third.follow_joined(&two.rid, &key, &tip).unwrap(), "its objects are not here");
    fetch(&two.b);
    assert!(third.follow_joined(&two.rid, &key, &tip).unwrap());
    let repo = two.b.repository(&two.rid).unwrap();
    assert_ne!(two.tip(&third), ours);
    assert_eq!(part_at(&repo.backend, git_oid(&ours), git_oid(&theirs)).unwrap(), Some(git_oid(&two.tip(&third))));
    assert!(!third.follow_joined(&two.rid, &key, &tip).unwrap());
    assert!(!two.b.follow_joined(&two.rid, &key, &tip).unwrap(), "its own key's line is joined, not followed");
}

#[test]
fn of_what_two_lines_did_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let git = git2::Repository::init_bare(dir.path()).unwrap();
    let tree = git.find_tree(git.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let who = git2::Signature::now("person", "person@example.org").unwrap();
    let commit = |words: &str, parents: &[git2::Oid]| {
        let parents: Vec<_> = parents.iter().map(|at| git.find_commit(*at).unwrap()).collect();
        git.commit(None, &who, &who, words, &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
    };
    let first = commit("first", &[]);
    let [one, other] = ["one", "other"].map(|words| commit(words, &[first]));
    let later = commit("later", &[one]);
    // Where it was, where the other line and this one have it, and where it is then.
    let table = [
        (Some(first), Some(one), Some(first), Some(one)),
        (Some(first), Some(first), Some(one), Some(one)),
        (Some(first), None, Some(first), None),
        (Some(first), Some(first), None, None),
        (Some(first), None, Some(one), Some(one)),
        (Some(first), Some(one), None, Some(one)),
        (Some(first), Some(one), Some(later), Some(later)),
        (Some(first), Some(later), Some(one), Some(later)),
        (None, Some(one), Some(one), Some(one)),
        (Some(first), Some(one), Some(other), Some(one)),
    ];
    for (was, there, here, then) in table {
        let named = |name: &str, at: Option<git2::Oid>| at.map(|at| (name.to_owned(), at)).into_iter().collect::<Refs>();
        let [branch, object] = ["refs/heads/main", "refs/cobs/x/y"].map(|name| {
            let union = unite(&git, &named(name, was), &named(name, there), &named(name, here), "short");
            assert_eq!(union.refs.get(name).copied(), then);
            assert_eq!(union.gone.is_empty(), then.is_some());
            union
        });
        let apart = (there, here) == (Some(one), Some(other));
        assert_eq!(branch.aside, if apart { vec!["aside/short/main"] } else { vec![] });
        assert_eq!(branch.refs.contains_key("refs/heads/aside/short/main"), apart);
        assert_eq!(object.kept.get("refs/cobs/x/y").copied(), apart.then_some(other));
        assert!(branch.kept.is_empty() && object.aside.is_empty());
    }
}
