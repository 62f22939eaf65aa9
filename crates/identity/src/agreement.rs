//! A key that two processes share and nobody else has: X25519 (RFC 7748) between secrets that live as long as the processes do, and
//! proof by it (BLAKE3, keyed) that a message comes from the other. It does not say who the other is: public halves travel signed. The
//! names of both are in the key, so who signs another's half as its own shares no key with anybody.

use domain::Problem;
use std::fmt;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// How long a proof is, in bytes.
pub const PROOF_BYTES: usize = blake3::OUT_LEN;

/// A secret of this process, wiped from memory when dropped.
pub struct Agreement {
    secret: StaticSecret,
    public: [u8; 32],
    name: [u8; 32],
}

impl Agreement {
    /// A new secret from the system's randomness, of whom others know by this name: the key that it signs with.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn generate(name: [u8; 32]) -> Result<Self, Problem> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut *seed).map_err(|e| Problem::unavailable("The system gives no randomness.").because(e.to_string()))?;
        Ok(Self::from_seed(&seed, name))
    }

    fn from_seed(seed: &[u8; 32], name: [u8; 32]) -> Self {
        let secret = StaticSecret::from(*seed);
        let public = PublicKey::from(&secret).to_bytes();
        Self { secret, public, name }
    }

    /// The half of it that others may know.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Whose it is.
    pub fn name(&self) -> [u8; 32] {
        self.name
    }

    /// The key shared with whoever has the secret of `other` and is known by that name, for one purpose; both sides name the same. None
    /// where `other` is one of the few points with which anybody would come to the same key.
    pub fn with(&self, other: &[u8; 32], name: &[u8; 32], purpose: &str) -> Option<SharedKey> {
        let agreed = self.secret.diffie_hellman(&PublicKey::from(*other));
        if !agreed.was_contributory() {
            return None;
        }
        let (own, theirs) = ([&self.public, &self.name], [other, name]);
        let [[first, first_name], [second, second_name]] = if own <= theirs { [own, theirs] } else { [theirs, own] };
        let parts = [agreed.as_bytes(), first, first_name, second, second_name];
        let material = Zeroizing::new(parts.map(<[u8; 32]>::as_slice).concat());
        Some(SharedKey(Zeroizing::new(blake3::derive_key(purpose, &material))))
    }
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agreement")
    }
}

/// A key that two share; wiped from memory when dropped.
pub struct SharedKey(Zeroizing<[u8; 32]>);

impl SharedKey {
    /// Proves that one of the two wrote this message.
    pub fn prove(&self, message: &[u8]) -> [u8; PROOF_BYTES] {
        *blake3::keyed_hash(&self.0, message).as_bytes()
    }

    /// Whether one of the two wrote it. Takes as long for a wrong proof as for a right one.
    pub fn proves(&self, message: &[u8], proof: &[u8; PROOF_BYTES]) -> bool {
        blake3::keyed_hash(&self.0, message) == blake3::Hash::from_bytes(*proof)
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_come_to_one_key_that_differs_by_purpose_and_partner() {
        let [one, two, three] = [1, 2, 3].map(|seed| Agreement::from_seed(&[seed; 32], [seed + 10; 32]));
        let with = |own: &Agreement, other: &Agreement, purpose: &str| own.with(&other.public(), &other.name(), purpose).unwrap();
        let key = with(&one, &two, "tests");
        let proof = key.prove(b"message");
        assert!(with(&two, &one, "tests").proves(b"message", &proof));
        assert!(!key.proves(b"another", &proof));
        // The last says that the half of `one` is its own.
        let stolen = two.with(&one.public(), &three.name(), "tests").unwrap();
        for other in [with(&one, &two, "else"), with(&one, &three, "tests"), with(&three, &two, "tests"), stolen] {
            assert!(!other.proves(b"message", &proof));
        }
        assert_ne!(Agreement::generate([1; 32]).unwrap().public(), Agreement::generate([1; 32]).unwrap().public());
    }

    #[test]
    fn no_key_is_shared_with_a_point_of_small_order() {
        let mut one = [0; 32];
        one[0] = 1;
        let own = Agreement::from_seed(&[1; 32], [2; 32]);
        assert!(own.with(&[0; 32], &[3; 32], "tests").is_none() && own.with(&one, &[3; 32], "tests").is_none());
    }
}
