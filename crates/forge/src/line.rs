//! A key's line: its signatures over its refs, each on top of the one before. Here one device gives another what that lacks of a line, as
//! a git pack, and the other takes it in, as what a stranger made: no ref keeps anything of it until it is known to be whole, and the
//! key's.
//!
//! What becomes of two lines of one key is decided in `rejoin.rs`.

use crate::{
    Forge,
    convert::{self, Told},
    durable, git, limits,
    repository::{canonical, contains, locked_ref},
    signing::{Refs, signed, signed_at, whole},
};
use domain::{Did, Kind, Oid, Problem, Rid};
use git2::{ErrorCode, ObjectType, PackBuilder, Repository as Git, Revwalk};
use radicle::crypto::PublicKey;
use radicle::storage::{ReadRepository, git::Repository};
use std::{collections::BTreeSet, io::Write};

/// Where a key's newest signature is, without its namespace.
pub(crate) const SIGREFS: &str = "refs/rad/sigrefs";
/// Under these a key names the newest signatures of lines of its own that it has joined: by them other devices leave such a line.
pub(crate) const REJOINED: &str = "refs/heads/rejoined/";
/// Under these are a key's branches as a line had them that it has joined, where the other one moved them too.
pub(crate) const ASIDE: &str = "refs/heads/aside/";
/// The newest signature of a line that was taken in and is to be joined; it says that one is.
pub(crate) const THEIRS: &str = "theirs";
/// The newest signature of this device's own line then.
pub(crate) const OURS: &str = "ours";

impl Forge {
    /// The newest signature of each of these keys in a repository; none where it has none.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn line_tips(&self, rid: &Rid, keys: &[Did]) -> Result<Vec<Option<Oid>>, Problem> {
        let repo = self.repository(rid)?;
        keys.iter().map(|key| line_tip(&repo, &convert::key(key)?)?.map(convert::oid).transpose()).collect()
    }

    /// What is here, as others are told to find out what is lacking of a key's line: some of its signatures, from the newest back in
    /// growing steps, the first last, and only those of which all that they name is here; and the head of the default branch, which has
    /// most of what a key names.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn line_known(&self, rid: &Rid, key: &Did) -> Result<Vec<Oid>, Problem> {
        let what = "The line of a key cannot be read.";
        let (repo, public) = (self.repository(rid)?, convert::key(key)?);
        let line = line_tip(&repo, &public)?.map(|tip| history(&repo.backend, tip)).transpose().told(what)?.unwrap_or_default();
        let steps = std::iter::successors(Some(0), |at: &usize| Some(at * 2 + 1)).take_while(|at| at + 1 < line.len());
        let some = steps.chain([line.len().saturating_sub(1)]).filter_map(|at| line.get(at).copied()).take(limits::LINE_KNOWN_MAX - 1);
        let odb = repo.backend.odb().told(what)?;
        let all_here = |at: &git2::Oid| signed_at(&repo, &public, *at).is_ok_and(|refs| refs.values().all(|named| odb.exists(*named)));
        let head = canonical(&repo).ok().map(|(_, head)| head);
        some.filter(all_here).chain(head).map(convert::oid).collect()
    }

    /// Gives what one who has `have`, as of [`Forge::line_known`], lacks of a key's line up to `tip`, and of what it names, as pieces of a
    /// pack. Nothing is sent where they lack nothing.
    ///
    /// # Errors
    /// Not found when `tip` is not in the line here. Else when it cannot be read, and those of `send`, which end it.
    pub fn give_line(
        &self,
        rid: &Rid,
        key: &Did,
        tip: &Oid,
        have: &[Oid],
        send: &mut dyn FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let what = "What a key has signed cannot be read.";
        let (repo, public) = (self.repository(rid)?, convert::key(key)?);
        let (git, tip) = (&repo.backend, convert::git_oid(tip.as_str())?);
        let Some(now) = line_tip(&repo, &public)?.filter(|now| contains(git, *now, tip)) else {
            return Err(Problem::not_found(format!("{key} has not signed {tip} in this line.")).next("Ask for its newest signature again."));
        };
        let have = have.iter().take(limits::LINE_KNOWN_MAX).map(|at| convert::git_oid(at.as_str())).collect::<Result<Vec<_>, _>>()?;
        let line: BTreeSet<git2::Oid> = history(git, now).told(what)?.into_iter().collect();
        let (known, besides): (Vec<_>, Vec<_>) = have.into_iter().partition(|at| line.contains(at));
        if known.iter().any(|at| contains(git, *at, tip)) {
            return Ok(());
        }
        let wanted = with_named(&repo, &public, tip)?;
        let mut known = known.first().map(|base| with_named(&repo, &public, *base)).transpose()?.unwrap_or_default();
        known.extend(besides);
        send_pack(packed(git, &wanted, &known).told(what)?, send)
    }

    /// Takes in what another device gives of a line of a key of this device, and pins it until [`Forge::rejoin`] has joined it: once it is
    /// known to be whole, and signed by the key. `next` gives the pieces of the pack, and none at the end.
    ///
    /// # Errors
    /// When that is not so, or it has too many bytes; then it is as if nothing had come. When another line waits to be joined; and those of
    /// `next`.
    pub fn take_line(
        &self,
        rid: &Rid,
        key: &Did,
        tip: &Oid,
        next: &mut dyn FnMut() -> Result<Option<Vec<u8>>, Problem>,
    ) -> Result<(), Problem> {
        let (repo, public) = (self.repository(rid)?, convert::key(key)?);
        let (own, tip) = (self.own_key(key)?, convert::git_oid(tip.as_str())?);
        if pinned(&repo.backend, &public, THEIRS) == Some(tip) {
            return Ok(());
        }
        unpack(&repo, next)?;
        let refs = signed_at(&repo, &public, tip).map_err(|problem| bad(problem.to_string()))?;
        check_whole(&repo, tip, &refs)?;
        // In the key's turn, so that nothing is signed between.
        self.as_key(rid, own, |repo| pin(repo, &public, tip, &refs))
    }

    /// Whether another device's newest signature of a key is news here: neither in this device's line of the key nor in one that was joined
    /// with it. So it is too where it is not here at all.
    ///
    /// # Errors
    /// When what the key has signed here cannot be read.
    pub fn is_other_line(&self, rid: &Rid, key: &Did, tip: &Oid) -> Result<bool, Problem> {
        let (repo, public, tip) = (self.repository(rid)?, convert::key(key)?, convert::git_oid(tip.as_str())?);
        let Some(now) = line_tip(&repo, &public)? else { return Ok(true) };
        Ok(!contains(&repo.backend, now, tip) && !has_joined(&repo.backend, &signed(&repo, &public)?, tip))
    }
}

/// Where a key's line is; none where it has none.
pub(crate) fn line_tip(repo: &Repository, key: &PublicKey) -> Result<Option<git2::Oid>, Problem> {
    match repo.reference_oid(key, &radicle::git::refs::storage::SIGREFS_BRANCH) {
        Ok(at) => Ok(Some(at.into())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).told("Signed refs could not be read."),
    }
}

/// Whether what a key signed says that it has joined a line with this signature.
pub(crate) fn has_joined(git: &Git, refs: &Refs, tip: git2::Oid) -> bool {
    refs.iter().any(|(name, at)| name.starts_with(REJOINED) && contains(git, *at, tip))
}

/// The signatures of a line, the newest first.
pub(crate) fn history(git: &Git, tip: git2::Oid) -> Result<Vec<git2::Oid>, git2::Error> {
    let mut walk = git.revwalk()?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL)?;
    walk.push(tip)?;
    walk.collect()
}

/// A signature, and the objects that it names.
fn with_named(repo: &Repository, key: &PublicKey, at: git2::Oid) -> Result<BTreeSet<git2::Oid>, Problem> {
    Ok(signed_at(repo, key, at)?.into_values().chain([at]).collect())
}

/// A pack of all that is reached from the wanted objects, without what is reached from the known ones.
fn packed<'g>(git: &'g Git, wanted: &BTreeSet<git2::Oid>, known: &BTreeSet<git2::Oid>) -> Result<PackBuilder<'g>, git2::Error> {
    let (mut pack, mut walk) = (git.packbuilder()?, git.revwalk()?);
    for at in known {
        // It may be gone here since, or not be here yet; then there is nothing to leave out.
        if let Ok(commit) = git.find_object(*at, None).and_then(|object| object.peel_to_commit()) {
            walk.hide(commit.id())?;
        }
    }
    for at in wanted.difference(known) {
        add(git, &mut pack, &mut walk, *at)?;
    }
    pack.insert_walk(&mut walk)?;
    Ok(pack)
}

/// Adds a named object: a commit with its history, a tag with what it names.
fn add(git: &Git, pack: &mut PackBuilder<'_>, walk: &mut Revwalk<'_>, at: git2::Oid) -> Result<(), git2::Error> {
    let mut object = git.find_object(at, None)?;
    while let Some(tag) = object.as_tag() {
        pack.insert_object(tag.id(), None)?;
        object = tag.target()?;
    }
    if object.kind() == Some(ObjectType::Commit) { walk.push(object.id()) } else { pack.insert_recursive(object.id(), None) }
}

/// Sends a pack in pieces of a bounded size, where git makes it in very small ones.
fn send_pack(mut pack: PackBuilder<'_>, send: &mut dyn FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), Problem> {
    let (mut waiting, mut bytes, mut sent) = (Vec::new(), 0, Ok(()));
    let made = pack.foreach(|some| {
        waiting.extend_from_slice(some);
        sent = count(&mut bytes, some.len());
        if sent.is_ok() && waiting.len() >= limits::LINE_PIECE_BYTES {
            sent = waiting.chunks(limits::LINE_PIECE_BYTES).try_for_each(&mut *send);
            waiting.clear();
        }
        sent.is_ok()
    });
    sent?;
    made.told("The pack for another device could not be made.")?;
    if waiting.is_empty() { Ok(()) } else { send(&waiting) }
}

/// Counts what goes from one device to another.
///
/// # Errors
/// When it is too much.
pub(crate) fn count(bytes: &mut u64, more: usize) -> Result<(), Problem> {
    *bytes += more as u64;
    if *bytes <= limits::LINE_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::new(Kind::Limit, "What a device lacks of a key's line is too large to be given by another one.")
        .because(format!("It has more than {} MiB.", limits::LINE_BYTES_MAX >> 20))
        .next("Restore that device from a newer backup. Where there is none, clone the project anew there; bring over what only it has."))
}

/// Writes the pieces of a pack into a repository; none at all is no pack.
fn unpack(repo: &Repository, next: &mut dyn FnMut() -> Result<Option<Vec<u8>>, Problem>) -> Result<(), Problem> {
    let what = "What another device sent of a key's line could not be taken.";
    let odb = repo.backend.odb().told(what)?;
    let (mut pack, mut bytes) = (odb.packwriter().told(what)?, 0);
    while let Some(piece) = next()? {
        count(&mut bytes, piece.len())?;
        pack.write_all(&piece).told(what)?;
    }
    if bytes == 0 {
        return Ok(());
    }
    pack.commit().told(what)?;
    durable::sync_packs(repo.path())
}

/// Checks that a signature, all before it, and all that it names are here, down to the last file.
fn check_whole(repo: &Repository, tip: git2::Oid, refs: &Refs) -> Result<(), Problem> {
    let named: BTreeSet<git2::Oid> = refs.values().copied().chain([tip]).collect();
    let named: Vec<String> = named.iter().map(ToString::to_string).collect();
    for some in named.chunks(limits::LINE_CHECKED_MAX) {
        // What is reached from refs that are here is whole already.
        let args = ["rev-list", "--objects", "--quiet"].into_iter().chain(some.iter().map(String::as_str)).chain(["--not", "--all"]);
        git::run(repo.path(), args, "It is not whole.").map_err(|problem| bad(problem.to_string()))?;
    }
    Ok(())
}

fn bad(why: impl Into<String>) -> Problem {
    Problem::invalid("What another device sent of a key's line is not as it must be, and was not taken.").because(why)
}

/// Keeps a line that was taken in from being cleaned up, with what it names, until it is joined; and remembers where the own one is.
fn pin(repo: &Repository, key: &PublicKey, theirs: git2::Oid, refs: &Refs) -> Result<(), Problem> {
    let git = &repo.backend;
    match pinned(git, key, THEIRS) {
        Some(before) if !contains(git, theirs, before) => {
            return Err(
                Problem::conflict("Another line of this key was not joined to its end yet.").next("It is joined first; then this one.")
            );
        }
        // That may be joined in part, so its beginning counts.
        Some(_) => {}
        None => match line_tip(repo, key)? {
            Some(ours) => hold(git, key, OURS, ours)?,
            None => let_go(git, &place(key, OURS))?,
        },
    }
    for (name, at) in refs {
        if git.refname_to_id(&whole(key, name)).ok() != Some(*at) {
            hold(git, key, &format!("named/{at}"), *at)?;
        }
    }
    hold(git, key, THEIRS, theirs)
}

/// What is pinned of a line that waits to be joined.
pub(crate) fn pinned(git: &Git, key: &PublicKey, what: &str) -> Option<git2::Oid> {
    git.refname_to_id(&place(key, what)).ok()
}

pub(crate) fn hold(git: &Git, key: &PublicKey, what: &str, at: git2::Oid) -> Result<(), Problem> {
    let name = place(key, what);
    locked_ref(|| git.reference(&name, at, true, "meshwork").map(drop)).told("A line of a key could not be pinned.")
}

/// Nothing waits to be joined any more.
pub(crate) fn unpin(git: &Git, key: &PublicKey) -> Result<(), Problem> {
    // The one that says that something waits goes first: what is left without it is nothing.
    let_go(git, &place(key, THEIRS))?;
    let what = "The pins of a key's line could not be removed.";
    let left = git.references_glob(&place(key, "*")).told(what)?.collect::<Result<Vec<_>, _>>().told(what)?;
    for mut reference in left {
        locked_ref(|| reference.delete()).told(what)?;
    }
    Ok(())
}

/// Removes a ref, if it is there.
pub(crate) fn let_go(git: &Git, name: &str) -> Result<(), Problem> {
    let Ok(mut found) = git.find_reference(name) else { return Ok(()) };
    locked_ref(|| found.delete()).told(format!("The ref {name} could not be removed."))
}

/// Where a key's pins are: for this device alone, outside of what nodes fetch from each other.
fn place(key: &PublicKey, what: &str) -> String {
    format!("refs/meshwork/lines/{}/{what}", key.to_human())
}
