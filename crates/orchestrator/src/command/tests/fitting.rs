//! Of several that a name fits, the one is taken that fits the sentence.

use super::world::{RUN_ASKING, RUN_FAILED, RUN_PAUSED, drafts, told, understood, world};
use crate::command::{grammar::Grasp, memory::Memory, sentences, world::World};
use domain::{
    run::{Reason, RunState},
    task::{TaskState, TaskView},
};

fn told_of(world: &World, said: &str) -> String {
    told(world, &Memory::default(), said)
}

/// A world in which the second feature has a T002 too.
fn with_second(state: TaskState) -> World {
    let mut world = world();
    let mut second: TaskView = world.tasks[6].clone();
    second.at.task = "T002".parse().unwrap();
    second.state = state;
    world.tasks.push(second);
    world
}

#[test]
fn an_agent_is_told_something_by_its_name() {
    let mut world = world();
    world.agents.push("talker".parse().unwrap());
    assert_eq!(told_of(&world, "tell talker to hurry up"), "no: talker runs nothing now, so nobody would hear it.");
    world.runs[0].agent = Some("talker".parse().unwrap());
    for said in ["tell talker to hurry up", "tell the agent talker hurry up", "tell talker: hurry up", "ask talker to hurry up"] {
        assert_eq!(told_of(&world, said), "run.send run=WRK001 text=hurry up", "{said}");
    }
    assert_eq!(told_of(&world, "tell talker to stop"), "run.stop run=WRK001", "that is no message");
    assert_eq!(
        told_of(&world, "tell builder to hurry up"),
        format!("builder works at 2 runs. Which is it for? send to run {RUN_ASKING}: hurry up | send to run {RUN_PAUSED}: hurry up")
    );
    assert_eq!(told_of(&world, "tell bob to hurry up"), "no: There is no agent “bob”.");
    assert!(told_of(&world, "tell me what the talker needs").starts_with("nothing"), "a question is no message");
}

#[test]
fn what_failed_is_what_is_asked_about() {
    let mut world = with_second(TaskState::Waiting { on: vec![] });
    let failed = RUN_FAILED.parse().unwrap();
    world.tasks[1].state = TaskState::Failed { run: failed, reason: Reason::Silent { seconds: 9 } };
    for said in ["why did T002 fail?", "why did task T002 fial", "why has T002 failed"] {
        assert_eq!(told_of(&world, said), "task.show feature=001-login task=T002", "{said}");
    }
    assert!(told_of(&world, "why is T002 waiting?").starts_with("Which one is meant?"));
    // A run of it that failed will do; what failed itself comes first.
    world.runs[3].task = Some(world.tasks[8].at.clone());
    assert_eq!(
        told_of(&world, "why did T002 fail?"),
        "Which one is meant? why did task T002 of 001-login fail? | why did task T002 of 002-report fail?"
    );
    world.tasks[1].state = TaskState::Ready;
    world.runs[0].state = RunState::Done;
    assert_eq!(told_of(&world, "why did T002 fail?"), "task.show feature=002-report task=T002");
}

#[test]
fn only_what_can_be_run_is_run() {
    let mut world = with_second(TaskState::Ready);
    assert_eq!(told_of(&world, "run T002"), "task.run agent=builder feature=002-report tasks=T002");
    assert_eq!(told_of(&world, "run task T001 with builder"), "task.run agent=builder feature=002-report tasks=T001");
    assert_eq!(drafts(&world, "run T001")[0].sentence, "Run T001 of 002-report with builder.");
    world.tasks[1].state = TaskState::Ready;
    assert_eq!(told_of(&world, "run T002"), "Which feature is meant? run T002 of 001-login | run T002 of 002-report");
    // What is written down may be changed in whatever state it is.
    assert!(told_of(&world, "edit T001: new").starts_with("Which feature is meant?"));
}

#[test]
fn of_runs_of_one_name_those_that_have_not_ended_are_steered() {
    let mut world = with_second(TaskState::Failed { run: RUN_FAILED.parse().unwrap(), reason: Reason::Completed });
    world.runs[3].task = Some(world.tasks[8].at.clone());
    assert_eq!(told_of(&world, "stop the run of T002"), "run.stop run=WRK001");
    assert_eq!(told_of(&world, "tell T002 to hurry up"), "run.send run=WRK001 text=hurry up");
    assert!(told_of(&world, "why did the run of T002 fail?").contains("FAX004"));
}

#[test]
fn suggestions_speak_of_what_is_there() {
    let example = |world: &World, form: &str| sentences::all().iter().find(|s| s.example == form).unwrap().here(world);
    let world = world();
    for (made_up, real) in [
        ("tell builder to stop", "tell builder to stop"),
        ("run T004 to T008", "run T003 to T006"),
        ("why is T012 waiting?", "why is T005 waiting?"),
        ("why is T012 not on laptop-3?", "why is T005 not on laptop-3?"),
        ("run feature 001", "run feature 001"),
        ("send to run 1AB2CD: …", "send to run WRK001: …"),
    ] {
        assert_eq!(example(&world, made_up).as_deref(), Some(real));
    }
    for sentence in sentences::all().iter().filter(|s| !s.example.is_empty()) {
        let said = sentence.here(&world).unwrap().replace('…', "words");
        assert!(!told_of(&world, &said).starts_with("nothing"), "{said}");
    }
    let empty = World::default();
    for made_up in ["tell builder to stop", "run T004 to T008", "show T004", "send to run 1AB2CD: …", "run feature 001"] {
        assert_eq!(example(&empty, made_up), None, "{made_up}");
    }
    assert_eq!(example(&empty, "what needs me").as_deref(), Some("what needs me"));
    let Grasp::Nothing(examples) = understood(&empty, &Memory::default(), "sing") else { panic!("that is understood") };
    assert!(!examples.is_empty());
}
