//! What must be true after any kills: each broken rule is one sentence.

use crate::{
    host::{Host, ended},
    people::Acknowledged,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

/// How often a run that was lost is taken up again by itself.
const RESUME_ATTEMPTS_MAX: u64 = 3;

/// Everything that was read, once.
struct World {
    journal: Vec<Value>,
    runs: BTreeMap<String, Value>,
    patches: Vec<Value>,
    tasks: Vec<Value>,
}

impl World {
    async fn read(host: &Host) -> Self {
        let list = |answer: Value| answer.as_array().cloned().unwrap();
        let runs = list(host.must("run.list", json!({"all": true, "limit": 10_000})).await);
        Self {
            journal: journal(host).await,
            runs: runs.into_iter().map(|r| (text(&r["id"]), r)).collect(),
            patches: list(host.must("patch.list", json!({})).await),
            tasks: list(host.must("task.list", json!({})).await),
        }
    }

    /// Runs of agents.
    fn agents(&self) -> impl Iterator<Item = &Value> {
        self.runs.values().filter(|r| r["class"] == "agent")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The whole journal, oldest first.
async fn journal(host: &Host) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().map_or(0, |e| e["seq"].as_u64().unwrap());
        let page = host.must("journal.list", json!({"after": after, "limit": 1000})).await;
        let page = page.as_array().cloned().unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// In which states the ends of `up` met runs: how often each.
pub async fn met(host: &Host) -> BTreeMap<String, usize> {
    let (mut open, mut met) = (BTreeMap::<String, String>::new(), BTreeMap::new());
    for entry in journal(host).await {
        let event = &entry["event"];
        match event["type"].as_str().unwrap() {
            "run_queued" => drop(open.insert(text(&event["run"]["id"]), "queued".into())),
            "run_moved" if ended(event["to"].as_str().unwrap()) => drop(open.remove(event["run"].as_str().unwrap())),
            "run_moved" => drop(open.insert(text(&event["run"]), text(&event["to"]))),
            // A lease starts its run.
            "run_leased" => drop(open.insert(text(&event["run"]), "starting".into())),
            "device_started" => open.values().for_each(|state| *met.entry(state.clone()).or_default() += 1),
            _ => {}
        }
    }
    met
}

/// Answers that are not true any more.
pub async fn lost_answers(host: &Host, said: &Acknowledged) -> Vec<String> {
    let world = World::read(host).await;
    let mut broken = Vec::new();
    answers(&world, said, &mut broken);
    broken
}

/// Everything that is not as it must be.
pub async fn broken(host: &Host, said: &Acknowledged) -> Vec<String> {
    let world = World::read(host).await;
    let mut broken = Vec::new();
    answers(&world, said, &mut broken);
    nothing_doubled(&world, &mut broken);
    ticks(&world, &mut broken);
    finished_work_is_there(host, &world, &mut broken);
    losses_have_reasons_and_go_on(&world, &mut broken);
    work_went_on_from_checkpoints(host, &world, &mut broken);
    let device = host.must("device.capacity", json!({})).await[0]["capacity"].clone();
    if device["slots"] != device["slots_free"] {
        broken.push(format!("slots leaked: {device}"));
    }
    let verified = host.must("journal.verify", json!({})).await;
    if verified["sound"] != true {
        broken.push(format!("the journal is not sound: {verified}"));
    }
    let rebuilt = host.must("journal.rebuild", json!({})).await;
    if rebuilt["differences"] != 0 {
        broken.push(format!("projections are not what the journal says: {rebuilt}"));
    }
    broken
}

fn answers(world: &World, said: &Acknowledged, broken: &mut Vec<String>) {
    let queued: BTreeSet<String> =
        world.journal.iter().filter(|e| e["event"]["type"] == "run_queued").map(|e| text(&e["event"]["run"]["id"])).collect();
    broken.extend(said.runs.iter().filter(|r| !queued.contains(*r)).map(|r| format!("the run {r} was answered, and is not there")));
    let state = |id: &str| world.patches.iter().find(|p| p["id"] == id).map(|p| text(&p["state"]));
    let noted = |kind: &str, id: &str| world.journal.iter().any(|e| e["event"]["type"] == kind && e["event"]["patch"] == id);
    for patch in &said.merged {
        if state(patch).as_deref() != Some("merged") || !noted("patch_merged", patch) {
            broken.push(format!("the patch {patch} was said to be merged, and is {:?}", state(patch)));
        }
    }
    for patch in said.accepted.iter().chain(&said.rejected) {
        if state(patch).is_none() || !noted("patch_reviewed", patch) {
            broken.push(format!("the review of the patch {patch} is not there"));
        }
    }
    for run in &said.stopped {
        let goes_on = world.agents().find(|r| r["continues"] == **run && r["attempt"].as_u64() > world.runs[run]["attempt"].as_u64());
        if let Some(next) = goes_on {
            broken.push(format!("the run {run} was stopped by a person, and taken up again by itself as {}", next["id"]));
        }
    }
}

fn nothing_doubled(world: &World, broken: &mut Vec<String>) {
    let (mut open, mut of) = (BTreeMap::<String, String>::new(), BTreeMap::new());
    for entry in &world.journal {
        let event = &entry["event"];
        match event["type"].as_str().unwrap() {
            "run_queued" if event["run"]["class"] == "agent" => {
                let (run, task) = (text(&event["run"]["id"]), event["run"]["task"].to_string());
                if let Some(before) = open.insert(task.clone(), run.clone()) {
                    broken.push(format!("{run} was queued while {before} was open for the same task ({})", entry["seq"]));
                }
                of.insert(run, task);
            }
            "run_moved" if ended(event["to"].as_str().unwrap()) => {
                if let Some(task) = of.get(event["run"].as_str().unwrap())
                    && open.get(task) == event["run"].as_str().map(str::to_owned).as_ref()
                {
                    open.remove(task);
                }
            }
            _ => {}
        }
    }
    let mut alive: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for patch in world.patches.iter().filter(|p| ["merged", "open"].contains(&p["state"].as_str().unwrap())) {
        alive.entry(patch["trace"]["task"].to_string()).or_default().push(text(&patch["id"]));
    }
    broken.extend(alive.iter().filter(|(_, p)| p.len() > 1).map(|(task, patches)| format!("{task} has several patches: {patches:?}")));
    let mut merges: BTreeMap<String, usize> = BTreeMap::new();
    for entry in world.journal.iter().filter(|e| e["event"]["type"] == "patch_merged") {
        *merges.entry(text(&entry["event"]["patch"])).or_default() += 1;
    }
    broken.extend(merges.iter().filter(|(_, n)| **n > 1).map(|(patch, n)| format!("the merge of {patch} is in the journal {n} times")));
}

fn ticks(world: &World, broken: &mut Vec<String>) {
    for task in &world.tasks {
        let merged = task["state"]["state"] == "merged";
        if (task["task"]["done"] == true) != merged {
            broken.push(format!("{}: ticked {}, and it is {}", task["at"], task["task"]["done"], task["state"]));
        }
    }
    let by_journal = world.journal.iter().filter(|e| e["event"]["type"] == "patch_merged").count();
    let by_radicle = world.patches.iter().filter(|p| p["state"] == "merged").count();
    if by_journal != by_radicle {
        broken.push(format!("the journal knows {by_journal} merges, Radicle {by_radicle}"));
    }
}

fn storage(host: &Host) -> Vec<PathBuf> {
    fs::read_dir(host.org_folder().join("radicle/storage")).unwrap().map(|e| e.unwrap().path()).collect()
}

fn finished_work_is_there(host: &Host, world: &World, broken: &mut Vec<String>) {
    let storage = storage(host);
    let has = |commit: &str| storage.iter().any(|repo| git(repo, &["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_some());
    for run in world.agents().filter(|r| r["state"] == "done") {
        let patch = world.patches.iter().find(|p| p["id"] == run["patch"]);
        let revision = patch.and_then(|p| p["revisions"].as_array()?.iter().find(|r| r["id"] == run["revision"]));
        if revision.is_none_or(|r| r["head"] != run["commit"] || r["author"] != run["key"]) {
            broken.push(format!("the run {} is done, and its revision is not there", run["id"]));
        } else if !has(run["commit"].as_str().unwrap_or_default()) {
            broken.push(format!("the run {} is done, and its commit is not there", run["id"]));
        }
    }
    // What a key began to publish and nobody finished must not be shown.
    let keys: BTreeSet<String> = world.agents().filter(|r| r["state"] == "done").map(|r| text(&r["key"])).collect();
    for patch in &world.patches {
        for revision in patch["revisions"].as_array().unwrap().iter().filter(|r| !keys.contains(r["author"].as_str().unwrap())) {
            broken.push(format!("the revision {} of {} is of no run that is done", revision["id"], patch["id"]));
        }
    }
}

fn losses_have_reasons_and_go_on(world: &World, broken: &mut Vec<String>) {
    for run in world.runs.values().filter(|r| ["lost", "failed", "cancelled", "evicted"].contains(&r["state"].as_str().unwrap())) {
        let code = run["reason"]["code"].as_str().unwrap_or_default();
        let fits = match run["state"].as_str().unwrap() {
            "lost" => code == "vanished",
            "cancelled" => code == "stopped",
            // Kills are no failures of the work. Checks of a commit that went with its run are the exception.
            "failed" => run["class"] == "ci",
            _ => true,
        };
        if !fits {
            broken.push(format!("the run {} ({}) is {} because of {}", run["id"], run["class"], run["state"], run["reason"]));
        }
    }
    let lost = |r: &&Value| r["state"] == "lost" && r["attempt"].as_u64().unwrap() < RESUME_ATTEMPTS_MAX;
    for run in world.agents().filter(lost) {
        if !world.agents().any(|r| r["continues"] == run["id"]) {
            broken.push(format!("the run {} was lost, and nobody took it up", run["id"]));
        }
    }
    // A check that was lost says nothing about the work, so no work may carry it as failed.
    for run in world.agents().filter(|r| r["state"] == "done") {
        if run["checks"].as_array().unwrap().iter().any(|c| c["passed"] != true) {
            broken.push(format!("the run {} carries checks that failed: {}", run["id"], run["checks"]));
        }
    }
}

/// The first half of a task's work is a random word, written and told once. Checkpoints go once their work is published, so what
/// counts is what was told: a run that goes on from another has the same word, through however many runs.
fn work_went_on_from_checkpoints(host: &Host, world: &World, broken: &mut Vec<String>) {
    let storage = storage(host);
    let word = |commit: &Value, path: &str| {
        let name = format!("{}:{path}", commit.as_str()?);
        let found = storage.iter().find_map(|repo| git(repo, &["show", &name]))?;
        Some(String::from_utf8_lossy(&found).trim().to_owned())
    };
    for run in world.agents().filter(|r| r["state"] == "done") {
        let (mut earlier, path) = (&run["continues"], format!("out/{}.a", text(&run["task"]["task"])));
        while let Some(before) = earlier.as_str().and_then(|id| world.runs.get(id)) {
            if let Some(told) = told_word(host, before)
                && before["base"] == run["base"]
                && word(&run["commit"], &path).as_ref() != Some(&told)
            {
                broken.push(format!("the run {} did not go on from the work of {}", run["id"], before["id"]));
            }
            earlier = &before["continues"];
        }
    }
}

/// The word that a run said it wrote.
fn told_word(host: &Host, run: &Value) -> Option<String> {
    let log = fs::read_to_string(host.org_folder().join("store/logs").join(format!("{}.jsonl", text(&run["id"])))).ok()?;
    let line = log.lines().find(|line| line.contains("made "))?;
    let from = line.find("made ")? + "made ".len();
    Some(line[from..].chars().take_while(char::is_ascii_hexdigit).collect())
}

fn git(repo: &PathBuf, args: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git").arg("--git-dir").arg(repo).args(args).output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// Control groups of sandboxes of ours whose runner is gone. Others work on this machine too.
fn groups_without_owner(host: &Host) -> BTreeSet<String> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let below =
        |dir: &PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect::<Vec<_>>();
    let all = below(&root).into_iter().flat_map(|dir| below(&dir).into_iter().chain([dir]).collect::<Vec<_>>());
    let orphan = |dir: &PathBuf| {
        let pid: i32 = dir.file_name()?.to_str()?.strip_prefix("meshwork-")?.split('-').next()?.parse().ok()?;
        (host.had(pid) && !PathBuf::from(format!("/proc/{pid}")).exists()).then(|| dir.display().to_string())
    };
    all.filter_map(|dir| orphan(&dir)).collect()
}

/// What is left after `up` ended: processes, folders of runs, sockets, control groups.
pub fn left_behind(host: &Host) -> Vec<String> {
    let mut left = Vec::new();
    let needle = host.folder().to_string_lossy().into_owned();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&needle) {
            left.push(format!("process {:?}: {line}", entry.file_name()));
        }
    }
    let folders = fs::read_dir(host.org_folder().join("runs")).unwrap().flatten();
    left.extend(folders.map(|e| format!("folder {}", e.path().display())));
    let sockets = fs::read_dir(host.folder().join("r/meshwork"))
        .into_iter()
        .flatten()
        .flatten()
        .flat_map(|d| fs::read_dir(d.path()).into_iter().flatten().flatten());
    let of_runs = sockets.filter(|s| s.path().extension().is_some_and(|e| ["m", "c", "e"].contains(&e.to_str().unwrap_or_default())));
    left.extend(of_runs.map(|s| format!("socket {}", s.path().display())));
    left.extend(groups_without_owner(host).into_iter().map(|g| format!("control group {g}")));
    left
}
