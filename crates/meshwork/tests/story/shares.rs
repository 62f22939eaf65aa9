//! Budgets of the org are never overspent, whoever comes, whatever is changed, and whoever has not heard of it yet.

use crate::{
    support::{idle, text},
    two::org,
};
use domain::Rid;
use forge::Forge;
use serde_json::{Value, json};
use testkit::{Up, model::ScriptedModel};

const DESK: &str = "adas-desk";
const SHED: &str = "adas-shed";

/// One more device of Ada's, up.
async fn another(ada: &Up, name: &str, device: &str) -> Up {
    let mut up = idle().listening();
    up.begin().await;
    ada.let_in(&up, name, device, &["--device"]).await;
    up
}

/// Gives a device's command bar the model.
async fn with_model(up: &Up, model: &ScriptedModel) {
    assert_eq!(up.run_with(&["credential", "set", "bar"], "sk-any").await.code, 0);
    let settings = json!({
        "model": {"name": "scripted-1", "base_url": model.base_url(), "api": "chat", "credential": "bar"},
        "budget": {"tokens": 1_000_000, "calls": 100},
    });
    up.act("command.model", settings).await;
}

/// Says something that one call of the model answers; gives the answer, and whether the model gave it.
async fn say(up: &Up) -> (bool, Value) {
    let (status, answer) =
        up.call("command.understand", json!({"text": "what do you think of it? [[say:Nothing.]]", "with": "model"})).await;
    let said = answer["text"].as_str().is_some_and(|text| text.contains("Nothing."));
    (status == 200 && said, answer)
}

/// Waits until a device may use so many calls of the org's quota, and says so with these words.
async fn may_use(up: &Up, calls: u64, words: &[&str]) {
    let look = || async {
        let shown = up.act("quota.show", json!({})).await;
        let row = shown["used"].as_array().unwrap().iter().find(|row| row["of"] == "org").cloned().unwrap_or_default();
        let share = row["limit"]["share"].as_str().unwrap_or_default().to_owned();
        if row["limit"]["calls"] == calls && words.iter().all(|words| share.contains(words)) { Ok(()) } else { Err(row) }
    };
    up.until(&format!("{calls} calls may be used"), look).await;
}

/// Gives a device all of every quota, by Ada.
async fn give_all(ada: &Up, device: &str, calls: u64) {
    let rid: Rid = text(&ada.ok(&["org", "show"]).await["rid"]).parse().unwrap();
    let (dir, quotas) = (org(ada), format!("version = 1\n[org]\nperiod = \"month\"\ncalls = {calls}\n[shares]\n{device} = 100\n"));
    let given = tokio::task::spawn_blocking(move || {
        let forge = Forge::open(&dir.radicle(), &dir.member()).unwrap();
        forge.change_org(&rid, "Give one device all", &[("quotas.toml".to_owned(), Some(quotas.into_bytes()))]).unwrap();
    });
    given.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_when_all_is_spent_may_spend_what_others_are_heard_to_leave() {
    let model = ScriptedModel::start().await.unwrap();
    let mut ada = idle().listening();
    ada.begin().await;
    ada.org().await;
    let mut desk = another(&ada, "desk", DESK).await;
    ada.ok(&["quota", "set", "--calls", "6"]).await;
    for up in [&ada, &desk] {
        with_model(up, &model).await;
        may_use(up, 3, &["an equal part for each of 2 devices"]).await;
        for n in 0..3 {
            let (said, answer) = say(up).await;
            assert!(said, "{n}: {answer:#}");
        }
        let (said, answer) = say(up).await;
        assert!(!said && answer.to_string().contains("made 3 of its 3 model calls"), "{answer:#}");
    }
    assert_eq!(model.calls().len(), 6);

    // A third one would have two of the six, which are spent.
    let shed = another(&ada, "shed", SHED).await;
    with_model(&shed, &model).await;
    let held = "adas-desk still holds 3 calls (as of ";
    may_use(&shed, 0, &[held, " and ", "and not an equal part for each of 3 devices"]).await;
    let (said, refused) = say(&shed).await;
    assert!(!said && refused.to_string().contains(held), "{refused:#}");
    assert_eq!(model.calls().len(), 6, "nothing reached the model");

    // There is more for all.
    ada.ok(&["quota", "set", "--calls", "12"]).await;
    may_use(&shed, 4, &["an equal part for each of 3 devices"]).await;
    let (said, answer) = say(&shed).await;
    assert!(said, "{answer:#}");

    // All is the third's; but the desk is away, and may go on by what it knew.
    for up in [&ada, &desk] {
        may_use(up, 4, &["an equal part for each of 3 devices"]).await;
    }
    desk.kill().await;
    give_all(&ada, SHED, 12).await;
    may_use(&ada, 0, &["nothing of it"]).await;
    may_use(&shed, 5, &["adas-desk still holds 4 calls (as of "]).await;
    desk.begin().await;
    may_use(&desk, 0, &["nothing of it"]).await;
    may_use(&shed, 6, &["adas-desk still holds 3 calls (as of "]).await;
    assert!(desk.journal().await.iter().any(|entry| entry["event"]["type"] == "shares_taken"));
    for up in [&ada, &desk, &shed] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}
