//! Conversations: whose they are, how long they and their proposals count, that a yes counts once.

use super::world::{drafts, world};
use crate::{
    caller::Caller,
    command::conversation::{Conversation, Desk, Knowingly},
    limits,
};
use domain::{
    Kind, Timestamp,
    actor::{Door, Via},
    role::Role,
};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_000_000);

fn caller(door: Door, token: Option<&str>) -> Caller {
    Caller { member: None, role: Role::Owner, via: Via { door, token: token.map(str::to_owned) }, browser: None }
}

fn cli() -> Caller {
    caller(Door::Cli, None)
}

fn ids(of: &[&str]) -> Vec<String> {
    of.iter().map(|id| (*id).to_owned()).collect()
}

fn holding(said: &str, untrusted: bool) -> Conversation {
    let mut held = Conversation::default();
    for draft in drafts(&world(), said) {
        held.hold(draft, untrusted, NOW);
    }
    held
}

#[test]
fn a_yes_counts_once_and_all_or_none_is_taken() {
    let mut held = holding("stop everything", false);
    assert_eq!(held.take(&ids(&["p1", "p9"]), Knowingly::No, NOW).unwrap_err().kind, Kind::NotFound);
    assert_eq!(held.take(&ids(&["p1", "p1"]), Knowingly::No, NOW).unwrap_err().kind, Kind::Conflict);
    let taken = held.take(&ids(&["p2", "p1"]), Knowingly::No, NOW).unwrap();
    assert_eq!(taken.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["p2", "p1"], "in the order of the yes");
    let again = held.take(&ids(&["p3", "p1"]), Knowingly::No, NOW).unwrap_err();
    assert!(again.what.contains("carried out already"), "{again}");
    assert_eq!(held.take(&ids(&["p3"]), Knowingly::No, NOW).unwrap().len(), 1, "the refused yes took nothing");
}

#[test]
fn an_old_proposal_counts_no_more() {
    let mut held = holding("stop run WRK001", false);
    let late = NOW.plus_ms(limits::PROPOSAL_VALID_MS + 1);
    assert!(held.take(&ids(&["p1"]), Knowingly::No, late).unwrap_err().what.contains("too long ago"));
    assert!(held.take(&ids(&["p1"]), Knowingly::No, NOW.plus_ms(limits::PROPOSAL_VALID_MS)).is_ok());
}

#[test]
fn what_was_proposed_after_text_of_others_needs_a_knowing_yes() {
    let mut held = holding("merge patch beef", true);
    let refused = held.take(&ids(&["p1"]), Knowingly::No, NOW).unwrap_err();
    assert!(refused.what.contains("text of others"), "{refused}");
    assert_eq!(held.take(&ids(&["p1"]), Knowingly::Yes, NOW).unwrap().len(), 1);
}

#[test]
fn what_was_done_is_taken_back_once() {
    let mut held = holding("pause run WRK001", false);
    assert!(held.take_back("p1").unwrap_err().what.contains("was not carried out"));
    let (id, draft) = held.take(&ids(&["p1"]), Knowingly::No, NOW).unwrap().remove(0);
    held.done(&id, draft.back.steps(&json!({})));
    assert_eq!(held.last_done().unwrap()[0].action, "run.resume");
    assert_eq!(held.take_back("p1").unwrap()[0].action, "run.resume");
    assert!(held.take_back("p1").unwrap_err().what.contains("undone already"));
    assert!(held.last_done().is_none());
    let mut held = holding("merge patch beef", false);
    held.take(&ids(&["p1"]), Knowingly::No, NOW).unwrap();
    held.done("p1", vec![]);
    assert!(held.take_back("p1").unwrap_err().what.contains("cannot be undone"));
}

#[test]
fn a_conversation_is_its_callers_alone_and_ends_with_silence() {
    let desk = Desk::default();
    let (id, _) = desk.open(None, &cli(), NOW).unwrap();
    assert!(desk.find(&id, &cli(), NOW).is_ok());
    assert_eq!(desk.find(&id, &caller(Door::Http, Some("abc")), NOW).unwrap_err().kind, Kind::NotFound);
    let lower = Caller { role: Role::Viewer, ..cli() };
    assert_eq!(desk.find(&id, &lower, NOW).unwrap_err().kind, Kind::NotFound);
    assert_ne!(desk.open(Some(&id), &caller(Door::Http, Some("abc")), NOW).unwrap().0, id);
    assert_eq!(desk.open(Some(&id), &cli(), NOW).unwrap().0, id);
    assert!(desk.find(&id, &cli(), NOW.plus_ms(limits::CONVERSATION_KEPT_MS)).is_err());
}

#[test]
fn conversations_and_proposals_are_bounded() {
    let desk = Desk::default();
    let (first, _) = desk.open(None, &cli(), NOW).unwrap();
    let (other, _) = desk.open(None, &caller(Door::Dashboard, None), NOW).unwrap();
    for n in 1..=limits::CONVERSATIONS_OF_ONE_MAX as u64 {
        desk.open(None, &cli(), NOW.plus_ms(n)).unwrap();
    }
    assert!(desk.find(&first, &cli(), NOW).is_err(), "the oldest is forgotten");
    assert!(desk.find(&other, &caller(Door::Dashboard, None), NOW).is_ok(), "others lose nothing by it");
    let mut held = Conversation::default();
    let draft = drafts(&world(), "stop run WRK001").remove(0);
    for _ in 0..=limits::PROPOSALS_HELD_MAX {
        held.hold(draft.clone(), false, NOW);
    }
    assert_eq!(held.take(&ids(&["p1"]), Knowingly::No, NOW).unwrap_err().kind, Kind::NotFound);
    assert!(held.take(&ids(&["p2"]), Knowingly::No, NOW).is_ok());
}
