//! Signed manifests, opened: what everybody checks who is handed one.

use crate::{Envelope, envelope};
use domain::{
    Did, Kind, Problem,
    limits::MANIFEST_BYTES_MAX,
    manifest::{Manifest, PAYLOAD_TYPE, VERSION},
};
use serde::Deserialize;

/// Reads a manifest that was signed by the very device that asks, whoever else signed it; says which. `listed` says whether
/// that device is one of the org.
pub fn open(envelope: &Envelope, listed: impl Fn(&Did) -> bool) -> Result<(Manifest, Did), Problem> {
    if envelope.payload().len() > MANIFEST_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A manifest may have {MANIFEST_BYTES_MAX} bytes.")));
    }
    let opened = envelope::open::<Manifest>(envelope, PAYLOAD_TYPE, &listed);
    let (manifest, first) = opened.map_err(|problem| not_read(envelope, &listed, problem))?;
    let by_requester = first == manifest.requester || envelope::signer(envelope, |key| *key == manifest.requester && listed(key)).is_ok();
    if !by_requester {
        return Err(Problem::new(Kind::Forbidden, "The manifest was signed by another device than the one that asks."));
    }
    if manifest.version != VERSION {
        return Err(of_version(manifest.version));
    }
    let requester = manifest.requester.clone();
    Ok((manifest, requester))
}

/// Why a manifest that cannot be read is refused: for its version, where it was signed and is of another one.
fn not_read(envelope: &Envelope, listed: impl Fn(&Did) -> bool, problem: Problem) -> Problem {
    #[derive(Deserialize)]
    struct Said {
        version: u16,
    }
    let signed = envelope.payload_type() == PAYLOAD_TYPE && envelope::signer(envelope, listed).is_ok();
    let said = serde_json::from_slice::<Said>(envelope.payload()).ok().filter(|said| signed && said.version != VERSION);
    said.map_or(problem, |said| of_version(said.version))
}

fn of_version(version: u16) -> Problem {
    Problem::invalid(format!("A manifest of version {version} is not understood here; this device knows {VERSION}."))
        .next("Update the older of the two devices.")
}
