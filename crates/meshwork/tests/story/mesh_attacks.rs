//! Attacks on the port for other devices: by whoever has no certificate, by another org's device, by a listed device that asks for what
//! is not its own, with runs' certificates of other runs, with manifests that were changed or are not the caller's.

use crate::{
    support::{PASSES, command_agent, project, text},
    two::{Two, org},
};
use domain::{
    Did, Problem,
    manifest::{Class, Manifest, PAYLOAD_TYPE, Work},
};
use forge::Forge;
use identity::{Envelope, Key, certificate::Sign, envelope};
use mesh::{Network, VERSION, problem};
use proto::mesh::{
    CheckpointRequest, CosignRequest, DelegateRequest, JournalRequest, LineRequest, LinesRequest, LogRequest, MergeRequest, OrderRequest,
    ProbeRequest, ResultRequest, ScheduleRequest, SignedRequest, TunnelChunk, WatchRequest, mesh_client::MeshClient,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::Up;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

/// Somebody who calls, with this key, as a device of this org.
fn caller(org: &str, did: Did, sign: Sign) -> Arc<Network> {
    Arc::new(Network::new(org.parse().unwrap(), did, sign, Arc::new(now), Arc::new(|_| true)))
}

fn now() -> domain::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    domain::Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn stranger(org: &str) -> Arc<Network> {
    let key = Arc::new(Key::generate().unwrap());
    caller(org, key.did(), Arc::new(move |message| Ok(key.sign(message))))
}

/// What a method answers, by its name.
type Answers = Vec<(&'static str, Result<(), Problem>)>;

/// What each method answers to a caller.
async fn every(client: MeshClient<Channel>, of: &Did, run: &str, manifest: &[u8]) -> Answers {
    every_of(VERSION, client, of, run, manifest).await
}

/// What each method answers to a caller who speaks this version.
async fn every_of(version: u32, mut client: MeshClient<Channel>, of: &Did, run: &str, manifest: &[u8]) -> Answers {
    let run = run.to_owned();
    let key = Key::generate().unwrap().did().to_string();
    let told = |answer: Result<(), tonic::Status>| answer.map_err(|status| problem(&status));
    let wish_json = json!({"wish": "pause"}).to_string();
    let chunk = TunnelChunk { version, target: "model".into(), ..TunnelChunk::default() };
    let mut all = vec![("probe", told(client.probe(ProbeRequest { version, without_radicle_session: false }).await.map(drop)))];
    let scheduled = client.schedule(ScheduleRequest { version, manifest_json: manifest.to_vec() }).await;
    // A refusal is an answer too, and no lease.
    let leased = scheduled.and_then(|reply| {
        let answer = reply.into_inner().admission_json;
        if answer.contains("\"leased\"") { Ok(()) } else { Err(tonic::Status::permission_denied(answer)) }
    });
    all.push(("schedule", told(leased)));
    all.push(("delegate", told(client.delegate(DelegateRequest { version, run: run.clone(), key }).await.map(drop))));
    all.push(("watch", told(client.watch(WatchRequest { version, run: run.clone(), after_seq: 0 }).await.map(drop))));
    all.push(("log", told(client.log(LogRequest { version, run: run.clone(), after_seq: 0 }).await.map(drop))));
    all.push(("order", told(client.order(OrderRequest { version, run: run.clone(), by: String::new(), wish_json }).await.map(drop))));
    all.push(("merge", told(client.merge(MergeRequest { version, envelope_json: manifest.to_vec() }).await.map(drop))));
    let cosign = CosignRequest { version, envelope_json: manifest.to_vec(), commit: "a".repeat(40) };
    all.push(("cosign", told(client.cosign(cosign).await.map(drop))));
    all.push(("tunnel", told(client.tunnel(tokio_stream::iter([chunk])).await.map(drop))));
    let checkpoint = CheckpointRequest { version, run: run.clone(), commit: "1".repeat(40), ..CheckpointRequest::default() };
    all.push(("checkpoint", told(client.checkpoint(checkpoint).await.map(drop))));
    let whole = JournalRequest { version, device: of.to_string(), incarnation: 0, after_seq: 0, summary: true };
    all.push(("journal", told(client.journal(whole).await.map(drop))));
    all.push(("signed", told(client.signed(SignedRequest { version, repositories: vec![] }).await.map(drop))));
    all.push(("lines", told(client.lines(LinesRequest { version, ..LinesRequest::default() }).await.map(drop))));
    let line = LineRequest { version, key: of.to_string(), ..LineRequest::default() };
    all.push(("line", told(client.line(line).await.map(drop))));
    all.push(("result", told(client.result(ResultRequest { version, run }).await.map(drop))));
    all
}

/// What a caller hears of a key's line of signed refs: its newest signature, and whether it is given to one that names so many others.
async fn line_of(mut client: MeshClient<Channel>, repository: &str, key: &str, have: usize) -> (String, Result<(), Problem>) {
    let (version, repository, key) = (VERSION, repository.to_owned(), key.to_owned());
    let keys = vec![key.clone()];
    let tips = client.lines(LinesRequest { version, repository: repository.clone(), keys }).await.unwrap().into_inner().tips;
    let have = vec!["1".repeat(40); have];
    let line = client.line(LineRequest { version, repository, key, have }).await;
    (tips.concat(), line.map(drop).map_err(|status| problem(&status)))
}

/// What any device of the org may have, if a member with a key on it may see runs.
const READS: [&str; 5] = ["probe", "log", "journal", "signed", "lines"];

fn all_refused(answers: &[(&str, Result<(), Problem>)], but: &[&str]) {
    for (method, answer) in answers {
        assert_eq!(answer.is_ok(), but.contains(method), "{method}: {answer:?}");
    }
    assert_eq!(answers.len(), 15, "every method is tried");
}

/// The signed manifest of a run, as it lies with its requester.
async fn manifest(up: &Up, run: &str) -> Vec<u8> {
    let envelope = up.act("run.show", json!({ "run": run })).await["envelope"].as_str().unwrap().to_owned();
    let blobs = org(up).store().join("blobs");
    let found = walk(&blobs).into_iter().find(|path| path.file_name().unwrap().to_string_lossy().ends_with(&envelope[2..]));
    std::fs::read(found.expect("the manifest is kept")).unwrap()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_through_the_port_for_other_devices_to_what_is_not_theirs() {
    let mut two = Two::start().await;
    project(&two.ada, "guarded", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sleeper", "sleep 60").await;
    let run = two.ada.start_task("T001", "sleeper").await;
    two.ada.in_state(&run, "working").await;
    let asked = manifest(&two.ada, &run).await;
    let listed = two.ada.act("device.list", json!({})).await;
    let ada = listed.as_array().unwrap().iter().find(|d| d["here"] == true).cloned().unwrap();
    let (did, addresses): (Did, Vec<String>) =
        (ada["did"].as_str().unwrap().parse().unwrap(), serde_json::from_value(ada["addresses"].clone()).unwrap());

    // Without a certificate: the handshake ends, whatever would be called.
    let bare = tokio::net::TcpStream::connect(&addresses[0]).await.unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let plain = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let plain = plain.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(plain)).connect("meshwork".try_into().unwrap(), bare).await;
    assert!(tls.is_err());

    // Strangers, in the org's name and in another's.
    for name in ["crew", "theirs"] {
        let answers = every(stranger(name).device(&did, &addresses).unwrap(), &did, &run, &asked).await;
        all_refused(&answers, &[]);
    }

    // A listed device: it may look whether Ada is there, have her journal, and the log, since its member may see runs; no more. Her own
    // manifest, brought by it, gets nothing.
    two.bob.end().await;
    let dir = org(&two.bob);
    let forge = Arc::new(Forge::open(&dir.radicle(), &dir.member()).unwrap());
    let signing = forge.clone();
    let bob = caller("crew", forge.device(), Arc::new(move |message| Ok(signing.sign_as_device(message))));
    all_refused(&every(bob.device(&did, &addresses).unwrap(), &did, &run, &asked).await, &READS);
    let foreign = "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5";
    // What is signed it hears of the org's repositories alone, and of so many at once.
    let mut named: Vec<String> = forge.repositories().unwrap().iter().map(ToString::to_string).collect();
    let ours = named.len();
    named.extend([foreign, "nonsense"].map(str::to_owned));
    for (repositories, taken) in [(named, true), (vec![String::new(); 2_000], false)] {
        let answer = bob.device(&did, &addresses).unwrap().signed(SignedRequest { version: VERSION, repositories }).await;
        assert_eq!(answer.is_ok(), taken);
        let Ok(answer) = answer else { continue };
        let signed = answer.into_inner().signed;
        assert!(ours > 0 && signed[..ours].iter().all(|one| !one.is_empty()) && signed[ours..] == ["", ""], "{signed:?}");
    }
    // Lines of signed refs it gets of the org's keys and repositories alone.
    let guarded = text(&two.ada.act("project.show", json!({})).await["project"]["rid"]);
    let (hers, nobodys) = (text(&two.ada.ok(&["org", "show"]).await["member"]), Key::generate().unwrap().did().to_string());
    for (repository, key, has, gets) in [
        (two.rid.as_str(), &hers, true, true),
        (guarded.as_str(), &hers, true, true),
        (foreign, &hers, false, false),
        (two.rid.as_str(), &nobodys, false, false),
    ] {
        let (tip, line) = line_of(bob.device(&did, &addresses).unwrap(), repository, key, 0).await;
        assert_eq!((!tip.is_empty(), line.is_ok()), (has, gets), "{key} in {repository}: {line:?}");
    }
    let (_, too_much) = line_of(bob.device(&did, &addresses).unwrap(), two.rid.as_str(), &hers, 1_000).await;
    assert!(too_much.is_err(), "{too_much:?}");
    let request = ScheduleRequest { version: VERSION, manifest_json: asked.clone() };
    let answer = bob.device(&did, &addresses).unwrap().schedule(request).await.unwrap().into_inner().admission_json;
    assert!(answer.contains("only ask in its own name"), "{answer}");
    // In messages of an older form, or of none, it gets nothing but the answer which versions there are.
    all_refused(&every_of(0, bob.device(&did, &addresses).unwrap(), &did, &run, &asked).await, &["probe"]);
    // With one changed byte it is nobody's.
    let mut changed = asked.clone();
    let at = changed.len() / 2;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    all_refused(&every(bob.device(&did, &addresses).unwrap(), &did, &run, &changed).await, &READS);
    // Checks that are said to judge her own work, which would be no guest's and before all that waits: she makes none for another.
    let hers: Manifest = serde_json::from_slice(Envelope::from_json(&asked).unwrap().payload()).unwrap();
    let Work::Task { repository, task, base, definitions, .. } = hers.work.clone() else { unreachable!("a task's manifest") };
    let work = Work::Checks { repository, project: task.project, commit: base, definitions, subject: Some(hers.run.clone()) };
    let named = "01J0000000000000000000000A".parse().unwrap();
    let odd = Manifest { run: named, requester: forge.device(), member: forge.member(), class: Class::Ci, work, ..hers };
    let signing = forge.clone();
    let sealed = envelope::seal(&odd, PAYLOAD_TYPE, &forge.device(), move |message| Ok(signing.sign_as_device(message))).unwrap();
    let request = ScheduleRequest { version: VERSION, manifest_json: sealed.to_json().unwrap() };
    let answer = bob.device(&did, &addresses).unwrap().schedule(request).await.unwrap().into_inner().admission_json;
    assert!(answer.contains("makes no checks for another"), "{answer}");
    // A run's certificate of a run that it does not execute reaches no gateway, and nothing else.
    let of_run = bob.run(&run.parse().unwrap(), &did, addresses.clone());
    all_refused(&every(of_run.client().unwrap(), &did, &run, &asked).await, &[]);
    // Its own org's device with another org's name.
    let signing = forge.clone();
    let other = caller("theirs", forge.device(), Arc::new(move |message| Ok(signing.sign_as_device(message))));
    all_refused(&every(other.device(&did, &addresses).unwrap(), &did, &run, &asked).await, &[]);

    // Removed: not even that.
    two.remove_bob().await;
    let gone = || async {
        let answers = every(bob.device(&did, &addresses).unwrap(), &did, &run, &asked).await;
        if answers.iter().all(|(_, answer)| answer.is_err()) { Ok(()) } else { Err(json!(format!("{answers:?}"))) }
    };
    two.ada.until("the removed device is cut off", gone).await;
}

/// What a stream to a run's gateway carries: so many chunks of small requests (one alone, where it is one chunk), each
/// counted when it is taken; then nothing, without an end.
fn requests(chunks: usize, taken: Arc<AtomicUsize>) -> impl tokio_stream::Stream<Item = TunnelChunk> + Send + 'static {
    let data = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(if chunks == 1 { 1 } else { 1_000 }).into_bytes();
    let chunk = TunnelChunk { version: VERSION, target: "egress".into(), data, ..TunnelChunk::default() };
    let counted = (0..chunks).map(move |_| {
        taken.fetch_add(1, Ordering::Relaxed);
        chunk.clone()
    });
    tokio_stream::iter(counted).chain(tokio_stream::pending())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_a_run_whose_answers_nobody_reads_hold_up_no_other_stream_of_it() {
    let two = Two::start().await;
    let run = two.working("streams").await;
    let listed = two.ada.act("device.list", json!({})).await;
    let ada = listed.as_array().unwrap().iter().find(|d| d["here"] == true).cloned().unwrap();
    let addresses: Vec<String> = serde_json::from_value(ada["addresses"].clone()).unwrap();
    let dir = org(&two.bob);
    let forge = Arc::new(Forge::open(&dir.radicle(), &dir.member()).unwrap());
    let signing = forge.clone();
    let bob = caller("crew", forge.device(), Arc::new(move |message| Ok(signing.sign_as_device(message))));
    let way = bob.run(&run.parse().unwrap(), &ada["did"].as_str().unwrap().parse().unwrap(), addresses);

    // More than one window of 1 MiB, and more answers than one of 5 MiB, all over one connection.
    let mut unread = vec![];
    for _ in 0..16 {
        let taken = Arc::new(AtomicUsize::new(0));
        let stream = way.client().unwrap().tunnel(requests(1_000, taken.clone())).await.unwrap().into_inner();
        let full = || async {
            let taken = taken.load(Ordering::Relaxed);
            if taken >= 9 { Ok(()) } else { Err(json!(taken)) }
        };
        two.ada.until("the stream takes no more", full).await;
        unread.push(stream);
    }
    let mut answers = way.client().unwrap().tunnel(requests(1, Arc::default())).await.unwrap().into_inner();
    let answer = tokio::time::timeout(Duration::from_secs(20), answers.message()).await.expect("it is answered").unwrap().unwrap();
    assert!(String::from_utf8_lossy(&answer.data).starts_with("HTTP/1.1 400"), "{answer:?}");
    drop(unread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_is_brought_again_after_its_run_begins_nothing_anew() {
    let two = Two::start().await;
    project(&two.ada, "guarded", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo x > x.txt").await;
    two.share().await;
    let run = two.start_task("T001", "echo").await;
    assert_eq!(two.ada.ended(&run).await["state"], "done");
    let asked = manifest(&two.ada, &run).await;
    let listed = two.bob.act("device.list", json!({})).await;
    let bobs = listed.as_array().unwrap().iter().find(|d| d["here"] == true).cloned().unwrap();
    let addresses: Vec<String> = serde_json::from_value(bobs["addresses"].clone()).unwrap();
    let runs = || async { two.bob.act("run.list", json!({ "all": true })).await.as_array().unwrap().len() };
    let before = runs().await;

    // With the key of the very device that asked, and what it signed then.
    let dir = org(&two.ada);
    let forge = Arc::new(Forge::open(&dir.radicle(), &dir.member()).unwrap());
    let signing = forge.clone();
    let ada = caller("crew", forge.device(), Arc::new(move |message| Ok(signing.sign_as_device(message))));
    let mut client = ada.device(&two.bob_device, &addresses).unwrap();
    let reply = client.schedule(ScheduleRequest { version: VERSION, manifest_json: asked }).await.unwrap().into_inner();
    assert!(reply.admission_json.contains(&run), "it is answered as then: {}", reply.admission_json);
    assert_eq!((runs().await, two.bob.act("run.show", json!({ "run": run })).await["state"].clone()), (before, json!("done")));
}
