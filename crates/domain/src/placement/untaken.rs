//! What becomes of a run that no device takes now, by what each said of it, or is known for.

use super::Refusal;
use crate::{
    Did,
    run::{Reason, Run, RunState},
};

/// What becomes of a run that no device takes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// It waits: some device may take it later.
    Waits,
    /// It is given up, and its work is placed as a new run: a device leased it, and its answer was lost until what it had been sent did not
    /// count any more. That device takes no other request for this run, and never got its key.
    Anew,
    /// It fails: none will ever take it as it is.
    Fails,
}

impl Untaken {
    /// What becomes of a run of `here`. `each` are the devices with why they do not take it, empty where one could; `asked` says which of
    /// them were asked, so that this is their own word.
    pub fn of(run: &Run, here: &Did, each: &[(Did, Vec<Refusal>)], asked: impl Fn(&Did) -> bool) -> Self {
        // What was said by who was named is the last word.
        let others_word = |did: &Did| did != here && run.on.is_none() && asked(did);
        let waits = |(did, refusals): &(Did, Vec<Refusal>)| {
            if others_word(did) { Refusal::may_take_later(refusals) } else { may_wait(run, refusals) }
        };
        let given_up = Run { state: RunState::Lost, ..run.clone() };
        let leased_before = each.iter().flat_map(|(_, refusals)| refusals).any(|refusal| *refusal == Refusal::LeasedBefore);
        if leased_before && given_up.next_attempt(here).is_some() {
            Self::Anew
        } else if each.is_empty() || each.iter().any(waits) {
            Self::Waits
        } else {
            Self::Fails
        }
    }

    /// Where the run goes, and why; `message` is what the devices said.
    pub fn moves(self, message: String) -> (RunState, Reason) {
        match self {
            Self::Waits => (RunState::Queued, Reason::WaitsForRoom { message }),
            Self::Anew => {
                let message = format!("A device leased it, and its answer was lost for longer than the request counted. {message}");
                (RunState::Lost, Reason::Vanished { message })
            }
            Self::Fails => (RunState::Failed, Reason::Refused { message }),
        }
    }
}

/// Whether a run may wait for a device that said this. One that goes on from another also waits for the owner to take guests again: what
/// was begun is not to end because somebody changed their mind.
fn may_wait(run: &Run, refusals: &[Refusal]) -> bool {
    let goes_on = run.continues.is_some();
    refusals.iter().all(|refusal| refusal.passes() || (goes_on && matches!(refusal, Refusal::Reclaimed { .. })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{lend::Reclaim, limits::RESUME_ATTEMPTS_MAX, manifest::Class, placement::tests::did};
    use serde_json::json;

    /// A run that device 0 asks for.
    fn run() -> Run {
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did(9), "requester": did(0),
            "state": "queued", "queued_at": 0,
        });
        serde_json::from_value(run).unwrap()
    }

    fn full() -> Refusal {
        Refusal::NoSlot { slots: 1 }
    }

    fn never() -> Refusal {
        Refusal::Reclaimed { why: Reclaim::Never }
    }

    #[test]
    fn what_goes_on_waits_for_an_owner_to_take_guests_again_and_what_begins_does_not() {
        let begins = run();
        let goes_on = Run { continues: Some("01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap()), ..begins.clone() };
        let table = [
            (vec![never()], Untaken::Fails, Untaken::Waits),
            (vec![never(), full()], Untaken::Fails, Untaken::Waits),
            (vec![never(), Refusal::NotShared], Untaken::Fails, Untaken::Fails),
            (vec![full()], Untaken::Waits, Untaken::Waits),
            (vec![Refusal::NotShared], Untaken::Fails, Untaken::Fails),
        ];
        for (refusals, new, old) in table {
            let each = [(did(1), refusals)];
            let of = |run: &Run| Untaken::of(run, &did(0), &each, |_| false);
            assert_eq!((of(&begins), of(&goes_on)), (new, old), "{each:?}");
        }
    }

    #[test]
    fn a_run_waits_while_one_device_may_take_it_and_what_another_says_when_asked_may_be_news() {
        let each = [(did(0), vec![Refusal::NotShared]), (did(1), vec![never()]), (did(2), vec![Refusal::NotShared])];
        let asked = |run: &Run, asked: u8| Untaken::of(run, &did(0), &each, |device| *device == did(asked));
        assert_eq!(asked(&run(), 1), Untaken::Waits, "it announced that it takes guests");
        assert_eq!(asked(&run(), 2), Untaken::Fails, "that it does not is what is known of the other");
        assert_eq!(asked(&Run { on: Some(did(1)), ..run() }, 1), Untaken::Fails, "it was named, and has said it");
        assert_eq!(Untaken::of(&run(), &did(1), &each[1..], |_| true), Untaken::Fails, "of itself a device knows all");
        let with_room = [each[0].clone(), (did(3), vec![])];
        assert_eq!(Untaken::of(&run(), &did(0), &with_room, |_| false), Untaken::Waits, "it was not asked yet");
        assert_eq!(Untaken::of(&run(), &did(0), &[], |_| false), Untaken::Waits, "devices may be listed yet");
    }

    #[test]
    fn what_was_leased_with_an_answer_that_was_lost_is_placed_as_a_new_run_a_few_times() {
        let each = [(did(1), vec![full()]), (did(2), vec![Refusal::LeasedBefore])];
        let of = |run: &Run, here: u8| Untaken::of(run, &did(here), &each, |_| true);
        assert_eq!(of(&run(), 0), Untaken::Anew);
        assert_eq!(Untaken::of(&run(), &did(0), &each[..1], |_| true), Untaken::Waits, "nobody leased it");
        assert_eq!(of(&run(), 4), Untaken::Waits, "that is another device's run");
        assert_eq!(of(&Run { attempt: RESUME_ATTEMPTS_MAX, ..run() }, 0), Untaken::Waits, "it was lost too often");
        assert_eq!(of(&Run { class: Class::Ci, ..run() }, 0), Untaken::Waits, "checks stay where they were asked for");
        let states = [Untaken::Waits, Untaken::Anew, Untaken::Fails].map(|untaken| untaken.moves(String::new()).0);
        assert_eq!(states, [RunState::Queued, RunState::Lost, RunState::Failed]);
    }
}
