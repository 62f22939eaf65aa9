//! The doors: who is let in, what each role may do, and what comes out.

use crate::{
    support::{PASSES, acp_agent, acp_project, clear, command_agent, idle, machine, project, work},
    two::org,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::manifest::{Manifest, PAYLOAD_TYPE, Work};
use forge::Forge;
use identity::{Key, envelope::seal};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use testkit::Up;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_nothing_at_any_address_but_ok_from_health() {
    let up = machine().await;
    let document: Value = up.request(Method::GET, "/openapi.json", &up.token(), None).await.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 45, "the document lists {} addresses", paths.len());
    let mut asked = 0;
    for (path, item) in paths.iter().filter(|(path, _)| *path != "/health") {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for token in ["", "mw_made_up_token", "wrong"] {
                let response = up.request(method.clone(), path, token, (method == Method::POST).then(|| json!({}))).await;
                assert_eq!(response.status(), 401, "{method} {path} with “{token}”");
                let words = if token.is_empty() { "Nobody is signed in." } else { "This token is unknown here" };
                clear(&response.json::<Value>().await.unwrap()["error"], words);
                asked += 1;
            }
        }
    }
    assert!(asked > 130, "{asked} requests");
    for path in ["/mcp", "/api/v1/sign-in/link"] {
        assert_eq!(up.request(Method::POST, path, "", Some(json!({}))).await.status(), 401, "{path}");
    }
    assert_eq!(up.request(Method::GET, "/nowhere", "", None).await.status(), 401);
    assert_eq!(up.request(Method::GET, "/", "", None).await.status(), 401);
    let health = up.request(Method::GET, "/health", "", None).await;
    assert_eq!((health.status().as_u16(), health.text().await.unwrap().as_str()), (200, "ok"));
    let health: Value = up.request(Method::GET, "/health", &up.token(), None).await.json().await.unwrap();
    assert_eq!(health["org"], "crew");
    let get = async |path: &str| up.request(Method::GET, path, &up.token(), None).await.json::<Value>().await.unwrap();
    let capacity = get("/capacity").await;
    for amount in ["cpu_milli", "memory_bytes", "disk_bytes"] {
        assert!(capacity[0]["capacity"]["total"][amount].as_u64() > Some(0), "{amount}: {capacity:#}");
    }
    assert_eq!(get("/pods").await, json!([]));
    let metrics = up.request(Method::GET, "/metrics", &up.token(), None).await.text().await.unwrap();
    assert!(metrics.contains("meshwork_gossip_dropped_total{") && metrics.contains("reason=\"stale\""), "{metrics}");
    assert!(metrics.contains("meshwork_journal_events") && metrics.trim_end().ends_with("# EOF"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_pages_and_rebound_names_are_refused_and_a_link_works_once() {
    let up = machine().await;
    let token = up.token();
    let with =
        |name: &'static str, value: &str| up.http().get(format!("{}/capacity", up.url())).bearer_auth(&token).header(name, value).send();
    let evil = with("host", "evil.example").await.unwrap();
    assert_eq!(evil.status(), 403);
    clear(&evil.json::<Value>().await.unwrap()["error"], "not for this server");
    assert_eq!(with("host", "127.0.0.1:1").await.unwrap().status(), 403);
    assert_eq!(with("origin", "http://evil.example").await.unwrap().status(), 403);
    assert_eq!(with("origin", "null").await.unwrap().status(), 403);
    assert_eq!(with("origin", up.url()).await.unwrap().status(), 200);
    for (site, status) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
        let change = up.http().post(format!("{}/evict", up.url())).bearer_auth(&token).header("sec-fetch-site", site).json(&json!({}));
        assert_eq!(change.send().await.unwrap().status(), status, "a change that {site} began");
        assert_eq!(with("sec-fetch-site", site).await.unwrap().status(), 200, "reading changes nothing");
    }
    let form = up.http().post(format!("{}/evict", up.url())).bearer_auth(&token).header("content-type", "text/plain").body("{}");
    assert_eq!(form.send().await.unwrap().status(), 400, "a form of another page cannot send JSON");
    for (path, body, words) in [("/evict", json!([]), "must be an object"), ("/schedule", json!({"odd": 1}), "GET /openapi.json")] {
        let refused = up.request(Method::POST, path, &token, Some(body)).await;
        assert_eq!(refused.status(), 400, "{path}");
        clear(&refused.json::<Value>().await.unwrap()["error"], words);
    }
    let large = up.request(Method::POST, "/evict", &token, Some(json!({"reason": "x".repeat(1 << 20)}))).await;
    assert_eq!(large.status(), 413);
    clear(&large.json::<Value>().await.unwrap()["error"], "larger than 1 MiB");
    let method = up.request(Method::DELETE, "/capacity", &token, None).await;
    assert!(method.status() == 405 && method.headers().contains_key("allow"), "{method:?}");
    clear(&method.json::<Value>().await.unwrap()["error"], "this method");

    let first = up.http().get(up.sign_in()).send().await.unwrap();
    let cookie = first.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(first.status().is_redirection() && cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    // An address that is there also where the program was built without the dashboard's files.
    let seen = up.http().get(format!("{}/capacity", up.url())).header("cookie", session).send().await.unwrap();
    assert_eq!(seen.status(), 200);
    let again = up.http().get(up.sign_in()).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers().contains_key("set-cookie")), (401, false));
    let fresh = up.ok(&["open"]).await;
    assert!(up.http().get(fresh["url"].as_str().unwrap()).send().await.unwrap().status().is_redirection());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_stay_signed_in_over_a_restart_and_are_signed_out_one_by_one_or_all() {
    let mut up = machine().await;
    let first = signed_in(&up, up.sign_in()).await;
    up.kill().await;
    up.begin().await;
    let seen = |cookie: String| {
        let request = up.http().get(format!("{}/capacity", up.url())).header("cookie", cookie);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(seen(first.clone()).await, 200, "a restart signs nobody out");
    let second = signed_in(&up, up.ok(&["open"]).await["url"].as_str().unwrap()).await;
    let call = |verb: &str, cookie: &str, input: Value| {
        let request = up.http().post(format!("{}/api/v1/session/{verb}", up.url())).header("cookie", cookie).json(&input);
        async move { request.send().await.unwrap() }
    };
    let listed = up.http().get(format!("{}/api/v1/session/list", up.url())).header("cookie", &second).send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    let labels: Vec<_> = listed.as_array().unwrap().iter().map(|b| (b["label"].clone(), b["this"].clone())).collect();
    assert_eq!(labels, [(json!("Firefox on Linux"), json!(false)), (json!("Firefox on Linux"), json!(true))]);

    // A browser that is signed out is cut off where it watches.
    let watched = up.http().get(format!("{}/events", up.url())).header("cookie", &first).send().await.unwrap();
    let ended = tokio::spawn(async move { watched.text().await });
    assert_eq!(call("end", &second, json!({"id": listed[0]["id"]})).await.status(), 200);
    assert!(ended.await.unwrap().unwrap().contains("event: head"));
    assert_eq!((seen(first).await, seen(second.clone()).await), (401, 200));
    assert_eq!(call("end", &second, json!({"id": listed[0]["id"]})).await.status(), 404);
    assert_eq!(call("end_all", &second, json!({})).await.status(), 200);
    assert_eq!(seen(second.clone()).await, 401);
    // What is kept is a hash: neither cookie is anywhere in the journal's files.
    let secret = second.rsplit_once('_').unwrap().1.as_bytes();
    let org = fs::read_dir(up.data().join("orgs")).unwrap().next().unwrap().unwrap().path();
    let files: Vec<PathBuf> = fs::read_dir(org.join("store")).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()).collect();
    assert!(files.iter().any(|f| f.ends_with("journal.db")), "{files:?}");
    for file in files {
        assert!(!fs::read(&file).unwrap().windows(secret.len()).any(|w| w == secret), "{}", file.display());
    }
}

/// Opens a one-time link as a browser does; the answer is its cookie.
async fn signed_in(up: &Up, link: &str) -> String {
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let response = up.http().get(link).header("user-agent", agent).send().await.unwrap();
    response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_token_sees_and_changes_nothing_until_it_is_revoked() {
    let up = machine().await;
    let made = up.ok(&["token", "create", "--role", "viewer", "--label", "screen"]).await;
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert_eq!(up.request(Method::GET, "/api/v1/project/list", token, None).await.status(), 200);
    let document: Value = up.request(Method::GET, "/openapi.json", token, None).await.json().await.unwrap();
    let mut refused = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item["post"]["x-changes"] == true {
            let response = up.request(Method::POST, path, token, Some(json!({}))).await;
            assert_eq!(response.status(), 403, "{path}");
            refused += 1;
        }
    }
    assert!(refused > 25, "{refused} actions change something");
    assert_eq!(up.request(Method::GET, "/api/v1/credential/list", token, None).await.status(), 403);
    assert_eq!(up.request(Method::POST, "/api/v1/sign-in/link", token, Some(json!({}))).await.status(), 403);
    up.ok(&["token", "revoke", id]).await;
    assert_eq!(up.request(Method::GET, "/api/v1/project/list", token, None).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_resume_without_gaps_and_mcp_calls_an_action() {
    let up = machine().await;
    project(&up, "stream", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "echo hello; echo x > x.txt").await;
    let run = up.do_task("T001", "echo").await;
    let journal: Vec<u64> = up.journal().await.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert!(journal.len() > 12, "{journal:?}");
    for list in ["journal.list", "run.list"] {
        let (status, answer) = up.call(list, json!({"limit": 0})).await;
        assert_eq!(status, 400, "nobody is told that there is nothing: {answer}");
        clear(&answer["error"], "at most 0");
    }
    for path in ["/events?after=zzz", "/api/v1/run/zzz/log/events"] {
        let answer = up.request(Method::GET, path, &up.token(), None).await;
        assert_eq!(answer.status(), 400, "{path}");
        clear(&answer.json::<Value>().await.unwrap()["error"], "address");
    }
    let first = up.events("/events?after=0", None, 5).await;
    let last = first.last().unwrap().0.to_string();
    let rest = up.events("/events?after=0", Some(&last), journal.len() - 5).await;
    let seen: Vec<u64> = first.iter().chain(&rest).map(|(id, _)| *id).collect();
    assert_eq!(seen, journal, "every event once, in order");
    assert!(rest.iter().all(|(id, data)| data["seq"] == *id && data["event"]["type"].is_string()));
    let log = up.events(&format!("/api/v1/run/{}/log/events", run["id"].as_str().unwrap()), None, 3).await;
    let rest = up.events(&format!("/api/v1/run/{}/log/events", run["id"].as_str().unwrap()), Some("2"), 1).await;
    assert_eq!(rest[0], log[2], "a run's log resumes too");

    let mcp = |method: &str, params: Value| {
        let request = up.http().post(format!("{}/mcp", up.url())).bearer_auth(up.token());
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        request.header("accept", "application/json, text/event-stream").header("mcp-protocol-version", "2025-06-18").json(&body).send()
    };
    let tools: Value = mcp("tools/list", json!({})).await.unwrap().json().await.unwrap();
    let names: Vec<_> = tools["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"task_run") && names.contains(&"patch_merge"), "{names:?}");
    let listed: Value = mcp("tools/call", json!({"name": "task_list", "arguments": {}})).await.unwrap().json().await.unwrap();
    assert!(listed["result"]["content"][0]["text"].as_str().unwrap().contains("in_review"), "{listed}");

    let made = up.ok(&["token", "create", "--role", "owner"]).await;
    let (token, id) = (made["token"].as_str().unwrap(), &made["id"]);
    let removed = |agent: &str| json!({ "name": agent });
    let over_http = up.request(Method::POST, "/api/v1/agent/remove", token, Some(removed("echo"))).await;
    assert_eq!(over_http.status(), 200);
    command_agent(&up, "echo", "true").await;
    mcp("tools/call", json!({"name": "agent_remove", "arguments": removed("echo")})).await.unwrap().error_for_status().unwrap();
    let journal = up.journal().await;
    let doors: Vec<&Value> = journal.iter().filter(|e| e["event"]["type"] == "agent_set").map(|e| &e["event"]["via"]).collect();
    assert_eq!(doors, [&json!({"door": "cli"}), &json!({"door": "http", "token": id}), &json!({"door": "cli"}), &json!({"door": "mcp"})]);
    let alone = journal.iter().find(|e| e["event"]["type"] == "run_leased").unwrap();
    assert_eq!(alone["event"]["via"], Value::Null, "what the device does by itself came by no door");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_is_made_once_and_never_over_another_ones_journal() {
    let mut up = idle();
    up.begin().await;
    let journal = up.data().join("orgs/crew/store/journal.db");
    fs::create_dir_all(journal.parent().unwrap()).unwrap();
    fs::write(&journal, "somebody's work").unwrap();
    clear(&up.refused(&["org", "create", "crew"], 5).await, "journal or keys");
    assert_eq!(fs::read_to_string(&journal).unwrap(), "somebody's work");
    fs::remove_dir_all(up.data().join("orgs/crew/store")).unwrap();
    let make = || up.call("org.create", json!({"name": "crew", "member": "ada"}));
    let (one, two) = tokio::join!(make(), make());
    let mut made = [one.0, two.0];
    made.sort_unstable();
    assert_eq!(made, [200, 409], "{} {}", one.1, two.1);
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
}

/// The signed manifest of a run, as it lies in the blobs.
fn envelope(up: &Up, hash: &str) -> Value {
    let mut folders: Vec<PathBuf> = vec![up.data().join("orgs/crew/store")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false if entry.path().to_string_lossy().replace('/', "").ends_with(hash) => {
                    return serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
                }
                false => {}
            }
        }
    }
    panic!("no blob {hash}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_again_gets_its_lease_and_one_tampered_with_misfit_or_of_a_stranger_is_refused_with_its_reason() {
    let up = machine().await;
    project(&up, "signed", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let run = up.do_task("T001", "echo").await;
    let sealed = envelope(&up, run["envelope"].as_str().unwrap());
    let before = up.journal().await.len();
    let schedule = async |body: Value| {
        let response = up.request(Method::POST, "/schedule", &up.token(), Some(body)).await;
        (response.status().as_u16(), response.json::<Value>().await.unwrap().to_string())
    };

    let (status, repeated) = schedule(sealed.clone()).await;
    let lease = run["lease"].as_str().unwrap();
    assert!(status == 200 && repeated.contains("\"leased\"") && repeated.contains(lease), "{status} {repeated}");
    let payload = String::from_utf8(STANDARD.decode(sealed["payload"].as_str().unwrap()).unwrap()).unwrap();
    let mut greedy = sealed.clone();
    greedy["payload"] = json!(STANDARD.encode(payload.replacen("\"priority\":\"normal\"", "\"priority\":\"high\"", 1)));
    assert_ne!(greedy, sealed, "{payload}");
    let (status, tampered) = schedule(greedy).await;
    assert!(status == 200 && tampered.contains("refused") && tampered.contains("signature"), "{status} {tampered}");
    // Work of an agent that nobody knows: it would be leased, and fail then.
    let mut asked: Manifest = serde_json::from_str(&payload).unwrap();
    asked.run = "01J0000000000000000000000A".parse().unwrap();
    let Work::Task { agent, .. } = &mut asked.work else { unreachable!("a task's manifest") };
    *agent = "nobody".parse().unwrap();
    let dir = org(&up);
    let device = Forge::open(&dir.radicle(), &dir.member()).unwrap();
    let own = seal(&asked, PAYLOAD_TYPE, &device.device(), |message| Ok(device.sign_as_device(message))).unwrap();
    let (status, misfit) = schedule(serde_json::from_slice(&own.to_json().unwrap()).unwrap()).await;
    assert!(status == 200 && misfit.contains("refused") && misfit.contains("has no agent nobody"), "{status} {misfit}");
    let stranger = Key::generate().unwrap();
    let asked = Manifest { requester: stranger.did(), ..serde_json::from_str(&payload).unwrap() };
    let theirs = seal(&asked, PAYLOAD_TYPE, &stranger.did(), |message| Ok(stranger.sign(message))).unwrap();
    let (status, unlisted) = schedule(serde_json::from_slice(&theirs.to_json().unwrap()).unwrap()).await;
    assert!(status == 200 && unlisted.contains("refused") && unlisted.contains("The org does not list"), "{status} {unlisted}");
    let (status, broken) = schedule(json!({"payload": "%%%", "payloadType": "x", "signatures": []})).await;
    assert_eq!(status, 400, "{broken}");
    let (status, _) = schedule(json!({})).await;
    assert_eq!(status, 400);
    let runs = up.act("run.list", json!({"all": true})).await;
    assert_eq!(runs.as_array().unwrap().len(), 2, "the task's run and its checks, nothing else: {runs:#}");
    assert_eq!(up.journal().await.len(), before, "a refused manifest changes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_run_is_saved_and_goes_on_by_itself() {
    let up = machine().await;
    acp_project(&up, "evicted", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    up.in_state(&run, "working").await;
    up.until_logged(&run, "working now.").await;
    fs::write(work(&up, &run).join("half.txt"), "half of it").unwrap();
    let answer = up.request(Method::POST, "/evict", &up.token(), Some(json!({"reason": "I play a game now."}))).await;
    assert_eq!(answer.status(), 200);
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("evicted"), Some("evicted")), "{ended:#}");
    assert!(ended["checkpoint"].is_string() && ended["why"].as_str().unwrap().contains("I play a game now."), "{ended:#}");

    let look = || async {
        let runs = up.act("run.list", json!({})).await;
        if runs[0]["continues"] == run.as_str() { Ok(runs[0]["id"].as_str().unwrap().to_owned()) } else { Err(runs) }
    };
    let next = up.until("a run that goes on", look).await;
    up.in_state(&next, "working").await;
    up.until_logged(&next, "working now.").await;
    assert_eq!(fs::read_to_string(work(&up, &next).join("half.txt")).unwrap(), "half of it");
    fs::write(work(&up, &next).join("go"), "").unwrap();
    assert_eq!(up.ended(&next).await["state"], "done");
    up.refused(&["evict", &run], 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_answers_while_a_clone_waits_for_a_node_that_says_nothing() {
    let up = machine().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = identity::Key::generate().unwrap().did();
    let seed = format!("{nobody}@{}", silent.local_addr().unwrap());
    let clone = up.call("project.add", json!({"source": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "name": "far", "seeds": [seed]}));
    let meanwhile = async {
        let (_connection, _) = silent.accept().await.unwrap();
        let begun = std::time::Instant::now();
        let health = up.request(Method::GET, "/health", &up.token(), None).await;
        assert_eq!(health.json::<Value>().await.unwrap()["radicle_node"], true);
        up.ok(&["org", "show"]).await;
        let journal = up.journal().await;
        assert!(journal.iter().any(|e| e["event"]["type"] == "project_fetching" && e["event"]["from"] == nobody.as_str()), "{journal:#?}");
        (begun.elapsed(), _connection)
    };
    let mut clone = std::pin::pin!(clone);
    let took = tokio::select! {
        ended = &mut clone => panic!("the clone did not wait: {ended:?}"),
        (took, _connection) = meanwhile => took,
    };
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    let (status, problem) = clone.await;
    assert_eq!(status, 503, "{problem}");
    clear(&problem["error"], "No node gave the repository");
    let (_, problem) = up.call("project.add", json!({"source": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "name": "far"})).await;
    assert!(problem.to_string().contains("No other node is connected."), "{problem}");
}
