//! New tasks and new titles, in the file's own style.

use crate::{
    depend::{self, number},
    document::{Document, Item},
    feature::Phases,
    limits::TITLE_CHARS_MAX,
    lines, task_line, tick,
};
use domain::{Problem, TaskId};

/// A task to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTask {
    /// What is to be done.
    pub title: String,
    /// The heading of the phase it goes to the end of, or what it begins with, in any case; none for the last phase.
    pub phase: Option<String>,
    /// Whether it may go beside its neighbours (`[P]`).
    pub parallel: bool,
    /// Its user story, as `US1`.
    pub story: Option<String>,
    /// Goes right behind this task instead of to the end of its phase.
    pub after: Option<TaskId>,
}

/// Adds a task with the next free id, and answers the new file and that id. Everything else stays byte for byte.
///
/// # Errors
/// A title that is empty or would break the file, a phase or task that is not there, or a file whose open code block or
/// comment would swallow the task.
pub fn add(text: &[u8], new: &NewTask) -> Result<(Vec<u8>, TaskId), Problem> {
    let document = Document::read(text);
    let title = clean(&new.title)?;
    let story = new.story.as_deref().map(story).transpose()?;
    let id = free(&document)?;
    let tags = format!("{}{}", if new.parallel { "[P] " } else { "" }, story.map(|s| format!("[{s}] ")).unwrap_or_default());
    let place = place(&document, new)?;
    let line = match place.like {
        Some(item) => {
            let (open, close) = wrap(&item.head);
            format!("{}[ ] {open}{id}{close} {tags}{title}", next_lead(&item.head.lead))
        }
        None => format!("- [ ] {id} {tags}{title}"),
    };
    let ending = ending(text, &document, place.at);
    let mut parts = Vec::new();
    if place.heading.is_some() || place.gap {
        parts.push(String::new());
    }
    if let Some(heading) = place.heading {
        parts.extend([format!("## {heading}"), String::new()]);
    }
    parts.push(line);
    // A line right below that begins nothing would be taken for more of the title.
    let below = document.lines.all.iter().skip(place.at).find(|line| line.sort != lines::Sort::Hidden);
    if below.is_some_and(|below| lines::goes_on(&below.text)) {
        parts.push(String::new());
    }
    let out = insert(text, place.at, &parts, ending);
    readable(&document, &out, &id)?;
    Ok((out, id))
}

/// The line ending above the place, so that a lone CR never meets the LF of another line; else the file's usual one.
fn ending(text: &[u8], document: &Document, line: usize) -> &'static str {
    let above = line.checked_sub(1).and_then(|above| document.lines.all.get(above));
    match above.map(|above| &text[above.end..]) {
        Some([b'\r', b'\n', ..]) => "\r\n",
        Some([b'\n', ..]) => "\n",
        Some([b'\r', ..]) => "\r",
        _ => lines::ending(text),
    }
}

/// A new task that would end up within a code block or comment is refused rather than lost.
fn readable(before: &Document, text: &[u8], id: &TaskId) -> Result<(), Problem> {
    let after = Document::read(text);
    if after.named(id).len() == 1 && after.items.len() == before.items.len() + 1 {
        return Ok(());
    }
    let why = before.lines.complaints.first().map(|(line, what)| format!("Line {line} {what}."));
    let problem = Problem::conflict("The task could not be put into this tasks.md.").next("Mend the file by hand first.");
    Err(match why {
        Some(why) => problem.because(why),
        None => problem,
    })
}

/// Gives a task a new title; its id, tags, box and details stay.
///
/// # Errors
/// A title that is empty or would break the file, or a task that is not there or stands there twice.
pub fn edit(text: &[u8], id: &TaskId, title: &str) -> Result<Vec<u8>, Problem> {
    let document = Document::read(text);
    let item = tick::one(&document, id)?;
    let mut title = clean(title)?;
    if item.head.emphasis_open {
        let sign = ["**", "__", "~~"].into_iter().find(|s| item.head.open.contains(s)).unwrap_or_default();
        title.push_str(sign);
    }
    let (from, to) = item.title_at;
    for comment in &item.comments {
        title = format!("{title} {comment}");
    }
    // What parts the title from the line below it.
    let ends = |mark: &str| text[..to].ends_with(mark.as_bytes());
    title.push_str(["  ", "\\"].into_iter().find(|mark| ends(mark)).unwrap_or_default());
    let spaced = from > 0 && matches!(text[from - 1], b' ' | b'\t');
    let gap = if spaced { "" } else { " " };
    Ok([&text[..from], gap.as_bytes(), title.as_bytes(), &text[to..]].concat())
}

/// One line of text that cannot be taken for anything but a title.
fn clean(title: &str) -> Result<String, Problem> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    let next = "Give one line of plain text.";
    if title.trim().is_empty() {
        return Err(Problem::invalid("A task needs a title.").next(next));
    }
    if title.chars().count() > TITLE_CHARS_MAX {
        return Err(Problem::invalid(format!("A task's title has at most {TITLE_CHARS_MAX} characters.")).next(next));
    }
    if title.contains("<!--") || title.contains("-->") {
        return Err(Problem::invalid("A task's title cannot contain a comment.").because("It would hide what stands below it.").next(next));
    }
    Ok(title)
}

fn story(text: &str) -> Result<String, Problem> {
    task_line::story(text)
        .ok_or_else(|| Problem::invalid(format!("“{}” is not a user story.", domain::shown(text))).next("Name it as US1."))
}

/// The number after the highest that the file has or speaks of, as wide as the file's ids are.
fn free(document: &Document) -> Result<TaskId, Problem> {
    let written = depend::written(document);
    let nearly = document.ids_only.iter().chain(&document.no_bullets).map(|(_, id)| id);
    let spoken = written.iter().flat_map(|e| [&e.task, &e.needs]).chain(nearly);
    let highest = document.items.iter().map(|i| &i.head.id).chain(spoken).map(number).max().unwrap_or(0);
    let width = document.items.last().map_or(3, |item| item.head.id.as_str().chars().filter(char::is_ascii_digit).count());
    format!("T{:0width$}", highest + 1).parse()
}

struct Spot<'a> {
    /// The line's index before which it goes.
    at: usize,
    /// The task whose style it takes.
    like: Option<&'a Item>,
    /// A heading that has to be made.
    heading: Option<String>,
    /// Whether an empty line has to part it from what stands before.
    gap: bool,
}

fn place<'a>(document: &'a Document, new: &NewTask) -> Result<Spot<'a>, Problem> {
    let end = document.lines.all.len();
    if let Some(after) = &new.after {
        let item = tick::one(document, after)?;
        return Ok(Spot { at: item.last + 1, like: Some(item), heading: None, gap: false });
    }
    let phases = Phases::of(document);
    let last = document.items.last();
    let Some(name) = new.phase.as_deref().map(str::trim).filter(|name| !name.is_empty()) else {
        let gap = last.is_none() && document.lines.all.last().is_some_and(|l| !l.raw.trim().is_empty());
        return Ok(Spot { at: last.map_or(end, |item| item.last + 1), like: last, heading: None, gap });
    };
    let within = |heading: usize| document.items.iter().rev().find(|i| phases.heading(i.section) == Some(heading));
    match chosen(document, &phases, name)? {
        Some(heading) => Ok(match within(heading) {
            Some(item) => Spot { at: outermost(document, item).last + 1, like: Some(item), heading: None, gap: false },
            None => Spot { at: document.sections[heading].at + 1, like: last, heading: None, gap: true },
        }),
        None => Ok(Spot { at: end, like: last, heading: Some(clean(name)?), gap: true }),
    }
}

/// The task within which a nested one stands, or itself.
fn outermost<'a>(document: &'a Document, item: &'a Item) -> &'a Item {
    document.items.iter().find(|outer| outer.at <= item.at && outer.last >= item.at).unwrap_or(item)
}

/// The one heading that is meant by `name`; none where the file has no tasks and no such heading, so that it is made.
fn chosen(document: &Document, phases: &Phases, name: &str) -> Result<Option<usize>, Problem> {
    let wanted = name.to_lowercase();
    let all = || (0..document.sections.len()).filter(|s| document.sections[*s].level > 1 || phases.found.contains(&Some(*s)));
    let titled = |s: &usize| document.sections[*s].title.to_lowercase();
    let mut exact = all().filter(|s| titled(s) == wanted);
    if let Some(found) = exact.next() {
        return Ok(Some(found));
    }
    let begins: Vec<usize> = all().filter(|s| boundary(&titled(s), &wanted)).collect();
    let with_tasks: Vec<usize> = begins.iter().copied().filter(|s| phases.found.contains(&Some(*s))).collect();
    let there = || phases.found.iter().flatten().map(|s| format!("“{}”", document.sections[*s].title)).collect::<Vec<_>>().join(", ");
    match (with_tasks.as_slice(), begins.as_slice()) {
        ([one], _) | ([], [one]) => Ok(Some(*one)),
        ([], []) if document.items.is_empty() => Ok(None),
        ([], []) => {
            Err(Problem::not_found(format!("There is no phase “{}”.", domain::shown(name))).next(format!("There are {}.", there())))
        }
        _ => {
            Err(Problem::invalid(format!("“{}” may be more than one phase.", domain::shown(name)))
                .next(format!("Name it whole: {}.", there())))
        }
    }
}

/// Whether a heading begins with these words, and not with a longer one (“Phase 1” is not “Phase 10”).
fn boundary(title: &str, wanted: &str) -> bool {
    title.strip_prefix(wanted).is_some_and(|rest| rest.chars().next().is_none_or(|c| !c.is_alphanumeric()))
}

/// What stands around an id, taken from a neighbour; nothing where it goes on into the title.
fn wrap(like: &task_line::TaskLine) -> (&str, &str) {
    let plain = |text: &str| text.chars().all(|c| matches!(c, '*' | '_' | '~' | '`' | ':' | '.'));
    let bare: String = like.close.chars().filter(|c| !matches!(c, ':' | '.')).collect();
    if plain(&like.open) && bare.chars().rev().eq(like.open.chars()) { (&like.open, &like.close) } else { ("", "") }
}

/// The bullet for the next item: a numbered list counts on.
fn next_lead(lead: &str) -> String {
    let indent = &lead[..lead.len() - lead.trim_start().len()];
    let rest = lead.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..digits].parse::<u64>() {
        Ok(count) => format!("{indent}{}{}", count + 1, &rest[digits..]),
        Err(_) => lead.to_owned(),
    }
}

/// Puts lines before the line with this index.
fn insert(text: &[u8], line: usize, parts: &[String], ending: &str) -> Vec<u8> {
    let document = lines::read(text);
    let at = document.all.get(line).map_or(text.len(), |l| l.start);
    let mut out = text[..at].to_vec();
    let unfinished = line > 0 && !matches!(out.last(), Some(b'\n' | b'\r'));
    let body = parts.join(ending);
    if unfinished {
        // The file's last line has no ending; nor will the new one.
        out.extend_from_slice(ending.as_bytes());
        out.extend_from_slice(body.as_bytes());
    } else {
        out.extend_from_slice(body.as_bytes());
        out.extend_from_slice(ending.as_bytes());
    }
    out.extend_from_slice(&text[at..]);
    out
}
