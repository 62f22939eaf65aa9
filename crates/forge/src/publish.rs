//! Publishing a run's commit as a patch, or as a further revision of one, signed by the run's own key.

use crate::{
    Forge, RunRepo, RunSigner,
    convert::{self, Told},
    key::RemoteKey,
    limits,
    repository::locked_ref,
    signing::{Refs, object, sign, whole, written},
};
use domain::{Did, Oid, PatchId, Problem, RevisionId, Rid};
use radicle::cob::Title;
use radicle::cob::patch::{MergeTarget, Patch, TYPENAME};
use radicle::cob::store::access::ReadOnly;
use radicle::crypto::{PublicKey, Signer};
use radicle::git::refs;
use radicle::storage::git::Repository;

/// What is published.
pub struct Publication<'a> {
    /// The host's git folder of the run, with the commit.
    pub repo: &'a RunRepo,
    /// The commit.
    pub commit: &'a Oid,
    /// The commit of the default branch that it begins from.
    pub base: &'a Oid,
    /// The patch's title, when it is a new one.
    pub title: &'a str,
    /// What the revision does; see [`crate::describe`].
    pub description: &'a str,
    /// The patch that gets a further revision; a new one without.
    pub existing: Option<&'a PatchId>,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The patch.
    pub patch: PatchId,
    /// The run's revision of it.
    pub revision: RevisionId,
    /// The commit of the run's signed refs: a [`crate::NodeEvent::Synced`] with it says that another node has it all.
    pub signed_refs: Oid,
}

impl Forge {
    /// Opens a patch with a run's commit, or adds a revision to an existing patch, by whoever that is. Called again with the
    /// same key and commit, after a crash at any point, it finds what was made and finishes it.
    pub fn publish(&self, rid: &Rid, signer: &dyn RunSigner, what: &Publication<'_>) -> Result<Published, Problem> {
        let key = RemoteKey::new(signer)?;
        let public = PublicKey::from_bytes(signer.key());
        let id = convert::repo_id(rid)?;
        let published = self.queue.turn(id, public, || self.publish_as(&self.open_repository(id)?, &key, public, what));
        let published = published.map_err(|problem| key.explain(problem))?;
        self.announce_quietly(rid, &[public]);
        Ok(published)
    }

    /// Removes what a run's key wrote and never signed: its runner died in the midst of [`Forge::publish`], nobody else can
    /// fetch it, and nobody can finish it. Says whether there was something.
    pub fn forget_unsigned(&self, rid: &Rid, key: &Did) -> Result<bool, Problem> {
        let id = convert::repo_id(rid)?;
        let public = convert::key(key)?;
        self.queue.turn(id, public, || {
            if self.signed_refs(rid, key)?.is_some() {
                return Ok(false);
            }
            let what = "What an ended run left unsigned could not be removed.";
            let repo = self.open_repository(id)?;
            let patches = own_patches(&repo, &public)?;
            let pattern = whole(&public, "refs/*");
            let found = repo.backend.references_glob(&pattern).told(what)?.collect::<Result<Vec<_>, _>>().told(what)?;
            let any = !found.is_empty();
            for mut reference in found {
                locked_ref(|| reference.delete()).told(what)?;
            }
            let mut cache = self.home.patches_mut(&repo, &self.member).told(what)?;
            for patch in patches {
                // What is left of a patch that others wrote too is cached anew; one that is gone leaves the cache.
                if cache.write(&patch).is_err() {
                    let _ = radicle::cob::cache::Remove::<Patch>::remove(&mut self.home.cobs_db_mut().told(what)?, &patch);
                }
            }
            Ok(any)
        })
    }

    fn publish_as(&self, repo: &Repository, key: &RemoteKey<'_>, public: PublicKey, what: &Publication<'_>) -> Result<Published, Problem> {
        what.repo.objects_into(repo.backend.path())?;
        let head = convert::git_oid(what.commit.as_str())?;
        repo.backend.find_commit(head).map_err(|_| Problem::not_found(format!("The run's commit {head} is missing.")))?;
        let (patch, revision) = match made_before(repo, &public, head, what.existing)? {
            Some(made) => made,
            None => self.open_or_update(repo, key, what)?,
        };
        self.finish(repo, key, &patch, head)?;
        let signed_refs = self.signed_refs(&convert::rid(&repo.id)?, &convert::did(&public))?;
        let signed_refs = signed_refs.ok_or_else(|| Problem::internal("signed refs vanished"))?;
        Ok(Published { patch: convert::patch_id(patch)?, revision, signed_refs })
    }

    fn open_or_update(
        &self,
        repo: &Repository,
        key: &RemoteKey<'_>,
        what: &Publication<'_>,
    ) -> Result<(radicle::cob::ObjectId, RevisionId), Problem> {
        let (base, head) = (convert::rad_oid(what.base)?, convert::rad_oid(what.commit)?);
        let mut patches = self.home.patches_mut(repo, key).told("The patches cannot be opened.")?;
        written(repo, key, || {
            let Some(existing) = what.existing else {
                let made = patches.create(title(what.title)?, what.description, MergeTarget::default(), base, head, &[]);
                let made = made.told("The patch could not be opened.")?;
                return Ok(((made.id, convert::revision_id(made.latest().0)?), Some(object(&*TYPENAME, made.id))));
            };
            let id = convert::object_id(existing)?;
            // The cache follows other nodes' news a moment late, so the truth is read first.
            patches.write(&id).map_err(|_| Problem::not_found(format!("There is no patch {existing}.")))?;
            let mut patch = patches.get_mut(&id).told(format!("The patch {existing} cannot be read."))?;
            if patch.is_merged() || patch.is_archived() {
                let closed = format!("The patch {existing} is {}.", patch.state());
                return Err(Problem::conflict(closed).next("Publish the work as a new patch."));
            }
            let revision = patch.update(what.description, base, head).told("The revision could not be added.")?;
            Ok(((id, convert::revision_id(revision)?), Some(object(&*TYPENAME, id))))
        })
    }

    /// The head ref by which git tools fetch the revision, the signature over all refs, and the cache.
    fn finish(&self, repo: &Repository, key: &RemoteKey<'_>, patch: &radicle::cob::ObjectId, head: git2::Oid) -> Result<(), Problem> {
        sign(repo, key, Refs::from([(refs::patch(patch).to_string(), head)]))?;
        self.cache_patch(repo, key, patch);
        Ok(())
    }

    /// Lets the cache of patches follow a change of one that was not made by way of it.
    pub(crate) fn cache_patch(&self, repo: &Repository, key: &impl Signer, patch: &radicle::cob::ObjectId) {
        let cached =
            self.home.patches_mut(repo, key).map_err(|e| e.to_string()).and_then(|mut all| all.write(patch).map_err(|e| e.to_string()));
        if let Err(error) = cached {
            tracing::warn!(%patch, %error, "the cache of patches was not updated");
        }
    }
}

/// The patch and revision that this key made of this commit in an earlier attempt.
fn made_before(
    repo: &Repository,
    key: &PublicKey,
    head: git2::Oid,
    existing: Option<&PatchId>,
) -> Result<Option<(radicle::cob::ObjectId, RevisionId)>, Problem> {
    let patches = radicle::cob::patch::Patches::open(repo, ReadOnly).told("The patches cannot be opened.")?;
    let ids = match existing {
        Some(id) => vec![convert::object_id(id)?],
        None => own_patches(repo, key)?,
    };
    for id in ids {
        let Some(patch) = patches.get(&id).told("A patch cannot be read.")? else { continue };
        if let Some(revision) = by(&patch, key, head) {
            return Ok(Some((id, revision?)));
        }
    }
    Ok(None)
}

fn by(patch: &Patch, key: &PublicKey, head: git2::Oid) -> Option<Result<RevisionId, Problem>> {
    let mine = patch.revisions().find(|(_, r)| r.author().public_key() == key && git2::Oid::from(r.head()) == head);
    mine.map(|(id, _)| convert::revision_id(id))
}

/// The patches in which a key wrote something.
fn own_patches(repo: &Repository, key: &PublicKey) -> Result<Vec<radicle::cob::ObjectId>, Problem> {
    let what = "The run's patches cannot be listed.";
    let pattern = whole(key, &object(&*TYPENAME, "*"));
    let mut ids = Vec::new();
    for found in repo.backend.references_glob(&pattern).told(what)? {
        let found = found.told(what)?;
        let id: Option<radicle::cob::ObjectId> = found.name().ok().and_then(|name| name.rsplit('/').next()).and_then(|id| id.parse().ok());
        ids.extend(id);
    }
    Ok(ids)
}

/// A title in one line, within its limit.
pub(crate) fn title(text: &str) -> Result<Title, Problem> {
    let line: String =
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(limits::TITLE_CHARS_MAX).collect();
    Title::new(&line).map_err(|_| Problem::invalid("A patch needs a title."))
}
