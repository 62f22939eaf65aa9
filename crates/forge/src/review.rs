//! Comments, reviews, closing and reopening: what the member does with patches.

use crate::{
    Forge,
    convert::{self, Told},
    limits,
    patch::{location, missing},
    trace::cut,
};
use domain::patch::{LineRef, Verdict};
use domain::{Did, Kind, Oid, PatchId, Problem, RevisionId, Rid};
use radicle::cob::cache::StoreWriter;
use radicle::cob::stream::{CobRange, CobStream as _, Stream};
use radicle::cob::{ObjectId, patch as rad};
use radicle::crypto::{PublicKey, Signer as _, SigningKey};
use radicle::storage::{ReadRepository as _, git::Repository, refs::SignedRefs};

/// A patch that the member may change.
type Own<'a, 'b, 'g> = rad::PatchMut<'a, 'b, 'g, Repository, SigningKey, StoreWriter>;

impl Forge {
    /// Comments on a revision as the member, perhaps in reply to another comment. The answer is the comment's id.
    pub fn comment(&self, rid: &Rid, patch: &PatchId, revision: &RevisionId, body: &str, reply_to: Option<&Oid>) -> Result<Oid, Problem> {
        let body = text(body, "A comment needs some words.")?;
        let reply_to = reply_to.map(convert::rad_oid).transpose()?;
        self.with_patch(rid, patch, |own| {
            let revision = known(own, revision)?;
            // Radicle wants every comment but the first of a revision to answer one.
            let first = own.revision(&revision).and_then(|r| r.discussion().root().map(|(id, _)| *id));
            let made = own.comment(revision, &body, reply_to.or(first), None, []);
            convert::oid(made.told("The comment could not be written.")?)
        })
    }

    /// Reviews a revision as the member. A second review of the same revision changes the first, since Radicle would drop
    /// it; line comments are added to those that are there, the same one only once.
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
        let summary = cut(summary.trim(), limits::TEXT_BYTES_MAX);
        if verdict == Verdict::Comment && summary.is_empty() && lines.is_empty() {
            return Err(Problem::invalid("The review says nothing.").next("Give a verdict, some words, or comments on lines."));
        }
        let member = *self.member_key();
        self.with_patch(rid, patch, |own| {
            let revision = known(own, revision)?;
            let verdict = match verdict {
                Verdict::Accept => Some(rad::Verdict::Accept),
                Verdict::Reject => Some(rad::Verdict::Reject),
                Verdict::Comment => None,
            };
            let what = "The review could not be written.";
            let mine = own.revision(&revision).and_then(|r| r.review_by(&member));
            // A comment takes no verdict back.
            let verdict = verdict.or_else(|| mine.and_then(|review| review.verdict()));
            let before = mine.map(|review| (review.id(), review.verdict() == verdict && review.summary() == summary));
            let review = match before {
                Some((id, true)) => id,
                Some((id, false)) => {
                    own.review_edit(id, verdict, summary.clone(), vec![], []).told(what)?;
                    id
                }
                None => own.review(revision, verdict, Some(summary.clone()), vec![]).told(what)?,
            };
            for (line, body) in lines {
                self.line_comment(own, revision, review, line, body)?;
            }
            Ok(())
        })
    }

    fn line_comment(
        &self,
        own: &mut Own<'_, '_, '_>,
        revision: rad::RevisionId,
        review: rad::ReviewId,
        line: &LineRef,
        body: &str,
    ) -> Result<(), Problem> {
        let body = text(body, "A comment on a line needs some words.")?;
        crate::repository::check_path(&line.path)?;
        let Some(of) = own.revision(&revision) else { return Ok(()) };
        let at = location(of.head(), line);
        let mine = of.review_by(self.member_key()).into_iter().flat_map(rad::Review::comments);
        if mine.into_iter().any(|(_, known)| known.body() == body && known.location() == Some(&at)) {
            return Ok(());
        }
        own.review_comment(review, body, Some(at), None, []).told("The comment on a line could not be written.")?;
        Ok(())
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

    /// Changes a patch with this key, whose turn it is already. What the node fetches meanwhile may set the key's part of the patch back
    /// to what it had signed before, just before it signs anew: then nothing came of the change, and it is made again.
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
        for _ in 0..limits::SET_BACK_TRIES {
            let signed = signed_part(repo, key.public_key(), &id)?;
            // The cache follows other nodes' news a moment late, so the truth is read first.
            patches.write(&id).map_err(|_| missing(patch))?;
            let mut own = patches.get_mut(&id).map_err(|_| missing(patch))?;
            let before = rad::Patch::clone(&own);
            let done = change(&mut own)?;
            if *own == before || signed_part(repo, key.public_key(), &id)? != signed {
                return Ok(done);
            }
            tracing::info!(%patch, "a fetch had set the patch back before its change was signed; it is changed again");
        }
        Err(Problem::conflict(format!("The patch {patch} was set back by fetches each time that it was changed.")).next("Try again."))
    }
}

/// Where a key's own part of a patch is, by what the key signed last; none: it has none there.
fn signed_part(repo: &Repository, key: &PublicKey, id: &ObjectId) -> Result<Option<git2::Oid>, Problem> {
    let Some(signed) = SignedRefs::load(*key, repo).told("Signed refs could not be read.")? else { return Ok(None) };
    let name = format!("refs/cobs/{}/{id}", *rad::TYPENAME);
    Ok(signed.refs().iter().find(|(at, _)| at.as_str() == name).map(|(_, oid)| git2::Oid::from(*oid)))
}

/// A revision of this patch.
pub(crate) fn known(own: &rad::Patch, revision: &RevisionId) -> Result<rad::RevisionId, Problem> {
    let id = rad::RevisionId::from(radicle::git::Oid::from(convert::git_oid(revision.as_str())?));
    own.revision(&id).map(|_| id).ok_or_else(|| {
        Problem::not_found(format!("The patch has no revision {revision}.")).next("meshwork patch show lists the revisions.")
    })
}

fn text(body: &str, empty: &str) -> Result<String, Problem> {
    let body = cut(body.trim(), limits::TEXT_BYTES_MAX);
    if body.is_empty() { Err(Problem::invalid(empty).next("Say it with --message, or leave it.")) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Visibility;
    use radicle::cob::{Title, patch::MergeTarget};
    use std::path::Path;

    /// A project with a patch of the member's.
    fn with_patch(home: &Path) -> (Forge, Rid, PatchId) {
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

    /// A fetch between the write and the signature, which Radicle takes of the refs as they are then.
    #[test]
    fn a_comment_that_a_fetch_set_back_before_it_was_signed_is_written_again() {
        let home = tempfile::tempdir().unwrap();
        let (forge, rid, patch) = with_patch(home.path());
        let repo = forge.repository(&rid).unwrap();
        let refs = [format!("refs/cobs/{}/{patch}", *rad::TYPENAME), "refs/rad/sigrefs".to_owned()];
        let refs = refs.map(|name| format!("refs/namespaces/{}/{name}", forge.member_key().to_human()));
        let before = refs.map(|name| (repo.backend.refname_to_id(&name).unwrap(), name));
        let mut tries = 0;
        let comment = forge.with_patch(&rid, &patch, |own| {
            tries += 1;
            let revision = own.latest().0;
            let first = own.revision(&revision).and_then(|r| r.discussion().root().map(|(id, _)| *id));
            own.comment(revision, "Said once.", first, None, []).told("No comment.")?;
            if tries == 1 {
                before.iter().for_each(|(at, name)| drop(repo.backend.reference(name, *at, true, "fetch").unwrap()));
            }
            Ok(())
        });
        comment.unwrap();
        assert_eq!(tries, 2);
        let seen = forge.patch(&rid, &"demo".parse().unwrap(), &patch).unwrap();
        let said = seen.revisions.iter().flat_map(|revision| &revision.comments).filter(|comment| comment.body == "Said once.");
        assert_eq!(said.count(), 1);
    }
}
