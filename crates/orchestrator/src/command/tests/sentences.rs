//! Sentences and what they come to.

use super::world::{PATCH_ACCEPTED, PATCH_OPEN, RUN_ASKING, RUN_DONE, RUN_FAILED, RUN_PAUSED, RUN_WORKING, did, drafts, plan, told, world};
use crate::command::{
    answer::{CommandItem, ItemKind},
    extent::{RUN_STATES, states_of},
    memory::Memory,
    propose::propose,
    sentences,
    world::World,
};
use domain::{
    gate::PatchStanding,
    lend::Click,
    manifest::{Apart, Priority},
    run::Stands,
};
use serde_json::json;

#[track_caller]
fn all(table: &[(&str, &str)]) {
    let world = world();
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(said, expected)| {
            let found = told(&world, &Memory::default(), said);
            (found != *expected).then(|| format!("“{said}”\n   found: {found}\nexpected: {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn tasks_are_given_to_agents() {
    let t46 = "task.run agent=builder feature=001-login tasks=T004,T005,T006";
    all(&[
        ("run T004 to T006", t46),
        ("Please run t4 through t6!", t46),
        ("run T004-T006 of 001-login with builder", t46),
        ("could you start tasks 4 to 6 using agent builder in feature login", t46),
        ("RUN T006, T004 AND T005 BY Builder", t46),
        ("run T012", "task.run agent=builder feature=002-report tasks=T012"),
        ("run feature 002", "task.run agent=builder feature=002-report tasks=T001,T012"),
        ("run everything in 002", "task.run agent=builder feature=002-report tasks=T001,T012"),
        ("start all open tasks of 002-report", "task.run agent=builder feature=002-report tasks=T001,T012"),
        ("rerun failed tasks", "task.run agent=builder feature=001-login tasks=T003"),
        ("give T004 to builder", "task.run agent=builder feature=001-login tasks=T004"),
        ("run T002 to T004", "task.run agent=builder feature=001-login tasks=T003,T004"),
        (
            "run everything",
            "task.run agent=builder feature=001-login tasks=T003,T004,T005,T006; task.run agent=builder feature=002-report tasks=T001,T012",
        ),
    ]);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    all(&[
        ("run T099", "no: No feature has the tasks T099 together."),
        ("run T004 with bob", "no: There is no agent “bob”."),
        ("run T001 of 001", "no: None of these tasks can be run now."),
        ("run T004 of 009", "no: There is no feature “009”."),
        ("run T004 on laptop-9", "no: There is no device “laptop-9”."),
        ("take over T099", "no: No feature has the tasks T099 together."),
        ("why is T012 not on laptop-9?", "no: There is no device “laptop-9”."),
        ("why is T012 not on machines with a gpu?", "no: It is asked about a device by its name, not by tags."),
        ("stop everything on laptop-9", "no: There is no device “laptop-9”."),
        ("give bob the reviewer role", "no: The role of bob cannot be changed here."),
        ("merge patch 9999aaaa", "no: There is no patch “9999aaaa”."),
        ("merge patch feed", "no: The patch feed3c4d is merged, not open."),
        ("why is T098 waiting?", "no: There is no task, run, patch, feature or agent “T098”."),
        ("stop it", "no: It is not clear which runs is meant."),
        ("request changes on patch 1a2b", "no: A review without a word helps nobody."),
        ("send to run WRK001", "nothing; send to run WRK001: …"),
        ("sing me a song", "nothing; what needs me"),
        ("delete all tasks", "nothing; what needs me"),
    ]);
}

#[test]
fn where_several_fit_whole_sentences_are_offered() {
    let mut world = world();
    assert_eq!(
        told(&world, &Memory::default(), "why is T001 waiting?"),
        "Which one is meant? why is task T001 of 001-login waiting? | why is task T001 of 002-report waiting?"
    );
    let chosen = "why is task T001 of 002-report waiting?";
    assert_eq!(told(&world, &Memory::default(), chosen), "task.show feature=002-report task=T001");
    world.agents.push("fixer".parse().unwrap());
    assert_eq!(told(&world, &Memory::default(), "run T004."), "Which agent is to do it? run T004 with builder | run T004 with fixer");
    assert_eq!(
        told(&world, &Memory::default(), "edit T001: new"),
        "Which feature is meant? edit T001 of 001-login: new | edit T001 of 002-report: new"
    );
    assert_eq!(
        told(&world, &Memory::default(), "add task: Say goodbye"),
        "To which feature? add task to 001-login: Say goodbye | add task to 002-report: Say goodbye"
    );
}

#[test]
fn runs_are_steered() {
    let both = "run.stop run=WRK001; run.stop run=ASK002; run.stop run=PAS003";
    all(&[
        ("stop everything", both),
        ("stop all runs", both),
        ("cancel every run please", both),
        ("stpo everything", both),
        ("stop everything on laptop-3", "run.stop run=WRK001"),
        ("stop everything on this machine", "run.stop run=ASK002; run.stop run=PAS003"),
        ("stop run wrk001", "run.stop run=WRK001"),
        ("stop the run of T002", "run.stop run=WRK001"),
        ("stop runs WRK001 and ASK002", "run.stop run=WRK001; run.stop run=ASK002"),
        ("stop run FAX004", "no: There is nothing to end."),
        ("pause everything", "run.pause run=WRK001; run.pause run=ASK002"),
        ("resume all", "run.resume run=PAS003"),
        ("unpause run PAS003", "run.resume run=PAS003"),
        ("evict everything", "device.evict run=ASK002; device.evict run=PAS003"),
        ("send to run WRK001: Mind the gap.", "run.send run=WRK001 text=Mind the gap."),
        ("tell run WRK001 mind the gap: please", "nothing; send to run WRK001: …"),
        ("tell run WRK001 to mind the gap", "run.send run=WRK001 text=mind the gap"),
        ("tell run WRK001 you are too slow", "run.send run=WRK001 text=you are too slow"),
        ("tell T002 to hurry up", "run.send run=WRK001 text=hurry up"),
        ("ask task T002 to hurry up", "run.send run=WRK001 text=hurry up"),
        ("send “use a map” to WRK001", "run.send run=WRK001 text=use a map"),
        ("allow", "run.answer option=yes question=q1 run=ASK002"),
        ("deny run ASK002", "run.answer option=no question=q1 run=ASK002"),
        ("allow run WRK001", "no: The run WRK001 asks nothing now."),
        ("undo", "undo"),
        ("undo that", "undo"),
    ]);
}

#[test]
fn tasks_are_sent_to_devices_and_to_tags() {
    let t46 = "task.run agent=builder feature=001-login on=home tasks=T004,T005,T006";
    let gpu = r#"task.run agent=builder feature=001-login tags={"gpu":"true"} tasks=T004"#;
    all(&[
        ("run T004..T006 on this machine", t46),
        ("run T004 on laptop-3 with builder", "task.run agent=builder feature=001-login on=laptop-3 tasks=T004"),
        ("run T004 on machines with a gpu", gpu),
        ("run T004 with builder on machines with a gpu", gpu),
        ("run T004 on machines with a gpu with builder", gpu),
        ("run T004 on machines tagged gpu:true", gpu),
        ("which machines can run T012?", "task.why feature=002-report task=T012"),
        ("why is T012 not on laptop-3?", "task.why feature=002-report task=T012"),
        ("why isn't T012 running on laptop-3", "task.why feature=002-report task=T012"),
        ("why is T001 of 002 on this machine", "task.why feature=002-report task=T001"),
    ]);
    let mut world = world();
    let run = |said: &str| drafts(&world, said).remove(0).sentence;
    assert_eq!(run("run T004 on laptop-3"), "Run T004 of 001-login with builder on laptop-3.");
    assert_eq!(run("run T004 on machines with a gpu"), "Run T004 of 001-login with builder on a device with gpu:true.");
    let named = json!({"tasks": ["T004"], "on": "nowhere"});
    assert_eq!(propose(&world, "task.run", &named).unwrap_err().what, "There is no device “nowhere”.");
    // An agent that is asked for behind a place is none of its tags.
    world.agents.push("fixer".parse().unwrap());
    assert_eq!(
        told(&world, &Memory::default(), "run T004 on machines with a gpu with fixer"),
        r#"task.run agent=fixer feature=001-login tags={"gpu":"true"} tasks=T004"#
    );
}

#[test]
fn of_a_device_it_is_told_what_was_said_of_it_and_of_no_other() {
    let world = world();
    let answer = json!({
        "task": {"project": "demo", "feature": "002-report", "task": "T012"},
        "why": "It has no run yet.",
        "devices": [
            {"device": did('h'), "name": "home", "why": "It could take it now."},
            {"device": did('l'), "name": "laptop-3", "why": "It has no gpu."},
        ],
    });
    let told = |said: &str| (plan(&world, said).read.unwrap().tell)(&world, &answer);
    let (text, items) = told("why is T012 not on laptop-3?");
    assert_eq!(text, "It has no run yet.\nlaptop-3: It has no gpu.");
    assert_eq!(items[0].id, "T012");
    assert_eq!(told("which machines can run T012?").0, "It has no run yet.\nhome: It could take it now.\nlaptop-3: It has no gpu.");
}

#[test]
fn the_machine_is_lent_and_taken_back() {
    all(&[
        ("take this machine back", "device.reclaim"),
        ("give me back my laptop", "device.reclaim"),
        ("give the machine back", "device.reclaim"),
        ("keep the guests away", "device.reclaim"),
        ("lend this machine", "device.release"),
        ("lend the machine again", "device.release"),
    ]);
    let back = |click: Option<Click>, said: &str| -> Vec<&str> {
        let world = World { click, ..world() };
        drafts(&world, said)[0].back.steps(&json!({})).iter().map(|step| step.action).collect()
    };
    assert_eq!(back(None, "take this machine back"), ["device.release"]);
    assert_eq!(back(Some(Click::Reclaimed { until: None }), "lend this machine"), ["device.reclaim"]);
    assert!(back(None, "lend this machine").is_empty(), "what was lent before is not taken back");
}

#[test]
fn a_task_is_taken_over_from_the_device_that_claimed_it() {
    all(&[
        ("take over T004", "task.takeover feature=001-login task=T004"),
        ("take T004 over", "task.takeover feature=001-login task=T004"),
        ("takeover T001 of 002", "task.takeover feature=002-report task=T001"),
    ]);
    let mut world = world();
    let whose = domain::picture::Whose::new(did('l'), Some(domain::Timestamp(0)), false);
    world.tasks[3].whose = Some(whose);
    let draft = drafts(&world, "take over T004").remove(0);
    assert_eq!(draft.sentence, "Take T004 of 001-login over from laptop-3.");
    assert!(draft.effect.notes[1].starts_with("laptop-3 is not reached now, and what it does is known as of 1970-01-01"), "{draft:?}");
}

#[test]
fn an_agent_is_told_to_stop() {
    let mut world = world();
    world.agents.push("fixer".parse().unwrap());
    let told = |said: &str| told(&world, &Memory::default(), said);
    let which = format!(
        "builder works at 3 runs. Which are to end? stop all runs of builder | stop run {RUN_WORKING} | stop run {RUN_ASKING} | stop run {RUN_PAUSED}"
    );
    for said in [
        "tell builder to stop",
        "please ask the agent builder to stop working",
        "stop what builder is doing",
        "stop what builder does",
        "stop builder",
        "cancel builder now",
    ] {
        assert_eq!(told(said), which, "{said}");
    }
    assert_eq!(told("stop all runs of builder"), "run.stop run=WRK001; run.stop run=ASK002; run.stop run=PAS003");
    for said in ["stop builder on laptop-3", "tell builder to stop on laptop-3", "stop everything of builder on laptop-3"] {
        assert_eq!(told(said), "run.stop run=WRK001", "{said}");
    }
    let idle = "fixer runs nothing now. Is it to be halted on every device, until that is lifted? halt fixer: it was told to stop";
    for said in ["tell fixer to stop", "stop fixer", "stop what fixer is doing"] {
        assert_eq!(told(said), idle, "{said}");
    }
    assert_eq!(told("halt fixer: it was told to stop"), "stop.order agent=fixer why=it was told to stop");
    assert_eq!(told("halt the agent fixer"), "no: A stop order says why: everybody who waits is shown it.");
    assert_eq!(told("stop bob"), "no: There is no agent “bob”.");
    assert_eq!(told("stop everything of fixer"), "no: There is nothing to end.");
    let halt = &drafts(&world, "halt fixer: it loops")[0];
    assert_eq!(halt.sentence, "Halt the agent fixer on every device: “it loops”");
    let lift = &halt.back.steps(&json!({"order": {"id": "01M8"}}))[0];
    assert_eq!((lift.action, &lift.input), ("stop.lift", &json!({"id": "01M8"})));
    assert!(propose(&world, lift.action, &lift.input).is_err(), "lifted is only what was given here, by undoing it");
    assert!(propose(&world, "stop.order", &json!({"org": true, "why": "it loops"})).is_err());
}

#[test]
fn what_is_stopped_is_run_again_as_it_was_wanted() {
    let mut world = world();
    let (run, device) = (RUN_DONE.parse().unwrap(), did('h'));
    world.runs[0].on = Some(did('l'));
    world.runs[0].tags = [("gpu".to_owned(), "true".to_owned())].into();
    world.runs[0].priority = Priority::High;
    world.runs[0].apart = Some(Apart { run, device });
    let again = &drafts(&world, "stop run WRK001")[0].back.steps(&json!(null))[0];
    let wanted = json!({
        "project": "demo", "feature": "001-login", "tasks": ["T002"], "agent": "builder", "on": did('l'), "tags": {"gpu": "true"},
        "priority": "high", "apart_from": RUN_DONE,
    });
    assert_eq!((again.action, &again.input), ("task.run", &wanted));
}

#[test]
fn patches_are_judged() {
    all(&[
        ("merge patch beef", "patch.merge patch=beef"),
        ("mrege beef3c4d", "patch.merge patch=beef"),
        ("accept patch 1a2b", "patch.review patch=1a2b summary= verdict=accept"),
        ("approve 1a2b: Fine.", "patch.review patch=1a2b summary=Fine. verdict=accept"),
        ("request changes on patch 1a2b: Use a map.", "patch.review patch=1a2b summary=Use a map. verdict=reject"),
        ("reject patch 1a2b: no tests", "patch.review patch=1a2b summary=no tests verdict=reject"),
        ("review patch 1a2b: why?", "patch.review patch=1a2b summary=why? verdict=comment"),
        ("comment on 1a2b3c: see line 3: it leaks", "patch.review patch=1a2b summary=see line 3: it leaks verdict=comment"),
        ("close patch beef", "patch.close patch=beef"),
        (
            "merge the patch",
            "Which patch is meant? merge the patch 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d | merge the patch beef3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        ),
    ]);
}

#[test]
fn a_review_may_be_about_a_line() {
    let world = world();
    let input = |said: &str| plan(&world, said).changes[0].1.clone();
    let found = input("request changes on patch 1a2b: src/main.rs:12: Use a map: it is shorter.");
    assert_eq!(found["comments"], json!([{"path": "src/main.rs", "line": 12, "text": "Use a map: it is shorter."}]));
    assert_eq!((&found["summary"], &found["verdict"]), (&json!(""), &json!("reject")));
    for said in ["see line 3: it leaks", "main.rs:0: no", "main.rs:x: no", ":3: no", "main.rs:3:"] {
        assert_eq!(input(&format!("comment on 1a2b3c: {said}"))["comments"], json!(null), "{said}");
    }
}

#[test]
fn tasks_are_written() {
    let say = "task.add feature=001-login title=Say goodbye to the person";
    all(&[
        ("add task to feature 001: Say goodbye to the person", say),
        ("add a task Say goodbye to the person to feature login", say),
        ("create new task to 001-login: Say goodbye to the person", say),
        ("add task “Say goodbye to the person” to 001", say),
        ("edit T004: Remember them", "task.edit feature=001-login task=T004 title=Remember them"),
        ("rename task 4 of 001-login to Remember them", "task.edit feature=001-login task=T004 title=Remember them"),
    ]);
}

#[test]
fn questions_are_answered() {
    all(&[
        ("why is T012 waiting?", "task.show feature=002-report task=T012"),
        ("what is T012 waiting for", "task.show feature=002-report task=T012"),
        ("why doesn't T012 run", "task.show feature=002-report task=T012"),
        (
            "why did run FAX004 fail?",
            "The run FAX004 · T003 of 001-login by builder is failed. Nothing came from the engine for 9 s, so it was ended. Raise limits.silence_s in .meshwork/project.toml if that is normal. FAX004",
        ),
        ("show failed runs since yesterday", "1 failed run since 2026-05-05 00:00. FAX004"),
        ("show failed runs", "1 failed run. FAX004"),
        ("show me frozen runs", "1 frozen run. PAS003"),
        ("which runs are paused", "No paused runs."),
        ("list working runs", "2 working runs. WRK001,ASK002"),
        ("show running runs", "3 running runs. WRK001,ASK002,PAS003"),
        ("why did the run fail?", "1 failed run. FAX004"),
        ("list the failing runs of today", "No failing runs since 2026-05-06 00:00."),
        ("what failed in the last 2 days?", "1 failed run since 2026-05-04 14:30. FAX004"),
        ("which runs failed since monday", "1 failed run since 2026-05-04 00:00. FAX004"),
        ("show runs since 2 hours ago", "2 runs since 2026-05-06 12:30. WRK001,ASK002"),
        ("what is running?", "3 unfinished runs. WRK001,ASK002,PAS003"),
        ("show patches waiting for review", "1 patch waits for a review. 1a2b3c4d"),
        ("which patches need a review", "1 patch waits for a review. 1a2b3c4d"),
        ("show merged patches", "1 merged patch. feed3c4d"),
        ("show patches", "3 patches. 1a2b3c4d,beef3c4d,feed3c4d"),
        ("show open tasks of 002", "2 open tasks of 002-report. T001,T012"),
        ("show agents", "1 agent. builder"),
        ("show members", "1 member: ada (owner)."),
        ("what needs me", "attention.list"),
        ("capacity", "device.capacity"),
        ("how much room is free?", "device.capacity"),
        ("verify the journal", "journal.verify"),
        ("is the journal sound?", "journal.verify"),
        ("doctor", "device.doctor"),
        ("show patch 1a2b", "patch.show patch=1a2b"),
        ("show T004", "task.show feature=001-login task=T004"),
    ]);
}

#[test]
fn each_word_that_lists_show_of_a_run_is_known() {
    let schema = schemars::schema_for!(Stands);
    for shown in schema.get("oneOf").unwrap().as_array().unwrap() {
        let (word, stands): (&str, Stands) = (shown["const"].as_str().unwrap(), serde_json::from_value(shown["const"].clone()).unwrap());
        let found = states_of(word, &RUN_STATES);
        assert!(found.is_some_and(|(said, meant)| said == word && meant.contains(&stands)), "{word}: {found:?}");
    }
}

#[test]
fn patches_need_a_review_where_their_gate_says_so_whatever_the_reviews_say() {
    let standings = [(PATCH_OPEN, PatchStanding::ToMerge), (PATCH_ACCEPTED, PatchStanding::ToReview)];
    let standings = standings.map(|(id, standing)| (id.parse().unwrap(), standing)).into();
    let world = World { standings, ..world() };
    let told = told(&world, &Memory::default(), "which patches need a review");
    assert_eq!(told, "1 patch waits for a review. beef3c4d", "one more accept is missing of that, and the other needs none");
}

#[test]
fn it_and_them_are_what_was_spoken_of_last() {
    let world = world();
    let mut memory = Memory::default();
    memory.note(&plan(&world, "show failed runs").items);
    assert_eq!(told(&world, &memory, "why did it fail?"), told(&world, &Memory::default(), "why did run FAX004 fail?"));
    assert_eq!(told(&world, &memory, "run it again"), "task.run agent=builder feature=001-login tasks=T003");
    memory.note(&plan(&world, "what is running?").items);
    assert_eq!(told(&world, &memory, "stop them"), "run.stop run=WRK001; run.stop run=ASK002; run.stop run=PAS003");
    assert!(told(&world, &memory, "send to it: hello").starts_with("Which run is meant? send to run 01J"));
    memory.note(&plan(&world, "show patches waiting for review").items);
    assert_eq!(told(&world, &memory, "accept it"), "patch.review patch=1a2b summary= verdict=accept");
    assert_eq!(told(&world, &memory, "show it"), "patch.show patch=1a2b");
    memory.note(&[CommandItem::named(ItemKind::Agent, "builder", "agent")]);
    assert_eq!(told(&world, &memory, "merge that patch"), "patch.merge patch=1a2b");
}

#[test]
fn every_example_of_the_grammar_is_understood_by_its_own_form() {
    let world = world();
    let table = [("1a2b3c4d", PATCH_OPEN), ("1AB2CD", RUN_WORKING), ("T008", "T006"), ("…", "words")];
    for sentence in sentences::all().iter().filter(|s| !s.example.is_empty()) {
        let said = table.iter().fold(sentence.example.to_owned(), |said, (from, to)| said.replace(from, to));
        let found = told(&world, &Memory::default(), &said);
        assert!(!found.starts_with("nothing") && !found.starts_with("no:"), "{said}: {found}");
    }
}

#[test]
fn proposals_tell_exactly_what_they_do() {
    let world = world();
    let run = &drafts(&world, "run T003 to T005")[0];
    assert_eq!(run.sentence, "Run T003, T004 and T005 of 001-login with builder.");
    assert_eq!((run.effect.count, run.effect.of.as_str()), (3, "task"));
    assert_eq!(run.effect.notes, ["T005 waits for T004 first."]);
    assert_eq!(run.back.words().as_deref(), Some("End the runs that it starts."));
    let steps = run.back.steps(&json!({"runs": [{"task": "T003", "run": RUN_FAILED}]}));
    assert_eq!((steps[0].action, &steps[0].input), ("run.stop", &json!({"run": RUN_FAILED})));

    let stop = &drafts(&world, "stop run WRK001")[0];
    assert_eq!(stop.input, json!({"run": RUN_WORKING}), "the whole id: a yes is to this run");
    assert_eq!(stop.back.steps(&json!({}))[0].action, "task.run");
    let edit = &drafts(&world, "edit T004: Other words")[0];
    assert_eq!(edit.back.steps(&json!({}))[0].input["title"], "Remember the person");
    let merge = &drafts(&world, "merge patch beef")[0];
    assert!(merge.back.words().is_none() && merge.sentence.contains("T008: Bow"), "{merge:?}");
}

#[test]
fn what_cannot_be_told_exactly_is_not_proposed() {
    let world = world();
    for (action, input) in [
        ("command.run", json!({})),
        ("credential.set", json!({"name": "x", "value": "y"})),
        ("agent.add", json!({"name": "x", "engine": "codex"})),
        ("run.stop", json!({"run": RUN_WORKING, "force": true})),
        ("run.stop", json!(["run"])),
        ("run.stop", json!({"run": "01J"})),
        ("run.stop", json!({"run": ""})),
        ("patch.merge", json!({"patch": PATCH_OPEN, "skip_checks": true})),
        ("patch.review", json!({"patch": PATCH_OPEN, "verdict": "merge"})),
        ("task.run", json!({"tasks": ["T001", "T012"], "agent": "builder"})),
    ] {
        assert!(propose(&world, action, &input).is_err(), "{action} {input}");
    }
    let hidden = propose(&world, "run.send", &json!({"run": RUN_WORKING, "text": "go\u{202e}on\u{200b}"})).unwrap();
    assert_eq!(hidden[0].input["text"], "goon", "what is not seen is not sent");
    assert!(hidden[0].sentence.contains("goon"));
}

#[test]
fn features_of_one_name_in_two_projects_are_told_apart_by_their_project() {
    let mut world = world();
    let mut other: domain::task::TaskView = world.tasks[3].clone();
    other.at.project = "shop".parse().unwrap();
    world.tasks.push(other);
    world.projects.push("shop".parse().unwrap());
    world.features.push(("shop".parse().unwrap(), "001-login".parse().unwrap(), "Signing in".into()));
    let told = |said: &str| told(&world, &Memory::default(), said);
    assert_eq!(told("run T004"), "Which feature is meant? run T004 of demo/001-login | run T004 of shop/001-login");
    assert_eq!(told("run T004 of 001"), "Which feature is meant? run T004 of demo/001-login | run T004 of shop/001-login");
    assert_eq!(
        told("why is T004 waiting?"),
        "Which one is meant? why is task T004 of demo/001-login waiting? | why is task T004 of shop/001-login waiting?"
    );
    let project = |said: &str| plan(&world, said).changes[0].1["project"].as_str().unwrap().to_owned();
    assert_eq!(project("run T004 of shop/001-login"), "shop");
    assert_eq!(project("run T004 of shop"), "shop");
    assert_eq!(project("run T004 of demo/001"), "demo");
    assert_eq!(plan(&world, "why is task T004 of shop/001-login waiting?").read.unwrap().input["project"], "shop");
}
