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
use radicle::cob::patch as rad;
use radicle::cob::stream::{CobRange, CobStream as _, Stream};
use radicle::crypto::SigningKey;
use radicle::storage::{ReadRepository as _, git::Repository};

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
            let made = own.comment(revision, body, reply_to.or(first), None, []);
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
                    own.review_edit(id, verdict, summary, vec![], []).told(what)?;
                    id
                }
                None => own.review(revision, verdict, Some(summary), vec![]).told(what)?,
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
        change: impl FnOnce(&mut Own<'_, '_, '_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.as_member(rid, |repo| self.change_patch(repo, &self.member, patch, change))
    }

    /// Changes a patch in a way that its author and the delegates may: with the key of this device that is a delegate, else the member's.
    fn decide_patch(
        &self,
        rid: &Rid,
        patch: &PatchId,
        change: impl FnOnce(&mut Own<'_, '_, '_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let key = self.delegate_key(&self.repository(rid)?).unwrap_or(&self.member);
        self.as_key(rid, key, |repo| self.change_patch(repo, key, patch, change))
    }

    /// Changes a patch with this key, whose turn it is already.
    pub(crate) fn change_patch<T>(
        &self,
        repo: &Repository,
        key: &SigningKey,
        patch: &PatchId,
        change: impl FnOnce(&mut Own<'_, '_, '_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let id = convert::object_id(patch)?;
        let mut patches = self.home.patches_mut(repo, key).told("The patches cannot be opened.")?;
        // The cache follows other nodes' news a moment late, so the truth is read first.
        patches.write(&id).map_err(|_| missing(patch))?;
        change(&mut patches.get_mut(&id).map_err(|_| missing(patch))?)
    }
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
