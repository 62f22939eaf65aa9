//! Our clients against the real programs: Headscale's API, tailscaled's LocalAPI, and what a policy really lets through.

use crate::lab;
use domain::{Kind, OrgName, Timestamp};
use identity::Secret;
use mesh::tailnet::{
    headscale::{Headscale, NewKey, Stays, Uses},
    localapi::{Enter, LocalApi, State},
    managed::{self, HeadscaleConfig, Relay},
    policy,
};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};
use testkit::tailnet::{Lab, URL, inside, inside_async};

/// How long what is waited for may take.
const WAIT: Duration = Duration::from_secs(60);
/// How long it is tried to connect to what a policy keeps shut.
const SHUT: Duration = Duration::from_secs(3);
/// What a person wrote.
const BY_HAND: &str = "{\n  // the printer is for everybody\n  \"hosts\": {\"printer\": \"100.64.9.9\"},\n  \"acls\": [\n    {\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"printer:631\"]}, // keep\n  ],\n}\n";

/// A client of its own for each runtime: connections that are kept belong to the one on which they were made.
fn client(api_key: &str) -> Headscale {
    Headscale::new(URL.parse().unwrap(), Secret::from(api_key)).unwrap()
}

fn acme() -> OrgName {
    "acme".parse().unwrap()
}

fn input(join: &[&str]) -> policy::Input {
    let join = join.iter().map(|at| at.parse().unwrap()).collect();
    policy::Input { org: acme(), user: "acme".into(), mesh: BTreeSet::new(), gossip: BTreeSet::new(), radicle: BTreeSet::new(), join }
}

fn in_an_hour() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(now.as_millis()).unwrap()).plus_ms(3_600_000)
}

async fn key(api_key: &str, tag: String) -> Secret {
    let server = client(api_key);
    let user = server.user("acme").await.unwrap();
    let wanted = NewKey { user: &user.id, tags: vec![tag], expires: in_an_hour(), uses: Uses::Once, stays: Stays::Always };
    server.new_key(&wanted).await.unwrap().1
}

/// Lets a machine in, with a tag, and gives its address.
fn let_in(lab: &mut Lab, api_key: &str, machine: usize, name: &str, tag: String) -> IpAddr {
    lab.start_tailscaled(machine);
    let auth_key = inside_async(&lab.hub_namespace(), || key(api_key, tag));
    let local = LocalApi::new(lab.socket(machine));
    inside_async(&lab.namespace(machine), || async move {
        assert_eq!(local.status().await.unwrap().backend_state, State::NeedsLogin);
        local.enter(Enter { server: URL, auth_key: &auth_key, host_name: name }).await.unwrap();
        local.until_running(WAIT).await.unwrap().address().unwrap()
    })
}

/// Whether a connection from a machine gets through to another.
fn reaches(lab: &Lab, from: usize, to: usize, at: SocketAddr) -> bool {
    let listener = inside(&lab.namespace(to), || TcpListener::bind(at).unwrap());
    std::thread::scope(|scope| {
        let answers = scope.spawn(move || {
            listener.set_nonblocking(true).unwrap();
            let until = std::time::Instant::now() + SHUT * 2;
            while std::time::Instant::now() < until {
                if let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.write_all(b"x");
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let through = inside(&lab.namespace(from), || {
            let connected = TcpStream::connect_timeout(&at, SHUT);
            connected.and_then(|mut stream| stream.read_exact(&mut [0])).is_ok()
        });
        answers.join().unwrap();
        through
    })
}

#[test]
fn users_keys_machines_and_the_policy_through_the_real_api() {
    let Some(mut lab) = lab(1) else { return };
    lab.start_server();
    let api_key = lab.api_key();
    let_in(&mut lab, &api_key, 0, "adas-box", policy::joining_tag(&acme()));
    let hub = lab.hub_namespace();
    inside_async(&hub, || async {
        let server = client(&api_key);
        server.health().await.unwrap();
        let (first, again) = (server.user("acme").await.unwrap(), server.user("acme").await.unwrap());
        assert_eq!(first, again);
        assert_eq!(server.policy().await.unwrap(), None);
        server.set_policy(&policy::apply("", &input(&[])).unwrap()).await.unwrap();
        let wrong =
            server.set_policy("{\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:nope\"], \"dst\": [\"*:*\"]}]}").await.unwrap_err();
        assert!(wrong.kind == Kind::Invalid && wrong.to_string().contains("tag:nope"), "{wrong}");

        let keys = server.keys().await.unwrap();
        assert!(keys.len() == 1 && keys[0].used && keys[0].acl_tags == ["tag:acme-joining"], "{keys:?}");
        let (listed, _) = server
            .new_key(&NewKey { user: &first.id, tags: vec![], expires: in_an_hour(), uses: Uses::Many, stays: Stays::WhileOnline })
            .await
            .unwrap();
        assert!(listed.reusable && listed.ephemeral && !listed.used);
        server.expire_key(&listed.id).await.unwrap();

        let node = server.nodes().await.unwrap().remove(0);
        assert_eq!((node.given_name.as_str(), node.tags.as_slice()), ("adas-box", &["tag:acme-joining".to_owned()][..]));
        server.set_tags(&node.id, &[policy::device_tag(&acme())]).await.unwrap();
        server.rename(&node.id, "adas-laptop").await.unwrap();
        let node = server.nodes().await.unwrap().remove(0);
        assert_eq!((node.given_name.as_str(), node.tags.as_slice()), ("adas-laptop", &["tag:acme-device".to_owned()][..]));
        let nobodys = server.set_tags("99", &[policy::device_tag(&acme())]).await.map_err(|p| p.kind).unwrap_err();
        assert!(matches!(nobodys, Kind::NotFound | Kind::Invalid), "{nobodys:?}");
        server.expire(&node.id).await.unwrap();
        server.delete(&node.id).await.unwrap();
        assert!(server.nodes().await.unwrap().is_empty());

        let stranger = Headscale::new(URL.parse().unwrap(), Secret::from("hskey-api-no")).unwrap();
        assert_eq!(stranger.nodes().await.unwrap_err().kind, Kind::Forbidden);
    });
    lab.stop_server();
    let away = inside_async(&hub, || async { client(&api_key).nodes().await.unwrap_err() });
    assert!(away.kind == Kind::Unavailable && away.next.unwrap().contains("What runs goes on"));
}

#[test]
fn tailscaled_says_how_it_stands_and_who_is_at_an_address() {
    let Some(mut lab) = lab(2) else { return };
    lab.start_server();
    let api_key = lab.api_key();
    let tag = policy::device_tag(&acme());
    let ada = let_in(&mut lab, &api_key, 0, "adas-box", tag.clone());
    let bob = let_in(&mut lab, &api_key, 1, "bobs-box", tag.clone());
    let local = LocalApi::new(lab.socket(0));
    inside_async(&lab.namespace(0), || async {
        let until = tokio::time::Instant::now() + WAIT;
        let whois = loop {
            match local.whois(SocketAddr::new(bob, 80)).await.unwrap() {
                Some(whois) => break whois,
                None => assert!(tokio::time::Instant::now() < until, "bob is seen"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(whois.node.ips().contains(&bob) && whois.node.tags == [tag.clone()], "{whois:?}");
        assert_eq!(whois.user_profile.login_name, "tagged-devices");
        assert_eq!(local.whois("100.64.99.99:80".parse().unwrap()).await.unwrap(), None);
        let status = local.status().await.unwrap();
        assert!(
            status.tun && status.address() == Some(ada) && status.peers.values().any(|peer| peer.addresses.contains(&bob)),
            "{status:?}"
        );
        assert_eq!(local.prefs().await.unwrap().control_url, URL);
    });
    lab.stop_tailscaled(0);
    let gone = inside_async(&lab.namespace(0), || async { LocalApi::new(lab.socket(0)).status().await.unwrap_err() });
    assert_eq!(gone.kind, Kind::Unavailable);
}

#[test]
fn the_orgs_rules_hold_and_those_written_by_hand_survive() {
    let Some(mut lab) = lab(3) else { return };
    lab.start_server();
    let api_key = lab.api_key();
    let hub = lab.hub_namespace();
    let applied = inside_async(&hub, || async {
        let server = client(&api_key);
        server.user("acme").await.unwrap();
        server.set_policy(BY_HAND).await.unwrap();
        let wanted = policy::apply(&server.policy().await.unwrap().unwrap(), &input(&[])).unwrap();
        server.set_policy(&wanted).await.unwrap();
        wanted
    });
    let ada = let_in(&mut lab, &api_key, 0, "adas-box", policy::device_tag(&acme()));
    let bob = let_in(&mut lab, &api_key, 1, "bobs-box", policy::device_tag(&acme()));
    let_in(&mut lab, &api_key, 2, "eves-box", policy::joining_tag(&acme()));
    let at = |ip: IpAddr, port: u16| SocketAddr::new(ip, port);
    inside_async(&hub, || async {
        let server = client(&api_key);
        let join = at(ada, policy::JOIN).to_string();
        let wanted = policy::apply(&server.policy().await.unwrap().unwrap(), &input(&[&join])).unwrap();
        server.set_policy(&wanted).await.unwrap();
        let kept = server.policy().await.unwrap().unwrap();
        assert_eq!(kept, wanted, "the server keeps every byte");
        assert_eq!(policy::apply(&kept, &input(&[&join])).unwrap(), kept);
        for line in BY_HAND.lines().filter(|line| line.trim().len() > 2) {
            assert!(kept.lines().any(|l| l == line), "{line}\n---\n{kept}");
        }
        assert_ne!(kept, applied);
    });
    // The server tells the machines in its own time: what is to open is waited for, and then what is to stay shut is looked at.
    let until = std::time::Instant::now() + WAIT;
    while !(reaches(&lab, 1, 0, at(ada, policy::MESH)) && reaches(&lab, 2, 0, at(ada, policy::JOIN))) {
        assert!(std::time::Instant::now() < until, "devices reach each other, and who joins the Join port");
    }
    assert!(reaches(&lab, 0, 1, at(bob, policy::RADICLE)));
    assert!(!reaches(&lab, 1, 0, at(ada, 22)), "only our ports");
    assert!(!reaches(&lab, 2, 0, at(ada, policy::MESH)) && !reaches(&lab, 2, 1, at(bob, policy::JOIN)), "who joins reaches one Join port");
}

/// A server of our own at the hub.
fn managed_config(lab: &Lab, dir: &Path, key_lasts: Duration) -> HeadscaleConfig {
    HeadscaleConfig {
        program: lab.bin().join("headscale"),
        dir: dir.join("hs"),
        socket: dir.join("s"),
        url: URL.parse().unwrap(),
        listen: "10.98.0.1:8080".parse().unwrap(),
        relay: Relay::Embedded { stun: "10.98.0.1:3478".parse().unwrap() },
        domain: "acme.mesh".into(),
        key_lasts,
    }
}

#[test]
fn the_key_of_a_server_that_we_run_is_made_anew_while_it_runs_and_the_one_of_before_taken_back() {
    let Some(lab) = lab(0) else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = managed_config(&lab, dir.path(), Duration::from_secs(30));
    inside_async(&lab.hub_namespace(), || async {
        let refused = async |key: &Secret| client(key.expose()).nodes().await.err().map(|problem| problem.kind);
        let server = managed::Headscale::start(config.clone()).await.unwrap();
        let first = server.api_key().await.unwrap();
        assert!(server.api_key().await.unwrap() == first, "one that is fresh is used again");
        let until = tokio::time::Instant::now() + WAIT;
        let second = loop {
            let now = server.api_key().await.unwrap();
            if now != first {
                break now;
            }
            assert!(tokio::time::Instant::now() < until, "it is made anew");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        // By itself it would count for half of its life yet.
        assert!(server.api_key().await.unwrap() == second);
        assert_eq!((refused(&first).await, refused(&second).await), (Some(Kind::Forbidden), None));
        server.stop().await;
        let again = managed::Headscale::start(config).await.unwrap();
        let third = again.api_key().await.unwrap();
        assert_eq!((refused(&second).await, refused(&third).await), (Some(Kind::Forbidden), None), "no key is left behind by an end");
        again.forget_key().await;
        let fourth = again.api_key().await.unwrap();
        assert_eq!((refused(&third).await, refused(&fourth).await), (Some(Kind::Forbidden), None));
        again.stop().await;
    });
}

#[test]
fn a_server_that_we_run_serves_gives_a_key_and_is_back_after_a_kill() {
    let Some(lab) = lab(0) else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = managed_config(&lab, dir.path(), Duration::from_secs(3_600));
    inside_async(&lab.hub_namespace(), || async {
        let mut managed = managed::Headscale::start(config.clone()).await.unwrap();
        let server = Headscale::new(URL.parse().unwrap(), managed.api_key().await.unwrap()).unwrap();
        server.user("acme").await.unwrap();
        let managed::State::Up { pid } = managed.running.state() else { panic!("it runs") };
        let id = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        let up = async {
            while !matches!(managed.running.changed().await, managed::State::Up { pid: now } if now != pid) {}
            while server.user("acme").await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(WAIT, up).await.unwrap();
        managed.stop().await;
        assert!(server.health().await.is_err());
        assert!(Path::new(&dir.path().join("hs/headscale.log")).exists());
        // What it knew is there at the next start.
        let again = managed::Headscale::start(config.clone()).await.unwrap();
        let server = Headscale::new(URL.parse().unwrap(), again.api_key().await.unwrap()).unwrap();
        assert_eq!(server.user("acme").await.unwrap().id, "1");
        again.stop().await;
    });
}
