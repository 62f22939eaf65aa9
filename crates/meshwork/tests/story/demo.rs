//! `meshwork demo --yes --json`.

use crate::support::{idle, published, text};
use serde_json::json;
use testkit::Stock;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_merges_a_patch_for_every_task_and_its_last_line_says_so() {
    let mut up = idle();
    let outcome = up.run(&["demo", "--yes"]).await;
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let last = outcome.json();
    assert_eq!(last["journal"], "verified");
    assert_eq!(last["data_dir"], up.data().to_str().unwrap());
    let tasks = last["tasks"].as_array().unwrap();
    let ids: Vec<_> = tasks.iter().map(|task| task["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["T001", "T002", "T003", "T004", "T005"]);
    for task in tasks {
        assert_eq!(task["state"], "merged", "{task}");
        assert_eq!(task["run"].as_str().unwrap().len(), 26, "{task}");
        assert_eq!(task["patch"].as_str().unwrap().len(), 40, "{task}");
    }

    up.begin().await;
    let list = published(&up, "greeter", "specs/001-greeting/tasks.md").await;
    assert_eq!((list.matches("- [X] T").count() + list.matches("- [x] T").count(), list.matches("- [ ]").count()), (5, 0), "{list}");
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    let journal = up.journal().await;
    let owner = &journal.iter().find(|e| e["event"]["type"] == "org_created").unwrap()["event"]["owner"];
    assert!(
        journal.iter().any(|e| e["event"]["type"] == "device_started" && e["event"]["demo"] == true),
        "the journal says that it was a demo"
    );
    let merges: Vec<_> = journal.iter().filter(|e| e["event"]["type"] == "patch_merged").map(|e| &e["event"]["actor"]).collect();
    assert_eq!(merges, vec![owner; 5], "the demo's member merged");
    let patches = up.act("patch.list", json!({"project": "greeter", "state": "merged"})).await;
    assert_eq!(patches.as_array().unwrap().len(), 5);

    let Some(mut stock) = Stock::new("the demo with the stock rad") else { return };
    up.ok(&["project", "share", &stock.did()]).await;
    let (org, project) = (up.ok(&["org", "show"]).await, up.ok(&["project", "show"]).await);
    stock.start(Some((&text(&org["device"]), &text(&org["radicle"]))));
    let clone = stock.clone(&text(&project["project"]["rid"]), &text(&org["device"]));
    let listed = stock.rad(&clone, &["patch", "list", "--merged"]);
    for patch in patches.as_array().unwrap() {
        let id = text(&patch["id"]);
        assert!(listed.contains(&id[..7]), "{listed}");
        stock.rad(&clone, &["patch", "checkout", &id]);
        assert_eq!(stock.git(&clone, &["rev-parse", "HEAD"]).trim(), text(&patch["head"]));
    }
}
