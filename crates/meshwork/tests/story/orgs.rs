//! Several orgs on one machine share nothing but the machine.

use crate::{
    support::{PASSES, acp_agent, acp_project, beat, clear, idle, machine, text, work},
    two::Two,
};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use std::fs;
use testkit::{Repository, Up};

/// The process of an org.
fn process_of(up: &Up, org: &str) -> Option<i32> {
    let folder = up.data().to_string_lossy().into_owned();
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let mut found = pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
        words.contains(&"org-process".to_owned()) && words.contains(&folder) && words.windows(2).any(|w| w == ["--org", org])
    });
    found.next()
}

fn alive(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

/// A machine in the orgs `crew` and `beta`.
async fn two() -> Up {
    let up = machine().await;
    up.ok(&["org", "create", "beta", "--member", "bob"]).await;
    up
}

/// Waits until every org serves.
async fn all_up(up: &Up) -> Value {
    let look = || async move {
        let orgs = up.ok(&["org", "list"]).await;
        let all = orgs.as_array().is_some_and(|all| all.len() == 2 && all.iter().all(|org| org["state"] == "up"));
        if all { Ok(orgs) } else { Err(orgs) }
    };
    up.until("both orgs serve", look).await
}

async fn goes_on(up: &Up, run: &str) {
    let before = beat(up, run).await;
    let look = || async { if beat(up, run).await > before { Ok(()) } else { Err(json!(before)) } };
    up.until("the agent goes on", look).await;
}

/// Lets the agent of a run in `crew` finish, and waits for its end.
async fn finish(up: &Up, run: &str) -> Value {
    fs::write(work(up, run).join("go"), "").unwrap();
    let look = || async move {
        let seen = up.ok(&["--org", "crew", "run", "show", run]).await;
        if seen["state"] == "done" { Ok(seen) } else { Err(seen) }
    };
    up.until("the run is done", look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_org_gets_a_process_of_its_own_while_runs_of_the_first_go_on() {
    let up = machine().await;
    acp_project(&up, "steady", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    up.in_state(&run, "working").await;
    beat(&up, &run).await;
    assert_eq!(up.ok(&["org", "list"]).await[0]["name"], "crew");

    let made = up.ok(&["org", "create", "beta", "--member", "bob"]).await;
    assert_eq!(made["name"], "beta");
    let beta = up.ok(&["--org", "beta", "org", "show"]).await;
    let crew = up.ok(&["--org", "crew", "org", "show"]).await;
    for key in ["rid", "device", "member", "node", "radicle", "rad_home"] {
        assert!(crew[key].is_string() && crew[key] != beta[key], "{key} is shared: {crew:#} {beta:#}");
    }
    assert_eq!(made["device"], beta["device"]);
    assert!(process_of(&up, "crew").is_some() && process_of(&up, "crew") != process_of(&up, "beta"));
    all_up(&up).await;
    goes_on(&up, &run).await;

    // Engines are the machine's: no org has to be named for them.
    let engines = up.ok(&["engine", "list"]).await;
    assert!(engines.as_array().is_some_and(|all| !all.is_empty()), "{engines}");
    assert_eq!(engines, up.ok(&["--org", "beta", "engine", "list"]).await);
    clear(&up.refused(&["engine", "install", "nothing-like-it"], 4).await, "nothing-like-it");
    let problem = up.refused(&["run", "list"], 2).await;
    clear(&problem, "beta, crew");
    clear(&up.refused(&["--org", "nobody", "run", "list"], 4).await, "beta, crew");
    assert_eq!(up.ok(&["--org", "beta", "run", "list"]).await, json!([]));
    let events = up.ok(&["--org", "beta", "journal", "list"]).await;
    assert!(!events.to_string().contains(&run), "{events:#}");
    clear(&up.refused(&["org", "create", "beta"], 5).await, "beta");

    let ended = finish(&up, &run).await;
    assert_eq!(ended["attempt"], 0, "it is the same run: {ended:#}");
    for org in ["crew", "beta"] {
        assert_eq!(up.ok(&["--org", org, "journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_orgs_tells_which_of_them_does_not_list_this_device_any_more() {
    let two = Two::start().await;
    two.bob.ok(&["org", "create", "beta", "--member", "bob"]).await;
    let orgs = all_up(&two.bob).await;
    assert!(orgs.as_array().unwrap().iter().all(|org| org["removed"].is_null()), "{orgs}");
    two.remove_bob().await;
    let look = || async {
        let orgs = two.bob.ok(&["org", "list"]).await;
        let removed =
            |name: &str| orgs.as_array().into_iter().flatten().find(|org| org["name"] == name).map(|org| &org["removed"]).cloned();
        let told = removed("crew").is_some_and(|said| said.as_str().is_some_and(|said| said.contains("org crew")));
        if told && removed("beta") == Some(Value::Null) { Ok(()) } else { Err(orgs.clone()) }
    };
    two.bob.until("the list tells of it", look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_or_token_of_one_org_is_nothing_in_the_other() {
    let mut up = two().await;
    up.end().await;
    up.begin().await;
    all_up(&up).await;
    let port = up.url().rsplit_once(':').unwrap().1.to_owned();
    let ask = async |host: String, path: &str, pairs: &[(&str, &str)]| {
        let mut request = up.http().get(format!("{}{path}", up.url())).header("host", &host);
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    let at = |org: &str| format!("{org}.localhost:{port}");
    let of = |token: &str| format!("Bearer {}", token.trim());

    let made = text(&up.ok(&["--org", "crew", "token", "create", "--role", "owner"]).await["token"]);
    let own = fs::read_to_string(up.data().join("orgs/crew/cli.token")).unwrap();
    for (token, crew, beta) in [(&made, 200, 401), (&own, 200, 401), (&up.token(), 401, 401)] {
        let bearer = of(token);
        let seen = async |org: &str| ask(at(org), "/api/v1/session/show", &[("authorization", &bearer)]).await.status().as_u16();
        assert_eq!((seen("crew").await, seen("beta").await), (crew, beta));
        let named = [("authorization", bearer.as_str()), ("meshwork-org", "beta")];
        assert_eq!(ask(format!("127.0.0.1:{port}"), "/api/v1/session/show", &named).await.status().as_u16(), beta);
    }
    // What the header was is told, and which orgs there are to who is signed in.
    let refused = async |host: String, token: &str, org: &str| {
        let answer = ask(host, "/api/v1/session/show", &[("authorization", &of(token)), ("meshwork-org", org)]).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, said) = refused(format!("127.0.0.1:{port}"), &up.token(), "nothing").await;
    assert!(status == 404 && said.contains("nothing") && said.contains("There are: beta, crew."), "{status} {said}");
    let (status, said) = refused(format!("127.0.0.1:{port}"), "mw_unknown", "nothing").await;
    assert!(status == 404 && said.contains("nothing") && !said.contains("crew"), "{status} {said}");
    let (status, said) = refused(at("crew"), &own, "beta").await;
    assert!(status == 403 && said.contains("beta") && said.contains("Send “Meshwork-Org: crew”"), "{status} {said}");

    // Into the machine by its one-time link, from there into one org by its own, and with neither into the other.
    let cookie = async |host: String, link: &str| {
        let path = link.split_once("/sign-in").unwrap().1;
        let answer = ask(host, &format!("/sign-in{path}"), &[]).await;
        assert_eq!(answer.status(), 303, "{link}");
        answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let machine = cookie(format!("localhost:{port}"), up.sign_in()).await;
    let page = ask(format!("localhost:{port}"), "/", &[("cookie", &machine)]).await.text().await.unwrap();
    assert!(page.contains("/enter/crew") && page.contains("/enter/beta"), "{page}");
    let entered = ask(format!("localhost:{port}"), "/enter/crew", &[("cookie", &machine)]).await;
    let link = entered.headers()["location"].to_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("http://crew.localhost:{port}/sign-in?code=")), "{link}");
    let crew = cookie(at("crew"), &link).await;
    for (cookie, at_crew, at_beta) in [(&crew, 200, 401), (&machine, 401, 401)] {
        for (org, status) in [("crew", at_crew), ("beta", at_beta)] {
            let seen = ask(at(org), "/api/v1/session/show", &[("cookie", cookie)]).await;
            assert_eq!(seen.status().as_u16(), status, "{org}");
        }
    }
    assert_eq!(ask(format!("localhost:{port}"), "/enter/crew", &[("cookie", &crew)]).await.status(), 401);

    // Names that are not ours, with and without the header.
    let bearer = of(&own);
    for host in [format!("evil.example:{port}"), at("nobody"), "crew.localhost:1".to_owned()] {
        for org in [None, Some(("meshwork-org", "crew"))] {
            let mut pairs = vec![("authorization", bearer.as_str())];
            pairs.extend(org);
            let status = ask(host.clone(), "/api/v1/session/show", &pairs).await.status().as_u16();
            assert!([403, 404].contains(&status), "{host} {org:?}: {status}");
        }
    }
    let crossed = [("authorization", bearer.as_str()), ("origin", &format!("http://{}", at("beta")))];
    assert_eq!(ask(at("crew"), "/api/v1/session/show", &crossed).await.status(), 403, "a page of one org asks the other");
    assert_eq!(ask(at("crew"), "/health", &[]).await.text().await.unwrap(), "ok");
    let metrics = ask(at("crew"), "/metrics", &[("authorization", &bearer)]).await.text().await.unwrap();
    assert!(metrics.contains("org=\"crew\"") && !metrics.contains("beta"), "{metrics}");
    let health = up.request(Method::GET, "/health", &up.token(), None).await.json::<Value>().await.unwrap();
    assert_eq!((&health["status"], health["orgs"].as_array().map(Vec::len)), (&json!("ok"), Some(2)), "{health}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dies_takes_nothing_else_with_it() {
    let mut up = machine().await;
    acp_project(&up, "steady", PASSES).await;
    acp_agent(&up, "beat", &[]).await;
    up.ok(&["org", "create", "beta", "--member", "bob"]).await;
    all_up(&up).await;
    let answer = up.ok(&["--org", "crew", "task", "run", "T001", "--agent", "beat"]).await;
    let run = text(&answer["runs"][0]["run"]);
    let look = || async { fs::read(work(&up, &run).join("beat")).map_err(|e| json!(e.to_string())) };
    up.until("the agent's beat", look).await;

    // A run's own token opens nothing in the other org: its runner is turned away.
    let (crew, beta) = (process_of(&up, "crew").unwrap(), process_of(&up, "beta").unwrap());
    let kill = |pid: i32| kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    kill(beta);
    let look = || async {
        let orgs = up.ok(&["org", "list"]).await;
        let again = process_of(&up, "beta").is_some_and(|pid| pid != beta);
        if again { Ok(()) } else { Err(orgs) }
    };
    up.until("beta's process is started again", look).await;
    all_up(&up).await;
    assert_eq!(process_of(&up, "crew"), Some(crew), "the other org's process is as it was");
    goes_on(&up, &run).await;

    let beta = process_of(&up, "beta").unwrap();
    up.kill().await;
    let look = || async { if alive(crew) || alive(beta) { Err(json!([crew, beta])) } else { Ok(()) } };
    up.until("no process outlives the supervisor", look).await;
    goes_on(&up, &run).await;
    up.begin().await;
    all_up(&up).await;
    let ended = finish(&up, &run).await;
    assert_eq!(ended["attempt"], 0, "it is the same run: {ended:#}");
    assert_eq!(up.end().await, 0);
    assert!(process_of(&up, "crew").is_none() && process_of(&up, "beta").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orgs_never_get_the_same_room() {
    let up = machine().await;
    let total = up.ok(&["capacity"]).await[0]["capacity"]["total"]["memory_bytes"].as_u64().unwrap();
    let most = format!("{PASSES}[resources]\ncpu_milli = 500\nmemory_bytes = {}\ndisk_bytes = 200000000\n", total / 10 * 6);
    acp_project(&up, "large", &most).await;
    acp_agent(&up, "beat", &[]).await;
    let run = up.start_task("T001", "beat").await;
    up.in_state(&run, "working").await;
    beat(&up, &run).await;
    up.ok(&["org", "create", "beta", "--member", "bob"]).await;
    all_up(&up).await;

    let other = Repository::with_tasks(up.folder().join("other"), "001-work", "- [ ] T001 One\n", &most);
    up.ok(&["--org", "beta", "project", "add", other.path().to_str().unwrap()]).await;
    up.ok(&["--org", "beta", "agent", "add", "echo", "--engine", "command", "--command", "echo x > done.txt"]).await;
    let answer = up.ok(&["--org", "beta", "task", "run", "T001", "--agent", "echo"]).await;
    let waiting = text(&answer["runs"][0]["run"]);
    let show = async || up.ok(&["--org", "beta", "run", "show", &waiting]).await;
    let look = || async {
        let seen = show().await;
        if seen["reason"]["code"] == "waits_for_room" { Ok(seen) } else { Err(seen) }
    };
    let seen = up.until("it waits for room", look).await.to_string();
    assert!(seen.contains("another org of this machine uses") && seen.contains("GiB"), "{seen}");
    assert!(!seen.contains("crew") && !seen.contains("large"), "what the other org does is not told: {seen}");
    let capacity = up.ok(&["--org", "beta", "capacity"]).await[0]["capacity"].clone();
    assert_eq!(capacity["others"]["reserved"]["memory_bytes"], json!(total / 10 * 6), "{capacity}");

    // Its process dies: what its run holds stays taken.
    let crew = process_of(&up, "crew").unwrap();
    kill_process(Pid::from_raw(crew).unwrap(), Signal::KILL).unwrap();
    assert_eq!(show().await["state"], "queued");
    // Until the supervisor has seen it, the list says that the old one serves.
    let again = || async { if process_of(&up, "crew").is_some_and(|pid| pid != crew) { Ok(()) } else { Err(json!(crew)) } };
    up.until("it has a process again", again).await;
    all_up(&up).await;
    assert_eq!(show().await["state"], "queued");
    finish(&up, &run).await;
    let look = || async {
        let seen = show().await;
        if seen["state"] == "done" { Ok(()) } else { Err(seen) }
    };
    up.until("there is room for the other org's run", look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_of_an_org_that_was_left_ends_and_the_name_is_free_again() {
    let up = two().await;
    all_up(&up).await;
    up.ok(&["--org", "beta", "org", "leave"]).await;
    let look = || async {
        let orgs = up.ok(&["org", "list"]).await;
        let gone = orgs.as_array().is_some_and(|all| all.len() == 1) && process_of(&up, "beta").is_none();
        if gone { Ok(()) } else { Err(orgs) }
    };
    up.until("beta has no process any more", look).await;
    up.ok(&["org", "create", "beta", "--member", "bob"]).await;
    all_up(&up).await;
}

/// Waits until joining stands so.
async fn joining(up: &Up, wanted: &str) -> Value {
    let look = || async {
        let seen = up.act("org.joining", json!({})).await;
        if seen["state"] == wanted { Ok(seen) } else { Err(seen) }
    };
    up.until(&format!("joining is {wanted}"), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_others_an_org_is_joined_by_a_process_of_its_own_until_that_is_given_up_refused_or_done() {
    let up = two().await;
    all_up(&up).await;
    let mut cid = idle();
    cid.begin().await;
    cid.ok(&["org", "create", "third", "--member", "cid"]).await;
    let join = async || {
        let ticket = text(&cid.ok(&["org", "invite"]).await["ticket"]);
        let begun = up.ok(&["join", &ticket, "--name", "ada", "--device", "adas", "--no-wait"]).await;
        assert_eq!(begun["org"], "third");
        joining(&up, "waiting").await["device"].clone()
    };

    let first = join().await;
    assert!(process_of(&up, "third").is_some());
    all_up(&up).await;
    // It is the machine's, not another org's.
    let again = up.refused(&["--org", "crew", "org", "leave", "--joining"], 5).await;
    clear(&again, "third");
    let other = text(&cid.ok(&["org", "invite"]).await["ticket"]);
    clear(&up.refused(&["join", &other, "--name", "ada", "--no-wait"], 5).await, "third");
    up.ok(&["org", "leave", "--joining"]).await;
    let look = || async { if process_of(&up, "third").is_none() { Ok(()) } else { Err(json!("it runs")) } };
    up.until("its process ends", look).await;

    let second = join().await;
    assert_ne!(first, second, "it has new keys");
    cid.ok(&["org", "reject", second.as_str().unwrap(), "--why", "Not now."]).await;
    assert!(joining(&up, "refused").await.to_string().contains("Not now."));
    up.until("its process ends", look).await;
    all_up(&up).await;

    let third = join().await;
    cid.ok(&["org", "approve", third.as_str().unwrap()]).await;
    assert_eq!(joining(&up, "joined").await["org"], "third");
    let orgs = up.ok(&["org", "list"]).await;
    assert!(orgs.as_array().is_some_and(|all| all.len() == 3 && all.iter().all(|org| org["state"] == "up")), "{orgs}");
    assert_eq!(up.ok(&["--org", "third", "org", "show"]).await["device"], third);
}
