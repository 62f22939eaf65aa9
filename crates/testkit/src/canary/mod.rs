//! Searches for secrets where they must never be: in bytes, folders, processes; plain, encoded and compressed.
//!
//! What cannot be read is a failure of its own: a search that looked nowhere finds nothing. Tests first let the search find a
//! decoy that they planted in the same places.

mod pack;
mod process;
mod spelling;

use pack::unpacked;
use regex::bytes::Regex;
use spelling::spellings;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

/// How deep packed things within packed things are looked into.
const DEPTH_MAX: usize = 2;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// Which secret, by the name that the test gave it.
    pub secret: String,
    /// Where.
    pub place: String,
    /// In which spelling, with how it was packed.
    pub spelling: String,
}

/// A search for secrets.
pub struct Search {
    pattern: Regex,
    /// By the bytes that are found: which secret, and how it is spelled there.
    known: BTreeMap<Vec<u8>, (String, String)>,
    found: Vec<Sighting>,
    unreadable: Vec<String>,
    looked_bytes: BTreeMap<String, u64>,
}

impl Search {
    /// A search for these secrets, by name. Panics where one is too short to be told from chance.
    #[allow(clippy::unwrap_used, clippy::panic)] // A harness fails its test.
    pub fn new(secrets: &[(&str, &str)]) -> Self {
        let mut known = BTreeMap::new();
        for (name, secret) in secrets {
            assert!(secret.len() >= 16, "{name} is too short to be searched for");
            for (spelling, bytes) in spellings(secret.as_bytes()) {
                known.entry(bytes).or_insert(((*name).to_owned(), spelling));
            }
        }
        // Longer ones first: of two that begin alike the whole one is meant.
        let mut all: Vec<&Vec<u8>> = known.keys().collect();
        all.sort_by_key(|bytes| std::cmp::Reverse(bytes.len()));
        let escaped: Vec<String> = all.into_iter().map(|bytes| bytes.iter().map(|b| format!("\\x{b:02x}")).collect()).collect();
        let pattern = Regex::new(&format!("(?-u:{})", escaped.join("|"))).unwrap();
        Self { pattern, known, found: vec![], unreadable: vec![], looked_bytes: BTreeMap::new() }
    }

    /// What was found.
    pub fn found(&self) -> &[Sighting] {
        &self.found
    }

    /// What could not be read.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// The bytes that were looked at, by the kind of place.
    pub fn looked_bytes(&self, kind: &str) -> u64 {
        self.looked_bytes.get(kind).copied().unwrap_or(0)
    }

    /// Forgets what was found and looked at.
    pub fn clear(&mut self) {
        (self.found, self.unreadable, self.looked_bytes) = Default::default();
    }

    /// Looks at bytes. `kind` is the kind of place, `place` the place itself.
    pub fn bytes(&mut self, kind: &str, place: &str, bytes: &[u8]) {
        *self.looked_bytes.entry(kind.to_owned()).or_default() += bytes.len() as u64;
        self.look(place, "", bytes, 0);
    }

    fn look(&mut self, place: &str, packed: &str, bytes: &[u8], depth: usize) {
        for hit in self.pattern.find_iter(bytes) {
            if let Some((secret, spelling)) = self.known.get(hit.as_bytes()) {
                let spelling = if packed.is_empty() { spelling.clone() } else { format!("{packed}, {spelling}") };
                let sighting = Sighting { secret: secret.clone(), place: place.to_owned(), spelling };
                if !self.found.contains(&sighting) {
                    self.found.push(sighting);
                }
            }
        }
        if depth < DEPTH_MAX {
            for (how, inside) in unpacked(bytes) {
                let packed = if packed.is_empty() { how.to_owned() } else { format!("{packed}, {how}") };
                self.look(place, &packed, &inside, depth + 1);
            }
        }
    }

    /// Looks at every file below a folder, their names and where links lead. Sockets and pipes hold nothing.
    pub fn folder(&mut self, kind: &str, folder: &Path) {
        let mut open: Vec<PathBuf> = vec![folder.to_owned()];
        while let Some(path) = open.pop() {
            self.bytes(kind, &format!("the name {}", path.display()), path.as_os_str().as_bytes());
            if let Err(error) = self.one_path(kind, &path, &mut open) {
                // What is gone holds nothing any more.
                if path == folder || error.kind() != std::io::ErrorKind::NotFound {
                    self.unreadable.push(format!("{}: {error}", path.display()));
                }
            }
        }
    }

    fn one_path(&mut self, kind: &str, path: &Path, open: &mut Vec<PathBuf>) -> std::io::Result<()> {
        let what = fs::symlink_metadata(path)?.file_type();
        if what.is_dir() {
            for entry in fs::read_dir(path)? {
                open.push(entry?.path());
            }
        } else if what.is_symlink() {
            self.bytes(kind, &path.display().to_string(), fs::read_link(path)?.as_os_str().as_bytes());
        } else if what.is_file() {
            self.bytes(kind, &path.display().to_string(), &fs::read(path)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
