//! Who may do what: every action of the table, by every role, by strangers and by another org's people; the policy changed,
//! broken, and asked which rule decided; agents that reach for the rules.

use crate::{
    support::{PASSES, clear, command_agent, machine, project, text},
    two::Two,
};
use domain::role::{Permission, Role};
use orchestrator::table;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use testkit::Up;

/// No action takes this, so that a call that is let in changes nothing.
fn nonsense() -> Value {
    json!({"nothing of this name": 1})
}

async fn token(up: &Up, role: &str) -> String {
    text(&up.ok(&["token", "create", "--role", role]).await["token"])
}

async fn post(up: &Up, action: &str, token: &str, input: Value) -> (u16, Value) {
    let path = format!("/api/v1/{}", action.replacen('.', "/", 1));
    let response = up.request(Method::POST, &path, token, Some(input)).await;
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// What each role may, as the policy itself says.
async fn permissions(up: &Up) -> BTreeMap<String, Vec<Value>> {
    let shown = up.act("policy.show", json!({})).await;
    let roles = shown["roles"].as_array().unwrap().iter();
    roles.map(|role| (text(&role["who"]), role["permissions"].as_array().unwrap().clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_asks_the_policy_whoever_calls() {
    let (up, elsewhere) = tokio::join!(machine(), machine());
    let foreign = token(&elsewhere, "owner").await;
    let may = permissions(&up).await;
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role.name(), token(&up, role.name()).await));
    }
    let before = up.journal().await.len();
    let (mut refused, mut let_in) = (0, 0);
    for action in table::table() {
        for stranger in ["", foreign.as_str(), "mw_made_up_token"] {
            assert_eq!(post(&up, action.name, stranger, nonsense()).await.0, 401, "{} with “{stranger}”", action.name);
        }
        for (role, token) in &tokens {
            let allowed = may[*role].contains(&json!(action.permission));
            let (status, answer) = post(&up, action.name, token, nonsense()).await;
            assert_eq!(status, if allowed { 400 } else { 403 }, "{role} calls {}: {answer}", action.name);
            if !allowed {
                clear(&answer["error"], &format!("This token's role ({role}) may not do this"));
                refused += 1;
            } else {
                let_in += 1;
            }
        }
    }
    assert!(refused > 150 && let_in > 150, "{refused} refused, {let_in} let in");
    assert_eq!(up.journal().await.len(), before, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_explained_checked_changed_and_never_locks_the_owner_out() {
    let up = machine().await;
    project(&up, "web", "- [ ] T001 One\n", PASSES).await;
    project(&up, "app", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let explain = async |args: &[&str]| {
        let outcome = up.run(&[&["policy", "explain"], args].concat()).await;
        (outcome.code, outcome.json())
    };
    let (code, told) = explain(&["ada", "patch.merge", "--project", "web"]).await;
    assert_eq!((code, &told["rules"][0]["file"], &told["rules"][0]["id"]), (0, &json!("policy/owner.cedar"), &json!("owner")), "{told}");
    let (code, told) = explain(&["role:developer", "patch.merge"]).await;
    assert_eq!((code, told["why"].as_str()), (1, Some("No rule allows it.")), "{told}");
    let (code, told) = explain(&["agent:echo", "patch.merge", "--project", "web"]).await;
    assert_eq!((code, &told["rules"][0]["id"]), (1, &json!("agents-change-no-rules")), "{told}");
    clear(&up.refused(&["policy", "explain", "zoe", "patch.merge"], 4).await, "nobody");
    clear(&up.refused(&["policy", "explain", "me", "task.run", "--project", "nope"], 4).await, "no project “nope”");

    // Mistakes are told with file and line, and are not taken.
    let file = up.folder().join("team.cedar");
    fs::write(&file, "// Ours\n\npermit (principal in Role::\"viewer\", action == Action::\"task.fly\", resource);\n").unwrap();
    let checked = up.run(&["policy", "check", file.to_str().unwrap()]).await;
    assert!(checked.code == 2 && checked.json()["mistakes"][0]["line"] == 3, "{checked:?}");
    clear(&up.refused(&["policy", "set", file.to_str().unwrap()], 2).await, "policy/team.cedar, line 3");
    let script = up.folder().join("team.sh");
    fs::write(&script, "garbage (((").unwrap();
    clear(&up.refused(&["policy", "check", script.to_str().unwrap()], 2).await, "cannot be the name of a file of policies");

    // One project is taken from the developers, and from one agent.
    let rules = "@id(\"app-rests\")\n@says(\"Nobody works on app now.\")\nforbid (principal, action == Action::\"task.run\", resource in Project::\"app\") unless { principal in Role::\"owner\" };\n@id(\"not-echo\")\nforbid (principal == Agent::\"echo\", action, resource in Project::\"web\");\n";
    fs::write(&file, rules).unwrap();
    up.ok(&["policy", "set", file.to_str().unwrap()]).await;
    let developer = token(&up, "developer").await;
    let run = |project: &str| json!({"project": project, "tasks": ["T001"], "agent": "echo"});
    let (status, answer) = post(&up, "task.run", &developer, run("app")).await;
    assert_eq!(status, 403, "{answer}");
    clear(&answer["error"], "Nobody works on app now.");
    let (status, answer) = post(&up, "task.run", &developer, json!({"tasks": ["T001"], "agent": "echo"})).await;
    assert_eq!(status, 403, "what could be app is judged as app: {answer}");
    let (status, answer) = post(&up, "task.run", &developer, run("web")).await;
    assert_eq!(status, 200, "{answer}");
    let queued = text(&answer["runs"][0]["run"]);
    let seen = up.until_run(&queued, "the agent is refused", |run| run["why"].to_string().contains("not-echo")).await;
    assert!(seen["manifest"].is_null() || seen["state"] != "working", "{seen:#}");

    // The owner forbids everything to everybody, knowingly, and takes it back.
    fs::write(&file, "forbid (principal, action, resource);").unwrap();
    let checked = up.ok(&["policy", "check", file.to_str().unwrap()]).await;
    assert!(checked["warnings"][0].as_str().unwrap().contains("run_tasks"), "{checked}");
    clear(&up.refused(&["policy", "set", file.to_str().unwrap()], 5).await, "--anyway");
    up.ok(&["policy", "set", file.to_str().unwrap(), "--anyway"]).await;
    clear(&up.refused(&["task", "run", "T001", "--project", "app", "--agent", "echo"], 3).await, "policy/team.cedar");
    up.ok(&["policy", "remove", "team.cedar"]).await;
    up.ok(&["task", "list", "--project", "app"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_does_what_its_role_may_and_nothing_beyond() {
    let up = machine().await;
    let (maintainer, bot) = (token(&up, "maintainer").await, token(&up, "reviewer-bot").await);
    for (token, action, input) in [
        (&maintainer, "token.create", json!({"role": "owner"})),
        (&maintainer, "policy.set", json!({"name": "mine.cedar", "text": "permit (principal, action, resource);"})),
        (&maintainer, "credential.list", json!({})),
        (&bot, "project.add", json!({"source": "/tmp"})),
        (&bot, "task.run", json!({"tasks": ["T001"]})),
    ] {
        let (status, answer) = post(&up, action, token, input).await;
        assert_eq!(status, 403, "{action}: {answer}");
    }
    // What is said of a patch is signed by the member, so a bot says nothing; there is no such patch for the others.
    let said = json!({"patch": "abcdef", "body": "Good."});
    for (token, expected) in [(&token(&up, "owner").await, 404), (&maintainer, 404), (&token(&up, "developer").await, 404), (&bot, 403)] {
        let (status, answer) = post(&up, "patch.comment", token, said.clone()).await;
        assert_eq!(status, expected, "{answer}");
    }
    // That it is accepted only the member's own hand says, or a token that is as good.
    for (verdict, expected) in [("accept", 403), ("reject", 404)] {
        let said = json!({"patch": "abcdef", "verdict": verdict, "summary": "Good."});
        let (status, answer) = post(&up, "patch.review", &maintainer, said).await;
        assert_eq!(status, expected, "{answer}");
    }
    // Which policy decides cannot be chosen by naming somebody else.
    let (status, answer) = post(&up, "policy.explain", &bot, json!({"who": "me", "action": "token.create"})).await;
    assert_eq!((status, &answer["allowed"]), (200, &json!(false)), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_rewrites_its_own_checks_is_still_judged_by_those_of_the_default_branch() {
    let up = machine().await;
    let strict = "[[checks]]\nname = \"honest\"\ncommand = \"test ! -e cheat.txt\"\ntimeout_s = 30\n";
    project(&up, "web", "- [ ] T001 One\n", strict).await;
    command_agent(&up, "cheat", "echo x > cheat.txt; mkdir -p .meshwork; printf 'checks = []\\n' > .meshwork/project.toml").await;
    let run = up.do_task("T001", "cheat").await;
    let patch = text(&run["patch"]);
    let shown = up.ok(&["patch", "show", &patch]).await;
    assert!(shown["rules_changed"].to_string().contains(".meshwork/project.toml"), "{shown:#}");
    let missing = shown["missing"].to_string();
    assert!(missing.contains("honest") && missing.contains("approvals"), "{missing}");
    up.ok(&["patch", "review", &patch, "--accept", "-m", "Tired."]).await;
    clear(&up.refused(&["patch", "merge", &patch], 5).await, "honest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_org_repository_is_no_project() {
    let up = machine().await;
    let rid = text(&up.ok(&["org", "show"]).await["rid"]);
    clear(&up.refused(&["project", "add", &rid, "--name", "rules"], 2).await, "org's own repository");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_keeps_their_own_device_and_the_org_decides_the_rest() {
    let two = Two::start().await;
    let session = two.bob.act("session.show", json!({})).await;
    let may = session["permissions"].as_array().unwrap();
    assert_eq!(session["role"], "developer", "{session}");
    assert!(may.contains(&json!(Permission::ManageTokens)) && !may.contains(&json!(Permission::ManageOrg)), "{session}");
    two.bob.ok(&["token", "create", "--role", "viewer"]).await;
    let kept = two.bob.run_with(&["credential", "set", "mine"], "a key").await;
    assert_eq!(kept.code, 0, "{kept:?}");
    for of_the_org in [
        &["agent", "add", "echo", "--engine", "command", "--command", "true"][..],
        &["org", "role", "bob", "--give", "owner"],
        &["org", "rename", "ada", "eve"],
        &["policy", "remove", "owner.cedar"],
    ] {
        clear(&two.bob.refused(of_the_org, 3).await, "Your role (developer)");
    }

    // What the policy says of a device is asked on that device.
    let file = two.ada.folder().join("lent.cedar");
    let rule = "@id(\"not-ada\")\nforbid (principal == Member::\"ada\", action == Action::\"device.schedule\", resource == Device::\"bobs-box\");\n";
    fs::write(&file, rule).unwrap();
    two.ada.ok(&["policy", "set", file.to_str().unwrap()]).await;
    let explain = ["policy", "explain", "ada", "device.schedule"];
    let look = || async {
        let told = two.bob.run(&explain).await;
        if told.code == 1 && told.json()["rules"][0]["id"] == "not-ada" { Ok(()) } else { Err(told.json()) }
    };
    two.bob.until("the policy is known at Bob's", look).await;
    assert_eq!(two.ada.run(&explain).await.code, 0, "her own device is another");
}
