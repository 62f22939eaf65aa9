#![allow(clippy::unwrap_used)]
use super::*;
use crate::Key;
use domain::{
    capacity::Resources,
    manifest::{Class, Network, TimeLimits},
    usage::Budget,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn key(n: u8) -> Key {
    Key::from_seed(&[n; 32])
}

fn manifest() -> Manifest {
    Manifest {
        version: domain::manifest::VERSION,
        org: "acme".parse().unwrap(),
        run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        requester: key(1).did(),
        member: key(2).did(),
        at: Timestamp(900),
        expires: Timestamp(1_500),
        class: Class::Agent,
        work: Work::Task {
            repository: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(),
            task: TaskRef { project: "demo".parse().unwrap(), feature: "001-hello".parse().unwrap(), task: "T001".parse().unwrap() },
            spec_hash: envelope::hash_bytes(b"spec"),
            definitions: "1".repeat(40).parse().unwrap(),
            agent: "coder".parse().unwrap(),
            base: "2".repeat(40).parse().unwrap(),
            continues: None,
            from: None,
            patch: None,
            rebase: false,
        },
        resources: Resources { cpu_milli: 1000, memory_bytes: 1 << 30, disk_bytes: 1 << 30, gpus: 0 },
        tags: BTreeMap::new(),
        runtime: None,
        network: Network::default(),
        limits: TimeLimits::default(),
        budget: Budget::default(),
        priority: domain::manifest::Priority::Normal,
        gave_way: 0,
        apart: None,
    }
}

fn asked(manifest: &Manifest) -> Envelope {
    envelope::seal(manifest, domain::manifest::PAYLOAD_TYPE, &key(1).did(), |bytes| Ok(key(1).sign(bytes))).unwrap()
}

fn delegation() -> Delegation {
    Delegation::of(&manifest(), envelope::hash(&asked(&manifest())), key(3).did(), Timestamp(1_000), Timestamp(2_000))
}

fn sealed(delegation: &Delegation) -> Envelope {
    delegation.seal(|bytes| Ok(key(1).sign(bytes))).unwrap()
}

#[test]
fn it_holds_in_its_time_and_for_listed_devices_only() {
    let envelope = sealed(&delegation());
    let listed = |did: &Did| *did == key(1).did();
    for (at, holds) in [(999, false), (1_000, true), (1_999, true), (2_000, false)] {
        assert_eq!(Delegation::open(&envelope, Timestamp(at), listed).is_ok(), holds, "{at}");
    }
    assert_eq!(Delegation::read(&envelope, listed).unwrap(), delegation());
    assert!(Delegation::read(&envelope, |_| false).is_err());
    assert!(delegation().allows(Scope::Publish) && !delegation().allows(Scope::Attest));
}

#[test]
fn a_listed_device_cannot_delegate_in_the_name_of_another() {
    let envelope = envelope::seal(&delegation(), PAYLOAD_TYPE, &key(4).did(), |bytes| Ok(key(4).sign(bytes))).unwrap();
    assert_eq!(Delegation::read(&envelope, |_| true).unwrap_err().kind, Kind::Forbidden);
}

#[test]
fn malformed_ones_are_neither_signed_nor_read() {
    let forms: [fn(&mut Delegation); 4] =
        [|d| d.version = 2, |d| d.until = d.from, |d| d.key = d.device.clone(), |d| d.key = d.member.clone()];
    for spoil in forms {
        let mut bad = delegation();
        spoil(&mut bad);
        assert!(bad.seal(|bytes| Ok(key(1).sign(bytes))).is_err());
        let envelope = envelope::seal(&bad, PAYLOAD_TYPE, &key(1).did(), |bytes| Ok(key(1).sign(bytes))).unwrap();
        assert!(Delegation::read(&envelope, |_| true).is_err());
    }
}

fn accepted(delegation: &Envelope, asked: &Envelope) -> Result<(Delegation, Manifest), Problem> {
    Delegation::accept(delegation, asked, &manifest().run, &key(3).did(), Timestamp(1_500))
}

#[test]
fn a_runner_accepts_what_is_for_it_and_nothing_else() {
    let (good, sealed_manifest) = (sealed(&delegation()), asked(&manifest()));
    assert_eq!(accepted(&good, &sealed_manifest).unwrap(), (delegation(), manifest()));
    let run = manifest().run;
    let late = Delegation::accept(&good, &sealed_manifest, &run, &key(3).did(), Timestamp(2_000));
    assert!(late.unwrap_err().what.contains("does not hold at this time"));
    let another_key = Delegation::accept(&good, &sealed_manifest, &run, &key(5).did(), Timestamp(1_500));
    assert!(another_key.unwrap_err().what.contains("another key"));
    let another_run = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap();
    let another_run = Delegation::accept(&good, &sealed_manifest, &another_run, &key(3).did(), Timestamp(1_500));
    assert!(another_run.unwrap_err().what.contains("another run"));
    // Signed by a device that did not ask.
    let foreign = Delegation { device: key(4).did(), ..delegation() };
    let foreign = foreign.seal(|bytes| Ok(key(4).sign(bytes))).unwrap();
    assert_eq!(accepted(&foreign, &sealed_manifest).unwrap_err().kind, Kind::Forbidden);
    // A manifest that was placed for more than was delegated.
    let more = asked(&Manifest { priority: domain::manifest::Priority::High, ..manifest() });
    assert!(accepted(&good, &more).unwrap_err().what.contains("another manifest"));

    type Spoil = fn(&mut Delegation);
    let spoils: [(&str, Spoil); 5] = [
        ("another org", |d| d.org = "other".parse().unwrap()),
        ("another run", |d| d.run = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap()),
        ("another member", |d| d.member = key(6).did()),
        ("another work", |d| d.purpose = Purpose::Checks { project: "demo".parse().unwrap(), commit: "1".repeat(40).parse().unwrap() }),
        ("lacks the scope", |d| d.scopes.truncate(d.scopes.len() - 1)),
    ];
    for (words, spoil) in spoils {
        let mut bad = delegation();
        spoil(&mut bad);
        let problem = accepted(&sealed(&bad), &sealed_manifest).unwrap_err();
        assert!(problem.what.contains(words), "{words}: {problem}");
    }
}

#[test]
fn a_manifest_counts_only_from_the_device_that_asks() {
    let by_another = envelope::seal(&manifest(), domain::manifest::PAYLOAD_TYPE, &key(4).did(), |bytes| Ok(key(4).sign(bytes))).unwrap();
    assert_eq!(manifest::open(&by_another, |_| true).unwrap_err().kind, Kind::Forbidden);
    let newer = asked(&Manifest { version: domain::manifest::VERSION + 1, ..manifest() });
    assert!(manifest::open(&newer, |_| true).unwrap_err().what.contains("version"));
    // One that says more than is known here is not acted upon in part.
    let mut more = serde_json::to_value(manifest()).unwrap();
    more["version"] = (domain::manifest::VERSION + 1).into();
    more["of_tomorrow"] = true.into();
    let more = envelope::seal(&more, domain::manifest::PAYLOAD_TYPE, &key(1).did(), |bytes| Ok(key(1).sign(bytes))).unwrap();
    let refused = manifest::open(&more, |_| true).unwrap_err();
    assert!(refused.what.contains("version 2") && refused.next.is_some(), "{refused}");
    assert_eq!(manifest::open(&more, |_| false).unwrap_err().kind, Kind::Forbidden, "of whoever is not listed nothing is believed");
    // A field that is not known may be a limit, whatever version is said.
    let mut limited = serde_json::to_value(manifest()).unwrap();
    limited["of_tomorrow"] = true.into();
    let limited = envelope::seal(&limited, domain::manifest::PAYLOAD_TYPE, &key(1).did(), |bytes| Ok(key(1).sign(bytes))).unwrap();
    let refused = manifest::open(&limited, |_| true).unwrap_err();
    assert!(refused.why.is_some_and(|why| why.contains("of_tomorrow")), "{:?}", refused.next);
    assert!(manifest::open(&asked(&manifest()), |_| false).is_err());
}

/// An envelope with the signatures of all of these, in this order.
fn signed_by_all(envelopes: &[&Envelope]) -> Envelope {
    let mut all = serde_json::to_value(envelopes[0]).unwrap();
    let signatures = envelopes.iter().flat_map(|envelope| envelope.signatures());
    all["signatures"] = serde_json::to_value(signatures.collect::<Vec<_>>()).unwrap();
    serde_json::from_value(all).unwrap()
}

#[test]
fn it_does_not_matter_who_else_signed_a_manifest() {
    let by = |n: u8| envelope::seal(&manifest(), domain::manifest::PAYLOAD_TYPE, &key(n).did(), |bytes| Ok(key(n).sign(bytes))).unwrap();
    for envelopes in [[&by(4), &by(1)], [&by(1), &by(4)]] {
        let (opened, requester) = manifest::open(&signed_by_all(&envelopes), |_| true).unwrap();
        assert_eq!((opened, requester), (manifest(), key(1).did()));
    }
    // Others alone do not do, nor does a requester that the org does not list, nor one whose signature is of something else.
    let of_another = asked(&Manifest { gave_way: 1, ..manifest() });
    let refused = [
        manifest::open(&signed_by_all(&[&by(4), &by(5)]), |_| true),
        manifest::open(&signed_by_all(&[&by(4), &by(1)]), |did| *did == key(4).did()),
        manifest::open(&signed_by_all(&[&by(4), &of_another]), |_| true),
    ];
    for refused in refused {
        let problem = refused.unwrap_err();
        assert_eq!(problem.kind, Kind::Forbidden);
        assert_eq!(problem.what, "The manifest was signed by another device than the one that asks.");
    }
}

proptest! {
    #[test]
    fn one_changed_byte_of_a_delegation_or_manifest_is_never_accepted(of_manifest: bool, at: prop::sample::Index, to: u8) {
        let (mut delegation, mut manifest) = (sealed(&delegation()).to_json().unwrap(), asked(&manifest()).to_json().unwrap());
        let json = if of_manifest { &mut manifest } else { &mut delegation };
        let at = at.index(json.len());
        prop_assume!(json[at] != to);
        json[at] = to;
        let read = Envelope::from_json(&delegation).and_then(|d| Ok((d, Envelope::from_json(&manifest)?)));
        prop_assert!(read.and_then(|(d, m)| accepted(&d, &m)).is_err());
    }

    #[test]
    fn signed_noise_is_read_without_harm(noise in prop_oneof!["\\PC*", r#"\{("[a-z]{1,9}":([0-9]{1,19}|"[ -~]{0,9}"|null|\[\]),?){0,12}\}"#]) {
        for payload_type in [PAYLOAD_TYPE, domain::manifest::PAYLOAD_TYPE] {
            let sig = key(1).sign(&envelope::pre_authentication(payload_type, noise.as_bytes()));
            let json = serde_json::json!({
                "payload": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &noise),
                "payloadType": payload_type,
                "signatures": [{"keyid": key(1).did(), "sig": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sig)}],
            });
            let envelope = Envelope::from_json(json.to_string().as_bytes()).unwrap();
            prop_assert!(Delegation::read(&envelope, |_| true).is_err() && manifest::open(&envelope, |_| true).is_err());
        }
    }

    #[test]
    fn what_was_signed_reads_back_the_same_and_in_one_form(from in 0i64..1 << 50, length in 1i64..1 << 40, scopes in prop::sample::subsequence(vec![Scope::Publish, Scope::Attest, Scope::Model, Scope::Context, Scope::Egress], 0..5)) {
        let made = Delegation { from: Timestamp(from), until: Timestamp(from + length), scopes, ..delegation() };
        let json = sealed(&made).to_json().unwrap();
        let again = Envelope::from_json(&json).unwrap();
        prop_assert_eq!(&again.to_json().unwrap(), &json);
        prop_assert!(crate::canonical::is_canonical(&json) && crate::canonical::is_canonical(again.payload()));
        prop_assert_eq!(Delegation::read(&again, |_| true).unwrap(), made);
    }
}

#[test]
fn results_count_only_as_what_the_delegated_key_checked() {
    use crate::{Checked, checked};
    let (project, commit): (domain::ProjectName, domain::Oid) = ("demo".parse().unwrap(), "3".repeat(40).parse().unwrap());
    let purpose = Purpose::Checks { project: project.clone(), commit: commit.clone() };
    let by = Delegation { scopes: purpose.scopes(), purpose, ..delegation() };
    let results = vec![domain::run::CheckResult { name: "test".into(), passed: true, exit_code: Some(0), duration_ms: 5, tail: "".into() }];
    let (org, run) = (by.org.clone(), by.run.clone());
    let good = Checked {
        version: checked::VERSION,
        org,
        run,
        project,
        commit,
        definitions: "1".repeat(40).parse().unwrap(),
        at: Timestamp(1_500),
        results,
    };
    assert_eq!(Checked::read(&good.seal(&key(3)).unwrap(), &by).unwrap(), good);
    assert!(Checked::read(&good.seal(&key(4)).unwrap(), &by).is_err(), "signed by another key");
    assert!(Checked::read(&good.seal(&key(3)).unwrap(), &delegation()).is_err(), "delegated for other work");
    let spoils: [fn(&mut Checked); 5] = [
        |c| c.version += 1,
        |c| c.run = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap(),
        |c| c.org = "other".parse().unwrap(),
        |c| c.commit = "4".repeat(40).parse().unwrap(),
        |c| c.at = Timestamp(2_000),
    ];
    for spoil in spoils {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(Checked::read(&bad.seal(&key(3)).unwrap(), &by).is_err());
    }
}
