//! One way to write a value as bytes, so that a hash or a signature of it means the same everywhere: RFC 8785 (JCS).

use domain::Problem;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json_borrow::Value;
use std::io;

/// The largest whole number that every JSON reader keeps exactly (RFC 8785, appendix E; 2^53 - 1).
const EXACT_MAX: u64 = (1 << 53) - 1;
/// What is signed or written down has mostly fewer bytes: memory for so many is taken at once.
const USUAL_BYTES: usize = 2_048;

/// The canonical JSON of a value: keys sorted, no spaces, numbers as ECMAScript writes them.
///
/// A number beyond ±(2^53 - 1) is refused: in canonical JSON it would silently become another number, or another kind of one.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let text = written(value).map_err(Problem::internal)?;
    let tree = serde_json::from_slice(&text)
        .map_err(|e| Problem::invalid("It cannot be signed or written down: no reader would take it.").because(format!("{e}.")))?;
    if is_plain(&tree)?
        && let Ok(bytes) = written(&Sorted(&tree))
    {
        return Ok(bytes);
    }
    let tree = serde_json::to_value(value).map_err(Problem::internal)?;
    serde_json_canonicalizer::to_vec(&tree).map_err(Problem::internal)
}

/// Whether these bytes are canonical JSON themselves.
pub fn is_canonical(bytes: &[u8]) -> bool {
    let Ok(tree) = serde_json::from_slice(bytes) else { return false };
    match is_plain(&tree) {
        Ok(true) => {
            let mut same = Same(bytes);
            serde_json::to_writer(&mut same, &Sorted(&tree)).is_ok() && same.0.is_empty()
        }
        Ok(false) => {
            let tree = serde_json::from_slice::<serde_json::Value>(bytes);
            tree.is_ok_and(|tree| serde_json_canonicalizer::to_vec(&tree).is_ok_and(|again| again == bytes))
        }
        Err(_) => false,
    }
}

/// A value as JSON, as serde_json writes it.
fn written(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// Takes what is written as long as it is what these bytes begin with; those that follow are left.
struct Same<'a>(&'a [u8]);

impl io::Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Written with its keys in the order of their bytes. Where serde_json's way of writing numbers and texts is that of RFC 8785, this is
/// canonical, and much faster than what looks at each of them.
struct Sorted<'a>(&'a Value<'a>);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => to.collect_seq(items.iter().map(Sorted)),
            Value::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().map(|(key, field)| (key, Sorted(field))).collect();
                sorted.sort_unstable_by_key(|(key, _)| *key);
                if sorted.windows(2).any(|two| two[0].0 == two[1].0) {
                    return Err(S::Error::custom("a key stands twice"));
                }
                to.collect_map(sorted)
            }
            plain => plain.serialize(to),
        }
    }
}

/// Whether sorting by bytes and writing as serde_json does gives the canonical form: all keys are ASCII (RFC 8785 sorts by
/// UTF-16), and there is no fraction (which it writes as ECMAScript does). Refuses whole numbers that are not exact.
fn is_plain(value: &Value<'_>) -> Result<bool, Problem> {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(n), _) if n > EXACT_MAX => Err(inexact(number)),
            (None, Some(n)) if n.unsigned_abs() > EXACT_MAX => Err(inexact(number)),
            (None, None) if number.as_f64().is_some_and(|n| n.abs() > EXACT_MAX as f64) => Err(inexact(number)),
            (None, None) => Ok(false),
            _ => Ok(true),
        },
        Value::Array(items) => items.iter().try_fold(true, |plain, item| Ok(is_plain(item)? && plain)),
        Value::Object(fields) => fields.iter().try_fold(true, |plain, (key, field)| Ok(is_plain(field)? && plain && key.is_ascii())),
        _ => Ok(true),
    }
}

fn inexact(number: &serde_json_borrow::Number) -> Problem {
    Problem::invalid(format!("The number {number} is too large to be signed."))
        .because("Canonical JSON keeps numbers below 2^53 exactly, and no larger ones.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[ -~]{0,6}", "\\PC{0,6}", any::<String>()];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(EXACT_MAX as i64)..=EXACT_MAX as i64).prop_map(Value::from),
            (-9e15..9e15).prop_map(Value::from),
            (-1.0..1.0).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            let fields = prop::collection::vec((text.clone(), inner.clone()), 0..6);
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn the_fast_way_gives_the_same_bytes(value in any_value()) {
            let bytes = canonical(&value).unwrap();
            prop_assert_eq!(&bytes, &serde_json_canonicalizer::to_vec(&value).unwrap());
            prop_assert!(is_canonical(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn keys_are_sorted_and_nothing_is_wasted() {
        let bytes = canonical(&json!({"b": [1, 2.50, "ü\n"], "a": null, "": true})).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "{\"\":true,\"a\":null,\"b\":[1,2.5,\"ü\\n\"]}");
    }

    #[test]
    fn other_forms_of_the_same_are_not_canonical() {
        assert!(is_canonical(br#"{"a":1,"b":2}"#));
        for other in [
            &br#"{"b":2,"a":1}"#[..],
            br#"{"a": 1}"#,
            br#"{"a":1.0}"#,
            br#"{"a":1,"a":1}"#,
            br#""\u0041""#,
            br#"{"a":1,"b":2} "#,
            b"{",
            b"",
        ] {
            assert!(!is_canonical(other), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_key_that_is_written_twice_counts_once() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map([("a", 1), ("a", 2)])
            }
        }
        assert_eq!(canonical(&Twice).unwrap(), br#"{"a":2}"#);
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        assert!(canonical(&(EXACT_MAX, -(EXACT_MAX as i64))).is_ok());
        assert!(canonical(&json!({"deep": [u64::MAX]})).is_err());
        assert!(canonical(&json!([i64::MIN])).is_err());
        assert!(canonical(&json!([1e17])).is_err() && canonical(&json!([-1e300])).is_err());
    }
}
