//! Signed envelopes: DSSE (<https://github.com/secure-systems-lab/dsse>, protocol v1) with canonical JSON inside.
//!
//! The form is DSSE's own: `{"payload": base64, "payloadType": text, "signatures": [{"keyid": did, "sig": base64}]}`. What
//! is signed is the pre-authentication encoding of type and payload, so a signature for one type never counts for another.
//! We are stricter than DSSE asks: the payload is canonical JSON, `keyid` is the signer's `did:key`, and base64 is the
//! standard alphabet with padding, so that one statement by one key has exactly one envelope.

use crate::{canonical::is_canonical, key, limits};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{Did, Hash, Kind, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The statement: canonical JSON, in base64 on the wire.
    #[serde(with = "base64_text")]
    #[schemars(with = "String")]
    payload: Vec<u8>,
    /// What sort of statement it is: a media type with a version.
    #[serde(rename = "payloadType")]
    payload_type: String,
    /// Who signed it.
    signatures: Vec<Signature>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The key that signed.
    pub keyid: Did,
    /// Its signature over the pre-authentication encoding; base64 on the wire.
    #[serde(with = "base64_text")]
    #[schemars(with = "String")]
    pub sig: Vec<u8>,
}

impl Envelope {
    /// The statement's bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What sort of statement it is.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// Who is said to have signed; [`open`] checks it.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Reads an envelope from JSON of a bounded size. Checks no signature.
    pub fn from_json(json: &[u8]) -> Result<Self, Problem> {
        if json.len() > limits::ENVELOPE_JSON_BYTES_MAX {
            return Err(too_large(json.len(), limits::ENVELOPE_JSON_BYTES_MAX));
        }
        serde_json::from_slice(json).map_err(|e| Problem::invalid("This is not a signed envelope.").because(format!("{e}.")))
    }

    /// Its canonical JSON, as it is stored and sent: there are only texts, and their names stand in order already.
    pub fn to_json(&self) -> Result<Vec<u8>, Problem> {
        serde_json::to_vec(self).map_err(Problem::internal)
    }
}

/// Signs a statement in the name of `did`. `sign` gets the bytes to be signed; the key may live anywhere.
pub fn seal(
    payload: &impl Serialize,
    payload_type: &str,
    did: &Did,
    sign: impl FnOnce(&[u8]) -> Result<[u8; 64], Problem>,
) -> Result<Envelope, Problem> {
    let payload = crate::canonical(payload)?;
    if payload.len() > limits::ENVELOPE_PAYLOAD_BYTES_MAX {
        return Err(too_large(payload.len(), limits::ENVELOPE_PAYLOAD_BYTES_MAX));
    }
    let message = pre_authentication(payload_type, &payload);
    let sig = sign(&message)?;
    if !key::verify(did, &message, &sig) {
        return Err(Problem::internal(format!("the signature for a {payload_type} was not made by {did}")));
    }
    Ok(Envelope { payload, payload_type: payload_type.to_owned(), signatures: vec![Signature { keyid: did.clone(), sig: sig.to_vec() }] })
}

/// Reads a statement that one of the `allowed` keys signed; says which. Everything else is refused: another type, a key
/// that is not allowed, a signature that is not its own, bytes that are not canonical, and whatever `T` itself refuses.
pub fn open<T: DeserializeOwned>(envelope: &Envelope, payload_type: &str, allowed: impl Fn(&Did) -> bool) -> Result<(T, Did), Problem> {
    if envelope.payload_type != payload_type {
        return Err(Problem::invalid(format!("This envelope holds “{}”.", domain::shown(&envelope.payload_type)))
            .because(format!("Expected was “{payload_type}”.")));
    }
    if envelope.payload.len() > limits::ENVELOPE_PAYLOAD_BYTES_MAX {
        return Err(too_large(envelope.payload.len(), limits::ENVELOPE_PAYLOAD_BYTES_MAX));
    }
    let signer = signer(envelope, allowed)?;
    if !is_canonical(&envelope.payload) {
        return Err(Problem::invalid("The signed statement is not canonical JSON."));
    }
    let statement = serde_json::from_slice(&envelope.payload).map_err(|e| {
        Problem::invalid("The signed statement cannot be read.")
            .because(format!("{e}."))
            .next("It may come from a newer Meshwork: update this machine.")
    })?;
    Ok((statement, signer))
}

/// The BLAKE3 hash of the statement: its name wherever it is referred to. Who signed does not change it.
pub fn hash(envelope: &Envelope) -> Hash {
    hash_bytes(&envelope.payload)
}

/// The BLAKE3 hash of some bytes.
pub fn hash_bytes(bytes: &[u8]) -> Hash {
    // 64 lower-case hexadecimal digits always pass the check.
    blake3::hash(bytes).to_hex().as_str().parse().unwrap_or_else(|problem| unreachable!("{problem}"))
}

/// What is signed: DSSE's PAE, `DSSEv1 <length of type> <type> <length of payload> <payload>`.
pub fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The first of the `allowed` keys that signed.
pub(crate) fn signer(envelope: &Envelope, allowed: impl Fn(&Did) -> bool) -> Result<Did, Problem> {
    if envelope.signatures.len() > limits::ENVELOPE_SIGNATURES_MAX {
        return Err(Problem::new(Kind::Limit, format!("An envelope may carry {} signatures.", limits::ENVELOPE_SIGNATURES_MAX)));
    }
    let message = pre_authentication(&envelope.payload_type, &envelope.payload);
    let mut candidates = envelope.signatures.iter().filter(|s| allowed(&s.keyid)).peekable();
    if candidates.peek().is_none() {
        return Err(Problem::new(Kind::Forbidden, "Nobody who may sign this did so.").because(match envelope.signatures.first() {
            Some(signature) => format!("It is signed by {}.", signature.keyid),
            None => "It carries no signature.".to_owned(),
        }));
    }
    candidates.find(|s| key::verify(&s.keyid, &message, &s.sig)).map(|s| s.keyid.clone()).ok_or_else(|| {
        Problem::new(Kind::Forbidden, "The signature does not fit what is signed.").because("It was changed, or signed by another key.")
    })
}

fn too_large(bytes: usize, limit: usize) -> Problem {
    Problem::new(Kind::Limit, format!("An envelope of {bytes} bytes is too large.")).because(format!("{limit} bytes are accepted."))
}

/// Bytes as base64: standard alphabet, padded, one form only.
mod base64_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
