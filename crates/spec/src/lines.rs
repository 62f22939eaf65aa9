//! Cuts a Markdown file into lines with their places in bytes, and says which are code, comment or front matter.
//! Knows nothing of tasks.

use crate::limits::{FRONT_MATTER_LINES_MAX, LINE_BYTES_MAX};
use std::borrow::Cow;

/// What a line is, as far as reading tasks goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Markdown.
    Text,
    /// Within a code fence, or the fence itself.
    Code,
    /// Front matter, or nothing but a comment: as if it were not there.
    Hidden,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Where it begins, in bytes of the file.
    pub start: usize,
    /// Where its text ends, without the line ending.
    pub end: usize,
    /// Its text, bytes that are not UTF-8 replaced.
    pub raw: String,
    /// The same with comments blanked out, byte for byte as long.
    pub text: String,
    /// What it is.
    pub sort: Sort,
}

/// A file's lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// In order.
    pub all: Vec<Line>,
    /// What is odd, by line (from 1).
    pub complaints: Vec<(usize, String)>,
    /// The first line (from 1) that is not UTF-8.
    pub not_utf8: Option<usize>,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads a file's lines.
pub(crate) fn read(bytes: &[u8]) -> Lines {
    let mut lines = Lines { all: cut(bytes), ..Lines::default() };
    lines.not_utf8 = lines.all.iter().position(|l| std::str::from_utf8(&bytes[l.start..l.end]).is_err()).map(|i| i + 1);
    let from = front_matter(&mut lines.all);
    mark(&mut lines, from);
    lines
}

/// The line ending that the file uses most.
pub(crate) fn ending(bytes: &[u8]) -> &'static str {
    let crlf = bytes.windows(2).filter(|w| w == b"\r\n").count();
    let lf = bytes.iter().filter(|b| **b == b'\n').count() - crlf;
    let cr = bytes.iter().filter(|b| **b == b'\r').count() - crlf;
    match (crlf > lf.max(cr), cr > lf) {
        (true, _) => "\r\n",
        (_, true) => "\r",
        _ => "\n",
    }
}

fn cut(bytes: &[u8]) -> Vec<Line> {
    let mut all = Vec::new();
    let mut at = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(bytes.len(), |n| at + n);
        let next = match bytes.get(end) {
            None => end,
            Some(b'\r') if bytes.get(end + 1) == Some(&b'\n') => end + 2,
            Some(_) => end + 1,
        };
        let raw = String::from_utf8_lossy(&bytes[at..end]).into_owned();
        all.push(Line { start: at, end, text: raw.clone(), raw, sort: Sort::Text });
        at = next;
    }
    all
}

/// Hides front matter; says how many lines it takes.
fn front_matter(all: &mut [Line]) -> usize {
    let fence = |l: &Line| l.raw.trim_end() == "---";
    if !all.first().is_some_and(fence) {
        return 0;
    }
    let Some(close) = all.iter().skip(1).take(FRONT_MATTER_LINES_MAX).position(fence) else { return 0 };
    // Real front matter has keys; two rules around prose have not.
    let keyed = all[1..=close].iter().all(|l| l.raw.trim().is_empty() || l.raw.starts_with([' ', '\t', '#', '-']) || l.raw.contains(':'));
    if !keyed || all[1..=close].iter().any(|l| bullet(&l.raw).is_some_and(|at| l.raw[at..].starts_with('['))) {
        return 0;
    }
    for line in &mut all[..close + 2] {
        line.sort = Sort::Hidden;
        line.text.clear();
    }
    close + 2
}

#[derive(Clone, Copy)]
struct Fence {
    mark: char,
    length: usize,
    indent: usize,
    line: usize,
}

fn mark(lines: &mut Lines, from: usize) {
    let ends = Ends::of(&lines.all);
    let mut fence: Option<Fence> = None;
    let mut comment = false;
    for i in from..lines.all.len() {
        if let Some(open) = fence {
            if escapes(&lines.all[i].raw, open) {
                fence = None;
            } else {
                lines.all[i].sort = Sort::Code;
                if closes(&lines.all[i].raw, open) {
                    fence = None;
                }
                continue;
            }
        }
        if !comment && let Some(open) = opens(&lines.all[i].raw, i + 1) {
            fence = Some(open);
            lines.all[i].sort = Sort::Code;
            continue;
        }
        if lines.all[i].raw.len() > LINE_BYTES_MAX {
            lines.complaints.push((i + 1, format!("has more than {LINE_BYTES_MAX} bytes in one line, which is not read")));
            lines.all[i].sort = Sort::Hidden;
            continue;
        }
        let (text, still) = blank(lines, &ends, i, comment);
        let line = &mut lines.all[i];
        let within = std::mem::replace(&mut comment, still);
        if text.trim().is_empty() && (within || !line.raw.trim().is_empty()) {
            line.sort = Sort::Hidden;
        }
        line.text = text;
    }
    if let Some(open) = fence {
        lines.complaints.push((open.line, "opens a code block that nothing closes; tasks below it are not read".into()));
    }
}

/// Columns of white space before a line's text; a tab goes to the next multiple of 4.
pub(crate) fn indent(text: &str) -> usize {
    let mut columns = 0;
    for c in text.chars() {
        match c {
            ' ' => columns += 1,
            '\t' => columns += 4 - columns % 4,
            _ => break,
        }
    }
    columns
}

/// Whether a line can go on a paragraph: it begins nothing of its own.
pub(crate) fn goes_on(text: &str) -> bool {
    let body = text.trim_start();
    let rule = body.len() >= 3 && body.chars().all(|c| matches!(c, '-' | '*' | '_' | '=' | ' '));
    let key = body
        .strip_prefix("**")
        .and_then(|rest| rest.split_once("**"))
        .is_some_and(|(key, behind)| key.ends_with(':') || behind.starts_with(':'));
    let begins = body.starts_with(['>', '|', '#', '<', '→', '↳', '⚠', '✅', '❌']) || body.starts_with("[^") || opens(text, 0).is_some();
    !(body.is_empty() || rule || key || begins || bullet(text).is_some())
}

/// Where a list item's text begins: behind white space, bullet or number, and white space.
pub(crate) fn bullet(text: &str) -> Option<usize> {
    let start = text.len() - text.trim_start_matches([' ', '\t']).len();
    let rest = &text[start..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let width = match rest.as_bytes().get(digits) {
        Some(b'-' | b'*' | b'+') if digits == 0 => 1,
        Some(b'.' | b')') if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let space = rest[width..].bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (space > 0).then_some(start + width + space)
}

fn opens(raw: &str, line: usize) -> Option<Fence> {
    let mut text = raw.trim_start();
    if let Some(rest) = ["- ", "* ", "+ ", "> "].iter().find_map(|b| text.strip_prefix(b)) {
        text = rest.trim_start();
    }
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.chars().take_while(|c| *c == mark).count();
    let info = &text[length..];
    (length >= 3 && !(mark == '`' && info.contains('`'))).then(|| Fence { mark, length, indent: indent(raw), line })
}

fn closes(raw: &str, open: Fence) -> bool {
    let text = raw.trim();
    !text.is_empty() && text.chars().all(|c| c == open.mark) && text.len() >= open.length
}

/// A fence within a list item ends with the item: at a heading or a list item that stands further left.
fn escapes(raw: &str, open: Fence) -> bool {
    let text = raw.trim_start();
    let block = ["- [", "* [", "+ [", "# ", "## ", "### ", "#### "].iter().any(|b| text.starts_with(b));
    open.indent >= 2 && block && indent(raw) < open.indent
}

/// For each line, where the next comment's end and the next end of a paragraph stand below it. Made once, so that a file
/// full of openings is read in one go.
struct Ends {
    comment: Vec<usize>,
    paragraph: Vec<usize>,
}

impl Ends {
    fn of(all: &[Line]) -> Self {
        let mut ends = Self { comment: vec![all.len(); all.len()], paragraph: vec![all.len(); all.len()] };
        for i in (1..all.len()).rev() {
            ends.comment[i - 1] = if all[i].raw.contains("-->") { i } else { ends.comment[i] };
            ends.paragraph[i - 1] = if goes_on(&all[i].raw) { ends.paragraph[i] } else { i };
        }
        ends
    }
}

/// A line with its comments blanked out, and whether a comment goes on behind it.
fn blank(lines: &mut Lines, ends: &Ends, i: usize, mut comment: bool) -> (String, bool) {
    let raw = lines.all[i].raw.clone();
    let last_end = raw.rfind("-->");
    let mut out = String::with_capacity(raw.len());
    loop {
        let rest = &raw[out.len()..];
        if comment {
            let Some(end) = rest.find("-->") else {
                out.push_str(&" ".repeat(rest.len()));
                return (out, true);
            };
            out.push_str(&" ".repeat(end + 3));
            comment = false;
            continue;
        }
        let Some(start) = comment_start(rest) else {
            out.push_str(rest);
            return (out, false);
        };
        let here = last_end.is_some_and(|end| end >= out.len() + start + 4);
        let block = out.trim().is_empty() && rest[..start].trim().is_empty();
        comment = here || begins(lines, ends, i, block);
        out.push_str(&rest[..start]);
        out.push_str(if comment { "    " } else { "<!--" });
    }
}

/// Whether a “<!--” whose end is not in its line begins a comment: one at the beginning of a line always does, even
/// unclosed (then all below is hidden, and that is told); one within a line only if it is closed in the same paragraph.
fn begins(lines: &mut Lines, ends: &Ends, i: usize, block: bool) -> bool {
    if !block {
        return ends.comment[i] < ends.paragraph[i];
    }
    if ends.comment[i] == lines.all.len() {
        lines.complaints.push((i + 1, "opens a comment that nothing closes; tasks below it are not read".into()));
    }
    true
}

/// The first “<!--” that does not stand in a code span.
fn comment_start(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find(['`', '<']).map(|n| at + n) {
        if text[found..].starts_with("<!--") {
            return Some(found);
        }
        at = if text[found..].starts_with('`') { span_end(text, found) } else { found + 1 };
    }
    None
}

/// Where the code span that opens at `from` ends; just behind the backticks where nothing closes it.
pub(crate) fn span_end(text: &str, from: usize) -> usize {
    let run = |at: usize| text[at..].bytes().take_while(|b| *b == b'`').count();
    let length = run(from);
    let mut at = from + length;
    while let Some(next) = text[at..].find('`').map(|n| at + n) {
        let found = run(next);
        if found == length {
            return next + found;
        }
        at = next + found;
    }
    from + length
}

/// The place in a line's bytes that answers to a place in its lossily read text.
pub(crate) fn raw_offset(bytes: &[u8], lossy: usize) -> usize {
    let (mut text, mut raw) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if lossy <= text + valid {
            return raw + (lossy - text);
        }
        text += valid;
        raw += valid;
        if !chunk.invalid().is_empty() {
            text += char::REPLACEMENT_CHARACTER.len_utf8();
            raw += chunk.invalid().len();
        }
    }
    raw.min(bytes.len())
}

/// A lossily read slice of the file.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn sorts(text: &str) -> Vec<Sort> {
        read(text.as_bytes()).all.iter().map(|l| l.sort).collect()
    }

    #[test]
    fn code_comments_and_front_matter_are_told_apart() {
        use Sort::{Code as C, Hidden as H, Text as T};
        let table: [(&str, &[Sort]); 9] = [
            ("---\ntitle: x\n---\n# T\n", &[H, H, H, T]),
            ("---\nprose\n---\n", &[T, T, T]),
            ("```\n- [ ] T1 x\n```\nafter", &[C, C, C, T]),
            ("~~~~\n```\n~~~\n~~~~\nafter", &[C, C, C, C, T]),
            ("<!-- a\nb\n--> c\n", &[H, H, T]),
            ("`<!--` is code\nb\n", &[T, T]),
            ("text <!-- never closed\n\nb", &[T, T, T]),
            ("- x\n  ```\n  code\n- [ ] T1 x", &[T, C, C, T]),
            ("<!-- ``` -->\nb", &[H, T]),
        ];
        for (text, expected) in table {
            assert_eq!(sorts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn blanking_keeps_places_and_line_endings_are_found() {
        let lines = read(b"\xef\xbb\xbfa <!-- \xc3\xa9 --> b\r\nc\rd\n");
        assert_eq!(lines.all.len(), 3);
        assert_eq!(lines.all[0].text.find('b'), lines.all[0].raw.find('b'));
        assert_eq!((lines.all[0].start, lines.all[1].start), (3, 20));
        assert_eq!(ending(b"a\r\nb\r\nc\n"), "\r\n");
        assert_eq!(ending(b""), "\n");
        assert_eq!(ending(b"a\rb\r"), "\r");
    }

    #[test]
    fn places_in_broken_text_lead_back_to_bytes() {
        let bytes = b"ab\xff\xfecd";
        let text = lossy(bytes);
        assert_eq!(raw_offset(bytes, text.find('c').unwrap()), 4);
        assert_eq!(raw_offset(bytes, 1), 1);
        assert_eq!(raw_offset(bytes, 99), bytes.len());
    }
}
