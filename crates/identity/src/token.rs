//! API tokens for scripts: `mw_<id>_<secret>`. Only a hash is kept, so a stolen data folder gives nobody a token.

use crate::{Secret, limits};
use domain::{Hash, Kind, Problem, Timestamp, role::Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What every token begins with; secret scanners look for such marks.
pub const PREFIX: &str = "mw";
/// Keeps these hashes apart from every other use of BLAKE3.
const HASH_CONTEXT: &str = "meshwork 2026-01 api token";

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Its public id: the middle part of the token.
    pub id: String,
    /// BLAKE3 of the whole token. The secret has 256 random bits, so a slow hash would add nothing.
    pub hash: Hash,
    /// What it may do.
    pub role: Role,
    /// What it is for, in words of its maker.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// It counts until this moment; forever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// Makes a token: the text, which is shown once, and what is kept of it.
pub fn create(role: Role, label: &str, now: Timestamp, expires: Option<Timestamp>) -> Result<(Secret, Record), Problem> {
    if label.len() > limits::TOKEN_LABEL_BYTES_MAX || label.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("The label “{}” does not fit.", domain::shown(label)))
            .because(format!("It may have {} bytes, in one line.", limits::TOKEN_LABEL_BYTES_MAX))
            .next("Give a shorter one, or none."));
    }
    if expires.is_some_and(|at| at <= now) {
        return Err(Problem::invalid("The token would be over before it begins.").next("Give it a day at least."));
    }
    let mut random = Zeroizing::new([0u8; 40]);
    getrandom::fill(&mut *random).map_err(|e| Problem::unavailable("The system gives no randomness.").because(e.to_string()))?;
    let (id, secret) = random.split_at(8);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = Zeroizing::new(bs58::encode(secret).into_string());
    let token = Secret::new(format!("{PREFIX}_{id}_{}", *secret));
    let record = Record { id, hash: to_hash(hash(token.expose()))?, role, label: label.to_owned(), created: now, expires };
    Ok((token, record))
}

/// The public id in what somebody presented as a token, by which its record is found.
pub fn id(presented: &str) -> Option<&str> {
    let (prefix, rest) = presented.split_once('_')?;
    let (id, secret) = rest.split_once('_')?;
    let well_formed = prefix == PREFIX && id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) && (32..=64).contains(&secret.len());
    well_formed.then_some(id)
}

impl Record {
    /// Whether what was presented is this token, and it still counts. The comparison takes the same time for every wrong
    /// secret.
    pub fn check(&self, presented: &str, now: Timestamp) -> Result<(), Problem> {
        let kept = blake3::Hash::from_hex(self.hash.as_str()).map_err(Problem::internal)?;
        if hash(presented) != kept {
            return Err(Problem::new(Kind::Unauthenticated, "This token is not valid.").next("Make one with `meshwork token create`."));
        }
        if self.expires.is_some_and(|at| at <= now) {
            return Err(Problem::new(Kind::Unauthenticated, "This token has expired.").next("Make one with `meshwork token create`."));
        }
        Ok(())
    }
}

fn hash(token: &str) -> blake3::Hash {
    blake3::Hash::from_bytes(blake3::derive_key(HASH_CONTEXT, token.as_bytes()))
}

fn to_hash(hash: blake3::Hash) -> Result<Hash, Problem> {
    hash.to_hex().as_str().parse()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn only_the_hash_is_kept() {
        let (token, record) = create(Role::Developer, "ci", NOW, None).unwrap();
        let secret = token.expose().rsplit('_').next().unwrap();
        let kept = serde_json::to_string(&record).unwrap();
        assert!(!kept.contains(secret) && !format!("{record:?} {token:?}").contains(secret));
        assert_eq!(id(token.expose()), Some(record.id.as_str()));
        assert!(token.expose().starts_with("mw_"));
    }

    #[test]
    fn tokens_end_when_they_say() {
        let (token, record) = create(Role::Viewer, "", NOW, Some(NOW.plus_ms(10))).unwrap();
        assert!(record.check(token.expose(), NOW.plus_ms(9)).is_ok());
        assert_eq!(record.check(token.expose(), NOW.plus_ms(10)).unwrap_err().kind, Kind::Unauthenticated);
        assert!(create(Role::Viewer, "", NOW, Some(NOW)).is_err());
        assert!(create(Role::Viewer, "two\nlines", NOW, None).is_err());
    }

    #[test]
    fn what_is_no_token_has_no_id() {
        for text in ["", "mw", "mw_", "mw__", "mw_0123456789abcdef_", "xx_0123456789abcdef_11111111111111111111111111111111", "Bearer x"] {
            assert_eq!(id(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_another_token(at: prop::sample::Index, to in "[ -~]") {
            let (token, record) = create(Role::Owner, "x", NOW, None).unwrap();
            prop_assert!(record.check(token.expose(), NOW).is_ok());
            let at = at.index(token.expose().len());
            let mut changed = token.expose().to_owned();
            changed.replace_range(at..=at, &to);
            prop_assert_eq!(record.check(&changed, NOW).is_ok(), changed == token.expose());
        }

        #[test]
        fn anything_may_be_presented(text in ".*") {
            let (_, record) = create(Role::Owner, "x", NOW, None).unwrap();
            let _ = id(&text);
            prop_assert!(record.check(&text, NOW).is_err());
        }
    }
}
