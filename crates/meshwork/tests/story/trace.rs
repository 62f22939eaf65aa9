//! Who made it, for whom, from which task: the chain behind merged work, and what breaks it.

use crate::stock::enlist;
use crate::support::{PASSES, command_agent, machine, project, storage, text};
use serde_json::Value;
use std::{collections::BTreeMap, process::Command};
use testkit::{Repository, Stock, Up, git};

/// The links of a trace, as pairs of step and verdict.
fn links(chain: &Value) -> Vec<(String, String)> {
    chain["links"].as_array().unwrap().iter().map(|l| (text(&l["step"]), text(&l["verdict"]["verdict"]))).collect()
}

/// The steps that are not verified.
fn broken(chain: &Value) -> Vec<String> {
    links(chain).into_iter().filter(|(_, verdict)| verdict != "verified").map(|(step, _)| step).collect()
}

async fn traced(up: &Up, what: &str, code: i32) -> Value {
    let outcome = up.run(&["trace", what]).await;
    let chain = outcome.json();
    assert_eq!(outcome.code, code, "{chain:#}");
    assert_eq!(chain["verified"] == true, code == 0, "{chain:#}");
    chain
}

const WHOLE: [&str; 13] =
    ["patch", "revision", "run", "key", "delegation", "agent", "member", "device", "task", "spec", "checks", "review", "merge"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_work_is_traced_to_who_asked_for_it_and_a_forged_review_breaks_just_its_link() {
    let up = machine().await;
    let made = project(&up, "beside", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&up, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    let started = up.ok(&["task", "run", "T001", "T002", "--agent", "echo"]).await;
    let mut runs = Vec::new();
    for run in started["runs"].as_array().unwrap() {
        let ended = up.ended(run["run"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "done", "{ended:#}");
        runs.push(ended);
    }
    // Not merged yet: everything but review and merge is there, by patch and by run.
    let first = text(&runs[0]["patch"]);
    let open = traced(&up, &first, 0).await;
    assert_eq!(links(&open).iter().map(|(step, _)| step.as_str()).collect::<Vec<_>>(), WHOLE[..11]);
    assert_eq!(links(&traced(&up, runs[0]["id"].as_str().unwrap(), 0).await), links(&open));

    let forward = text(&up.merge(&first).await["commit"]);
    let merge = text(&up.merge(&text(&runs[1]["patch"])).await["commit"]);
    let chain = traced(&up, &forward, 0).await;
    assert_eq!(links(&chain).iter().map(|(step, _)| step.as_str()).collect::<Vec<_>>(), WHOLE, "{chain:#}");
    // The second is a real merge, with ticks applied anew and checks of its own; found by a short id of its commit too.
    let chain = traced(&up, &merge[..12], 0).await;
    let steps = links(&chain);
    assert_eq!(steps.last().map(|(step, _)| step.as_str()), Some("merge_checks"), "{chain:#}");
    let what = |step: &str| chain["links"].as_array().unwrap().iter().find(|l| l["step"] == step).map(|l| text(&l["what"])).unwrap();
    assert_eq!((what("run"), what("task").as_str()), (text(&runs[1]["id"]), "beside/001-work/T002"));
    assert!(what("agent").starts_with("echo") && what("member").starts_with("ada ") && what("review") == "accepted by ada");
    let head = chain["links"].as_array().unwrap().iter().find(|l| l["step"] == "revision").unwrap();
    assert!(head["how"].to_string().contains("journal") && head["how"].to_string().contains("signature"), "{head:#}");
    for what in [text(&runs[1]["id"]), text(&runs[1]["commit"]), text(&runs[1]["patch"])] {
        assert_eq!(links(&traced(&up, &what, 0).await), steps, "{what}");
    }

    // A commit of a person says who made it, and what is not there is told.
    let person = git(made.path(), &["rev-parse", "HEAD"]);
    let by_hand = traced(&up, person.trim(), 1).await;
    let why = by_hand["links"].as_array().unwrap().last().unwrap()["verdict"]["why"].to_string();
    assert!(why.contains("no patch of a run brought this commit"), "{by_hand:#}");
    assert!(up.refused(&["trace", "00000000"], 4).await["what"].as_str().unwrap().contains("no patch, commit or run"));
    up.refused(&["trace", "zz"], 2).await;

    // Other words under the reviewer's signature: only the review is no longer verified.
    forge_review(&up, &text(&runs[1]["patch"]));
    let chain = traced(&up, &merge, 1).await;
    assert_eq!(broken(&chain), ["review"], "{chain:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_by_the_stock_rad_is_told_as_a_persons_or_an_unknown_keys() {
    let Some(mut stock) = Stock::new("trace of a patch by the stock rad") else { return };
    let by = stock.did();
    let work = Repository::with_tasks(stock.folder().join("theirs"), "001-work", "- [ ] T001 One\n", PASSES);
    let rid = stock.init(work.path(), "theirs");
    let address = stock.start(None);
    let mut up = machine().await;
    up.ok(&["project", "add", &rid, "--name", "theirs", "--seed", &format!("{by}@{address}")]).await;
    work.write("by-hand.txt", "by hand");
    work.commit("By hand");
    stock.git(work.path(), &["push", "rad", "HEAD:refs/patches"]);
    let list = || async {
        let seen = up.ok(&["patch", "list"]).await;
        seen[0]["id"].as_str().map(str::to_owned).ok_or(seen)
    };
    let patch = up.until("the patch came", list).await;
    let why = |chain: &Value| {
        assert_eq!(broken(chain), ["run"], "{chain:#}");
        chain["links"].as_array().unwrap().iter().find(|l| l["step"] == "run").map(|l| text(&l["verdict"]["why"])).unwrap()
    };
    let stranger = why(&traced(&up, &patch, 1).await);
    assert!(stranger.contains("by the unknown key") && stranger.contains(&by), "{stranger}");
    enlist(&mut up, &by).await;
    let member = why(&traced(&up, &patch, 1).await);
    assert!(member.contains("by a person, the member stock"), "{member}");
}

/// Changes the review of a patch in the storage and keeps its signature, with every later entry laid on top again.
fn forge_review(up: &Up, patch: &str) {
    let projects = std::fs::read_dir(storage(up)).unwrap().map(|entry| entry.unwrap().path());
    let repository = projects.into_iter().find(|path| !refs(path, patch).is_empty()).expect("the patch's repository");
    let git = |args: &[&str]| git(&repository, args).trim_end().to_owned();
    let put = |kind: &str, content: &str| {
        let file = repository.join("forged");
        std::fs::write(&file, content).unwrap();
        git(&["hash-object", "-t", kind, "-w", "--literally", file.to_str().unwrap()])
    };
    let tips = refs(&repository, patch);
    let (mut forged, mut names) = (0, BTreeMap::<String, String>::new());
    let walk: Vec<&str> = ["rev-list", "--reverse", "--topo-order"].into_iter().chain(tips.iter().map(|(tip, _)| tip.as_str())).collect();
    for entry in git(&walk).lines() {
        let mut raw = testkit::git(&repository, &["cat-file", "commit", entry]);
        names.iter().for_each(|(old, new)| raw = raw.replace(old, new));
        let tree = git(&["rev-parse", &format!("{entry}^{{tree}}")]);
        for line in git(&["ls-tree", &tree]).lines().filter(|line| line.contains(" blob ")) {
            let blob = line.split([' ', '\t']).nth(2).unwrap();
            let content = git(&["cat-file", "blob", blob]);
            if content.contains("\"type\":\"review\"") {
                let other = put("blob", &content.replace("Good.", "Best."));
                let listing = repository.join("listing");
                std::fs::write(&listing, git(&["ls-tree", &tree]).replace(blob, &other) + "\n").unwrap();
                let input = std::fs::File::open(&listing).unwrap();
                let made = Command::new("git").current_dir(&repository).arg("mktree").stdin(input).output().unwrap();
                raw = raw.replace(&tree, String::from_utf8(made.stdout).unwrap().trim());
                forged += 1;
            }
        }
        names.insert(entry.to_owned(), put("commit", &raw));
    }
    assert_eq!(forged, 1, "one review was forged");
    for (tip, name) in tips {
        git(&["update-ref", &name, &names[&tip]]);
    }
}

/// The refs of a patch in a repository, over all keys.
fn refs(repository: &std::path::Path, patch: &str) -> Vec<(String, String)> {
    let all = git(repository, &["for-each-ref", "--format=%(objectname) %(refname)"]);
    let ends = format!("/refs/cobs/xyz.radicle.patch/{patch}");
    let split = |line: &str| line.split_once(' ').map(|(tip, name)| (tip.to_owned(), name.to_owned()));
    all.lines().filter(|line| line.ends_with(&ends)).filter_map(split).collect()
}
