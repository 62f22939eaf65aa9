//! Signed manifests, opened: what everybody checks who is handed one.

use crate::{Envelope, envelope};
use domain::{
    Did, Kind, Problem,
    limits::MANIFEST_BYTES_MAX,
    manifest::{Manifest, PAYLOAD_TYPE, VERSION},
};

/// Reads a manifest that was signed by the very device that asks, whoever else signed it; says which. `listed` says whether
/// that device is one of the org.
pub fn open(envelope: &Envelope, listed: impl Fn(&Did) -> bool) -> Result<(Manifest, Did), Problem> {
    if envelope.payload().len() > MANIFEST_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A manifest may have {MANIFEST_BYTES_MAX} bytes.")));
    }
    let (manifest, first) = envelope::open::<Manifest>(envelope, PAYLOAD_TYPE, &listed)?;
    let by_requester = first == manifest.requester || envelope::signer(envelope, |key| *key == manifest.requester && listed(key)).is_ok();
    if !by_requester {
        return Err(Problem::new(Kind::Forbidden, "The manifest was signed by another device than the one that asks."));
    }
    if manifest.version != VERSION {
        return Err(Problem::invalid(format!(
            "A manifest of version {} is not understood here; this device knows {VERSION}.",
            manifest.version
        ))
        .next("Update the older of the two devices."));
    }
    let requester = manifest.requester.clone();
    Ok((manifest, requester))
}
