#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::{Key, certificate::own::Clock};
use proptest::prelude::*;
use rustls::{ClientConnection, Connection, ServerConnection};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

const NOW: Timestamp = Timestamp(1_900_000_000_000);
const MINUTE: i64 = 60_000;

fn org(name: &str) -> OrgName {
    name.parse().unwrap()
}

fn run_id() -> RunId {
    "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap()
}

fn key(seed: u8) -> Arc<Key> {
    Arc::new(Key::from_seed(&[seed; 32]))
}

fn sign(key: &Arc<Key>) -> Sign {
    let key = key.clone();
    Arc::new(move |message| Ok(key.sign(message)))
}

fn clock(at: Timestamp) -> Clock {
    Arc::new(move || at)
}

fn own(seed: u8, org_name: &str, at: Timestamp) -> Arc<Own> {
    Own::device(org(org_name), key(seed).did(), sign(&key(seed)), clock(at))
}

fn own_run(seed: u8, at: Timestamp) -> Arc<Own> {
    Own::run(org("ours"), run_id(), key(seed).did(), sign(&key(seed)), clock(at))
}

fn chain(own: &Own) -> Vec<CertificateDer<'static>> {
    own.certified().unwrap().cert.clone()
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp(at.0 + ms)
}

/// Accepts these devices of “ours”, and runs that they execute.
fn listed(seeds: &'static [u8]) -> Accept {
    Arc::new(move |subject| *subject.org() == org("ours") && seeds.iter().any(|seed| key(*seed).did() == *subject.device()))
}

/// A handshake in memory: whom the server saw, and whom the client saw.
fn meet(client: (Arc<Own>, Accept), server: (Arc<Own>, Accept)) -> Result<(Subject, Subject), String> {
    let name = "meshwork".try_into().unwrap();
    let config = super::client(client.0, client.1, clock(NOW)).unwrap();
    let mut client: Connection = ClientConnection::new(config, name).unwrap().into();
    let config = super::server(server.0, server.1, clock(NOW)).unwrap();
    let mut server: Connection = ServerConnection::new(config).unwrap().into();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    let seen = |connection: &Connection, usage| read(connection.peer_certificates().unwrap(), usage, NOW).unwrap();
    Ok((seen(&server, Usage::Client), seen(&client, Usage::Server)))
}

fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), String> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        to.read_tls(&mut left).unwrap();
        to.process_new_packets().map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[test]
fn two_devices_of_an_org_know_each_other_by_their_keys() {
    let (server, client) = meet((own(1, "ours", NOW), listed(&[2])), (own(2, "ours", NOW), listed(&[1]))).unwrap();
    assert_eq!(server, Subject::Device { org: org("ours"), did: key(1).did() });
    assert_eq!(client.to_string(), format!("spiffe://ours/device/{}", key(2).did()));
}

#[test]
fn a_run_is_known_by_the_device_that_executes_it() {
    let (server, _) = meet((own_run(1, NOW), listed(&[2])), (own(2, "ours", NOW), listed(&[1]))).unwrap();
    assert_eq!(server, Subject::Run { org: org("ours"), run: run_id(), issuer: key(1).did() });
    assert_eq!(server.to_string(), format!("spiffe://ours/run/{}", run_id()));
}

#[test]
fn who_is_not_listed_does_not_come_in() {
    let server = || (own(2, "ours", NOW), listed(&[1]));
    // A stranger, a device of another org with a key that ours lists, a run of a device that is not listed.
    assert!(meet((own(3, "ours", NOW), listed(&[2])), server()).is_err());
    assert!(meet((own(1, "theirs", NOW), listed(&[2])), server()).is_err());
    assert!(meet((own_run(3, NOW), listed(&[2])), server()).is_err());
    // The client is as careful with whom it reaches.
    assert!(meet((own(1, "ours", NOW), listed(&[3])), server()).is_err());
    // A run serves nobody.
    assert!(meet((own(1, "ours", NOW), listed(&[2])), (own_run(2, NOW), listed(&[1]))).is_err());
}

/// The end of a connection hears why it was refused, from the other end's alert.
#[test]
fn a_certificate_that_does_not_hold_is_told_from_one_that_is_not_listed() {
    let alert = |client: Arc<Own>| {
        let config = super::client(client, listed(&[2]), clock(NOW)).unwrap();
        let mut client: Connection = ClientConnection::new(config, "meshwork".try_into().unwrap()).unwrap().into();
        let config = super::server(own(2, "ours", NOW), listed(&[1]), clock(NOW)).unwrap();
        let mut server: Connection = ServerConnection::new(config).unwrap().into();
        carry(&mut client, &mut server).unwrap();
        carry(&mut server, &mut client).unwrap();
        carry(&mut client, &mut server).unwrap_err();
        carry(&mut server, &mut client).unwrap_err()
    };
    assert_eq!(alert(own(3, "ours", NOW)), "received fatal alert: AccessDenied");
    assert_eq!(alert(own(1, "ours", later(NOW, 3 * 24 * 60 * MINUTE))), "received fatal alert: CertificateUnknown");
}

#[test]
fn whoever_knocks_to_join_is_known_by_their_key_and_pins_that_of_the_door() {
    let everybody: Accept = Arc::new(|_| true);
    let door = |seed: u8| -> Accept { Arc::new(move |subject| matches!(subject, Subject::Device { did, .. } if *did == key(seed).did())) };
    let (seen, _) = meet((own(7, "ours", NOW), door(2)), (own(2, "ours", NOW), everybody.clone())).unwrap();
    assert_eq!(*seen.device(), key(7).did());
    assert!(meet((own(7, "ours", NOW), door(3)), (own(2, "ours", NOW), everybody)).is_err());
}

#[test]
fn without_the_key_a_certificate_is_worth_nothing() {
    // Another's certificate with one's own key: the handshake's signature is not by the key of the certificate.
    let stolen = Own::device(org("ours"), key(1).did(), sign(&key(3)), clock(NOW));
    assert!(stolen.certified().is_err() || meet((stolen, listed(&[2])), (own(2, "ours", NOW), listed(&[1]))).is_err());
    let served = own(1, "ours", NOW).certified().unwrap();
    let thief = rustls::sign::CertifiedKey::new(served.cert.clone(), own(3, "ours", NOW).certified().unwrap().key.clone());
    #[derive(Debug)]
    struct Shows(Arc<rustls::sign::CertifiedKey>);
    impl rustls::client::ResolvesClientCert for Shows {
        fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(self.0.clone())
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let mut config = (*super::client(own(3, "ours", NOW), listed(&[2]), clock(NOW)).unwrap()).clone();
    config.client_auth_cert_resolver = Arc::new(Shows(Arc::new(thief)));
    let mut client: Connection = ClientConnection::new(Arc::new(config), "meshwork".try_into().unwrap()).unwrap().into();
    let server = super::server(own(2, "ours", NOW), listed(&[1]), clock(NOW)).unwrap();
    let mut server: Connection = ServerConnection::new(server).unwrap().into();
    let met = (0..8).try_for_each(|_| carry(&mut client, &mut server).and_then(|()| carry(&mut server, &mut client)));
    assert!(met.is_err(), "the server took a certificate for the key of another");
}

#[test]
fn without_a_certificate_nobody_comes_in() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut bare = (*super::client(own(1, "ours", NOW), listed(&[2]), clock(NOW)).unwrap()).clone();
    bare.client_auth_cert_resolver = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
        .client_auth_cert_resolver
        .clone();
    let mut client: Connection = ClientConnection::new(Arc::new(bare), "meshwork".try_into().unwrap()).unwrap().into();
    let server = super::server(own(2, "ours", NOW), listed(&[1]), clock(NOW)).unwrap();
    let mut server: Connection = ServerConnection::new(server).unwrap().into();
    let met = (0..8).try_for_each(|_| carry(&mut client, &mut server).and_then(|()| carry(&mut server, &mut client)));
    assert!(met.is_err());
}

#[test]
fn clocks_may_differ_by_two_minutes_and_no_more() {
    let device = chain(&own(1, "ours", NOW));
    let end = i64::try_from(limits::DEVICE_CERTIFICATE_MS).unwrap();
    for (ms, holds) in
        [(0, true), (-2 * MINUTE + 1000, true), (-3 * MINUTE, false), (end + 2 * MINUTE - 1000, true), (end + 3 * MINUTE, false)]
    {
        assert_eq!(read(&device, Usage::Server, later(NOW, ms)).is_ok(), holds, "{ms} ms after it was made");
    }
    let run = chain(&own_run(1, NOW));
    let end = i64::try_from(limits::RUN_CERTIFICATE_MS).unwrap();
    for (ms, holds) in [(-2 * MINUTE + 1000, true), (end - 1000, true), (end + 3 * MINUTE, false)] {
        assert_eq!(read(&run, Usage::Client, later(NOW, ms)).is_ok(), holds, "{ms} ms after it was made");
    }
}

#[test]
fn certificates_renew_by_themselves() {
    let at = Arc::new(AtomicI64::new(NOW.0));
    let ticking = at.clone();
    let clock: Clock = Arc::new(move || Timestamp(ticking.load(Ordering::Relaxed)));
    let run = Own::run(org("ours"), run_id(), key(1).did(), sign(&key(1)), clock);
    let first = chain(&run);
    assert_eq!(chain(&run), first, "it is made once");
    // Hours pass: whenever it is asked for it holds.
    for _ in 0..100 {
        at.fetch_add(2 * MINUTE, Ordering::Relaxed);
        read(&chain(&run), Usage::Client, Timestamp(at.load(Ordering::Relaxed))).unwrap();
    }
    assert_ne!(chain(&run), first);
    // A clock that was set back by a day does not leave us with one of the future.
    at.fetch_sub(24 * 60 * MINUTE, Ordering::Relaxed);
    read(&chain(&run), Usage::Client, Timestamp(at.load(Ordering::Relaxed))).unwrap();
}

/// A certificate with these names for the key of `seed`, signed by that of `by`.
fn forged(seed: u8, by: u8, common: &Subject, names: &[&str], valid_ms: u64) -> CertificateDer<'static> {
    let mut params = params(common, NOW, valid_ms).unwrap();
    params.subject_alt_names = names.iter().map(|name| SanType::URI((*name).to_owned().try_into().unwrap())).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let above = super::params(&Subject::Device { org: org("ours"), did: key(by).did() }, NOW, valid_ms).unwrap();
    let issuer = Issuer::new(above, Signing { public: key(by).public(), sign: sign(&key(by)) });
    params.signed_by(&Public(key(seed).public()), &issuer).unwrap().der().clone()
}

#[test]
fn a_name_that_is_not_the_keys_own_is_refused() {
    let device = |seed: u8| Subject::Device { org: org("ours"), did: key(seed).did() };
    let name = |seed: u8| device(seed).to_string();
    let of_run = format!("spiffe://ours/run/{}", run_id());
    let read = |chain: &[CertificateDer<'static>]| read(chain, Usage::Client, NOW);
    let good = forged(1, 1, &device(1), &[&name(1)], 60_000);
    assert!(read(std::slice::from_ref(&good)).is_ok(), "the forger makes good ones too");
    // Another's name, two names, none, something else.
    for names in [&[name(2).as_str()][..], &[&name(1), &name(2)], &[], &["https://ours/device/x"], &["spiffe://ours/device/x/y"]] {
        assert!(read(&[forged(1, 1, &device(1), names, 60_000)]).is_err(), "{names:?}");
    }
    // Signed by another key; a run's alone; a run's under a device that did not sign it; one that lasts for a day.
    assert!(read(&[forged(1, 2, &device(1), &[&name(1)], 60_000)]).is_err());
    let leaf =
        |by: u8, valid_ms| forged(9, by, &Subject::Run { org: org("ours"), run: run_id(), issuer: key(by).did() }, &[&of_run], valid_ms);
    assert!(read(&[leaf(1, 60_000), good.clone()]).is_ok());
    assert!(read(&[leaf(1, 60_000)]).is_err());
    assert!(read(&[leaf(2, 60_000), good.clone()]).is_err());
    assert!(read(&[leaf(1, 24 * 60 * 60 * 1000), good.clone()]).is_err());
    // Another org's run; a device under a device; more than two.
    let theirs = format!("spiffe://theirs/run/{}", run_id());
    assert!(read(&[forged(9, 1, &device(1), &[&theirs], 60_000), good.clone()]).is_err());
    assert!(read(&[forged(2, 1, &device(2), &[&name(2)], 60_000), good.clone()]).is_err());
    assert!(read(&[leaf(1, 60_000), good.clone(), good]).is_err());
}

#[test]
fn no_session_is_resumed() {
    let config = super::server(own(1, "ours", NOW), listed(&[1]), clock(NOW)).unwrap();
    assert_eq!(config.send_tls13_tickets, 0);
    assert!(!config.session_storage.can_cache());
}

proptest! {
    #[test]
    fn whatever_is_shown_reading_it_only_refuses(bytes: Vec<u8>, more: Vec<u8>) {
        let chain = [CertificateDer::from(bytes), CertificateDer::from(more)];
        for usage in [Usage::Client, Usage::Server] {
            prop_assert!(read(&chain, usage, NOW).is_err());
            prop_assert!(read(&chain[..1], usage, NOW).is_err());
        }
    }

    #[test]
    fn one_changed_bit_makes_it_worthless(at: prop::sample::Index, bit in 0u8..8, which in 0usize..2) {
        let mut chain: Vec<Vec<u8>> = chain(&own_run(1, NOW)).iter().map(|c| c.to_vec()).collect();
        let at = at.index(chain[which].len());
        chain[which][at] ^= 1 << bit;
        let changed: Vec<CertificateDer<'static>> = chain.into_iter().map(CertificateDer::from).collect();
        prop_assert!(read(&changed, Usage::Client, NOW).is_err());
    }
}
