//! A small org: two features, runs in several states, patches, two devices.

use crate::{
    admission::new_run,
    command::{
        answer::CommandItem,
        grammar::{Grasp, grasp},
        memory::Memory,
        plan::Plan,
        propose::{Draft, propose},
        resolve::Trouble,
        words::Text,
        world::World,
    },
};
use domain::{
    Did, Oid, Timestamp,
    gate::PatchStanding,
    manifest::Class,
    org::{Device, Member},
    patch::{Patch, PatchState, Review, Revision, Verdict},
    role::Role,
    run::{Choice, Question, Reason, Run, RunState},
    task::{Task, TaskState, TaskView},
};
use jiff::Zoned;
use serde_json::{Value, json};

pub(super) const RUN_WORKING: &str = "01JZZZZZZZZZZZZZZZZZWRK001";
pub(super) const RUN_ASKING: &str = "01JZZZZZZZZZZZZZZZZZASK002";
pub(super) const RUN_PAUSED: &str = "01JZZZZZZZZZZZZZZZZZPAS003";
pub(super) const RUN_FAILED: &str = "01JZZZZZZZZZZZZZZZZZFAX004";
pub(super) const RUN_DONE: &str = "01JZZZZZZZZZZZZZZZZZDNE005";
pub(super) const PATCH_OPEN: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
pub(super) const PATCH_ACCEPTED: &str = "beef3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
pub(super) const PATCH_MERGED: &str = "feed3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

pub(super) fn did(letter: char) -> Did {
    format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap()
}

/// A Wednesday.
pub(super) fn now() -> Zoned {
    "2026-05-06T14:30:00+00:00[UTC]".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    Timestamp(now().timestamp().as_millisecond() - hours * 3_600_000)
}

fn task(feature: &str, id: &str, title: &str, state: TaskState) -> TaskView {
    let at = serde_json::from_value(json!({"project": "demo", "feature": feature, "task": id})).unwrap();
    let done = matches!(state, TaskState::Merged { .. } | TaskState::Done);
    let task = Task {
        id: id.parse().unwrap(),
        title: title.into(),
        details: String::new(),
        done,
        parallel: false,
        story: None,
        tags: vec![],
        phase: "Phase 1".into(),
        phase_index: 0,
        depends_on: vec![],
        line: 1,
    };
    TaskView { at, task, state, whose: None, rivals: vec![] }
}

fn run(id: &str, task: &TaskView, state: RunState, hours: i64) -> Run {
    let mut run = new_run(id.parse().unwrap(), Class::Agent, "demo".parse().unwrap(), did('m'), did('h'), ago(hours));
    run.task = Some(task.at.clone());
    run.agent = Some("builder".parse().unwrap());
    run.device = Some(did('h'));
    run.state = state;
    if state.ended() {
        run.ended_at = Some(ago(hours));
    }
    run
}

fn patch(id: &str, title: &str, state: PatchState, verdicts: &[Verdict]) -> Patch {
    let oid: Oid = "0123456789012345678901234567890123456789".parse().unwrap();
    let review = |v: &Verdict| Review { by: did('r'), verdict: Some(*v), summary: String::new(), at: ago(1), comments: vec![] };
    let revision = Revision {
        id: id.parse().unwrap(),
        author: did('k'),
        head: oid.clone(),
        base: oid.clone(),
        at: ago(2),
        description: String::new(),
        reviews: verdicts.iter().map(review).collect(),
        comments: vec![],
    };
    Patch {
        id: id.parse().unwrap(),
        project: "demo".parse().unwrap(),
        title: title.into(),
        description: String::new(),
        state,
        author: did('k'),
        head: oid.clone(),
        base: oid,
        merged_as: None,
        merged_by: None,
        left_out: vec![],
        revisions: vec![revision],
        trace: None,
    }
}

pub(super) fn world() -> World {
    let failed: domain::RunId = RUN_FAILED.parse().unwrap();
    let tasks = vec![
        task("001-login", "T001", "Make the skeleton", TaskState::Done),
        task("001-login", "T002", "Add the form", TaskState::Running { run: RUN_WORKING.parse().unwrap(), waits: None }),
        task("001-login", "T003", "Check the password", TaskState::Failed { run: failed, reason: Reason::Silent { seconds: 9 } }),
        task("001-login", "T004", "Remember the person", TaskState::Ready),
        task("001-login", "T005", "Log out", TaskState::Waiting { on: vec!["T004".parse().unwrap()] }),
        task("001-login", "T006", "Forgotten passwords", TaskState::Ready),
        task("002-report", "T001", "Gather the figures", TaskState::Ready),
        task("002-report", "T012", "Draw the chart", TaskState::Waiting { on: vec!["T001".parse().unwrap()] }),
    ];
    let mut working = run(RUN_WORKING, &tasks[1], RunState::Working, 1);
    working.device = Some(did('l'));
    let mut asking = run(RUN_ASKING, &tasks[5], RunState::Working, 2);
    let options = [("yes", true), ("no", false)].map(|(id, allows)| Choice { id: id.into(), label: id.into(), allows });
    asking.questions = vec![Question { id: "q1".into(), title: "write answer.txt".into(), options: options.into() }];
    let mut paused = run(RUN_PAUSED, &tasks[4], RunState::Working, 3);
    paused.paused = true;
    let mut failed = run(RUN_FAILED, &tasks[2], RunState::Failed, 20);
    failed.reason = Some(Reason::Silent { seconds: 9 });
    let device = |name: &str, letter| Device::new(name, did(letter), "ada");
    World {
        projects: vec!["demo".parse().unwrap()],
        features: [("001-login", "Signing in"), ("002-report", "Reports")]
            .map(|(id, title)| ("demo".parse().unwrap(), id.parse().unwrap(), title.to_owned()))
            .into(),
        runs: vec![working, asking, paused, failed, run(RUN_DONE, &tasks[0], RunState::Done, 100)],
        patches: vec![
            patch(PATCH_OPEN, "T007: Greet", PatchState::Open, &[]),
            patch(PATCH_ACCEPTED, "T008: Bow", PatchState::Open, &[Verdict::Accept]),
            patch(PATCH_MERGED, "T001: Skeleton", PatchState::Merged, &[Verdict::Accept]),
        ],
        standings: [(PATCH_OPEN, PatchStanding::ToReview), (PATCH_ACCEPTED, PatchStanding::ToMerge), (PATCH_MERGED, PatchStanding::Merged)]
            .map(|(id, standing)| (id.parse().unwrap(), standing))
            .into(),
        agents: vec!["builder".parse().unwrap()],
        devices: vec![device("home", 'h'), device("laptop-3", 'l')],
        members: vec![Member { name: "ada".into(), roles: vec![Role::Owner], standby: None, keys: vec![] }],
        here: Some(did('h')),
        click: None,
        problems: vec![],
        tasks,
    }
}

pub(super) fn understood(world: &World, memory: &Memory, said: &str) -> Grasp {
    grasp(world, memory, &Text::read(said), &now())
}

pub(super) fn plan(world: &World, said: &str) -> Plan {
    match understood(world, &Memory::default(), said) {
        Grasp::Plan(plan) => *plan,
        _ => panic!("“{said}” is not understood"),
    }
}

pub(super) fn drafts(world: &World, said: &str) -> Vec<Draft> {
    plan(world, said).changes.iter().flat_map(|(action, input)| propose(world, action, input).unwrap()).collect()
}

/// What a sentence comes to, in a line.
pub(super) fn told(world: &World, memory: &Memory, said: &str) -> String {
    match understood(world, memory, said) {
        Grasp::Nothing(examples) => format!("nothing; {}", examples.first().map_or("", String::as_str)),
        Grasp::Trouble(Trouble::Problem(problem)) => format!("no: {}", problem.what),
        Grasp::Trouble(Trouble::Which(question, choices)) => {
            format!("{question} {}", choices.iter().map(|c| c.sentence.as_str()).collect::<Vec<_>>().join(" | "))
        }
        Grasp::Plan(plan) if plan.undo => "undo".into(),
        Grasp::Plan(plan) => match (&plan.read, plan.changes.as_slice()) {
            (Some(read), _) => format!("{} {}", read.action, short(&read.input)).trim().to_owned(),
            (None, []) => format!("{} {}", plan.text.lines().next().unwrap_or_default(), ids(&plan.items)).trim().to_owned(),
            (None, changes) => changes
                .iter()
                .map(|(action, input)| match propose(world, action, input) {
                    Ok(drafts) => drafts
                        .iter()
                        .map(|d| format!("{} {}", d.action.name, short(&d.input)).trim_end().to_owned())
                        .collect::<Vec<_>>()
                        .join("; "),
                    Err(problem) => format!("no: {}", problem.what),
                })
                .collect::<Vec<_>>()
                .join("; "),
        },
    }
}

fn ids(items: &[CommandItem]) -> String {
    items.iter().map(|i| i.label.split(' ').next().unwrap_or_default()).collect::<Vec<_>>().join(",")
}

/// An input's values, ids cut to what tells them apart.
fn short(input: &Value) -> String {
    let one = |v: &Value| match v {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        Value::String(text) if text.len() == 26 => text[20..].to_owned(),
        Value::String(text) if text.len() == 40 => text[..4].to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut parts: Vec<String> = input
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "project")
        .map(|(name, value)| format!("{name}={}", one(value)))
        .collect();
    parts.sort();
    parts.join(" ")
}
