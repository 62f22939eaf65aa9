#![allow(clippy::unwrap_used)]
use super::*;
use crate::Key;
use domain::{Timestamp, join::Admits, role::Role};
use proptest::prelude::*;

fn ticket(key: &Key) -> Ticket {
    Ticket {
        version: 1,
        id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
        org: "crew".parse().unwrap(),
        rid: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(),
        admits: Admits::Member { role: Role::Developer },
        expires: Timestamp(2_000_000),
        uses: 1,
        knock: vec!["127.0.0.1:7423".into()],
        issuer: key.did(),
        radicle: vec!["127.0.0.1:8776".into()],
        headscale: None,
    }
}

fn written(key: &Key, ticket: &Ticket) -> String {
    write(ticket, |message| key.sign(message)).unwrap()
}

/// The same word with another payload, and the signature of the old one.
fn with_payload(text: &str, payload: &[u8]) -> String {
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    parts[1] = URL_SAFE_NO_PAD.encode(payload);
    parts.join(".")
}

#[test]
fn a_ticket_is_read_as_it_was_written() {
    let key = Key::from_seed(&[7; 32]);
    let ticket = ticket(&key);
    let text = written(&key, &ticket);
    assert!(text.starts_with("mwt1.") && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{text}");
    assert_eq!(read(&format!(" {text}\n")).unwrap(), ticket);
}

#[test]
fn a_ticket_of_a_newer_version_is_read_as_far_as_it_is_known() {
    let key = Key::from_seed(&[7; 32]);
    let mut words = serde_json::to_value(ticket(&key)).unwrap();
    words["version"] = 2.into();
    words["of_tomorrow"] = "more".into();
    let payload = crate::canonical(&words).unwrap();
    let signature = key.sign(&pre_authentication(TYPE, &payload));
    let text = format!("{PREFIX}.{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(signature));
    assert_eq!(read(&text).unwrap(), Ticket { version: 2, ..ticket(&key) });
    // What is not known is signed too.
    words["of_tomorrow"] = "less".into();
    assert_eq!(read(&with_payload(&text, &crate::canonical(&words).unwrap())).unwrap_err().kind, Kind::Forbidden);
}

#[test]
fn a_key_for_the_tailnet_stands_behind_and_is_no_part_of_the_ticket() {
    let key = Key::from_seed(&[7; 32]);
    let ticket = Ticket { headscale: Some("https://hs.example".parse().unwrap()), ..ticket(&key) };
    let text = written(&key, &ticket);
    let with = with_key(&text, &Secret::from("hskey-auth-1-2"));
    assert_eq!(read(&with).unwrap(), ticket);
    assert_eq!(split_key(&format!(" {with}\n")), (text.clone(), Some(Secret::from("hskey-auth-1-2"))));
    assert_eq!(split_key(&text), (text.clone(), None));
    assert_eq!(split_key(&format!("{text}.???")), (text.clone(), None));
    assert!(read(&format!("{with}.more")).is_err());
    // Tickets of an org without a tailnet are written as ever.
    assert!(!String::from_utf8_lossy(&crate::canonical(&self::ticket(&key)).unwrap()).contains("headscale"));
}

#[test]
fn a_widened_ticket_is_refused() {
    let key = Key::from_seed(&[7; 32]);
    let good = ticket(&key);
    let text = written(&key, &good);
    let other = Key::from_seed(&[8; 32]);
    let widened = [
        Ticket { admits: Admits::Member { role: Role::Owner }, ..good.clone() },
        Ticket { uses: 100, ..good.clone() },
        Ticket { expires: Timestamp(9_000_000_000_000), ..good.clone() },
        Ticket { knock: vec!["evil.example:1".into()], ..good.clone() },
        Ticket { issuer: other.did(), ..good.clone() },
        Ticket { id: "01ARZ3NDEKTSV4RRFFQ69G5FAW".into(), ..good.clone() },
    ];
    for changed in widened {
        let problem = read(&with_payload(&text, &crate::canonical(&changed).unwrap())).unwrap_err();
        assert_eq!(problem.kind, Kind::Forbidden, "{problem}");
    }
    // What another key signed names that key, and is of no use at the issuer's; a foreign signature under ours does not count.
    assert!(write(&good, |message| other.sign(message)).is_err());
}

#[test]
fn other_forms_and_other_statements_do_not_count() {
    let key = Key::from_seed(&[7; 32]);
    let good = ticket(&key);
    let text = written(&key, &good);
    // The same statement with a space: another form, signed by the right key.
    let mut spaced = crate::canonical(&good).unwrap();
    spaced.push(b' ');
    let signature = key.sign(&pre_authentication(TYPE, &spaced));
    let odd = format!("mwt1.{}.{}", URL_SAFE_NO_PAD.encode(&spaced), URL_SAFE_NO_PAD.encode(signature));
    assert!(read(&odd).unwrap_err().to_string().contains("another form"));
    // The issuer's signature of something else.
    let elsewhere = key.sign(&pre_authentication("application/json", &crate::canonical(&good).unwrap()));
    let moved = format!("{}.{}", text.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode(elsewhere));
    assert_eq!(read(&moved).unwrap_err().kind, Kind::Forbidden);
    assert_eq!(read(&text.replacen("mwt1", "mwt2", 1)).unwrap_err().kind, Kind::Conflict);
    for (changed, words) in [
        (Ticket { uses: 0, ..good.clone() }, "Nobody may use it"),
        (Ticket { knock: vec![], ..good.clone() }, "where to knock"),
        (Ticket { radicle: vec!["nowhere".into()], ..good.clone() }, "An address"),
        (Ticket { admits: Admits::Member { role: Role::Agent }, ..good.clone() }, "for agents"),
        (Ticket { version: 0, ..good.clone() }, "version 0"),
    ] {
        let problem = write(&changed, |message| key.sign(message)).unwrap_err();
        assert!(problem.to_string().contains(words), "{problem}");
    }
}

proptest! {
    #[test]
    fn anything_may_be_shown(text in ".{0,400}") {
        let _ = read(&text);
        let _ = read(&format!("mwt1.{text}.{text}"));
    }

    #[test]
    fn one_changed_character_is_refused(at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
        let key = Key::from_seed(&[7; 32]);
        let text = written(&key, &ticket(&key));
        let at = at.index(text.len());
        let mut changed = text.clone();
        changed.replace_range(at..=at, &to);
        prop_assert_eq!(read(&changed).is_ok(), changed == text, "{}", changed);
    }
}
