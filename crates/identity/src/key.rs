//! Ed25519 keys, and their names: `did:key`, as Radicle and the W3C write it.
//!
//! A `did:key` is `did:key:z` and the base58btc (Bitcoin alphabet) of the multicodec prefix `0xed01` and the 32 bytes of
//! the public key (<https://w3c-ccg.github.io/did-key-spec/>).

use crate::limits;
use curve25519_dalek::constants::EIGHT_TORSION;
use domain::{Did, Problem};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use std::{
    collections::HashMap,
    fmt,
    sync::{LazyLock, Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// The multicodec prefix of an Ed25519 public key.
const MULTICODEC: [u8; 2] = [0xed, 0x01];

/// A secret key that lives in this process; wiped from memory when dropped.
pub struct Key(SigningKey);

impl Key {
    /// A new key from the system's randomness.
    pub fn generate() -> Result<Self, Problem> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut *seed).map_err(|e| Problem::unavailable("The system gives no randomness.").because(e.to_string()))?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a seed (the secret key of RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its name.
    pub fn did(&self) -> Did {
        did(&self.public())
    }

    /// Its public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", did_text(&self.public()))
    }
}

/// The name of a public key.
pub fn did(public: &[u8; 32]) -> Did {
    let text = did_text(public);
    // The multicodec prefix fixes the first four letters and the length, so this form always passes the check.
    text.parse().unwrap_or_else(|problem| unreachable!("{problem}"))
}

fn did_text(public: &[u8; 32]) -> String {
    let bytes: Vec<u8> = MULTICODEC.iter().chain(public).copied().collect();
    format!("did:key:z{}", bs58::encode(bytes).into_string())
}

/// The public key that a name stands for. Fails where the name is well formed but no key.
pub fn public_key(did: &Did) -> Result<[u8; 32], Problem> {
    let text = did.as_str().strip_prefix("did:key:z").unwrap_or_default();
    let mut bytes = [0u8; 34];
    let length = bs58::decode(text).onto(&mut bytes[..]).unwrap_or(0);
    match (length, bytes.split_first_chunk::<2>()) {
        (34, Some((&MULTICODEC, key))) => <[u8; 32]>::try_from(key).map_err(Problem::internal),
        _ => Err(Problem::invalid(format!("“{did}” is not the name of an Ed25519 key."))),
    }
}

/// Whether this key signed this message. Strict: weak keys and malleable signatures do not count, exactly as with `verify_strict` of
/// ed25519-dalek (RFC 8032). That unpacks key and signature as points each time to see that neither is of small order; here a key is
/// looked at once, and a signature's point by its bytes, for what verifies has them in their one form.
pub fn verify(did: &Did, message: &[u8], signature: &[u8]) -> bool {
    let Some(key) = verifying_key(did) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    !SMALL_ORDER.contains(signature.r_bytes()) && key.verify(message, &signature).is_ok()
}

/// The points of small order, packed.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> = LazyLock::new(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()));

/// The key of this name, unless it is none, or weak.
fn verifying_key(did: &Did) -> Option<VerifyingKey> {
    static KNOWN: LazyLock<Mutex<HashMap<Did, VerifyingKey>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known().get(did) {
        return Some(*key);
    }
    let key = VerifyingKey::from_bytes(&public_key(did).ok()?).ok().filter(|key| !key.is_weak())?;
    let mut known = known();
    // Whoever shows many keys has them unpacked each time, and nothing else.
    if known.len() >= limits::KEYS_KEPT_MAX {
        known.clear();
    }
    known.insert(did.clone(), key);
    Some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_known_vector_has_its_known_name() {
        // RFC 8032, 7.1, test 1: seed and public key. The name was computed apart from this code.
        let seed: [u8; 32] = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b,
            0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = Key::from_seed(&seed);
        assert_eq!(key.public()[..4], [0xd7, 0x5a, 0x98, 0x01]);
        assert_eq!(key.sign(b"")[..4], [0xe5, 0x56, 0x43, 0x00]);
        assert_eq!(key.did().as_str(), KNOWN);
        assert!(!format!("{key:?}").contains("9d61"));
    }

    const KNOWN: &str = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw";

    #[test]
    fn what_only_looks_like_a_key_is_refused() {
        let mut text = Key::from_seed(&[7; 32]).did().as_str().to_owned();
        text.pop();
        text.push('0'); // not in the alphabet
        assert!(public_key(&text.parse().unwrap()).is_err());
        assert!(!verify(&text.parse().unwrap(), b"x", &[0; 64]));
        let zzz = format!("did:key:z6Mk{}", "z".repeat(44));
        assert!(!verify(&zzz.parse().unwrap(), b"x", &[0; 64]));
    }

    #[test]
    fn the_key_of_small_order_signs_nothing() {
        // The neutral element: without strictness, a signature of (neutral, 0) would count for every message.
        let mut neutral = [0u8; 32];
        neutral[0] = 1;
        let mut forged = [0u8; 64];
        forged[0] = 1;
        assert!(!verify(&did(&neutral), b"anything", &forged));
    }

    #[test]
    fn a_signature_whose_point_is_of_small_order_does_not_count() {
        use curve25519_dalek::Scalar;
        use sha2::{Digest, Sha512};
        let (key, message) = (Key::from_seed(&[7; 32]), b"anything");
        for point in *SMALL_ORDER {
            let challenge = Sha512::new().chain_update(point).chain_update(key.public()).chain_update(message).finalize();
            let proof = Scalar::from_bytes_mod_order_wide(&challenge.into()) * key.0.to_scalar();
            let signature = [point, proof.to_bytes()].concat();
            let parsed = Signature::from_slice(&signature).unwrap();
            // Of the neutral element the plain verification takes it.
            assert_eq!(key.0.verifying_key().verify(message, &parsed).is_ok(), point == EIGHT_TORSION[0].compress().to_bytes());
            assert!(key.0.verifying_key().verify_strict(message, &parsed).is_err());
            assert!(!verify(&key.did(), message, &signature));
        }
    }

    proptest! {
        #[test]
        fn names_and_keys_are_one_to_one(seed: [u8; 32]) {
            let key = Key::from_seed(&seed);
            prop_assert_eq!(public_key(&key.did()).unwrap(), key.public());
            prop_assert_eq!(did(&public_key(&key.did()).unwrap()), key.did());
        }

        #[test]
        fn a_changed_message_or_signature_does_not_verify(seed: [u8; 32], message: Vec<u8>, at in 0usize..64, bit in 0u8..8) {
            let key = Key::from_seed(&seed);
            let mut signature = key.sign(&message);
            prop_assert!(verify(&key.did(), &message, &signature));
            let longer: Vec<u8> = message.iter().copied().chain([0]).collect();
            prop_assert!(!verify(&key.did(), &longer, &signature));
            signature[at] ^= 1 << bit;
            prop_assert!(!verify(&key.did(), &message, &signature));
            prop_assert!(!verify(&key.did(), &message, &signature[..63]));
        }
    }
}
