//! A secret of every kind goes through a whole run, from the vault to the merge, and is found nowhere but where it belongs.
//!
//! What is looked at is first shown to be searchable: a decoy that the run itself spreads is found in each place.

use crate::support::{PASSES, have_engine, idle, project, started, storage, text, work};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Stdio, time::Duration};
use testkit::{TokenServer, Up, canary::Search, descendants, git, model::ScriptedModel, random_name};

/// The secrets, by the kind of credential.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn new() -> Self {
        let kinds =
            ["api-key", "token", "git-host", "radicle-passphrase", "obsidian", "generic", "login-access", "login-refresh", "webhook"];
        // With characters that encodings change.
        Self(kinds.map(|kind| (kind, format!("{}/a+b", random_name(&format!("canary-{kind}"))))).into())
    }

    fn of(&self, kind: &str) -> &str {
        &self.0.iter().find(|(name, _)| *name == kind).unwrap().1
    }

    fn search(&self) -> Search {
        self.search_with(&[])
    }

    fn search_with(&self, more: &[(&str, &str)]) -> Search {
        Search::new(&self.0.iter().map(|(name, secret)| (*name, secret.as_str())).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    async fn keep_in(&self, up: &Up, provider: &TokenServer) {
        for (kind, secret) in self.0.iter().filter(|(kind, _)| !kind.starts_with("login") && *kind != "webhook") {
            let set = up.run_with(&["credential", "set", kind, "--kind", kind], secret).await;
            assert_eq!(set.code, 0, "{kind}: {set:?}");
        }
        let login = json!({
            "token_url": provider.token_url(), "client_id": "me", "access_token": self.of("login-access"),
            "refresh_token": self.of("login-refresh"), "expires_at": 32_503_680_000_000_u64,
        });
        let set = up.run_with(&["credential", "set", "login", "--kind", "login"], &login.to_string()).await;
        assert_eq!(set.code, 0, "{set:?}");
    }
}

/// Looks at everything that lies on disk; kinds are told apart so that each is known to have been there.
fn on_disk(search: &mut Search, up: &Up, more: &[&Path]) {
    let org = up.data().join("orgs/crew");
    search.folder("Radicle storage", &storage(up));
    search.folder("journal, blobs and logs of runs", &org.join("store"));
    search.folder("the vault, encrypted", &org.join("vault"));
    search.folder("the whole folder", up.folder());
    more.iter().for_each(|folder| search.folder("elsewhere", folder));
    search.bytes("log", "up.log", up.log().as_bytes());
    for kind in ["Radicle storage", "journal, blobs and logs of runs", "the vault, encrypted", "the whole folder", "log"] {
        assert!(search.looked_bytes(kind) > 0, "{kind}: nothing was there to look at");
    }
}

/// Looks at the answer of every GET that there is.
async fn answers(search: &mut Search, up: &Up, run: &str, patch: &str) {
    let token = up.token();
    let document: Value = up.request(Method::GET, "/openapi.json", &token, None).await.json().await.unwrap();
    let mut good = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(get) = methods.get("get").filter(|_| path != "/events") else { continue };
        let values =
            [("run", run), ("patch", patch), ("what", patch), ("name", "api-key"), ("text", "run"), ("task", "T001"), ("limit", "1000")];
        let named = |name: &str| values.iter().find(|(n, _)| *n == name).map(|(_, value)| format!("{name}={value}"));
        let parameters = get["parameters"].as_array().into_iter().flatten();
        let query: Vec<String> = parameters.filter_map(|p| named(p["name"].as_str()?)).collect();
        let answer = up.request(Method::GET, &format!("{path}?{}", query.join("&")), &token, None).await;
        good += usize::from(answer.status().is_success());
        search.bytes("HTTP", &format!("GET {path} headers"), format!("{:?}", answer.headers()).as_bytes());
        search.bytes("HTTP", &format!("GET {path}"), &answer.bytes().await.unwrap());
    }
    assert!(good >= 30, "only {good} answered");
    let events = up.events("/events?after=0", Some("0"), 20).await;
    search.bytes("HTTP", "GET /events", format!("{events:?}").as_bytes());
    let metrics = up.request(Method::GET, "/metrics", &token, None).await.text().await.unwrap();
    assert!(metrics.contains("# TYPE"), "{metrics}");
    search.bytes("metrics", "GET /metrics", metrics.as_bytes());
}

/// Looks at every process of a run: its runner, its sandbox, its engine, with their memory.
fn alive(search: &mut Search, up: &Up, run: &str) -> usize {
    search.folder("the run's folder", work(up, run).parent().unwrap());
    let pids: Vec<i32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(run) && line.contains("agent")
        })
        .collect();
    let all: Vec<i32> = pids.iter().flat_map(|pid| descendants(*pid)).collect();
    all.iter().filter(|pid| search.process("a process of the run", **pid)).count()
}

fn nowhere(search: &Search, when: &str) {
    assert_eq!(search.found(), [], "{when}");
    assert_eq!(search.unreadable(), [""; 0], "{when}: a place that cannot be read may hold anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_of_every_kind_is_nowhere_after_a_whole_run() {
    let (secrets, decoy) = (Secrets::new(), random_name("decoy-of-the-test"));
    let provider = TokenServer::start().await.unwrap();
    let model = ScriptedModel::requiring(secrets.of("api-key")).await.unwrap();
    // Everything that the program can say about itself is looked at too.
    let mut up = started(idle().set("MESHWORK_LOG", "trace")).await;
    if !have_engine(&up, "codex").await {
        return;
    }
    secrets.keep_in(&up, &provider).await;
    let hook = format!("http://127.0.0.1:9/hook?key={}", secrets.of("webhook"));
    up.act("webhook.set", json!({"url": hook})).await;
    let (name, url) = (random_name("cage"), model.base_url());
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "api-key"];
    up.ok(&[&["agent", "add", "bird", "--engine", "codex"][..], &about].concat()).await;
    up.ok(&["quota", "price", "scripted-1", "--input", "1", "--output", "2"]).await;
    // What an engine can find is spread by its own shell, the decoy with it.
    let see = "(env; cat /proc/*/environ /proc/*/cmdline) 2>/dev/null | tr -c '[:print:]' '\\n' > seen.txt; true";
    let tasks = format!(
        "- [ ] T001 [P] Look around for {decoy} [[shell:{see}]] [[write:found.txt={decoy}]] [[say:Seen {decoy}.]]\n\
         - [ ] T002 [P] Wait with {decoy} [[slow:200]] [[say:{}]]\n",
        "word ".repeat(60)
    );
    project(&up, &name, &tasks, PASSES).await;
    let mirror = up.folder().join("mirror.git");
    fs::create_dir(&mirror).unwrap();
    git(&mirror, &["init", "--quiet", "--bare", "--initial-branch=main"]);
    up.ok(&["project", "mirror", mirror.to_str().unwrap()]).await;

    // While an engine lives: what it has in memory holds the decoy, and no secret.
    let live = up.start_task("T002", "bird").await;
    let look = || async { if model.calls().iter().any(|c| c.answer.is_some()) { Ok(()) } else { Err(json!("no call yet")) } };
    up.until("the engine waits for its model", look).await;
    // Held, so that it stays as it is while it is looked at.
    up.ok(&["run", "pause", &live]).await;
    let mut search = secrets.search_with(&[("decoy", &decoy)]);
    assert!(alive(&mut search, &up, &live) >= 3, "runner, sandbox and engine");
    let (decoys, others): (Vec<_>, Vec<_>) = search.found().iter().partition(|s| s.secret == "decoy");
    assert!(decoys.iter().any(|s| s.place.contains("memory of process")), "{decoys:?}");
    assert!(search.looked_bytes("a process of the run: memory") > 20_000_000, "the engine's memory was looked at");
    assert!(others.is_empty() && search.unreadable().is_empty(), "while the engine lives: {others:#?} {:#?}", search.unreadable());
    up.ok(&["run", "stop", &live]).await;
    up.ended(&live).await;

    let run = up.do_task("T001", "bird").await;
    assert!(!run["usage"]["cost"].is_null(), "{run:#}");
    let patch = text(&run["patch"]);
    let seen = up.ok(&["patch", "diff", &patch]).await.to_string();
    assert!(seen.contains("MESHWORK_TASK"), "the engine looked into its sandbox: {seen}");
    up.ok(&["patch", "comment", &patch, "-m", &format!("About {decoy}.")]).await;
    up.merge(&patch).await;
    up.ok(&["project", "sync"]).await;
    for kind in ["login", "api-key"] {
        assert_eq!(up.ok(&["credential", "test", kind]).await["good"], true);
    }
    let backup = up.folder().join("saved.mwb");
    let saved = up.run_with(&["backup", backup.to_str().unwrap()], "correct horse battery").await;
    assert_eq!(saved.code, 0, "{saved:?}");

    let id = text(&run["id"]);
    // The search finds what was spread, in every place and packing that there is by itself.
    let mut decoys = Search::new(&[("decoy", &decoy)]);
    on_disk(&mut decoys, &up, &[]);
    answers(&mut decoys, &up, &id, &patch).await;
    for (place, packed) in
        [("radicle/storage", "zlib"), ("store", ""), ("mirror.git", "zlib"), ("GET /api/v1/patch/diff", ""), ("GET /api/v1/run/logs", "")]
    {
        let there = decoys.found().iter().any(|s| s.place.contains(place) && s.spelling.contains(packed));
        assert!(there, "{place} {packed}: {:#?}", decoys.found());
    }

    let mut search = secrets.search();
    on_disk(&mut search, &up, &[]);
    answers(&mut search, &up, &id, &patch).await;
    // What `up` says when it crashes, and no image of its memory is left.
    crash(&mut search, &mut up).await;
    nowhere(&search, "after the run");
    let own = secrets.of("api-key").to_owned();
    assert_eq!(model.keys(), [own].into(), "it did reach its provider");

    // The same search finds each secret where the test puts it, in every place that can be written.
    for (kind, secret) in &secrets.0 {
        search.clear();
        let planted = up.data().join("orgs/crew/store").join(format!("planted-{kind}"));
        fs::write(&planted, secret).unwrap();
        on_disk(&mut search, &up, &[]);
        assert!(search.found().iter().any(|s| s.secret == *kind && s.place.contains("planted-")), "{kind}: {:?}", search.found());
        fs::remove_file(&planted).unwrap();
    }
}

/// Ends `up` as a crash does, and looks at what that left.
async fn crash(search: &mut Search, up: &mut Up) {
    let record: Value = serde_json::from_slice(&fs::read(up.data().join("up.json")).unwrap()).unwrap();
    let pid = record["pid"].as_i64().unwrap();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().nth(4) == Some("0"), "an image of its memory would hold keys: {core}");
    let aborted = std::process::Command::new("kill").args(["-ABRT", &pid.to_string()]).stdin(Stdio::null()).status().unwrap();
    assert!(aborted.success());
    let gone = async {
        while Path::new(&format!("/proc/{pid}/mem")).exists() && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|l| !l.is_empty()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("it ends");
    search.bytes("crash output", "up.log", up.log().as_bytes());
    search.folder("crash output", up.folder());
}
