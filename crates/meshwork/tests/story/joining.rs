//! Joining an org: invited, waiting, let in, removed; several owners; and what somebody may try with a ticket.

use crate::support::{clear, idle, machine, project, storage, text};
use serde_json::{Value, json};
use std::fs;
use testkit::{Repository, Up, git};

/// A machine that knocked with a ticket and waits.
async fn knocked(ticket: &str, name: &str) -> Up {
    let mut up = idle();
    up.begin().await;
    up.ok(&["join", ticket, "--name", name, "--device", &format!("{name}-laptop"), "--no-wait"]).await;
    state(&up, "waiting").await;
    up
}

/// Waits until joining stands so.
async fn state(up: &Up, wanted: &str) {
    let look = || async {
        let seen = up.act("org.joining", json!({})).await;
        if seen["state"] == wanted { Ok(()) } else { Err(seen) }
    };
    up.until(&format!("joining is {wanted}"), look).await;
}

/// A machine whose member belongs to the org of `owner`.
async fn joined(owner: &Up, name: &str, args: &[&str]) -> Up {
    let ticket = text(&owner.ok(&[&["org", "invite"], args].concat()).await["ticket"]);
    let up = knocked(&ticket, name).await;
    owner.ok(&["org", "approve", name]).await;
    state(&up, "joined").await;
    up
}

fn names(org: &Value, what: &str) -> Vec<String> {
    org[what].as_array().unwrap().iter().map(|one| text(&one["name"])).collect()
}

/// Waits until the org is so at a machine.
async fn until_org(up: &Up, what: &str, holds: impl Fn(&Value) -> bool) {
    let look = || async {
        let org = up.act("org.show", json!({})).await;
        if holds(&org) { Ok(()) } else { Err(org) }
    };
    up.until(what, look).await;
}

/// Who may read a repository, by its identity document here.
fn readers(up: &Up, rid: &str) -> String {
    git(&storage(up).join(rid.trim_start_matches("rad:")), &["show", "refs/rad/id:embeds/radicle.json"])
}

/// Whether a device's Radicle node has this key in its policies: only keys that it blocks are there.
fn blocks(up: &Up, key: &str) -> bool {
    let holds = |file: &str| {
        let bytes = fs::read(up.data().join("orgs/crew/radicle/node").join(file)).unwrap_or_default();
        bytes.windows(key.len()).any(|part| part == key.as_bytes())
    };
    holds("policies.db") || holds("policies.db-wal")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_device_waits_is_let_in_and_reads_the_org_without_the_others() {
    let mut ada = machine().await;
    project(&ada, "plain", "- [ ] T001 One\n", crate::support::PASSES).await;
    let said = ada.told(&["org", "invite"]).await;
    assert!(said.stdout.contains("mwt1.") && said.stdout.contains("an owner still has to approve"), "{said:?}");
    let invited = ada.ok(&["org", "invite", "--role", "developer"]).await;
    let mut bob = knocked(&text(&invited["ticket"]), "bob").await;
    let shown = bob.told(&["join"]).await.stdout;
    assert!(shown.contains("Waiting for the owners of crew"), "{shown}");
    clear(&bob.refused(&["org", "show"], 5).await, "meshwork join");
    let waiting = ada.ok(&["org", "joiners"]).await;
    assert_eq!((&waiting[0]["name"], &waiting[0]["state"]), (&json!("bob"), &json!("waiting")));

    // Both restart while he waits.
    bob.kill().await;
    ada.kill().await;
    ada.begin().await;
    bob.begin().await;
    state(&bob, "waiting").await;
    ada.ok(&["org", "approve", "bob"]).await;
    state(&bob, "joined").await;
    let org = bob.ok(&["org", "show"]).await;
    assert_eq!((names(&org, "members"), names(&org, "devices").len()), (vec!["ada".to_owned(), "bob".into()], 2));
    assert_eq!(org["members"][1]["roles"], json!(["developer"]));
    assert_eq!(ada.ok(&["org", "joiners"]).await[0]["state"], "approved");

    // A change at Ada's reaches him, and the private project too.
    ada.ok(&["agent", "add", "echo", "--engine", "command", "--command", "true"]).await;
    let agents = || async {
        let seen = bob.act("agent.list", json!({})).await;
        if seen[0]["name"] == "echo" { Ok(()) } else { Err(seen) }
    };
    bob.until("the agent at Bob's", agents).await;
    let tasks = || async {
        let (code, seen) = bob.call("project.list", json!({})).await;
        if code == 200 && seen[0]["open_tasks"] == 1 { Ok(()) } else { Err(seen) }
    };
    bob.until("the project at Bob's", tasks).await;
    // He signs no change of the org: what he wants becomes a proposal.
    let proposed = bob.ok(&["org", "rename", "bob", "bobby"]).await;
    assert!(proposed["proposal"].is_string(), "{proposed}");

    ada.kill().await;
    bob.kill().await;
    bob.begin().await;
    assert_eq!(names(&bob.ok(&["org", "show"]).await, "members"), ["ada", "bob"], "read offline");
    assert_eq!(bob.ok(&["journal", "verify"]).await["sound"], true);
    ada.begin().await;
    let proposals = || async {
        let seen = ada.act("org.proposals", json!({})).await;
        seen[0]["id"].as_str().map(str::to_owned).ok_or(seen)
    };
    let id = ada.until("Bob's proposal at Ada's", proposals).await;
    ada.ok(&["org", "approve", &id[..8]]).await;
    until_org(&bob, "Bob is called bobby", |org| names(org, "members").contains(&"bobby".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_let_in_whom_they_name_as_often_as_they_say_and_no_longer() {
    let mut ada = machine().await;
    let ticket = text(&ada.ok(&["org", "invite", "--role", "viewer"]).await["ticket"]);
    let bob = knocked(&ticket, "bob").await;
    // The use is counted, whatever happens then.
    ada.kill().await;
    ada.begin().await;
    let refused = async |ticket: &str, words: &str| {
        let mut eve = idle();
        eve.begin().await;
        let outcome = eve.run(&["join", ticket, "--name", "eve"]).await;
        assert_ne!(outcome.code, 0, "{outcome:?}");
        clear(&outcome.json()["error"], words);
    };
    refused(&ticket, "as often as it may be").await;
    for hours in ["0", "721", "4294967295"] {
        clear(&ada.refused(&["org", "invite", "--hours", hours], 2).await, "cannot count for");
    }
    let taken_back = ada.ok(&["org", "invite"]).await;
    let id = text(&taken_back["id"]);
    ada.ok(&["org", "uninvite", &id[id.len() - 6..]]).await;
    refused(&text(&taken_back["ticket"]), "taken back").await;
    // Widened: the role of an owner under the signature for a viewer.
    let parts: Vec<&str> = ticket.split('.').collect();
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = String::from_utf8(engine.decode(parts[1]).unwrap()).unwrap().replace("viewer", "owner");
    refused(&format!("mwt1.{}.{}", engine.encode(payload), parts[2]), "signature").await;
    refused(&ticket[..ticket.len() - 5], "ticket").await;
    refused("hello", "ticket").await;

    // A name that is taken is refused with what to do; who is declined is told.
    let second = text(&ada.ok(&["org", "invite", "--uses", "2"]).await["ticket"]);
    let mut clash = idle();
    clash.begin().await;
    let outcome = clash.run(&["join", &second, "--name", "ada"]).await;
    clear(&outcome.json()["error"], "--name");
    let cid = knocked(&second, "cid").await;
    ada.ok(&["org", "reject", "cid", "--why", "We do not know you."]).await;
    state(&cid, "refused").await;
    assert!(cid.act("org.joining", json!({})).await.to_string().contains("We do not know you."));
    // Bob's place was kept all the while.
    ada.ok(&["org", "approve", "bob"]).await;
    state(&bob, "joined").await;
    assert_eq!(bob.ok(&["org", "show"]).await["members"][1]["roles"], json!(["viewer"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_device_loses_its_place_in_the_org_and_in_private_projects() {
    let ada = machine().await;
    project(&ada, "secret", "- [ ] T001 One\n", crate::support::PASSES).await;
    let rid = text(&ada.ok(&["project", "list"]).await[0]["project"]["rid"]);
    let open = Repository::with_tasks(ada.folder().join("open"), "001-work", "- [ ] T001 One\n", crate::support::PASSES);
    let added = ada.ok(&["project", "add", open.path().to_str().unwrap(), "--public"]).await;
    let private = |rid: &str| readers(&ada, rid).contains("\"private\"");
    assert!(private(&rid) && !private(&text(&added["project"]["rid"])), "private unless it is said");
    let bob = joined(&ada, "bob", &[]).await;
    // One more device of a member waits under the member's name, and is let in by it.
    let ticket = text(&ada.ok(&["org", "invite", "--member", "bob"]).await["ticket"]);
    let second = knocked(&ticket, "bob2").await;
    let waiting = ada.ok(&["org", "joiners"]).await;
    assert_eq!((&waiting[0]["name"], &waiting[0]["device_name"]), (&json!("bob"), &json!("bob2-laptop")));
    let said = text(&ada.ok(&["org", "approve", "bob"]).await["message"]);
    assert!(said.contains("device of bob is let in: bob2-laptop") && !said.contains("bob2 is"), "{said}");
    state(&second, "joined").await;
    let device = text(&bob.ok(&["org", "show"]).await["device"]);
    let key = device.trim_start_matches("did:key:").to_owned();
    until_org(&ada, "three devices", |org| names(org, "devices").len() == 3).await;
    let look = |wanted: bool| {
        let (ada, rid, key) = (&ada, rid.clone(), key.clone());
        move || {
            let document = readers(ada, &rid);
            let has = document.contains(&key);
            async move { if has == wanted { Ok(()) } else { Err(json!(document)) } }
        }
    };
    ada.until("Bob's device may read the project", look(true)).await;
    ada.ok(&["quota", "set", "--member", "bob", "--calls", "1000"]).await;
    assert!(!blocks(&ada, &key) && !blocks(&second, &key));
    ada.ok(&["org", "remove", "bob-laptop", "--device", "--lost", "--why", "left on a train"]).await;
    let org = ada.ok(&["org", "show"]).await;
    assert_eq!(names(&org, "devices").len(), 2);
    assert_eq!((org["revoked"].as_array().unwrap().len(), &org["revoked"][0]["why"]), (2, &json!("left on a train")));
    assert_eq!(org["members"][1]["keys"].as_array().unwrap().len(), 1, "his other device's key stays");
    ada.until("Bob's device may not read the project", look(false)).await;
    let document = readers(&ada, &text(&org["rid"]));
    assert!(!document.contains(&key), "{document}");
    until_org(&second, "his other device knows", |org| names(org, "devices").len() == 2).await;
    for up in [&ada, &second] {
        up.until("the lost device's key is blocked", || async { if blocks(up, &key) { Ok(()) } else { Err(json!(key)) } }).await;
    }
    // The device that was taken out is told so, by the others where it can read no more itself; and it simply leaves.
    let told = || async {
        let found = bob.act("device.doctor", json!({})).await;
        let finding = found.as_array().into_iter().flatten().find(|finding| finding["what"] == "membership").cloned();
        finding.ok_or(found)
    };
    let finding = bob.until("Bob's device knows that it was taken out", told).await;
    assert!(finding["ok"] == false && finding["next"].to_string().contains("org leave"), "{finding}");
    let removed = bob.act("org.show", json!({})).await["removed"].clone();
    assert!(removed["message"].to_string().contains("the org crew"), "{removed}");
    assert!(bob.ok(&["org", "list"]).await[0]["removed"].is_string());
    let left = bob.ok(&["org", "leave"]).await;
    let said = text(&left["message"]);
    assert!(said.contains("removed from the org crew") || said.contains("does not list this one any more"), "{said}");
    // The same keys do not come back with a new ticket: nobody who joins has them, and the org refuses to list them.
    ada.ok(&["org", "role", "bob", "--give", "maintainer", "--take", "developer"]).await;
    until_org(&second, "roles are given and taken", |org| org["members"][1]["roles"] == json!(["maintainer"])).await;
    // He leaves with the device that is left: asked of the owner, and kept aside here.
    let ended = text(&second.ok(&["org", "show"]).await["device"]).trim_start_matches("did:key:").to_owned();
    let left = second.ok(&["org", "leave"]).await;
    assert!(text(&left["message"]).contains("has left crew"), "{left}");
    let proposals = || async {
        let seen = ada.act("org.proposals", json!({})).await;
        seen[0]["id"].as_str().map(str::to_owned).ok_or(seen)
    };
    let id = ada.until("that he leaves is proposed", proposals).await;
    ada.ok(&["org", "approve", &id]).await;
    assert_eq!(names(&ada.ok(&["org", "show"]).await, "members"), ["ada"]);
    assert!(!blocks(&ada, &ended), "what an ended key made stays to be fetched");
    let quotas = ada.act("quota.show", json!({})).await["quotas"].clone();
    assert!(quotas["members"].get("bob").is_none(), "his quota went with him: {quotas}");
    // The machine may join again, with other keys.
    let ticket = text(&ada.ok(&["org", "invite"]).await["ticket"]);
    second.ok(&["join", &ticket, "--name", "bob3", "--device", "bob3-laptop", "--no-wait"]).await;
    state(&second, "waiting").await;
    ada.ok(&["org", "approve", "bob3"]).await;
    state(&second, "joined").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_owners_and_a_threshold_of_two_both_sign_what_happens() {
    let ada = machine().await;
    let bob = joined(&ada, "bob", &["--role", "owner"]).await;
    until_org(&bob, "Bob is an owner", |org| org["members"][1]["roles"] == json!(["owner"])).await;
    let rid = text(&ada.ok(&["org", "show"]).await["rid"]);
    let delegates = |wanted: usize, threshold: u64| {
        let (ada, rid) = (&ada, rid.clone());
        move || {
            let document: Value = serde_json::from_str(&readers(ada, &rid)).unwrap();
            let right = document["delegates"].as_array().unwrap().len() == wanted && document["threshold"] == threshold;
            async move { if right { Ok(()) } else { Err(document) } }
        }
    };
    ada.until("both are delegates", delegates(2, 1)).await;
    let told = text(&ada.ok(&["org", "threshold", "2"]).await["message"]);
    let binds = "2 owners must sign changes of the org. That binds once the device of bob has signed it, ";
    // Bob's device may have been as quick.
    let still = told.starts_with(binds) && told.ends_with("until then one owner's signature is enough.");
    assert!(still || told.ends_with("from now on."), "{told}");
    ada.until("both must sign", delegates(2, 2)).await;
    let cid_ticket = text(&bob.ok(&["org", "invite", "--role", "viewer"]).await["ticket"]);
    let cid = knocked(&cid_ticket, "cid").await;
    let answer = bob.ok(&["org", "approve", "cid"]).await;
    let id = text(&answer["proposal"]);
    let seen = || async {
        let seen = ada.act("org.proposals", json!({})).await;
        if seen[0]["id"] == id.as_str() && seen[0]["yours"] == true { Ok(()) } else { Err(seen) }
    };
    ada.until("the proposal at Ada's", seen).await;
    assert!(ada.told(&["org", "proposals"]).await.stdout.contains("waits for you"));
    assert_eq!(cid.act("org.joining", json!({})).await["state"], "waiting");
    let told = text(&ada.ok(&["org", "approve", &id]).await["message"]);
    assert!(told.starts_with("Enough owners approved it; it waits until the device of bob has signed it, "), "{told}");
    state(&cid, "joined").await;
    for verb in ["approve", "reject"] {
        clear(&ada.refused(&["org", verb, &id[..10]], 5).await, "is in force already");
    }
    for up in [&ada, &bob, &cid] {
        until_org(up, "all three belong to it", |org| names(org, "members") == ["ada", "bob", "cid"]).await;
    }
    // Below the threshold nothing else of the org changes either.
    let waits = ada.refused(&["agent", "add", "echo", "--engine", "command", "--command", "true"], 5).await;
    clear(&waits, "meshwork org approve");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_rotates_keys_by_a_new_device_that_takes_the_old_one_out() {
    let old = machine().await;
    let mut new = idle().listening();
    new.begin().await;
    old.let_in(&new, "new", "ada-new", &["--device"]).await;
    let was = names(&old.ok(&["org", "show"]).await, "devices").into_iter().find(|name| name != "ada-new").unwrap();
    // It asks; the one whose key signs as yet, signs.
    new.ok(&["org", "remove", &was, "--device", "--why", "new keys"]).await;
    let look = || async {
        let seen = old.act("org.proposals", json!({})).await;
        seen.as_array().unwrap().first().map(|one| text(&one["id"])).ok_or(seen)
    };
    let proposal = old.until("the old device hears of it", look).await;
    old.ok(&["org", "approve", &proposal]).await;
    until_org(&new, "only the new device is left", |org| names(org, "devices") == ["ada-new"]).await;
    // From now on its own key signs for the owner.
    let look = || async {
        let outcome = new.run(&["quota", "set", "--calls", "10"]).await;
        let seen = new.act("quota.show", json!({})).await;
        if seen["quotas"]["org"]["calls"] == 10 { Ok(()) } else { Err(json!([outcome.json(), seen])) }
    };
    new.until("what the new device changes is in force", look).await;
}
