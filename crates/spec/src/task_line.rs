//! Reads one line as a task: bullet, box, id, tags, title. Knows nothing of its neighbours.

use crate::{
    limits::TAG_CHARS_MAX,
    lines::{bullet, span_end},
};
use domain::TaskId;

/// A line that is a task. Places are bytes within the line's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskLine {
    /// Columns before its bullet.
    pub indent: usize,
    /// All before the box: white space and bullet.
    pub lead: String,
    /// The box.
    pub mark: Mark,
    /// Its id.
    pub id: TaskId,
    /// What stands between box and id, as `**`.
    pub open: String,
    /// What stands just behind the id, as `**:`.
    pub close: String,
    /// Its tags in order, without brackets.
    pub tags: Vec<String>,
    /// Whether emphasis opened before the title goes on into it.
    pub emphasis_open: bool,
    /// Where the title begins.
    pub title: usize,
}

/// The sign within a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where.
    pub at: usize,
    /// How many bytes it has.
    pub length: usize,
    /// The sign.
    pub sign: char,
}

impl Mark {
    /// Whether it says that the task is done.
    pub(crate) fn done(self) -> bool {
        matches!(self.sign, 'x' | 'X' | '✓' | '✔' | '✅' | '☑')
    }

    /// Whether it plainly says that the task is open.
    pub(crate) fn open(self) -> bool {
        self.sign.is_whitespace()
    }
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// A task.
    Task(Box<TaskLine>),
    /// A box without a readable id.
    BoxOnly,
    /// A list item that begins with an id, but has no box that can be ticked.
    IdOnly(TaskId),
    /// A box and an id, but no bullet with a space behind it, so that Markdown sees no list item.
    NoBullet(TaskId),
    /// Something else.
    No,
}

/// Reads a line.
pub(crate) fn read(text: &str) -> Read {
    let Some(lead) = bullet(text) else { return without_bullet(text).map_or(Read::No, Read::NoBullet) };
    let body = &text[lead..];
    let Some((mark, after)) = checkbox(text, lead) else {
        let empty_box = body.starts_with("[]");
        let body = if empty_box { body[2..].trim_start() } else { body };
        return match head(body) {
            Some(head) => Read::IdOnly(head.id),
            None if empty_box => Read::BoxOnly,
            None => Read::No,
        };
    };
    let Some(head) = head(&text[after..]) else { return Read::BoxOnly };
    Read::Task(Box::new(TaskLine {
        indent: crate::lines::indent(text),
        lead: text[..lead].to_owned(),
        mark,
        id: head.id,
        open: head.open,
        close: head.close,
        tags: head.tags,
        emphasis_open: head.emphasis_open,
        title: after + head.length,
    }))
}

/// The task that a line would be with a bullet, or with a space behind its bullet.
fn without_bullet(text: &str) -> Option<TaskId> {
    let body = text.trim_start_matches([' ', '\t']);
    let bare = body.strip_prefix(['-', '*', '+']).unwrap_or(body);
    let (_, after) = checkbox(text, text.len() - bare.len())?;
    head(&text[after..]).map(|head| head.id)
}

/// The box at `at`, and where the text behind it begins.
fn checkbox(text: &str, at: usize) -> Option<(Mark, usize)> {
    let inner = text[at..].strip_prefix('[')?;
    let close = inner.find(']')?;
    let behind = &inner[close + 1..];
    if behind.starts_with(['(', '[', ':']) && !behind.starts_with("[T") {
        return None;
    }
    let content = &inner[..close];
    let signs: Vec<(usize, char)> = content.char_indices().filter(|(_, c)| !c.is_whitespace() && *c != '\u{fe0f}').collect();
    let (offset, sign) = match signs.as_slice() {
        [] => (0, content.chars().next()?),
        [(offset, sign)] if content.len() <= 8 => (*offset, *sign),
        _ => return None,
    };
    let mark = Mark { at: at + 1 + offset, length: sign.len_utf8(), sign };
    let plain = mark.done() || (sign.is_ascii() && !sign.is_ascii_alphanumeric());
    let space = behind.len() - behind.trim_start_matches([' ', '\t']).len();
    plain.then(|| (mark, at + 1 + close + 1 + space))
}

struct Head {
    id: TaskId,
    open: String,
    close: String,
    tags: Vec<String>,
    emphasis_open: bool,
    length: usize,
}

/// Emphasis, tags and the id in front of a title, in any order that people write.
fn head(text: &str) -> Option<Head> {
    let mut at = 0;
    let mut tags = Vec::new();
    let mut found: Option<(TaskId, usize, usize)> = None;
    loop {
        at += decoration(&text[at..], found.is_some());
        let rest = &text[at..];
        if let Some((tag, width)) = tag(rest) {
            match (found.is_none()).then(|| tag.parse().ok()).flatten() {
                Some(id) => found = Some((id, at, at + width)),
                None => tags.push(tag.to_owned()),
            }
            at += width;
        } else if found.is_none() {
            let (id, width) = id(rest)?;
            found = Some((id, at, at + width));
            at += width;
        } else {
            break;
        }
    }
    let (id, from, to) = found?;
    let close_end = to + text[to..].bytes().take_while(|b| matches!(b, b'*' | b'_' | b'~' | b'`' | b':' | b'.')).count();
    let marks = |part: &str, sign: &str| part.matches(sign).count();
    let emphasis_open = ["**", "__", "~~"].iter().any(|sign| marks(&text[..at], sign) % 2 == 1);
    Some(Head {
        id,
        open: text[..from].rsplit(']').next().unwrap_or_default().trim().to_owned(),
        close: text[to..close_end].to_owned(),
        tags,
        emphasis_open,
        length: at,
    })
}

/// How many bytes of emphasis, spaces and separators stand here. Separators count only behind the id.
fn decoration(text: &str, behind_id: bool) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at + c.len_utf8()..];
        let spaced = rest.is_empty() || rest.starts_with([' ', '\t', '*', '[']);
        let emphasis = ["**", "__", "~~"].iter().any(|s| text[at..].starts_with(s));
        let single = matches!(c, '*' | '_') && !behind_id && text[at + 1..].starts_with(['T', '[']);
        let tick = c == '`' && (around_id(rest) || (behind_id && at == 0 && spaced));
        let separator = behind_id && matches!(c, ':' | '.' | '-' | '–' | '—' | '：' | '、' | '|' | '·' | ')') && spaced;
        let wide = behind_id && matches!(c, '：');
        match c {
            ' ' | '\t' => at += 1,
            // Emphasis that opens the title itself belongs to the title.
            '*' | '_' | '~' if emphasis && !(behind_id && opens_title(&text[at..])) => at += 2,
            _ if single || tick || separator || wide => at += c.len_utf8(),
            _ => break,
        }
    }
    at
}

/// Whether emphasis here has its own end further on, with text between: then it is part of the title.
fn opens_title(text: &str) -> bool {
    let (sign, rest) = text.split_at(2);
    let attached = rest.chars().next().is_some_and(|c| !c.is_whitespace() && !matches!(c, ':' | '.' | '['));
    attached && rest.contains(sign)
}

fn around_id(rest: &str) -> bool {
    id(rest).is_some_and(|(_, width)| rest[width..].starts_with('`')) || rest.starts_with('[')
}

/// An id here, and its width. What only looks like one (`T001.1`, `T-01`, `T12X`) is none.
pub(crate) fn id(text: &str) -> Option<(TaskId, usize)> {
    let rest = text.strip_prefix('T')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
    let width = 1 + digits + letters;
    let mut behind = text[width..].chars();
    let joined = match behind.next() {
        Some('.' | '-' | '_' | '/') => behind.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_ascii_alphanumeric(),
        None => false,
    };
    if joined || digits == 0 {
        return None;
    }
    text[..width].parse().ok().map(|id| (id, width))
}

/// A tag in brackets here (not a link), and its width.
fn tag(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix('[')?;
    let close = inner.find(']')?;
    let tag = inner[..close].trim();
    let link = inner[close + 1..].starts_with(['(', '{']);
    let fits = !tag.is_empty() && tag.chars().count() <= TAG_CHARS_MAX && !tag.contains(['[', '`']);
    (fits && !link).then_some((tag, close + 2))
}

/// A user story's name as `US1`, where the tag is one.
pub(crate) fn story(tag: &str) -> Option<String> {
    let upper = tag.to_ascii_uppercase();
    let rest = upper.strip_prefix("US").or_else(|| upper.strip_prefix("STORY"))?;
    let number = rest.trim_start_matches(['-', '_', ' ', '#']);
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let ends = number[digits..].chars().next().is_none_or(|c| !c.is_alphanumeric());
    (digits > 0 && ends).then(|| format!("US{}", &number[..digits]))
}

/// The tags that stand at the end of a title, cut off from it: only `[P]` and stories, as others are prose.
pub(crate) fn trailing(title: &str) -> (&str, Vec<&str>) {
    let mut rest = title.trim_end();
    let mut tags = Vec::new();
    while let Some(open) = rest.ends_with(']').then(|| rest.rfind('[')).flatten() {
        let tag = &rest[open + 1..rest.len() - 1];
        let known = tag == "P" || (story(tag).is_some() && tag.len() <= 8);
        let spaced = open == 0 || rest[..open].ends_with([' ', '\t', ']']);
        if !known || !spaced {
            break;
        }
        tags.push(tag);
        rest = rest[..open].trim_end();
    }
    (rest, tags)
}

/// The first story that a title names in brackets, outside code.
pub(crate) fn story_within(title: &str) -> Option<String> {
    let mut at = 0;
    while let Some(found) = title[at..].find(['`', '[']).map(|n| at + n) {
        if title[found..].starts_with('`') {
            at = span_end(title, found);
            continue;
        }
        if let Some(story) = tag(&title[found..]).filter(|(tag, _)| tag.len() <= 8).and_then(|(tag, _)| story(tag)) {
            return Some(story);
        }
        at = found + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn task(text: &str) -> (String, char, Vec<String>, String) {
        let Read::Task(task) = read(text) else { panic!("{text:?} is {:?}", read(text)) };
        (task.id.to_string(), task.mark.sign, task.tags, text[task.title..].to_owned())
    }

    #[test]
    fn tasks_are_read_as_people_write_them() {
        let table: [(&str, &str, char, &[&str], &str); 24] = [
            ("- [ ] T001 Do it", "T001", ' ', &[], "Do it"),
            ("* [x] T12 [P] Do it", "T12", 'x', &["P"], "Do it"),
            ("+ [X] T012a [P] [US1] Do it", "T012a", 'X', &["P", "US1"], "Do it"),
            ("1. [ ] T001 Do it", "T001", ' ', &[], "Do it"),
            ("12) [ ] T001 Do it", "T001", ' ', &[], "Do it"),
            ("  - [ ] **T001** Do it", "T001", ' ', &[], "Do it"),
            ("- [ ] **T001**: Do it", "T001", ' ', &[], "Do it"),
            ("- [ ] **T001** - Do it", "T001", ' ', &[], "Do it"),
            ("- [ ] T001: Do it", "T001", ' ', &[], "Do it"),
            ("- [ ] T002 [P]: Do it", "T002", ' ', &["P"], "Do it"),
            ("- [ ] **T001 [P] [US2]** Do it", "T001", ' ', &["P", "US2"], "Do it"),
            ("- [ ] [T001] [P] Do it", "T001", ' ', &["P"], "Do it"),
            ("- [ ] [P] T001 Do it", "T001", ' ', &["P"], "Do it"),
            ("- [ ] `T001` Do it", "T001", ' ', &[], "Do it"),
            ("- [ ] T001 [FR-002][FR-009] Do it", "T001", ' ', &["FR-002", "FR-009"], "Do it"),
            ("- [ ] T001 [a](b) link", "T001", ' ', &[], "[a](b) link"),
            ("- [ ] T001 `code` first", "T001", ' ', &[], "`code` first"),
            ("- [ ] T001 **Baseline**: measure", "T001", ' ', &[], "**Baseline**: measure"),
            ("- [-] T001 Do it", "T001", '-', &[], "Do it"),
            ("- [✓] T001 Do it", "T001", '✓', &[], "Do it"),
            ("- [ x ] T001 Do it", "T001", 'x', &[], "Do it"),
            ("- [  ] T001 Do it", "T001", ' ', &[], "Do it"),
            ("- [ ]T001 Do it", "T001", ' ', &[], "Do it"),
            ("- [ ] T001", "T001", ' ', &[], ""),
        ];
        for (text, id, sign, tags, title) in table {
            let tags: Vec<String> = tags.iter().map(|t| (*t).to_owned()).collect();
            assert_eq!(task(text), (id.to_owned(), sign, tags, title.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_task_is_told_apart() {
        let id = |text: &str| Read::IdOnly(text.parse().unwrap());
        let table = [
            ("- [ ] no id", Read::BoxOnly),
            ("- [ ] TXXX later", Read::BoxOnly),
            ("- [ ] T001.1 sub", Read::BoxOnly),
            ("- [ ] T-001 odd", Read::BoxOnly),
            ("- [ ] t001 small", Read::BoxOnly),
            ("- [] T001 no room", id("T001")),
            ("- T001 no box", id("T001")),
            ("- [P] T001 no box", id("T001")),
            ("- [x](link) text", Read::No),
            ("- [Setup](#setup)", Read::No),
            ("-[ ] T001 no space", Read::NoBullet("T001".parse().unwrap())),
            ("  [x] **T001** no bullet", Read::NoBullet("T001".parse().unwrap())),
            ("-[ ] no id", Read::No),
            ("[P] T001 a tag", Read::No),
            ("[T001] a tag", Read::No),
            ("T001 bare", Read::No),
            ("text", Read::No),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn stories_and_trailing_tags() {
        for (tag, story_name) in [("US1", Some("US1")), ("us-2", Some("US2")), ("Story 3", Some("US3")), ("USB", None), ("US", None)] {
            assert_eq!(story(tag).as_deref(), story_name, "{tag}");
        }
        assert_eq!(trailing("Do it [US1] [P]"), ("Do it", vec!["P", "US1"]));
        assert_eq!(trailing("Index a[P]"), ("Index a[P]", vec![]));
        assert_eq!(trailing("See [FR-1]"), ("See [FR-1]", vec![]));
        assert_eq!(story_within("⚠️ HIGH RISK [US1] Create").as_deref(), Some("US1"));
        assert_eq!(story_within("parse `[US1]` tags"), None);
    }
}
