//! Takes the key out of what a provider says, should it echo it: the sandbox must not learn it.

use super::secret::Access;
use bytes::Bytes;
use std::sync::Arc;

const MASK: &[u8] = b"[key]";

/// Masks one key in a stream of chunks. Holds bytes back only while they could be the key's beginning.
pub(super) struct Redactor {
    access: Arc<Access>,
    held: Vec<u8>,
}

impl Redactor {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, held: Vec::new() }
    }

    /// The part of what came so far that may go on.
    pub(super) fn push(&mut self, chunk: Bytes) -> Bytes {
        let key = self.access.key.bytes();
        if self.held.is_empty() && find(&chunk, key).is_none() && beginning_at_end(&chunk, key) == 0 {
            return chunk;
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(&chunk);
        let mut out = mask(&all, key);
        self.held = out.split_off(out.len() - beginning_at_end(&out, key));
        out.into()
    }

    /// What was held back; the stream is over.
    pub(super) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }
}

/// All of `text` with the key masked.
pub(super) fn mask(text: &[u8], key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find(rest, key) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(MASK);
        rest = &rest[at + key.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Where the key is. Looks for its first byte, then compares: keys are short and rare.
pub(super) fn find(text: &[u8], key: &[u8]) -> Option<usize> {
    let first = *key.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|b| *b == first) {
        if text[from + at..].starts_with(key) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// How many bytes at the end of `text` are a beginning of the key.
fn beginning_at_end(text: &[u8], key: &[u8]) -> usize {
    let longest = key.len().saturating_sub(1).min(text.len());
    (1..=longest).rev().find(|n| text.ends_with(&key[..*n])).unwrap_or(0)
}
