//! Reads a whole `tasks.md`: sections, tasks with their titles and details, and the prose between them.

use crate::{
    lines::{self, Line, Lines, Sort, bullet, goes_on, raw_offset},
    task_line::{self, Mark, Read, TaskLine},
};
use domain::TaskId;

/// A `tasks.md`, read.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Its lines.
    pub lines: Lines,
    /// Its tasks, in order.
    pub items: Vec<Item>,
    /// Its headings, in order.
    pub sections: Vec<Section>,
    /// What is neither heading nor task.
    pub prose: Vec<Prose>,
    /// Boxes at the left edge without an id: lines, from 1.
    pub boxes_only: Vec<usize>,
    /// List items that begin with an id but have no box.
    pub ids_only: Vec<(usize, TaskId)>,
    /// Lines with a box and an id that are no list items.
    pub no_bullets: Vec<(usize, TaskId)>,
}

/// A task with its places in the file.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its first line, read.
    pub head: TaskLine,
    /// Its first line's index.
    pub at: usize,
    /// The last line's index of all that belongs to it, nested tasks among it.
    pub last: usize,
    /// The sign in its box: a place in the file's bytes.
    pub mark: Mark,
    /// Its title, wrapped lines joined.
    pub title: String,
    /// Where the title lies, in bytes of the file.
    pub title_at: (usize, usize),
    /// Comments within the title.
    pub comments: Vec<String>,
    /// Lines below it, as written.
    pub details: Vec<String>,
    /// Lines of its own in which dependencies may be written: line from 1, text.
    pub own: Vec<(usize, String)>,
    /// The heading it stands under.
    pub section: Option<usize>,
}

/// A heading.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its text.
    pub title: String,
    /// 1 to 6.
    pub level: usize,
    /// The line's index.
    pub at: usize,
    /// The heading above it.
    pub parent: Option<usize>,
}

/// A paragraph, list item, table row or line of code outside tasks.
#[derive(Debug)]
pub(crate) struct Prose {
    /// Its first line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// Whether it is code.
    pub code: bool,
    /// Whether a heading above it says that it is about order.
    pub about_order: bool,
    /// Its last line's index.
    last: usize,
}

impl Document {
    /// Reads a file.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut document = Self { lines: lines::read(bytes), ..Self::default() };
        let all = std::mem::take(&mut document.lines.all);
        let mut reader =
            Reader { bytes, document, path: Vec::new(), open: Vec::new(), in_title: false, midst: Vec::new(), code_within: None };
        for (i, line) in all.iter().enumerate() {
            reader.line(i, line);
        }
        let mut document = reader.document;
        document.lines.all = all;
        for item in &mut document.items {
            finish(item);
        }
        document
    }

    /// The tasks with this id; more than one where the file is broken.
    pub(crate) fn named(&self, id: &TaskId) -> Vec<&Item> {
        self.items.iter().filter(|item| item.head.id == *id).collect()
    }

    /// A heading with those above it, outermost first.
    pub(crate) fn path(&self, section: Option<usize>) -> Vec<usize> {
        let mut path: Vec<usize> = std::iter::successors(section, |s| self.sections[*s].parent).collect();
        path.reverse();
        path
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    document: Document,
    /// Headings that are open, outermost first.
    path: Vec<usize>,
    /// Tasks whose block is open: columns of indent, index.
    open: Vec<(usize, usize)>,
    /// Whether the last task's title may go on in the next line.
    in_title: bool,
    /// Comments below a title's line, which are within it if it goes on.
    midst: Vec<String>,
    /// Whether the code block that is open belongs to a task.
    code_within: Option<bool>,
}

impl Reader<'_> {
    fn line(&mut self, i: usize, line: &Line) {
        if line.sort != Sort::Code {
            self.code_within = None;
        }
        match line.sort {
            Sort::Hidden => self.hidden(i, line),
            Sort::Code => self.code(i, line),
            Sort::Text if line.text.trim().is_empty() => self.gap(),
            Sort::Text => self.text(i, line),
        }
    }

    /// A comment right below a task belongs to it; one that began in the title stands in its midst, one that begins its
    /// own line ends it.
    fn hidden(&mut self, i: usize, line: &Line) {
        self.in_title &= !line.raw.trim_start().starts_with("<!--");
        if let Some((_, item)) = self.open.last()
            && self.document.items[*item].last + 1 == i
        {
            self.reach(i);
            self.midst.extend(comments(line, 0));
        }
    }

    fn gap(&mut self) {
        self.in_title = false;
        if let Some((_, item)) = self.open.last() {
            self.document.items[*item].details.push(String::new());
        }
    }

    fn code(&mut self, i: usize, line: &Line) {
        self.in_title = false;
        // A code block belongs as a whole to where it begins: to a task that it is indented below, or stands right under.
        let begins = || {
            self.open.last().is_some_and(|(indent, item)| {
                let last = self.document.items[*item].details.last();
                lines::indent(&line.raw) > *indent || last.is_some_and(|l| !l.is_empty())
            })
        };
        let within = self.code_within.unwrap_or_else(begins);
        self.code_within = Some(within);
        if within {
            self.detail(i, line.raw.clone(), false);
        } else {
            self.open.clear();
            self.prose(i, &line.raw, true);
        }
    }

    fn text(&mut self, i: usize, line: &Line) {
        let text = line.text.as_str();
        let indent = lines::indent(text);
        if let Some((level, title)) = heading(text).filter(|_| self.open.is_empty() || indent < 2) {
            return self.section(i, level, title);
        }
        match task_line::read(text) {
            Read::Task(head) => return self.task(i, line, *head),
            Read::BoxOnly if !self.open.iter().any(|(open, _)| *open < indent) => self.document.boxes_only.push(i + 1),
            Read::IdOnly(id) if !self.open.iter().any(|(open, _)| *open < indent) => self.document.ids_only.push((i + 1, id)),
            // It is nobody's title: a person meant it as a task.
            Read::NoBullet(id) => {
                self.in_title = false;
                self.document.no_bullets.push((i + 1, id));
            }
            _ => {}
        }
        if self.in_title && goes_on(text) && self.open.last().is_some_and(|(open, _)| indent > *open || indent == 0) {
            return self.wrapped(i, line);
        }
        self.in_title = false;
        while self.open.last().is_some_and(|(open, _)| *open >= indent) {
            self.open.pop();
        }
        if self.open.is_empty() {
            self.prose_or_underline(i, text);
        } else {
            self.detail(i, text.to_owned(), true);
        }
    }

    fn section(&mut self, at: usize, level: usize, title: String) {
        self.open.clear();
        self.in_title = false;
        while self.path.last().is_some_and(|s| self.document.sections[*s].level >= level) {
            self.path.pop();
        }
        let parent = self.path.last().copied();
        self.path.push(self.document.sections.len());
        self.document.sections.push(Section { title, level, at, parent });
    }

    fn task(&mut self, i: usize, line: &Line, head: TaskLine) {
        while self.open.last().is_some_and(|(open, _)| *open >= head.indent) {
            self.open.pop();
        }
        self.open.push((head.indent, self.document.items.len()));
        self.in_title = !hard_break(&line.raw);
        self.midst.clear();
        let raw = &self.bytes[line.start..line.end];
        let title = line.text[head.title..].trim().to_owned();
        let item = Item {
            at: i,
            last: i,
            mark: Mark { at: line.start + head.mark.at, ..head.mark },
            title_at: (line.start + raw_offset(raw, head.title), line.end),
            title,
            comments: comments(line, head.title),
            details: Vec::new(),
            own: Vec::new(),
            section: self.path.last().copied(),
            head,
        };
        self.document.items.push(item);
        self.reach(i);
    }

    fn wrapped(&mut self, i: usize, line: &Line) {
        self.in_title = !hard_break(&line.raw);
        self.reach(i);
        if let Some(item) = self.document.items.last_mut() {
            if !item.title.is_empty() {
                item.title.push(' ');
            }
            item.title.push_str(line.text.trim().trim_end_matches('\\').trim_end());
            item.title_at.1 = line.end;
            item.comments.append(&mut self.midst);
            item.comments.extend(comments(line, 0));
        }
    }

    fn detail(&mut self, i: usize, text: String, own: bool) {
        self.reach(i);
        if let Some(item) = self.open.last().and_then(|(_, item)| self.document.items.get_mut(*item)) {
            if own {
                item.own.push((i + 1, text.trim().to_owned()));
            }
            item.details.push(text.trim_end().to_owned());
        }
    }

    /// The blocks of all open tasks reach down to this line.
    fn reach(&mut self, i: usize) {
        for (_, item) in &self.open {
            self.document.items[*item].last = i;
        }
    }

    fn prose_or_underline(&mut self, i: usize, text: &str) {
        let rule = text.trim();
        let underline = rule.len() >= 3 && (rule.bytes().all(|b| b == b'=') || rule.bytes().all(|b| b == b'-'));
        let level = if rule.starts_with('=') { 1 } else { 2 };
        let above = self.document.prose.last().filter(|p| underline && !p.code && p.last + 1 == i && p.line == i);
        if above.is_some_and(|p| bullet(&p.text).is_none() && !p.text.starts_with(['*', '>', '|', '_', '-'])) {
            if let Some(title) = self.document.prose.pop() {
                self.section(i, level, title.text.trim().to_owned());
            }
            return;
        }
        self.prose(i, text, false);
    }

    fn prose(&mut self, i: usize, text: &str, code: bool) {
        let about_order = self.path.iter().any(|s| about_order(&self.document.sections[*s].title));
        let wrapped = !code && goes_on(text);
        match self.document.prose.last_mut() {
            Some(above) if wrapped && !above.code && above.last + 1 == i && !above.text.starts_with('|') => {
                above.text.push(' ');
                above.text.push_str(text.trim());
                above.last = i;
            }
            _ => self.document.prose.push(Prose { line: i + 1, text: text.trim().to_owned(), code, about_order, last: i }),
        }
    }
}

/// Takes trailing tags off the title, unindents the details, and notes where dependencies may be written.
fn finish(item: &mut Item) {
    let said = format!("{} {}", item.head.tags.iter().map(|t| format!("[{t}]")).collect::<String>(), item.title);
    item.own.insert(0, (item.at + 1, said.trim().to_owned()));
    let (title, tags) = task_line::trailing(&item.title);
    item.head.tags.extend(tags.into_iter().map(str::to_owned));
    item.title = title.to_owned();
    if item.head.emphasis_open
        && let Some(sign) = ["**", "__", "~~"].into_iter().find(|sign| item.title.matches(sign).count() % 2 == 1)
    {
        item.title = item.title.replacen(sign, "", 1).trim().to_owned();
    }
    while item.details.last().is_some_and(String::is_empty) {
        item.details.pop();
    }
    let first = item.details.iter().position(|l| !l.is_empty()).unwrap_or(0);
    item.details.drain(..first);
    let shared = item.details.iter().filter(|l| !l.is_empty()).map(|l| lines::indent(l)).min().unwrap_or(0);
    for line in &mut item.details {
        *line = unindent(line, shared);
    }
}

/// The pieces of a line that were blanked out, from a place on.
fn comments(line: &Line, from: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = from;
    while at < line.text.len() {
        let blank = line.text[at..].len() - line.text[at..].trim_start_matches(' ').len();
        let piece = line.raw[at..at + blank].trim();
        if !piece.is_empty() {
            found.push(piece.to_owned());
        }
        at += blank.max(line.text[at + blank..].find(' ').map_or(line.text.len() - at, |n| n + blank));
    }
    found
}

fn unindent(line: &str, columns: usize) -> String {
    let own = lines::indent(line);
    format!("{}{}", " ".repeat(own.saturating_sub(columns)), line.trim_start_matches([' ', '\t']))
}

/// A heading's level and text.
fn heading(text: &str) -> Option<(usize, String)> {
    let body = text.trim_start_matches(' ');
    let level = body.bytes().take_while(|b| *b == b'#').count();
    let rest = &body[level..];
    let spaced = rest.is_empty() || rest.starts_with([' ', '\t']) || level >= 2;
    if text.len() - body.len() > 3 || !(1..=6).contains(&level) || !spaced {
        return None;
    }
    let title = rest.trim();
    let bare = title.trim_end_matches('#');
    let title = if bare.is_empty() || bare.ends_with([' ', '\t']) { bare.trim_end() } else { title };
    Some((level, title.to_owned()))
}

fn hard_break(raw: &str) -> bool {
    raw.ends_with("  ") || raw.ends_with('\\')
}

/// Whether a heading says that what stands below is about order.
fn about_order(title: &str) -> bool {
    const WORDS: [&str; 22] = [
        "depend",
        "dépend",
        "dipend",
        "abhäng",
        "execution order",
        "order of",
        "task order",
        "reihenfolge",
        "ordre",
        "orden de",
        "ordem",
        "sequence",
        "blocked",
        "завис",
        "порядок",
        "依赖",
        "依賴",
        "依存",
        "顺序",
        "順序",
        "의존",
        "ترتيب",
    ];
    let lower = title.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}
