#![allow(clippy::unwrap_used)]
use super::*;
use crate::Key;
use proptest::prelude::*;
use serde_json::{Value, json};

const TYPE: &str = "application/vnd.meshwork.test.v1+json";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    who: String,
    n: u32,
}

fn key(n: u8) -> Key {
    Key::from_seed(&[n; 32])
}

fn sealed(by: &Key, payload: &impl Serialize) -> Envelope {
    seal(payload, TYPE, &by.did(), |bytes| Ok(by.sign(bytes))).unwrap()
}

#[test]
fn the_encoding_is_that_of_dsse() {
    // The example of the DSSE specification, protocol.md.
    assert_eq!(
        pre_authentication("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    let bytes = sealed(&key(1), &json!({"a": 1})).to_json().unwrap();
    assert_eq!(bytes, crate::canonical(&sealed(&key(1), &json!({"a": 1}))).unwrap());
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["payload"], "eyJhIjoxfQ==");
    assert_eq!(json["payloadType"], TYPE);
    assert_eq!(json["signatures"][0]["keyid"], key(1).did().as_str());
    assert_eq!(json["signatures"][0]["sig"].as_str().map(str::len), Some(88));
    assert_eq!((json.as_object().unwrap().len(), json["signatures"][0].as_object().unwrap().len()), (3, 2));
}

#[test]
fn only_the_right_type_and_signer_open_it() {
    let statement = Statement { who: "me".into(), n: 3 };
    let envelope = sealed(&key(1), &statement);
    let (read, by) = open::<Statement>(&envelope, TYPE, |did| *did == key(1).did()).unwrap();
    assert_eq!((read, by), (statement, key(1).did()));
    assert_eq!(open::<Statement>(&envelope, TYPE, |did| *did == key(2).did()).unwrap_err().kind, Kind::Forbidden);
    assert_eq!(open::<Statement>(&envelope, "application/other", |_| true).unwrap_err().kind, Kind::Invalid);
    let claimed = Envelope { signatures: vec![Signature { keyid: key(2).did(), ..envelope.signatures[0].clone() }], ..envelope.clone() };
    assert_eq!(open::<Statement>(&claimed, TYPE, |_| true).unwrap_err().kind, Kind::Forbidden);
    let retyped = Envelope { payload_type: "application/other".into(), ..envelope.clone() };
    assert_eq!(open::<Statement>(&retyped, "application/other", |_| true).unwrap_err().kind, Kind::Forbidden);
    let unsigned = Envelope { signatures: vec![], ..envelope };
    assert_eq!(open::<Statement>(&unsigned, TYPE, |_| true).unwrap_err().kind, Kind::Forbidden);
}

#[test]
fn one_good_signature_among_others_is_enough_but_not_a_flood() {
    let mut envelope = sealed(&key(1), &json!({"who": "me", "n": 3}));
    let good = envelope.signatures[0].clone();
    let bad = Signature { keyid: key(2).did(), sig: good.sig.clone() };
    envelope.signatures = vec![bad.clone(), good];
    assert_eq!(open::<Statement>(&envelope, TYPE, |_| true).unwrap().1, key(1).did());
    envelope.signatures = vec![bad; limits::ENVELOPE_SIGNATURES_MAX + 1];
    assert_eq!(open::<Statement>(&envelope, TYPE, |_| true).unwrap_err().kind, Kind::Limit);
}

#[test]
fn a_signature_over_something_not_canonical_or_with_unknown_fields_does_not_count() {
    for payload in [&br#"{"who":"me","n":3}"#[..], br#"{"n": 3,"who":"me"}"#, br#"{"n":3,"more":1,"who":"me"}"#, b"[]", b"\xff", b""] {
        let sig = key(1).sign(&pre_authentication(TYPE, payload)).to_vec();
        let signatures = vec![Signature { keyid: key(1).did(), sig }];
        let envelope = Envelope { payload: payload.to_vec(), payload_type: TYPE.into(), signatures };
        assert_eq!(open::<Statement>(&envelope, TYPE, |_| true).unwrap_err().kind, Kind::Invalid, "{payload:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    let large = "x".repeat(limits::ENVELOPE_PAYLOAD_BYTES_MAX);
    assert_eq!(seal(&large, TYPE, &key(1).did(), |bytes| Ok(key(1).sign(bytes))).unwrap_err().kind, Kind::Limit);
    assert_eq!(Envelope::from_json(&vec![b' '; limits::ENVELOPE_JSON_BYTES_MAX + 1]).unwrap_err().kind, Kind::Limit);
}

#[test]
fn a_signer_that_signs_with_another_key_is_found_out_at_once() {
    assert_eq!(seal(&1, TYPE, &key(1).did(), |bytes| Ok(key(2).sign(bytes))).unwrap_err().kind, Kind::Internal);
}

#[test]
fn the_hash_is_of_the_statement_not_of_the_signer() {
    assert_eq!(hash(&sealed(&key(1), &json!({"a": 1}))), hash(&sealed(&key(2), &json!({"a": 1}))));
    assert_eq!(hash(&sealed(&key(1), &json!({"a": 1}))), hash_bytes(br#"{"a":1}"#));
}

proptest! {
    #[test]
    fn one_changed_byte_anywhere_is_refused(who in ".{0,40}", n: u32, at: prop::sample::Index, to: u8) {
        let envelope = sealed(&key(1), &Statement { who, n });
        let mut json = envelope.to_json().unwrap();
        let at = at.index(json.len());
        prop_assume!(json[at] != to);
        json[at] = to;
        let opened = Envelope::from_json(&json).and_then(|e| open::<Statement>(&e, TYPE, |did| *did == key(1).did()));
        prop_assert!(opened.is_err(), "{}", String::from_utf8_lossy(&json));
    }

    #[test]
    fn what_was_sealed_opens_again(who in ".{0,200}", n: u32, by in 1u8..5) {
        let statement = Statement { who, n };
        let json = sealed(&key(by), &statement).to_json().unwrap();
        let (read, signer) = open::<Statement>(&Envelope::from_json(&json).unwrap(), TYPE, |_| true).unwrap();
        prop_assert_eq!((read, signer), (statement, key(by).did()));
    }

    #[test]
    fn noise_is_refused_without_harm(noise: Vec<u8>) {
        prop_assert!(Envelope::from_json(&noise).is_err());
    }
}
