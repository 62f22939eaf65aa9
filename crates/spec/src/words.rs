//! Cuts a line into the few words that matter for reading dependencies.

use crate::task_line;
use domain::TaskId;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A task.
    Id(TaskId),
    /// Anything alphabetic, in lower case.
    Plain(String),
    /// Joins tasks to a list: `,` `/` `+` `&`.
    Join,
    /// Between two tasks of a range: `-` `–` `..`.
    Range,
    /// `→`: what is left comes first.
    Forth,
    /// `←`: what is right comes first.
    Back,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `:`.
    Colon,
    /// A dash between words.
    Dash,
    /// The end of a sentence.
    Stop,
}

const ARROWS_FORTH: [&str; 9] = ["-->", "->", "==>", "=>", "→", "⇒", "⟶", "➡", "➔"];
const ARROWS_BACK: [&str; 6] = ["<--", "<-", "<==", "←", "⇐", "⟵"];

/// Cuts a line.
pub(crate) fn cut(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    let mut before = ' ';
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (word, width) = piece(rest, c, before);
        words.extend(word);
        before = rest[..width].chars().last().unwrap_or(c);
        at += width;
    }
    words
}

fn piece(rest: &str, c: char, before: char) -> (Option<Word>, usize) {
    let arrow = |list: &[&str]| list.iter().find(|a| rest.starts_with(**a)).map(|a| a.len());
    if let Some(width) = arrow(&ARROWS_FORTH) {
        return (Some(Word::Forth), width);
    }
    if let Some(width) = arrow(&ARROWS_BACK) {
        return (Some(Word::Back), width);
    }
    if !before.is_ascii_alphanumeric()
        && let Some((id, width)) = task_line::id(rest)
    {
        return (Some(Word::Id(id)), width);
    }
    let end = rest.chars().nth(1).is_none_or(char::is_whitespace);
    let word = match c {
        ',' | '/' | '+' | '&' | '、' | '，' | '＋' => Word::Join,
        '(' | '（' => Word::Open,
        ')' | '）' => Word::Close,
        ':' | '：' => Word::Colon,
        ';' | '；' | '。' | '!' | '?' | '|' => Word::Stop,
        '.' if rest.starts_with("..") => return (Some(Word::Range), rest.bytes().take_while(|b| *b == b'.').count()),
        '.' if end => Word::Stop,
        '-' | '–' | '—' | '…' | '~' => return (dash(rest, c, before), c.len_utf8()),
        '[' => return bracket(rest),
        _ if c.is_alphabetic() => return plain(rest),
        _ => return (None, c.len_utf8()),
    };
    (Some(word), c.len_utf8())
}

/// A dash without spaces stands in a range; one with spaces parts a sentence.
fn dash(rest: &str, c: char, before: char) -> Option<Word> {
    let behind = rest[c.len_utf8()..].chars().next();
    let tight = behind == Some('T') && !before.is_whitespace();
    let spaced = before.is_whitespace() && behind.is_none_or(char::is_whitespace);
    match (tight, spaced) {
        (true, _) => Some(Word::Range),
        (_, true) => Some(Word::Dash),
        _ => None,
    }
}

/// Tags as `[P]` and `[US1]` are left out; other brackets do not matter.
fn bracket(rest: &str) -> (Option<Word>, usize) {
    let tag = rest[1..].split(']').next().unwrap_or_default();
    let known = tag == "P" || (task_line::story(tag).is_some() && tag.len() <= 8);
    if known && rest.len() > tag.len() + 1 { (None, tag.len() + 2) } else { (Some(Word::Open), 1) }
}

fn plain(rest: &str) -> (Option<Word>, usize) {
    let ascii = rest.starts_with(|c: char| c.is_ascii());
    let mut width = 0;
    for c in rest.chars() {
        // CJK has no spaces: a task's id ends the word.
        let ends = !ascii && c.is_ascii() && !rest[..width].ends_with(|c: char| c.is_ascii()) && task_line::id(&rest[width..]).is_some();
        if ends || !(c.is_alphanumeric() || matches!(c, '\'' | '’')) {
            break;
        }
        width += c.len_utf8();
    }
    (Some(Word::Plain(rest[..width].to_lowercase())), width)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn lines_are_cut_into_what_matters() {
        let id = |t: &str| Word::Id(t.parse().unwrap());
        let plain = |t: &str| Word::Plain(t.to_owned());
        let table = [
            ("T001-T003 → **T4**", vec![id("T001"), Word::Range, id("T003"), Word::Forth, id("T4")]),
            ("T1 [P], T2's", vec![id("T1"), Word::Join, id("T2"), plain("s")]),
            ("T005依赖T003", vec![id("T005"), plain("依赖"), id("T003")]),
            ("a — doesn't", vec![plain("a"), Word::Dash, plain("doesn't")]),
            ("v1.2 PT1. x", vec![plain("v1"), plain("pt1"), Word::Stop, plain("x")]),
        ];
        for (text, expected) in table {
            let found: Vec<Word> = cut(text).into_iter().filter(|w| *w != plain("")).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
