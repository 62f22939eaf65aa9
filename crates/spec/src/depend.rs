//! Reads the dependencies that people write out: “T005 depends on T003, T004”, “(depends on T001)”, “T010 before T011”,
//! “T001 → T002”, “Blocks: T007”, tables. Only what is said plainly counts; prose that merely names tasks does not.

use crate::{
    document::Document,
    limits::{EXPLICIT_DEPENDENCIES_MAX, FILLER_WORDS_MAX, TASKS_MAX},
    words::{Word, cut},
};
use domain::TaskId;

/// One dependency as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// What waits.
    pub task: TaskId,
    /// For what.
    pub needs: TaskId,
    /// The line that says so, from 1.
    pub line: usize,
}

/// Everything that is written out in a file.
pub(crate) fn written(document: &Document) -> Vec<Edge> {
    let mut edges = Edges { document, found: Vec::new() };
    for item in &document.items {
        for (line, text) in &item.own {
            edges.sentence(*line, &cut(text), Some(&item.head.id));
        }
    }
    let mut table = None;
    for prose in &document.prose {
        if !prose.text.starts_with('|') {
            table = None;
        }
        if edges.row(prose.line, &prose.text, &mut table) {
            continue;
        }
        let words = cut(&prose.text);
        if !prose.code {
            edges.sentence(prose.line, &words, None);
        }
        if prose.about_order {
            edges.arrows(prose.line, &words);
        }
    }
    edges.found
}

/// Which side of a verb comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    SubjectWaits,
    ObjectWaits,
}

/// A phrase that says order. A strong one is believed anywhere; a weak one (“after”) only right between tasks, or at the
/// beginning of a remark.
struct Verb {
    words: &'static [&'static str],
    order: Order,
    strong: bool,
}

const fn verb(words: &'static [&'static str], order: Order, strong: bool) -> Verb {
    Verb { words, order, strong }
}

use Order::{ObjectWaits as Before, SubjectWaits as After};

const VERBS: [Verb; 54] = [
    verb(&["depends", "on"], After, true),
    verb(&["depend", "on"], After, true),
    verb(&["depends", "only", "on"], After, true),
    verb(&["depend", "only", "on"], After, true),
    verb(&["depends", "upon"], After, true),
    verb(&["dependent", "on"], After, true),
    verb(&["depends"], After, true),
    verb(&["dependencies"], After, true),
    verb(&["dependency"], After, true),
    verb(&["deps"], After, true),
    verb(&["prerequisites"], After, true),
    verb(&["prerequisite"], After, true),
    verb(&["blocked", "by"], After, true),
    verb(&["blocked", "on"], After, true),
    verb(&["waits", "for"], After, true),
    verb(&["wait", "for"], After, true),
    verb(&["waits", "on"], After, true),
    verb(&["requires"], After, true),
    verb(&["require"], After, true),
    verb(&["hängt", "von"], After, true),
    verb(&["hängen", "von"], After, true),
    verb(&["hängt", "ab", "von"], After, true),
    verb(&["abhängig", "von"], After, true),
    verb(&["abhängigkeiten"], After, true),
    verb(&["wartet", "auf"], After, true),
    verb(&["dépend", "de"], After, true),
    verb(&["dépendent", "de"], After, true),
    verb(&["dépendances"], After, true),
    verb(&["depende", "de"], After, true),
    verb(&["dependen", "de"], After, true),
    verb(&["dependem", "de"], After, true),
    verb(&["dependencias"], After, true),
    verb(&["dependências"], After, true),
    verb(&["dipende", "da"], After, true),
    verb(&["зависит", "от"], After, true),
    verb(&["зависят", "от"], After, true),
    verb(&["依赖"], After, true),
    verb(&["依赖于"], After, true),
    verb(&["依賴"], After, true),
    verb(&["依存"], After, true),
    verb(&["needs"], After, false),
    verb(&["need"], After, false),
    verb(&["follows"], After, false),
    verb(&["follow"], After, false),
    verb(&["after"], After, false),
    verb(&["nach"], After, false),
    verb(&["après"], After, false),
    verb(&["blocks"], Before, true),
    verb(&["block"], Before, false),
    verb(&["precedes"], Before, true),
    verb(&["precede"], Before, true),
    verb(&["required", "by"], Before, true),
    verb(&["before"], Before, false),
    verb(&["vor"], Before, false),
];

/// Words between a task and a verb, or a verb and a task, that change nothing.
const FILLERS: [&str; 50] = [
    "a",
    "all",
    "also",
    "and",
    "any",
    "are",
    "be",
    "begin",
    "begins",
    "both",
    "can",
    "come",
    "comes",
    "complete",
    "completed",
    "completes",
    "completion",
    "directly",
    "done",
    "each",
    "either",
    "explicitly",
    "finish",
    "finished",
    "finishes",
    "first",
    "go",
    "goes",
    "happen",
    "immediately",
    "in",
    "is",
    "may",
    "merged",
    "must",
    "of",
    "on",
    "only",
    "parallel",
    "run",
    "runs",
    "sequenced",
    "should",
    "start",
    "started",
    "starts",
    "strictly",
    "task",
    "tasks",
    "the",
];

const DENIALS: [&str; 8] = ["not", "no", "never", "without", "neither", "nor", "nicht", "kein"];

struct Edges<'a> {
    document: &'a Document,
    found: Vec<Edge>,
}

/// Tasks named together, and whether they were spelt as one single task.
struct Named {
    tasks: Vec<TaskId>,
    single: bool,
}

/// Where a list of tasks lies among the words, and its last member.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    last: usize,
    last_count: usize,
}

impl Edges<'_> {
    fn add(&mut self, line: usize, before: &Named, after: &Named) {
        for task in &after.tasks {
            for needs in &before.tasks {
                if self.found.len() >= EXPLICIT_DEPENDENCIES_MAX {
                    return;
                }
                // A list that names the task itself means the others.
                if task != needs || (before.single && after.single) {
                    self.found.push(Edge { task: task.clone(), needs: needs.clone(), line });
                }
            }
        }
    }

    /// Finds every verb of a line with the tasks on its two sides. `own` is the task whose own text this is.
    fn sentence(&mut self, line: usize, words: &[Word], own: Option<&TaskId>) {
        let mut at = 0;
        // Nothing before this place can be the subject of a further verb.
        let mut floor = 0;
        while at < words.len() {
            let Some((verb, end)) = verb_at(words, at) else {
                at += 1;
                continue;
            };
            at = end;
            let Some((mut object, list)) = self.object(words, end) else { continue };
            let Some(subject) = self.subject(&words[floor..], end - verb.words.len() - floor, verb, own) else { continue };
            floor = list.start;
            // “T2 depends on T1, T3 depends on T2”: the last of the list is what the next verb speaks of.
            if list.last > list.start && speaks(words, list.end) {
                object.tasks.truncate(object.tasks.len().saturating_sub(list.last_count));
                floor = list.last;
            }
            at = list.end;
            match verb.order {
                Order::SubjectWaits => self.add(line, &object, &subject),
                Order::ObjectWaits => self.add(line, &subject, &object),
            }
        }
    }

    /// The tasks right behind a verb.
    fn object(&self, words: &[Word], mut at: usize) -> Option<(Named, Span)> {
        for _ in 0..=FILLER_WORDS_MAX {
            match words.get(at)? {
                Word::Id(_) => return Some(self.list(words, at)),
                Word::Colon | Word::Open => at += 1,
                Word::Plain(word) if FILLERS.contains(&word.as_str()) => at += 1,
                _ => return None,
            }
        }
        None
    }

    /// The tasks that a verb speaks of.
    fn subject(&self, words: &[Word], verb_at: usize, verb: &Verb, own: Option<&TaskId>) -> Option<Named> {
        let own = own.map(|id| Named { tasks: vec![id.clone()], single: true });
        let mut at = verb_at;
        let (mut near, mut remark) = (true, false);
        while at > 0 {
            at -= 1;
            match &words[at] {
                Word::Id(_) if near && !(remark && own.is_some()) => return Some(self.list_back(words, at)),
                // In a task's own text, a task that is only mentioned is not what the verb speaks of.
                Word::Id(_) => return if verb.strong { own.or_else(|| Some(self.list_back(words, at))) } else { own.filter(|_| remark) },
                Word::Stop | Word::Forth | Word::Back => break,
                Word::Plain(word) if near && !remark && (DENIALS.contains(&word.as_str()) || word.ends_with("n't")) => return None,
                Word::Plain(word) if FILLERS.contains(&word.as_str()) => {}
                Word::Open | Word::Dash if at + 1 == verb_at => remark = true,
                Word::Open | Word::Close | Word::Colon | Word::Dash => {}
                _ => near = false,
            }
        }
        let begins = verb_at == 0 || matches!(words[verb_at - 1], Word::Stop);
        own.filter(|_| verb.strong || remark || begins)
    }

    /// A list of tasks that begins here, and where it lies.
    fn list(&self, words: &[Word], start: usize) -> (Named, Span) {
        let mut named = Named { tasks: Vec::new(), single: true };
        let mut span = Span { start, end: start, last: start, last_count: 0 };
        let mut at = start;
        while let Some(Word::Id(id)) = words.get(at) {
            let to = if is_range(words.get(at + 1)) { words.get(at + 2) } else { None };
            let (tasks, width) = match to {
                Some(Word::Id(to)) => (self.range(id, to), 3),
                _ => (vec![id.clone()], 1),
            };
            named.single = at == start && width == 1;
            span = Span { start, end: at + width, last: at, last_count: tasks.len() };
            if named.tasks.len() < TASKS_MAX {
                named.tasks.extend(tasks);
            }
            at = span.end + words[span.end..].iter().take(3).take_while(|w| joins(w)).count();
            if at == span.end {
                break;
            }
        }
        (named, span)
    }

    /// The list of tasks that ends here.
    fn list_back(&self, words: &[Word], end: usize) -> Named {
        let mut start = end;
        loop {
            let behind = words[..start].iter().rev().take(3).take_while(|w| joins(w) || is_range(Some(w))).count();
            let Some(before) = start.checked_sub(behind + 1) else { break };
            if behind == 0 || !matches!(words[before], Word::Id(_)) {
                break;
            }
            start = before;
        }
        self.list(words, start).0
    }

    /// All tasks of the file between two, both among them, by number.
    fn range(&self, from: &TaskId, to: &TaskId) -> Vec<TaskId> {
        let (first, last) = (number(from), number(to));
        let mut tasks: Vec<TaskId> =
            self.document.items.iter().map(|i| &i.head.id).filter(|id| (first..=last).contains(&number(id))).cloned().collect();
        for end in [from, to] {
            if !tasks.contains(end) {
                tasks.push(end.clone());
            }
        }
        tasks
    }

    /// `T001 → T002, T003 → T004`: each stretch comes before the next. What stands in parentheses is left out.
    fn arrows(&mut self, line: usize, words: &[Word]) {
        let mut depth = 0_usize;
        let mut plain = Vec::with_capacity(words.len());
        for word in words {
            match word {
                Word::Open => depth += 1,
                Word::Close => depth = depth.saturating_sub(1),
                _ if depth == 0 => plain.push(word.clone()),
                _ => {}
            }
        }
        for at in 1..plain.len().saturating_sub(1) {
            let forth = match plain[at] {
                Word::Forth => true,
                Word::Back => false,
                _ => continue,
            };
            if !matches!((&plain[at - 1], &plain[at + 1]), (Word::Id(_), Word::Id(_))) {
                continue;
            }
            let (left, right) = (self.list_back(&plain, at - 1), self.list(&plain, at + 1).0);
            if forth { self.add(line, &left, &right) } else { self.add(line, &right, &left) }
        }
    }

    /// A table whose header has a column of tasks and one of what they depend on. Answers whether this was a row of one.
    fn row(&mut self, line: usize, text: &str, table: &mut Option<(usize, Option<usize>)>) -> bool {
        if !text.starts_with('|') {
            return false;
        }
        let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
        let Some((tasks, needs)) = *table else {
            let waits = |cell: &&str| {
                let cell = cell.to_lowercase();
                ["depend", "dépend", "abhäng", "blocked by", "requires", "prerequisite", "завис", "依赖", "依存"]
                    .iter()
                    .any(|w| cell.contains(w))
            };
            let needs = cells.iter().position(waits);
            *table = Some((usize::from(needs == Some(0)), needs));
            return needs.is_some();
        };
        let Some(needs) = needs else { return false };
        let ids = |cell: Option<&&str>| {
            let words = cell.map(|c| cut(c)).unwrap_or_default();
            let first = words.iter().position(|w| matches!(w, Word::Id(_)));
            first.map(|at| self.list(&words, at).0)
        };
        if let (Some(task), Some(needed)) = (ids(cells.get(tasks)), ids(cells.get(needs))) {
            self.add(line, &needed, &task);
        }
        true
    }
}

fn verb_at(words: &[Word], at: usize) -> Option<(&'static Verb, usize)> {
    let matches = |verb: &&Verb| {
        verb.words.iter().enumerate().all(|(i, word)| matches!(words.get(at + i), Some(Word::Plain(found)) if found == word))
    };
    let verb = VERBS.iter().filter(matches).max_by_key(|verb| verb.words.len())?;
    Some((verb, at + verb.words.len()))
}

/// Whether a verb follows here that speaks of what stands before.
fn speaks(words: &[Word], at: usize) -> bool {
    let fillers = words[at..]
        .iter()
        .take(FILLER_WORDS_MAX)
        .take_while(|w| matches!(w, Word::Plain(word) if FILLERS.contains(&word.as_str())))
        .count();
    (at..=at + fillers).any(|at| verb_at(words, at).is_some())
}

fn joins(word: &Word) -> bool {
    match word {
        Word::Join => true,
        Word::Plain(word) => matches!(word.as_str(), "and" | "und" | "et" | "y" | "e" | "plus" | "и" | "和" | "と"),
        _ => false,
    }
}

fn is_range(word: Option<&Word>) -> bool {
    match word {
        Some(Word::Range) => true,
        Some(Word::Plain(word)) => matches!(word.as_str(), "to" | "through" | "thru" | "bis"),
        _ => false,
    }
}

/// A task's number, without its letters.
pub(crate) fn number(id: &TaskId) -> u64 {
    id.as_str().chars().filter(char::is_ascii_digit).fold(0, |n, c| n * 10 + u64::from(c.to_digit(10).unwrap_or(0)))
}
