//! Conversations as they are held between a sentence and its yes: each bound to its caller, bounded, and forgotten after a
//! while or by a restart. Proposals lie here, so that a yes is to exactly what was shown, and counts once.

use super::{answer::Proposal, memory::Memory, propose::Draft, undo::Step, world::World};
use crate::{caller::Caller, limits};
use domain::{Kind, Problem, Timestamp};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where conversations are held.
#[derive(Debug, Default)]
pub struct Desk {
    held: Mutex<HashMap<String, Entry>>,
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Entry {
    caller: Caller,
    touched: Timestamp,
    conversation: Shared,
}

/// A conversation, for one sentence at a time.
pub(super) type Shared = Arc<tokio::sync::Mutex<Conversation>>;

/// One conversation.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) memory: Memory,
    /// What was said and told with the model, oldest first.
    pub(super) turns: VecDeque<Turn>,
    /// Whether the model read text of others.
    pub(super) untrusted: bool,
    proposals: VecDeque<Held>,
    next: u64,
}

/// One sentence and its answer.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) said: String,
    pub(super) told: String,
}

#[derive(Debug)]
struct Held {
    shown: Proposal,
    draft: Draft,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Waits,
    Taken,
    Done(Vec<Step>),
    Undone,
}

impl Desk {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller's conversation of this id; a new one where there is none.
    pub(super) fn open(&self, id: Option<&str>, caller: &Caller, now: Timestamp) -> Result<(String, Shared), Problem> {
        if let Some((id, found)) = id.and_then(|id| Some((id.to_owned(), self.find(id, caller, now).ok()?))) {
            return Ok((id, found));
        }
        let id = format!("c_{}", crate::lifecycle::secret()?.get(..32).unwrap_or_default());
        let mut held = self.held();
        held.retain(|_, e| now < e.touched.plus_ms(limits::CONVERSATION_KEPT_MS));
        drop_oldest(&mut held, limits::CONVERSATIONS_OF_ONE_MAX, |e| e.caller == *caller);
        drop_oldest(&mut held, limits::CONVERSATIONS_MAX, |_| true);
        let conversation = Shared::default();
        held.insert(id.clone(), Entry { caller: caller.clone(), touched: now, conversation: conversation.clone() });
        Ok((id, conversation))
    }

    /// A conversation that is there.
    ///
    /// # Errors
    /// When there is none, or it is another caller's: nobody learns which.
    pub(super) fn find(&self, id: &str, caller: &Caller, now: Timestamp) -> Result<Shared, Problem> {
        let mut held = self.held();
        let entry = held.get_mut(id).filter(|e| e.caller == *caller && now < e.touched.plus_ms(limits::CONVERSATION_KEPT_MS));
        let entry = entry.ok_or_else(|| {
            Problem::not_found("This conversation is not held any more.")
                .because("Conversations end after an hour of silence, and with a restart.")
                .next("Say it again.")
        })?;
        entry.touched = now;
        Ok(entry.conversation.clone())
    }

    /// What there is, as it was read a moment ago for this caller.
    pub(super) fn seen(&self, caller: &Caller, now: Timestamp) -> Option<Arc<World>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |s: &&Seen| s.caller == *caller && now < s.at.plus_ms(limits::WORLD_KEPT_MS);
        seen.as_ref().filter(fresh).map(|s| s.world.clone())
    }

    /// Keeps what there is for the next key press.
    pub(super) fn keep(&self, caller: &Caller, at: Timestamp, world: Arc<World>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { caller: caller.clone(), at, world });
    }

    /// Something was changed: what there is is read anew.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What there was for a caller.
#[derive(Debug)]
struct Seen {
    caller: Caller,
    at: Timestamp,
    world: Arc<World>,
}

fn drop_oldest(held: &mut HashMap<String, Entry>, max: usize, counts: impl Fn(&Entry) -> bool) {
    while held.values().filter(|e| counts(e)).count() >= max {
        let oldest = held.iter().filter(|(_, e)| counts(e)).min_by_key(|(_, e)| e.touched).map(|(id, _)| id.clone());
        match oldest {
            Some(id) => held.remove(&id),
            None => return,
        };
    }
}

impl Conversation {
    /// Holds a proposal until its yes.
    pub(super) fn hold(&mut self, draft: Draft, untrusted: bool, now: Timestamp) -> Proposal {
        self.next += 1;
        let shown = Proposal {
            id: format!("p{}", self.next),
            action: draft.action.name.to_owned(),
            input: draft.input.clone(),
            sentence: draft.sentence.clone(),
            effect: draft.effect.clone(),
            undo: draft.back.words(),
            untrusted,
            until: now.plus_ms(limits::PROPOSAL_VALID_MS),
        };
        if self.proposals.len() >= limits::PROPOSALS_HELD_MAX {
            self.proposals.pop_front();
        }
        self.proposals.push_back(Held { shown: shown.clone(), draft, state: State::Waits });
        shown
    }

    /// Takes proposals for carrying out: all of them or none.
    pub(super) fn take(&mut self, ids: &[String], knowingly: Knowingly, now: Timestamp) -> Result<Vec<(String, Draft)>, Problem> {
        for (at, id) in ids.iter().enumerate() {
            let held = self.held(id)?;
            if held.state != State::Waits || ids[..at].contains(id) {
                return Err(
                    Problem::conflict(format!("“{}” was carried out already.", held.shown.sentence)).next("Say it again to do it again.")
                );
            }
            if now > held.shown.until {
                return Err(Problem::conflict(format!("“{}” was proposed too long ago.", held.shown.sentence)).next("Say it again."));
            }
            if held.shown.untrusted && knowingly == Knowingly::No {
                return Err(Problem::conflict(format!("“{}” was proposed after text of others was read.", held.shown.sentence))
                    .because("A repository, a log or a note may have asked for it.")
                    .next("Look at it, and say yes to it knowingly."));
            }
        }
        let taken = self.proposals.iter_mut().filter(|h| ids.contains(&h.shown.id));
        let mut drafts: Vec<(String, Draft)> = taken
            .map(|h| {
                h.state = State::Taken;
                (h.shown.id.clone(), h.draft.clone())
            })
            .collect();
        drafts.sort_by_key(|(id, _)| ids.iter().position(|i| i == id));
        Ok(drafts)
    }

    /// Notes that a proposal was carried out, and how it is taken back.
    pub(super) fn done(&mut self, id: &str, steps: Vec<Step>) {
        if let Some(held) = self.proposals.iter_mut().find(|h| h.shown.id == id) {
            held.state = State::Done(steps);
        }
    }

    /// Takes the way back from a proposal. Given again by [`Self::done`] where it cannot be gone.
    pub(super) fn take_back(&mut self, id: &str) -> Result<Vec<Step>, Problem> {
        self.held(id)?;
        let held = self.proposals.iter_mut().find(|h| h.shown.id == id).ok_or_else(|| Problem::internal("a proposal vanished"))?;
        match &held.state {
            State::Done(steps) if !steps.is_empty() => {
                let steps = steps.clone();
                held.state = State::Undone;
                Ok(steps)
            }
            State::Undone => Err(Problem::conflict(format!("“{}” was undone already.", held.shown.sentence))
                .next("Ask for it anew, if it is to be done again.")),
            State::Done(_) => {
                Err(Problem::conflict(format!("“{}” cannot be undone.", held.shown.sentence)).next("Say what is to be changed instead."))
            }
            _ => Err(Problem::conflict(format!("“{}” was not carried out.", held.shown.sentence)).next("There is nothing to undo.")),
        }
    }

    /// The last that was done and can be undone.
    pub(super) fn last_done(&self) -> Option<&[Step]> {
        self.proposals.iter().rev().find_map(|h| match &h.state {
            State::Done(steps) if !steps.is_empty() => Some(steps.as_slice()),
            _ => None,
        })
    }

    /// Remembers a sentence and its answer.
    pub(super) fn remember(&mut self, said: &str, told: &str) {
        if self.turns.len() >= limits::TURNS_KEPT_MAX {
            self.turns.pop_front();
        }
        self.turns.push_back(Turn { said: said.to_owned(), told: told.to_owned() });
    }

    fn held(&self, id: &str) -> Result<&Held, Problem> {
        self.proposals.iter().find(|h| h.shown.id == id).ok_or_else(|| {
            Problem::new(Kind::NotFound, format!("There is no proposal “{}” in this conversation.", domain::shown(id)))
                .next("Say it again.")
        })
    }
}

/// Whether the person was told that a proposal came after text of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knowingly {
    Yes,
    No,
}
