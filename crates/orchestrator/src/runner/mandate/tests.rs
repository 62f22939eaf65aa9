#![allow(clippy::unwrap_used)]
use super::*;
use domain::manifest::PAYLOAD_TYPE;
use identity::envelope;
use serde_json::json;

fn key(n: u8) -> Key {
    Key::from_seed(&[n; 32])
}

fn manifest(work: serde_json::Value) -> Manifest {
    serde_json::from_value(json!({
        "version": 1, "org": "acme", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "requester": key(1).did(), "member": key(2).did(),
        "at": 1, "expires": 2, "class": "ci", "limits": {}, "resources": {"cpu_milli": 1, "memory_bytes": 1, "disk_bytes": 1, "gpus": 0},
        "work": work,
    }))
    .unwrap()
}

fn checks() -> Manifest {
    let commit = "2".repeat(40);
    manifest(
        json!({"kind": "checks", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "project": "demo", "commit": commit, "definitions": commit}),
    )
}

fn spec(manifest: &Manifest) -> RunSpec {
    RunSpec {
        run: manifest.run.clone(),
        class: manifest.class,
        task: None,
        dir: "/d".into(),
        work: "/d/work".into(),
        home: "/d/home".into(),
        tools: domain::run::Tools::default(),
        brief: None,
        sockets: "/s".into(),
        job: RunnerJob::Checks { checks: vec![] },
        resources: manifest.resources,
        limits: manifest.limits,
    }
}

/// What a host hands over, the delegation holding for some time around now.
fn welcome(manifest: &Manifest, from_ms: i64, until_ms: i64) -> Welcome {
    let asked = envelope::seal(manifest, PAYLOAD_TYPE, &key(1).did(), |m| Ok(key(1).sign(m))).unwrap();
    let now = clock::now().0;
    let delegation = Delegation::of(manifest, envelope::hash(&asked), key(3).did(), Timestamp(now + from_ms), Timestamp(now + until_ms));
    let delegation = delegation.seal(|m| Ok(key(1).sign(m))).unwrap();
    let text = |envelope: &Envelope| String::from_utf8(envelope.to_json().unwrap()).unwrap();
    Welcome { manifest_json: text(&asked), delegation_json: text(&delegation), ..Welcome::default() }
}

fn verify(welcome: &Welcome, spec: &RunSpec) -> Result<Mandate, Problem> {
    Mandate::verify(welcome, spec, &checks().run, &key(3).did())
}

#[test]
fn a_mandate_is_for_this_run_this_key_this_job_and_this_time() {
    let (good, job) = (welcome(&checks(), -1_000, 60_000), spec(&checks()));
    let mandate = verify(&good, &job).unwrap();
    mandate.allows(Scope::Attest).unwrap();
    assert_eq!(mandate.allows(Scope::Publish).unwrap_err().kind, Kind::Forbidden, "checks publish nothing");
    let ended = mandate.until();
    assert!(mandate.holds(Scope::Attest, ended).unwrap_err().what.contains("ended"));

    for (from, until) in [(-2_000, -1_000), (60_000, 70_000)] {
        assert!(verify(&welcome(&checks(), from, until), &job).unwrap_err().what.contains("does not hold at this time"));
    }
    let unsigned = Welcome { delegation_json: String::new(), ..good.clone() };
    assert!(verify(&unsigned, &job).is_err(), "no delegation, no work");
    assert!(Mandate::verify(&good, &job, &checks().run, &key(4).did()).is_err(), "another key");
    let more = RunSpec { resources: domain::capacity::Resources { cpu_milli: 9, ..job.resources }, ..job.clone() };
    assert!(verify(&good, &more).unwrap_err().what.contains("not the one that the manifest asks for"));
    let other = RunSpec { class: domain::manifest::Class::Agent, ..job };
    assert!(verify(&good, &other).is_err());
}

#[test]
fn what_checks_said_is_signed_without_their_output() {
    let (welcome, job) = (welcome(&checks(), -1_000, 60_000), spec(&checks()));
    let mandate = verify(&welcome, &job).unwrap();
    let result = CheckResult { name: "test".into(), passed: true, exit_code: Some(0), duration_ms: 1, tail: "secret\n".into() };
    let sealed = mandate.attest(&key(3), std::slice::from_ref(&result)).unwrap();
    let checked = Checked::read(&sealed, &mandate.delegation).unwrap();
    assert_eq!((checked.results[0].tail.as_str(), checked.passed()), ("", true));
}
