//! The hash of what a run works from.

use crate::{Files, document::Document, engines::CONSTITUTION, feature::path};
use domain::{FeatureId, Hash};

/// BLAKE3 over a feature's `spec.md`, `plan.md`, `tasks.md` and the constitution, each with its name and length; a file
/// that is absent counts as absent, not as empty. Ticks do not change it: every box of a task counts as open.
pub fn spec_hash(files: &Files, feature: &FeatureId) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"meshwork spec 1\n");
    for name in [path(feature, "spec.md"), path(feature, "plan.md"), path(feature, "tasks.md"), CONSTITUTION.to_owned()] {
        let content = files.get(&name).map(|bytes| if name.ends_with("/tasks.md") { unticked(bytes) } else { bytes.clone() });
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        match content {
            None => hasher.update(&[0]),
            Some(bytes) => hasher.update(&[1]).update(&(bytes.len() as u64).to_le_bytes()).update(&bytes),
        };
    }
    Hash::from_bytes(*hasher.finalize().as_bytes())
}

fn unticked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for item in Document::read(bytes).items.iter().filter(|item| item.mark.done() || item.mark.open()) {
        out.extend_from_slice(&bytes[from..item.mark.at]);
        out.push(b' ');
        from = item.mark.at + item.mark.length;
    }
    out.extend_from_slice(&bytes[from..]);
    out
}
