//! Forms of sentences, and whether words fit them.
//!
//! A form is written as `stop|end {runs} [on|at {place}]`: words with others that mean the same, slots in braces, parts
//! that may be absent in brackets. Neighbouring optional parts come in any order. Slips in words are forgiven.

use super::{
    extent,
    words::{Text, Word, near},
};
use crate::limits::MATCH_STEPS_MAX;

/// What a part of a sentence names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// Tasks: `T004 to T008`, `feature 001`, `failed tasks`, `them`.
    Tasks,
    /// A task, run, patch, feature, agent.
    Thing,
    /// A task.
    Task,
    /// A feature.
    Feature,
    /// An agent.
    Agent,
    /// A device, or machines with a tag.
    Place,
    /// Runs: `everything`, `run 1ABC`, `them`.
    Runs,
    /// One run.
    Run,
    /// One patch.
    Patch,
    /// A member.
    Member,
    /// A role.
    Role,
    /// A state of runs.
    RunState,
    /// A state of patches.
    PatchState,
    /// A state of tasks.
    TaskState,
    /// A moment: `yesterday`, `2 hours ago`.
    When,
    /// Free text within the sentence.
    Text,
    /// Free text behind a colon.
    Tail,
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// One of these words.
    Word(Vec<&'static str>),
    /// Something named.
    Slot(Slot),
    /// These, each at most once, in any order.
    Any(Vec<Vec<Part>>),
}

/// What stands in a slot: from one word up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) slot: Slot,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// How a sentence fits a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) pieces: Vec<Piece>,
    pub(super) slips: usize,
}

/// What came of comparing a sentence with a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    /// The best fit of the whole sentence.
    pub(super) fit: Option<Fit>,
    /// How many words fit at most.
    pub(super) reach: usize,
    /// What could follow the last word.
    pub(super) next: Vec<Part>,
}

/// Reads a form.
pub(super) fn form(text: &'static str) -> Vec<Part> {
    let mut tokens = text.split_whitespace();
    parts(&mut tokens)
}

fn parts(tokens: &mut impl Iterator<Item = &'static str>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    while let Some(token) = tokens.next() {
        let opens = token.starts_with('[');
        let bare = token.trim_start_matches('[');
        let closes = bare.ends_with(']');
        let part = part(bare.trim_end_matches(']'));
        if !opens {
            out.push(part);
        } else {
            let mut group = vec![part];
            if !closes {
                group.extend(parts(tokens));
            }
            match out.last_mut() {
                Some(Part::Any(groups)) => groups.push(group),
                _ => out.push(Part::Any(vec![group])),
            }
            continue;
        }
        if closes {
            return out;
        }
    }
    out
}

fn part(token: &'static str) -> Part {
    let slot = match token {
        "{tasks}" => Slot::Tasks,
        "{thing}" => Slot::Thing,
        "{task}" => Slot::Task,
        "{feature}" => Slot::Feature,
        "{agent}" => Slot::Agent,
        "{place}" => Slot::Place,
        "{runs}" => Slot::Runs,
        "{run}" => Slot::Run,
        "{patch}" => Slot::Patch,
        "{member}" => Slot::Member,
        "{role}" => Slot::Role,
        "{run-state}" => Slot::RunState,
        "{patch-state}" => Slot::PatchState,
        "{task-state}" => Slot::TaskState,
        "{when}" => Slot::When,
        "{text}" => Slot::Text,
        "{tail}" => Slot::Tail,
        words => return Part::Word(words.split('|').collect()),
    };
    Part::Slot(slot)
}

/// Compares a sentence with a form.
pub(super) fn compare(form: &[Part], text: &Text) -> Compared {
    let mut walk = Walk { words: &text.words, tail: text.tail.is_some(), out: Compared::default(), steps: 0 };
    let begin: Vec<Step<'_>> = form.iter().map(Step::of).collect();
    walk.go(&begin, 0, &Fit::default());
    walk.out
}

#[derive(Clone)]
enum Step<'f> {
    Part(&'f Part),
    Any(Vec<&'f [Part]>),
}

impl<'f> Step<'f> {
    fn of(part: &'f Part) -> Self {
        match part {
            Part::Any(groups) => Self::Any(groups.iter().map(Vec::as_slice).collect()),
            other => Self::Part(other),
        }
    }
}

struct Walk<'t> {
    words: &'t [Word],
    tail: bool,
    out: Compared,
    steps: usize,
}

impl Walk<'_> {
    fn go(&mut self, steps: &[Step<'_>], at: usize, so_far: &Fit) {
        self.steps += 1;
        if self.steps > MATCH_STEPS_MAX {
            return;
        }
        let next = extent::skip(self.words, at);
        self.out.reach = self.out.reach.max(at);
        let Some((step, rest)) = steps.split_first() else { return self.end(next, so_far) };
        match step {
            Step::Any(groups) => {
                for (i, group) in groups.iter().enumerate() {
                    let mut others = groups.clone();
                    others.remove(i);
                    let mut all: Vec<Step<'_>> = group.iter().map(Step::of).collect();
                    if !others.is_empty() {
                        all.push(Step::Any(others));
                    }
                    all.extend_from_slice(rest);
                    self.go(&all, at, so_far);
                }
                self.go(rest, at, so_far);
            }
            // Free text is what somebody wrote, with all its words.
            Step::Part(part) => self.part(part, rest, if **part == Part::Slot(Slot::Text) { at } else { next }, so_far),
        }
    }

    fn part(&mut self, part: &Part, rest: &[Step<'_>], at: usize, so_far: &Fit) {
        if *part == Part::Slot(Slot::Tail) {
            let has = so_far.pieces.iter().any(|p| p.slot == Slot::Tail);
            if self.tail && !has {
                return self.go(rest, at, &so_far.with(Slot::Tail, at, at));
            }
            return self.expect(part, at);
        }
        let Some(word) = self.words.get(at) else { return self.expect(part, at) };
        match part {
            Part::Word(wanted) => {
                if let Some(slips) = near(wanted, &word.low) {
                    let mut fit = so_far.clone();
                    fit.slips += slips;
                    self.go(rest, at + 1, &fit);
                }
            }
            Part::Slot(slot) => {
                for to in extent::extents(*slot, self.words, at) {
                    self.go(rest, to, &so_far.with(*slot, at, to));
                }
                if let Some(slot) = extent::unfinished(*slot, self.words, at) {
                    self.expect(&Part::Slot(slot), self.words.len());
                }
            }
            Part::Any(_) => {}
        }
    }

    fn expect(&mut self, part: &Part, at: usize) {
        if at >= self.words.len() && !self.out.next.contains(part) {
            self.out.next.push(part.clone());
        }
    }

    fn end(&mut self, at: usize, fit: &Fit) {
        let tail_said = fit.pieces.iter().any(|p| p.slot == Slot::Tail);
        let better = self.out.fit.as_ref().is_none_or(|best| fit.slips < best.slips);
        if at >= self.words.len() && (tail_said || !self.tail) && better {
            self.out.fit = Some(fit.clone());
        }
    }
}

impl Fit {
    fn with(&self, slot: Slot, from: usize, to: usize) -> Self {
        let mut fit = self.clone();
        fit.pieces.push(Piece { slot, from, to });
        fit
    }

    /// What stands in a slot.
    pub(super) fn piece(&self, slot: Slot) -> Option<Piece> {
        self.pieces.iter().find(|p| p.slot == slot).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fits(written: &'static str, text: &str) -> Option<Vec<(Slot, String)>> {
        let text = Text::read(text);
        let fit = compare(&form(written), &text).fit?;
        Some(fit.pieces.iter().map(|p| (p.slot, text.between(p.from, p.to).to_owned())).collect())
    }

    #[test]
    fn optional_parts_come_in_any_order() {
        let written = "run {tasks} [of|in {feature}] [with {agent}] [on {place}]";
        let all = |text| {
            let mut found = fits(written, text).unwrap();
            found.sort_by_key(|(slot, _)| format!("{slot:?}"));
            found.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(all("run T1 of 001-login with bob"), ["bob", "001-login", "T1"]);
        assert_eq!(all("Please run T1 with bob of 001-login"), ["bob", "001-login", "T1"]);
        assert_eq!(all("run T1 on machines with a gpu"), ["machines with a gpu", "T1"]);
        assert_eq!(fits(written, "run T1 quickly bob"), None);
    }

    #[test]
    fn what_may_follow_is_known() {
        let next = |text: &str| compare(&form("stop|end {runs} [on {place}]"), &Text::read(text)).next;
        assert_eq!(next(""), [Part::Word(vec!["stop", "end"])]);
        assert_eq!(next("stop"), [Part::Slot(Slot::Runs)]);
        assert_eq!(next("stop everything"), [Part::Word(vec!["on"])]);
        assert_eq!(next("stop everything on"), [Part::Slot(Slot::Place)]);
        assert_eq!(next("begin"), []);
    }

    #[test]
    fn endless_sentences_end() {
        let text = "add task ".to_owned() + &"to x ".repeat(80);
        assert!(fits("add task {text} to|in {feature}", &text).is_some());
        let absurd = "a b ".repeat(2_000);
        assert_eq!(fits("{text} {text} {text} {text} never", &absurd), None);
    }
}
