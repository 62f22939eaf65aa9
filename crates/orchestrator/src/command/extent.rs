//! How far what is named in a slot may reach, by its form alone; what it means is found out later.

use super::{
    pattern::Slot,
    when,
    words::{Word, is_task, near},
};
use domain::run::{Run, Stands};

/// Stand for what was spoken of last.
pub(super) const PRONOUNS: [&str; 8] = ["it", "them", "those", "these", "that", "this", "they", "last"];
/// Stand for all there is.
pub(super) const ALL: [&str; 5] = ["everything", "all", "every", "any", "each"];
/// Begin a question: no names.
const QUESTIONS: [&str; 7] = ["what", "who", "why", "where", "when", "how", "which"];
const RUN_NOUNS: [&str; 7] = ["run", "runs", "agents", "work", "ones", "running", "one"];
const TASK_NOUNS: [&str; 5] = ["task", "tasks", "ones", "runs", "work"];
const MACHINES: [&str; 6] = ["machine", "machines", "device", "devices", "computer", "computers"];
const JOINS: [&str; 8] = ["to", "through", "until", "till", "and", "&", "plus", "-"];

/// The states of runs that have not ended: first those in which one waits for a device.
const LIVE: &[Stands] =
    &[Stands::Queued, Stands::Placing, Stands::Starting, Stands::Preparing, Stands::Working, Stands::Verifying, Stands::Publishing];
const WAIT: &[Stands] = LIVE.split_at(2).0;
const BEGUN: &[Stands] = LIVE.split_at(2).1;
/// Where runs stand: the word, and what it means. Each word that lists show is one; see [`means`].
pub(super) const RUN_STATES: [(&str, &[Stands]); 25] = [
    ("failed", &[Stands::Failed, Stands::Lost]),
    ("failing", &[Stands::Failed, Stands::Lost]),
    ("running", BEGUN),
    ("starting", &[Stands::Starting]),
    ("preparing", &[Stands::Preparing]),
    ("working", &[Stands::Working]),
    ("verifying", &[Stands::Verifying]),
    ("publishing", &[Stands::Publishing]),
    ("halted", &[Stands::Halted]),
    ("paused", &[Stands::Paused]),
    ("frozen", &[Stands::Frozen]),
    ("ending", &[Stands::Ending]),
    ("active", LIVE),
    ("unfinished", LIVE),
    ("queued", WAIT),
    ("placing", &[Stands::Placing]),
    ("waiting", WAIT),
    ("pending", WAIT),
    ("finished", &[Stands::Done]),
    ("done", &[Stands::Done]),
    ("successful", &[Stands::Done]),
    ("stopped", &[Stands::Cancelled]),
    ("cancelled", &[Stands::Cancelled]),
    ("evicted", &[Stands::Evicted]),
    ("lost", &[Stands::Lost]),
];
/// States of patches.
pub(super) const PATCH_STATES: [(&str, &[&str]); 6] = [
    ("open", &["open"]),
    ("unreviewed", &["unreviewed"]),
    ("merged", &["merged"]),
    ("closed", &["archived"]),
    ("archived", &["archived"]),
    ("draft", &["draft"]),
];
/// States of tasks.
pub(super) const TASK_STATES: [(&str, &[&str]); 12] = [
    ("open", &["ready", "waiting", "failed", "stopped", "changes requested"]),
    ("remaining", &["ready", "waiting", "failed", "stopped", "changes requested"]),
    ("ready", &["ready"]),
    ("waiting", &["waiting"]),
    ("blocked", &["waiting"]),
    ("running", &["running", "queued"]),
    ("failed", &["failed"]),
    ("failing", &["failed"]),
    ("stopped", &["stopped"]),
    ("merged", &["merged"]),
    ("done", &["done", "merged"]),
    ("finished", &["done", "merged"]),
];

/// Roles, as people call them.
pub(super) const ROLES: [&str; 7] = ["owner", "maintainer", "developer", "viewer", "reviewer", "reviewer-bot", "agent"];

/// The first word from here that does not only fill.
pub(super) fn skip(words: &[Word], at: usize) -> usize {
    words.iter().skip(at).position(|w| !w.filler).map_or(words.len(), |found| at + found)
}

/// Where what begins at `at` may end; the likeliest first.
pub(super) fn extents(slot: Slot, words: &[Word], at: usize) -> Vec<usize> {
    let at = if slot == Slot::Text { at } else { skip(words, at) };
    let ends: Vec<usize> = match slot {
        Slot::Tasks => tasks(words, at).into_iter().collect(),
        Slot::Task => named(words, at, &["task"], &[], |w| is_task(&w.low)),
        Slot::Thing => thing(words, at),
        Slot::Run => run(words, at),
        Slot::Runs => runs(words, at),
        Slot::Patch => named(words, at, &["patch", "patches"], &["of", "for"], |w| is_patch(&w.low) || is_task(&w.low)),
        Slot::Feature => named(words, at, &["feature"], &[], |w| !JOINS.contains(&w.low.as_str())),
        Slot::Agent => named(words, at, &["agent"], &[], |w| !QUESTIONS.contains(&w.low.as_str())),
        Slot::Member => named(words, at, &["member"], &[], |_| true),
        Slot::Place => place(words, at),
        Slot::Role => named(words, at, &[], &[], |w| near(&ROLES, &w.low).is_some()),
        Slot::RunState => state(words, at, &RUN_STATES),
        Slot::PatchState => state(words, at, &PATCH_STATES),
        Slot::TaskState => state(words, at, &TASK_STATES),
        Slot::When => (at + 1..=words.len().min(at + 6)).rev().filter(|end| when::is_moment(&words[at..*end])).collect(),
        Slot::Text => (at + 1..=words.len()).rev().collect(),
        Slot::Tail => vec![],
    };
    ends.into_iter().filter(|end| *end > at && *end <= words.len()).collect()
}

/// What must still come of what begins there: `T004 to`, `patch`.
pub(super) fn unfinished(slot: Slot, words: &[Word], at: usize) -> Option<Slot> {
    let nouns = ["patch", "run", "runs", "task", "tasks", "feature", "agent", "project", "device"];
    let last = words.last()?.low.as_str();
    let named = slot != Slot::Agent || last == "agent";
    if words.len() == at + 1 && nouns.contains(&last) && named && !matches!(slot, Slot::Text | Slot::When) {
        return Some(if last == "feature" { Slot::Feature } else { slot });
    }
    let joined = words.len() > at + 1 && JOINS.contains(&last) && matches!(slot, Slot::Tasks | Slot::Runs);
    let before = words.len() - 1;
    Some(slot).filter(|_| joined && extents(slot, &words[..before], at).contains(&before))
}

fn low(words: &[Word], at: usize) -> &str {
    words.get(at).map_or("", |w| w.low.as_str())
}

fn noun(words: &[Word], at: usize, nouns: &[&str]) -> usize {
    let next = skip(words, at);
    if nouns.contains(&low(words, next)) { next + 1 } else { at }
}

fn tasks(words: &[Word], at: usize) -> Option<usize> {
    if PRONOUNS.contains(&low(words, at)) {
        return Some(noun(words, at + 1, &TASK_NOUNS));
    }
    if low(words, at) == "feature" {
        return words.get(at + 1).map(|_| at + 2);
    }
    if ALL.contains(&low(words, at)) {
        let after = state(words, skip(words, at + 1), &TASK_STATES).first().copied().unwrap_or(at + 1);
        return Some(noun(words, after, &TASK_NOUNS));
    }
    if let Some(after) = state(words, at, &TASK_STATES).first() {
        return Some(noun(words, *after, &TASK_NOUNS)).filter(|end| end > after);
    }
    if low(words, at).split_once('-').is_some_and(|(number, _)| number.len() >= 3 && number.bytes().all(|b| b.is_ascii_digit())) {
        return Some(at + 1);
    }
    list(words, noun(words, at, &["task", "tasks"]), |w| is_task(&w.low))
}

/// `X to Y`, `X, Y and Z`.
fn list(words: &[Word], at: usize, fits: impl Fn(&Word) -> bool) -> Option<usize> {
    let mut end = skip(words, at);
    words.get(end).filter(|w| fits(w))?;
    end += 1;
    loop {
        let next = skip(words, end);
        let after = if JOINS.contains(&low(words, next)) { skip(words, next + 1) } else { next };
        match words.get(after) {
            Some(word) if fits(word) => end = after + 1,
            _ => return Some(end),
        }
    }
}

/// A word of this form, with its noun before it or without; or a pronoun with its noun behind it.
fn named(words: &[Word], at: usize, nouns: &[&str], of: &[&str], fits: impl Fn(&Word) -> bool) -> Vec<usize> {
    if PRONOUNS.contains(&low(words, at)) && !nouns.is_empty() {
        return vec![noun(words, at + 1, nouns)];
    }
    let has_noun = nouns.contains(&low(words, at));
    let mut next = if has_noun { skip(words, at + 1) } else { at };
    if has_noun && of.contains(&low(words, next)) {
        next = skip(words, next + 1);
    }
    match words.get(next) {
        Some(word) if fits(word) => vec![next + 1],
        // “the patch”: the one that was spoken of.
        _ if has_noun && !of.is_empty() => vec![at + 1],
        _ => vec![],
    }
}

fn thing(words: &[Word], at: usize) -> Vec<usize> {
    let nouns = ["task", "run", "patch", "feature", "agent", "project", "device"];
    if PRONOUNS.contains(&low(words, at)) {
        return vec![noun(words, at + 1, &nouns)];
    }
    let next = if nouns.contains(&low(words, at)) { skip(words, at + 1) } else { at };
    let next = if next > at && ["of", "for"].contains(&low(words, next)) { skip(words, next + 1) } else { next };
    words.get(next).map(|_| next + 1).into_iter().collect()
}

fn run(words: &[Word], at: usize) -> Vec<usize> {
    if low(words, at) == "task" {
        let next = skip(words, at + 1);
        return words.get(next).filter(|w| is_task(&w.low)).map(|_| next + 1).into_iter().collect();
    }
    let ends = named(words, at, &["run"], &["of", "for", "at", "on"], is_run);
    if ends.is_empty() && ["runs"].contains(&low(words, at)) { vec![] } else { ends }
}

fn runs(words: &[Word], at: usize) -> Vec<usize> {
    if ALL.contains(&low(words, at)) {
        let after = state(words, skip(words, at + 1), &RUN_STATES).first().copied().unwrap_or(at + 1);
        return vec![noun(words, after, &RUN_NOUNS)];
    }
    if PRONOUNS.contains(&low(words, at)) {
        return vec![noun(words, at + 1, &RUN_NOUNS)];
    }
    if let Some(after) = state(words, at, &RUN_STATES).first() {
        return Some(noun(words, *after, &RUN_NOUNS)).filter(|end| end > after).into_iter().collect();
    }
    let from = noun(words, at, &["run", "runs", "task", "tasks"]);
    let from = if from > at { noun(words, from, &["of", "for", "at", "on"]) } else { from };
    list(words, from, is_run).into_iter().collect()
}

/// A run's id or a part of it, or its task.
pub(super) fn is_run(word: &Word) -> bool {
    let all = (4..=26).contains(&word.raw.len()) && word.raw.bytes().all(|b| b.is_ascii_alphanumeric());
    let id = all && (word.raw.bytes().any(|b| b.is_ascii_digit()) || word.raw.bytes().all(|b| b.is_ascii_uppercase()));
    id || is_task(&word.low)
}

/// A patch's id or its beginning.
pub(super) fn is_patch(low: &str) -> bool {
    (4..=64).contains(&low.len()) && low.bytes().all(|b| b.is_ascii_hexdigit())
}

fn place(words: &[Word], at: usize) -> Vec<usize> {
    if low(words, at) == "this" || low(words, at) == "here" {
        return vec![noun(words, at + 1, &MACHINES)];
    }
    if MACHINES.contains(&low(words, at)) {
        // Behind their tags an agent may be named.
        let agent = (at + 3..words.len()).find(|next| ["with", "by", "using"].contains(&low(words, *next)));
        return (at + 2..=agent.unwrap_or(words.len())).rev().collect();
    }
    vec![at + 1]
}

fn state<S>(words: &[Word], at: usize, states: &[(&str, &[S])]) -> Vec<usize> {
    let known: Vec<&str> = states.iter().map(|(word, _)| *word).collect();
    words.get(at).filter(|w| near(&known, &w.low).is_some()).map(|_| at + 1).into_iter().collect()
}

/// Whether a run is one of those that a word means: for a word that stands for one place, where it stands; for one that stands for several,
/// in which of these states it is, whatever keeps it from going on there.
pub(super) fn means(stand_for: &[Stands], run: &Run) -> bool {
    match stand_for {
        [one] => run.stands() == *one,
        several => several.contains(&run.state.into()),
    }
}

/// The states that a word stands for.
pub(super) fn states_of<S: 'static>(low: &str, states: &'static [(&'static str, &'static [S])]) -> Option<(&'static str, &'static [S])> {
    let exact = states.iter().find(|(word, _)| *word == low);
    exact.or_else(|| states.iter().find(|(word, _)| near(&[word], low).is_some())).copied()
}
