#![allow(clippy::unwrap_used)]
use super::{tickets::tests::serving, *};
use crate::{data_dir::make_private, fixtures::Opened, tailnet::Tailnet};
use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    routing::{get, post},
};
use domain::{Timestamp, org::VERSION};
use mesh::tailnet::managed::{HeadscaleConfig, Relay};
use serde_json::{Value, json};
use std::{fs, future::ready, path::Path, sync::Mutex, time::Duration};

/// What a server was told in `Authorization`, once for each question.
type Told = Arc<Mutex<Vec<Option<String>>>>;

/// A server that knows nothing, and notes with which keys it is asked.
async fn noting() -> (ServerUrl, Told) {
    let told = Told::default();
    let noted = told.clone();
    let note = move |request: Request| {
        let key = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        noted.lock().unwrap().push(key);
        ready(StatusCode::NOT_FOUND)
    };
    (serving(Router::new().fallback(note)).await.url().clone(), told)
}

/// A server with a policy and no machine; its policy, and what it was told of keys that are taken back.
async fn headscale() -> (ServerUrl, Arc<Mutex<String>>, Arc<Mutex<Vec<String>>>) {
    let (policy, expired) = (Arc::new(Mutex::new("{}".to_owned())), Arc::<Mutex<Vec<String>>>::default());
    let (reads, writes, expires) = (policy.clone(), policy.clone(), expired.clone());
    let read = move || ready(json!({ "policy": *reads.lock().unwrap() }).to_string());
    let write = move |body: String| {
        *writes.lock().unwrap() = serde_json::from_str::<Value>(&body).unwrap()["policy"].as_str().unwrap().to_owned();
        ready(StatusCode::OK)
    };
    let expire = move |body: String| {
        expires.lock().unwrap().push(body);
        ready(StatusCode::OK)
    };
    let app = Router::new()
        .route("/api/v1/health", get(|| ready(json!({ "databaseConnectivity": true }).to_string())))
        .route("/api/v1/user", get(|| ready(json!({ "users": [{ "id": "1", "name": "crew" }] }).to_string())))
        .route("/api/v1/node", get(|| ready(json!({ "nodes": [] }).to_string())))
        .route("/api/v1/policy", get(read).put(write))
        .route("/api/v1/preauthkey/expire", post(expire));
    (serving(app).await.url().clone(), policy, expired)
}

/// On a machine without tailscaled.
fn work(org: &Org) -> Work {
    Work::new(LocalApi::new(org.dir.root.join("no-tailscaled")))
}

/// Has the org name this server, or none.
async fn name(org: &Arc<Org>, server: Option<&ServerUrl>) {
    let settings = server.map(|server| org::Tailnet { version: VERSION, headscale: server.clone() });
    let text = settings.map(|settings| toml::to_string_pretty(&settings).unwrap().into_bytes());
    let change = move |org: &Arc<Org>| org.forge.change_org(&org.rid, "Say which tailnet it is", &[(settings::FILE.to_owned(), text)]);
    org.blocking(change).await.unwrap();
}

fn set_key(org: &Org, server: &ServerUrl, key: &str) {
    org.vault.set(settings::credential(server, Secret::from(key)).unwrap()).unwrap();
}

fn heard(told: &Told, key: &str) -> bool {
    told.lock().unwrap().iter().flatten().any(|heard| *heard == format!("Bearer {key}"))
}

#[tokio::test]
async fn an_api_key_goes_to_its_own_server_and_to_none_that_the_org_names_later() {
    let opened = Opened::new().await;
    let (org, mut work) = (&opened.org, work(&opened.org));
    let ((first, at_first), (second, at_second)) = (noting().await, noting().await);
    set_key(org, &first, "key-of-first");
    name(org, Some(&first)).await;
    look(org, &mut work).await;
    assert!(heard(&at_first, "key-of-first") && crate::tailnet::amiss(org).is_empty());

    name(org, Some(&second)).await;
    for _ in 0..2 {
        look(org, &mut work).await;
    }
    let told = at_second.lock().unwrap().clone();
    assert!(!told.is_empty() && told.iter().all(Option::is_none), "it is asked whether it is there, with no key: {told:?}");
    let amiss = crate::tailnet::amiss(org);
    assert!(amiss.iter().any(|finding| !finding.ok && finding.detail.contains(first.as_str())), "{amiss:?}");
    assert!(amiss[0].next.as_ref().is_some_and(|next| next.contains("meshwork credential set headscale")), "{amiss:?}");

    set_key(org, &second, "key-of-second");
    look(org, &mut work).await;
    assert!(heard(&at_second, "key-of-second") && !heard(&at_second, "key-of-first") && !heard(&at_first, "key-of-second"));
    assert!(crate::tailnet::amiss(org).is_empty());
}

/// A server that runs and answers nothing by itself: others listen at its address. Its program is `sh`, to which `serve` is a script.
async fn running(dir: &Path, url: &ServerUrl) -> managed::Headscale {
    let (home, socket) = (dir.join("headscale"), dir.join("socket"));
    make_private(&home).unwrap();
    fs::write(home.join("serve"), format!(": > '{}'; exec sleep 600", socket.display())).unwrap();
    let config = HeadscaleConfig {
        program: "sh".into(),
        dir: home,
        socket,
        url: url.clone(),
        listen: at(url),
        relay: Relay::Maps(vec![]),
        domain: "crew.mesh".into(),
        key_lasts: Duration::from_secs(60),
    };
    managed::Headscale::start(config).await.unwrap()
}

fn at(url: &ServerUrl) -> SocketAddr {
    url.as_str().strip_prefix("http://").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_server_that_this_device_runs_is_ended_once_the_org_names_another_to_which_that_ones_key_goes() {
    let opened = Opened::new().await;
    let (org, mut work, dir) = (&opened.org, work(&opened.org), tempfile::tempdir().unwrap());
    let ((ours, _), (other, at_other)) = (noting().await, noting().await);
    settings::run_here(&org.dir, &settings::Managed { listen: at(&ours), url: ours.clone() }).unwrap();
    work.server = Some(running(dir.path(), &ours).await);
    org.tailnet.see(Seen { server: Some(ours), known: true, managed: true, ..Seen::default() });
    let process = dir.path().join("headscale/headscale.pid");
    assert!(process.exists());

    name(org, Some(&other)).await;
    set_key(org, &other, "key-of-other");
    look(org, &mut work).await;
    assert!(work.server.is_none() && !process.exists(), "it has ended");
    assert!(!org.tailnet.seen().managed);
    let told = at_other.lock().unwrap().clone();
    assert!(!told.is_empty() && told.iter().flatten().all(|key| key == "Bearer key-of-other"), "{told:?}");
    assert!(heard(&at_other, "key-of-other"));
}

#[tokio::test]
async fn at_the_server_of_before_the_keys_are_taken_back_and_the_rules_once_there_is_no_other() {
    let opened = Opened::new().await;
    let (org, mut work) = (&opened.org, work(&opened.org));
    let ((before, policy, expired), (now, _)) = (headscale().await, noting().await);
    let rules = || policy.lock().unwrap().contains("meshwork crew begin");
    set_key(org, &before, "key");
    name(org, Some(&before)).await;
    look(org, &mut work).await;
    assert!(rules() && org.tailnet.seen().reached == Some(Ok(())));
    let api = org.tailnet.api().unwrap();
    tickets::remember(&org.dir, &api, "1", tickets::Key::new(before.clone(), "7".into(), Timestamp(i64::MAX))).await.unwrap();
    look(org, &mut work).await;
    assert!(org.tailnet.api().is_some() && expired.lock().unwrap().is_empty(), "it is the same");

    name(org, Some(&now)).await;
    look(org, &mut work).await;
    assert_eq!(*expired.lock().unwrap(), ["{\"id\":\"7\"}"]);
    assert!(rules(), "who has not heard of it needs them");
    assert!(!work.said.contains_key(LEFT_BEHIND), "no key counts there any more: {:?}", work.said);
    let seen = org.tailnet.seen();
    assert!(seen.server == Some(now) && !seen.managed && org.tailnet.api().is_none());

    name(org, Some(&before)).await;
    look(org, &mut work).await;
    assert!(rules() && org.tailnet.api().is_some());
    name(org, None).await;
    look(org, &mut work).await;
    assert!(!rules() && org.tailnet.api().is_none() && org.tailnet.seen().server.is_none());
}

#[tokio::test]
async fn what_is_known_of_machines_and_cannot_be_read_stays_as_it_is_and_holds_up_nothing_else() {
    let opened = Opened::new().await;
    let (org, mut work) = (&opened.org, work(&opened.org));
    let (server, policy, _) = headscale().await;
    make_private(&org.dir.tailnet()).unwrap();
    let file = org.dir.tailnet().join("devices.json");
    fs::write(&file, "{").unwrap();
    set_key(org, &server, "key");
    name(org, Some(&server)).await;
    look(org, &mut work).await;
    let amiss = crate::tailnet::amiss(org);
    assert!(amiss.len() == 1 && amiss[0].detail.contains("devices.json is damaged") && amiss[0].next.is_some(), "{amiss:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "{");
    assert!(policy.lock().unwrap().contains("meshwork crew begin"));

    fs::remove_file(&file).unwrap();
    look(org, &mut work).await;
    assert!(crate::tailnet::amiss(org).is_empty() && file.exists());
}

#[tokio::test]
async fn keys_are_left_behind_only_once_it_is_known_that_their_server_is_not_the_orgs() {
    let opened = Opened::new().await;
    let (org, api, mut work) = (&opened.org, serving(Router::new()).await, work(&opened.org));
    tickets::remember(&org.dir, &api, "1", tickets::Key::new(api.url().clone(), "7".into(), Timestamp(i64::MAX))).await.unwrap();
    let left = || crate::tailnet::left_behind(org).is_some();
    assert!(left(), "its repository was read when it was opened, and names no server");

    org.tailnet.see(Tailnet::of(Err(Problem::internal("away"))).seen());
    assert!(!left(), "its repository could not be read");
    work.change_to(org, None).await;
    assert!(left(), "it has no tailnet");
    work.change_to(org, Some(api.url())).await;
    assert!(!left(), "theirs is its server again, though nobody asked it yet");
}

#[tokio::test]
async fn a_machine_that_the_server_does_not_know_is_out_of_the_tailnet() {
    let answers = |status: StatusCode| serving(Router::new().fallback(move || ready(status)));
    assert!(answers(StatusCode::NOT_FOUND).await.delete("3").await.is_ok());
    assert!(answers(StatusCode::BAD_GATEWAY).await.delete("3").await.is_err());
}

#[test]
fn a_tailscaled_of_another_server_is_told_apart() {
    assert!(same_server("http://10.0.0.1:8080", "http://10.0.0.1:8080/").is_ok());
    let other = same_server("https://controlplane.tailscale.com", "http://10.0.0.1:8080").unwrap_err();
    assert!(other.why.unwrap().contains("controlplane.tailscale.com"));
}
