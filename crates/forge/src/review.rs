//! Comments, reviews, closing and reopening: what the member does with patches.

use crate::{
    Forge,
    convert::{self, Told},
    limits,
    patch::{location, missing},
    signing::{object, written},
};
use domain::patch::{LineRef, Verdict};
use domain::{Did, Kind, Oid, PatchId, Problem, RevisionId, Rid};
use radicle::cob::cache::StoreWriter;
use radicle::cob::patch as rad;
use radicle::cob::stream::{CobRange, CobStream as _, Stream};
use radicle::crypto::SigningKey;
use radicle::storage::{ReadRepository as _, git::Repository};

type Comment = radicle::cob::thread::Comment<radicle::cob::CodeLocation>;

/// A patch that the member may change.
type Own<'a, 'b, 'g> = rad::PatchMut<'a, 'b, 'g, Repository, SigningKey, StoreWriter>;

impl Forge {
    /// Comments on a revision as the member, perhaps in reply to another comment. The answer is the comment's id.
    pub fn comment(&self, rid: &Rid, patch: &PatchId, revision: &RevisionId, body: &str, reply_to: Option<&Oid>) -> Result<Oid, Problem> {
        let body = text(body, "A comment")?;
        let reply_to = reply_to.map(convert::rad_oid).transpose()?;
        self.with_patch(rid, patch, |own| {
            let revision = known(own, revision)?;
            // Radicle wants every comment but the first of a revision to answer one.
            let first = own.revision(&revision).and_then(|r| r.discussion().root().map(|(id, _)| *id));
            let made = own.comment(revision, body, reply_to.or(first), None, []);
            convert::oid(made.told("The comment could not be written.")?)
        })
    }

    /// Reviews a revision as the member. A second review of the same revision changes the first, since Radicle would drop it. Comments on
    /// lines are comments of the revision, the same one only once: Radicle drops whatever names a review that it dropped, as where two lines
    /// of a key were joined and both reviewed the revision, with all that anybody said after that (radicle 0.25, `cob/patch.rs`).
    pub fn review(
        &self,
        rid: &Rid,
        patch: &PatchId,
        revision: &RevisionId,
        verdict: Verdict,
        summary: &str,
        lines: &[(LineRef, String)],
    ) -> Result<(), Problem> {
        if lines.len() > limits::LINE_COMMENTS_MAX {
            return Err(Problem::new(Kind::Limit, format!("A review may bring {} comments on lines at most.", limits::LINE_COMMENTS_MAX))
                .next("Send the rest with a second review."));
        }
        let summary = fitting(summary, "The words of a review")?;
        if verdict == Verdict::Comment && summary.is_empty() && lines.is_empty() {
            return Err(Problem::invalid("The review says nothing.").next("Give a verdict, some words, or comments on lines."));
        }
        // Before anything is written, so that no part of a review that is refused stays.
        let lines = lines.iter().map(|(line, body)| Ok((line, text(body, "A comment on a line")?))).collect::<Result<Vec<_>, Problem>>()?;
        let verdict = match verdict {
            Verdict::Accept => Some(rad::Verdict::Accept),
            Verdict::Reject => Some(rad::Verdict::Reject),
            Verdict::Comment => None,
        };
        until_all_is_there(|| {
            self.with_patch(rid, patch, |own| {
                let revision = known(own, revision)?;
                let only_lines = verdict.is_none() && summary.is_empty();
                let mut changes = if only_lines { 0 } else { self.verdict(own, revision, verdict, summary)? };
                for (line, body) in &lines {
                    changes += self.line_comment(own, revision, line, body)?;
                }
                Ok(changes)
            })
        })
    }

    /// Makes the member's review say this. The answer is how many changes that took.
    fn verdict(
        &self,
        own: &mut Own<'_, '_, '_>,
        revision: rad::RevisionId,
        verdict: Option<rad::Verdict>,
        summary: &str,
    ) -> Result<usize, Problem> {
        let what = "The review could not be written.";
        let mine = own.revision(&revision).and_then(|r| r.review_by(self.member_key()));
        // A comment takes no verdict back.
        let verdict = verdict.or_else(|| mine.and_then(|review| review.verdict()));
        match mine.map(|review| (review.id(), review.verdict() == verdict && review.summary() == summary)) {
            Some((_, true)) => return Ok(0),
            Some((id, false)) => {
                own.review_edit(id, verdict, summary.to_owned(), vec![], []).told(what)?;
            }
            None => {
                own.review(revision, verdict, Some(summary.to_owned()), vec![]).told(what)?;
            }
        }
        Ok(1)
    }

    /// Comments on a line, unless the member said the same there. The answer is how many changes that took.
    fn line_comment(&self, own: &mut Own<'_, '_, '_>, revision: rad::RevisionId, line: &LineRef, body: &str) -> Result<usize, Problem> {
        crate::repository::check_path(&line.path)?;
        let Some(of) = own.revision(&revision) else { return Ok(0) };
        let at = location(of.head(), line);
        let (me, said) = (convert::did(self.member_key()), of.discussion());
        let same = |comment: &Comment| convert::did(comment.author()) == me && comment.body() == body && comment.location() == Some(&at);
        if said.comments().any(|(_, comment)| same(comment)) {
            return Ok(0);
        }
        let first = said.root().map(|(id, _)| *id);
        own.comment(revision, body, first, Some(at), []).told("The comment on a line could not be written.")?;
        Ok(1)
    }

    /// Closes a patch without merging it. Its author and the delegates may.
    pub fn close(&self, rid: &Rid, patch: &PatchId) -> Result<(), Problem> {
        self.decide_patch(rid, patch, |own| {
            if own.is_merged() {
                return Err(Problem::conflict(format!("The patch {patch} is merged already.")).next("A new patch can change it back."));
            }
            if !own.is_archived() {
                own.archive().told("The patch could not be closed.")?;
            }
            Ok(())
        })
    }

    /// Opens a closed patch again.
    pub fn reopen(&self, rid: &Rid, patch: &PatchId) -> Result<(), Problem> {
        self.decide_patch(rid, patch, |own| {
            if own.is_merged() {
                return Err(Problem::conflict(format!("The patch {patch} is merged already.")).next("A new patch can change it back."));
            }
            if !own.is_archived() {
                return Err(Problem::conflict(format!("The patch {patch} is not closed.")).next("meshwork patch list shows which are."));
            }
            own.unarchive().told("The patch could not be opened again.")?;
            Ok(())
        })
    }

    /// Who closed a patch, or opened it again, last; none when nobody ever did.
    pub fn state_set_by(&self, rid: &Rid, patch: &PatchId) -> Result<Option<Did>, Problem> {
        let what = "The patch's history cannot be read.";
        let repo = self.repository(rid)?;
        let id = convert::object_id(patch)?;
        let author = crate::patch::read(&repo, &id)?.ok_or_else(|| missing(patch))?.author().public_key().to_owned();
        let doc = repo.identity_doc().told(what)?;
        let range = CobRange::new(&rad::TYPENAME, &id);
        let history: Stream<'_, rad::Action> = Stream::new(&repo.backend, range, rad::TYPENAME.clone());
        let mut last = None;
        for change in history.all().told(what)? {
            let change = change.told(what)?;
            let of_state = change.actions.iter().any(|action| matches!(action, rad::Action::Lifecycle { .. }));
            // Radicle heeds nobody else's.
            if of_state && (change.author == author || doc.is_delegate(&change.author.into())) {
                last = last.max(Some((change.timestamp, change.author)));
            }
        }
        Ok(last.map(|(_, key)| convert::did(&key)))
    }

    /// Changes a patch as the member, in the member's turn.
    pub(crate) fn with_patch<T>(
        &self,
        rid: &Rid,
        patch: &PatchId,
        change: impl FnMut(&mut Own<'_, '_, '_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.as_member(rid, |repo| self.change_patch(repo, &self.member, patch, change))
    }

    /// Changes a patch in a way that its author and the delegates may: with the key of this device that is a delegate, else the member's.
    fn decide_patch(
        &self,
        rid: &Rid,
        patch: &PatchId,
        change: impl FnMut(&mut Own<'_, '_, '_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let key = self.delegate_key(&self.repository(rid)?).unwrap_or(&self.member);
        self.as_key(rid, key, |repo| self.change_patch(repo, key, patch, change))
    }

    /// Changes a patch with this key, whose turn it is already; again, where a fetch set the change back. Where `change` makes several, it
    /// is not noticed of one after which another was signed.
    ///
    /// # Errors
    /// As of `change`; when the patch cannot be read; and when that happens again and again.
    pub(crate) fn change_patch<T>(
        &self,
        repo: &Repository,
        key: &SigningKey,
        patch: &PatchId,
        mut change: impl FnMut(&mut Own<'_, '_, '_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let id = convert::object_id(patch)?;
        let mut patches = self.home.patches_mut(repo, key).told("The patches cannot be opened.")?;
        written(repo, key, || {
            // The cache follows other nodes' news a moment late, so the truth is read first.
            patches.write(&id).map_err(|_| missing(patch))?;
            let mut own = patches.get_mut(&id).map_err(|_| missing(patch))?;
            let before = rad::Patch::clone(&own);
            let done = change(&mut own)?;
            Ok((done, (*own != before).then(|| object(&*rad::TYPENAME, id))))
        })
    }
}

/// Makes what is missing, by `pass`, which says how many changes that took, until that was one at most: of one alone it is known that it is
/// signed, while of several a fetch may have set back one after which another was signed.
fn until_all_is_there(mut pass: impl FnMut() -> Result<usize, Problem>) -> Result<(), Problem> {
    for _ in 0..limits::SET_BACK_TRIES {
        if pass()? <= 1 {
            return Ok(());
        }
    }
    Err(Problem::conflict("Parts of the review were set back each time.")
        .because("Other devices are fetched from at the same time.")
        .next("Send it again: what is there already stays as it is."))
}

/// A revision of this patch.
pub(crate) fn known(own: &rad::Patch, revision: &RevisionId) -> Result<rad::RevisionId, Problem> {
    let id = rad::RevisionId::from(radicle::git::Oid::from(convert::git_oid(revision.as_str())?));
    own.revision(&id).map(|_| id).ok_or_else(|| {
        Problem::not_found(format!("The patch has no revision {revision}.")).next("meshwork patch show lists the revisions.")
    })
}

/// The words of a comment; `what` it is begins a sentence.
fn text<'a>(body: &'a str, what: &str) -> Result<&'a str, Problem> {
    let body = fitting(body, what)?;
    if body.is_empty() {
        Err(Problem::invalid(format!("{what} needs some words.")).next("Say it with --message, or leave it."))
    } else {
        Ok(body)
    }
}

/// Words that a patch takes whole; `what` they are begins a sentence.
fn fitting<'a>(words: &'a str, what: &str) -> Result<&'a str, Problem> {
    let (words, most) = (words.trim(), limits::TEXT_BYTES_MAX);
    if words.len() > most {
        return Err(Problem::new(Kind::Limit, format!("{what} can have {most} bytes at most."))
            .because(format!("This has {}.", words.len()))
            .next("Shorten it, or put it into a file of the project."));
    }
    Ok(words)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        Visibility,
        line::SIGREFS,
        signing::{Refs, sign, signed, whole},
    };
    use radicle::cob::{Title, patch::MergeTarget};
    use std::path::Path;

    /// A project with a patch of the member's.
    pub(crate) fn with_patch(home: &Path) -> (Forge, Rid, PatchId) {
        let forge = Forge::create(&home.join("rad"), &home.join("member"), "laptop").unwrap();
        let work = git2::Repository::init(home.join("work")).unwrap();
        let who = git2::Signature::now("person", "person@example.org").unwrap();
        let empty = work.treebuilder(None).unwrap().write().unwrap();
        work.commit(Some("refs/heads/main"), &who, &who, "first", &work.find_tree(empty).unwrap(), &[]).unwrap();
        let private = Visibility::Private { allow: vec![] };
        let rid = forge.init_project(&home.join("work"), &"demo".parse().unwrap(), Some("main"), &private).unwrap().rid;
        let head = convert::git_oid(forge.head(&rid).unwrap().as_str()).unwrap();
        let made = forge.as_member(&rid, |repo| {
            let next = forge.member_commit(repo, head, "second", &[("a.txt".to_owned(), Some(b"a".to_vec()))])?;
            let mut patches = forge.home.patches_mut(repo, &forge.member).told("No patches.")?;
            let title = Title::new("A change").unwrap();
            let made = patches.create(title, "Why.", MergeTarget::default(), head, next, &[]).told("No patch.")?;
            convert::patch_id(made.id)
        });
        (forge, rid, made.unwrap())
    }

    /// The member's part of a patch, as the whole name of its ref.
    fn part(forge: &Forge, patch: &PatchId) -> String {
        whole(forge.member_key(), &object(&*rad::TYPENAME, patch))
    }

    pub(crate) fn say(own: &mut Own<'_, '_, '_>, body: &str) -> Result<(), Problem> {
        let revision = own.latest().0;
        let first = own.revision(&revision).and_then(|r| r.discussion().root().map(|(id, _)| *id));
        own.comment(revision, body, first, None, []).told("No comment.").map(drop)
    }

    /// How often each of these was said in a patch.
    pub(crate) fn said<const N: usize>(forge: &Forge, rid: &Rid, patch: &PatchId, bodies: [&str; N]) -> [usize; N] {
        let seen = forge.patch(rid, &"demo".parse().unwrap(), patch).unwrap();
        let all: Vec<_> = seen.revisions.iter().flat_map(|revision| &revision.comments).collect();
        bodies.map(|body| all.iter().filter(|comment| comment.body == body).count())
    }

    /// A fetch between the write and the signature, which Radicle takes of the refs as they are then.
    #[test]
    fn a_comment_that_a_fetch_set_back_before_it_was_signed_is_written_again() {
        let home = tempfile::tempdir().unwrap();
        let (forge, rid, patch) = with_patch(home.path());
        let repo = forge.repository(&rid).unwrap();
        let sigrefs = whole(forge.member_key(), SIGREFS);
        let before = [part(&forge, &patch), sigrefs].map(|name| (repo.backend.refname_to_id(&name).unwrap(), name));
        let mut tries = 0;
        let comment = forge.with_patch(&rid, &patch, |own| {
            tries += 1;
            say(own, "Said once.")?;
            if tries == 1 {
                before.iter().for_each(|(at, name)| drop(repo.backend.reference(name, *at, true, "fetch").unwrap()));
            }
            Ok(())
        });
        comment.unwrap();
        assert_eq!(tries, 2);
        assert_eq!(said(&forge, &rid, &patch, ["Said once."]), [1]);
    }

    /// A fetch that began before the first comment, and ends while the second is written.
    #[test]
    fn a_comment_that_was_signed_is_not_lost_to_the_next_one_in_the_same_patch() {
        let home = tempfile::tempdir().unwrap();
        let (forge, rid, patch) = with_patch(home.path());
        let (repo, part) = (forge.repository(&rid).unwrap(), part(&forge, &patch));
        let before = repo.backend.refname_to_id(&part).unwrap();
        forge.with_patch(&rid, &patch, |own| say(own, "First.")).unwrap();
        let mut tries = 0;
        let second = forge.with_patch(&rid, &patch, |own| {
            tries += 1;
            if tries == 1 {
                repo.backend.reference(&part, before, true, "fetch").unwrap();
            }
            say(own, "Second.")
        });
        second.unwrap();
        assert_eq!(tries, 2);
        assert_eq!(said(&forge, &rid, &patch, ["First.", "Second."]), [1, 1]);
    }

    #[test]
    fn a_comment_that_was_signed_is_not_lost_to_a_signature_of_something_else() {
        let home = tempfile::tempdir().unwrap();
        let (forge, rid, patch) = with_patch(home.path());
        let part = part(&forge, &patch);
        let before = forge.repository(&rid).unwrap().backend.refname_to_id(&part).unwrap();
        forge.with_patch(&rid, &patch, |own| say(own, "Said once.")).unwrap();
        let head = convert::git_oid(forge.head(&rid).unwrap().as_str()).unwrap();
        let signed = forge.as_member(&rid, |repo| {
            repo.backend.reference(&part, before, true, "fetch").unwrap();
            sign(repo, &forge.member, Refs::from([("refs/heads/other".to_owned(), head)]))?;
            signed(repo, forge.member_key())
        });
        let signed = signed.unwrap();
        assert_eq!(signed.get("refs/heads/other"), Some(&head));
        assert_ne!(signed.get(&object(&*rad::TYPENAME, &patch)), Some(&before));
        assert_eq!(said(&forge, &rid, &patch, ["Said once."]), [1]);
    }

    #[test]
    fn words_that_are_too_long_are_refused_and_nothing_is_written() {
        let home = tempfile::tempdir().unwrap();
        let (forge, rid, patch) = with_patch(home.path());
        let seen = || forge.patch(&rid, &"demo".parse().unwrap(), &patch).unwrap();
        let revision = seen().revisions[0].id.clone();
        let (most, long) = ("a".repeat(limits::TEXT_BYTES_MAX), "a".repeat(limits::TEXT_BYTES_MAX + 1));
        let line = LineRef { path: "a.txt".into(), line: 1, side: domain::patch::Side::New };
        let lines = [(line, long.clone())];
        let refused = [
            forge.comment(&rid, &patch, &revision, &long, None).map(drop),
            forge.review(&rid, &patch, &revision, Verdict::Accept, &long, &[]),
            forge.review(&rid, &patch, &revision, Verdict::Accept, "Good.", &lines),
        ];
        for problem in refused.map(Result::unwrap_err) {
            assert_eq!(problem.kind, Kind::Limit);
            assert!(problem.what.contains(&limits::TEXT_BYTES_MAX.to_string()) && problem.next.is_some(), "{problem}");
        }
        assert!(seen().revisions[0].comments.is_empty() && seen().revisions[0].reviews.is_empty());
        forge.comment(&rid, &patch, &revision, &most, None).unwrap();
        assert_eq!(said(&forge, &rid, &patch, [most.as_str()]), [1]);
    }

    #[test]
    fn a_review_is_looked_at_anew_until_one_part_of_it_was_missing_at_most() {
        let mut missing = [3, 2, 1, 0].into_iter();
        until_all_is_there(|| Ok(missing.next().unwrap())).unwrap();
        assert_eq!(missing.next(), Some(0));
        assert!(until_all_is_there(|| Ok(2)).is_err());
    }
}
