//! Git objects: their hashes, and where they go.

use crate::convert::Told;
use domain::Problem;
use git2::ObjectType;
use sha1::{Digest, Sha1};
use std::io::{self, Read};

/// Takes the objects of an import.
pub(crate) trait Objects {
    /// An object that may be new.
    fn put(&mut self, kind: ObjectType, oid: git2::Oid, content: &[u8]) -> Result<(), Problem>;
}

/// Nowhere: only the hash is wanted.
pub(super) struct HashOnly;

impl Objects for HashOnly {
    fn put(&mut self, _: ObjectType, _: git2::Oid, _: &[u8]) -> Result<(), Problem> {
        Ok(())
    }
}

/// The object database of a repository of ours.
pub(crate) struct Odb<'a>(pub(crate) git2::Odb<'a>);

impl Objects for Odb<'_> {
    fn put(&mut self, kind: ObjectType, oid: git2::Oid, content: &[u8]) -> Result<(), Problem> {
        if self.0.exists(oid) {
            return Ok(());
        }
        let written = self.0.write(kind, content).told("The work could not be written into the host's git folder.")?;
        if written == oid { Ok(()) } else { Err(Problem::internal("git and we hash differently")) }
    }
}

/// The hash of an object.
pub(super) fn hash(kind: ObjectType, content: &[u8]) -> Result<git2::Oid, Problem> {
    let mut sha1 = Sha1::new();
    sha1.update(format!("{} {}\0", kind.str(), content.len()));
    sha1.update(content);
    finish(sha1)
}

/// Whether content was made to have the hash of some other content. Git refuses such objects, and so do we; the look
/// takes several times as long as the hash, so only what is new is looked at.
pub(super) fn is_forged(kind: ObjectType, content: &[u8]) -> bool {
    let mut sha1 = sha1_checked::Sha1::new();
    sha1_checked::Digest::update(&mut sha1, format!("{} {}\0", kind.str(), content.len()));
    sha1_checked::Digest::update(&mut sha1, content);
    sha1.try_finalize().has_collision()
}

/// The hash of a blob that is read piece by piece; none when there are not exactly `size` bytes.
pub(super) fn hash_stream(mut from: impl Read, size: u64) -> io::Result<Option<Result<git2::Oid, Problem>>> {
    let mut sha1 = Sha1::new();
    sha1.update(format!("blob {size}\0"));
    let (mut buffer, mut seen) = (vec![0; 256 * 1024], 0);
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            n => {
                sha1.update(&buffer[..n]);
                seen += n as u64;
            }
        }
        if seen > size {
            return Ok(None);
        }
    }
    Ok((seen == size).then(|| finish(sha1)))
}

fn finish(sha1: Sha1) -> Result<git2::Oid, Problem> {
    git2::Oid::from_bytes(&sha1.finalize()).map_err(Problem::internal)
}

/// An entry of a tree object.
pub(super) struct TreeEntry {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    pub(super) oid: git2::Oid,
}

/// The mode of a folder.
pub(super) const FOLDER: u32 = 0o040_000;

/// A tree object's content: entries in git's order, in which a folder counts as if its name ended with a slash.
pub(super) fn tree(mut entries: Vec<TreeEntry>) -> Vec<u8> {
    let order = |e: &TreeEntry| if e.mode == FOLDER { [&e.name[..], b"/"].concat() } else { e.name.clone() };
    entries.sort_by_cached_key(order);
    let mut content = Vec::with_capacity(entries.len() * 48);
    for entry in entries {
        content.extend_from_slice(format!("{:o} ", entry.mode).as_bytes());
        content.extend_from_slice(&entry.name);
        content.push(0);
        content.extend_from_slice(entry.oid.as_bytes());
    }
    content
}
