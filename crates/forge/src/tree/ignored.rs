//! What is ignored: by the base tree's ignore files, so that an engine cannot make `target/` part of its work by removing a
//! line, or by the worktree's own, so that new ones count at once.

use crate::limits;
use ignore::{Match, gitignore::Gitignore, gitignore::GitignoreBuilder};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The rules of one folder and of those above it.
pub(super) struct Rules<'a> {
    above: Option<&'a Rules<'a>>,
    /// Length of this folder's path and its slash.
    start: usize,
    base: Option<Gitignore>,
    work: Option<Gitignore>,
}

/// Why something is ignored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ignored {
    No,
    /// By the worktree's own rules.
    Yes,
    /// Only by the rules of the base tree.
    ByBase,
}

impl<'a> Rules<'a> {
    /// The rules within `dir`, from the content of its ignore files.
    pub(super) fn new(above: Option<&'a Rules<'a>>, dir: &[u8], base: Option<&[u8]>, work: Option<&[u8]>) -> Self {
        let start = if dir.is_empty() { 0 } else { dir.len() + 1 };
        // Unchanged files need to be understood only once.
        let same = base == work;
        let base = base.map(parse);
        let work = if same { base.clone() } else { work.map(parse) };
        Self { above, start, base, work }
    }

    /// Whether this path is ignored, disregarding folders above it.
    pub(super) fn ignored(&self, path: &[u8], is_dir: bool) -> Ignored {
        if self.says(path, is_dir, |rules| rules.work.as_ref()) {
            Ignored::Yes
        } else if self.says(path, is_dir, |rules| rules.base.as_ref()) {
            Ignored::ByBase
        } else {
            Ignored::No
        }
    }

    /// The nearest folder with an opinion decides, and in it the last line that fits.
    fn says(&self, path: &[u8], is_dir: bool, of: fn(&Self) -> Option<&Gitignore>) -> bool {
        let mut rules = Some(self);
        while let Some(here) = rules {
            let within = Path::new(OsStr::from_bytes(path.get(here.start..).unwrap_or_default()));
            match of(here).map_or(Match::None, |found| found.matched(within, is_dir).map(|_| ())) {
                Match::Ignore(()) => return true,
                Match::Whitelist(()) => return false,
                Match::None => rules = here.above,
            }
        }
        false
    }
}

fn parse(content: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(".");
    let text = String::from_utf8_lossy(content);
    for line in text.trim_start_matches('\u{feff}').lines().take(limits::IGNORE_LINES_MAX) {
        // A line that is no pattern is no rule, as in git.
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
