//! HuJSON as text: finds lists and marks with a parser, and changes nothing but what lies between marks.

use domain::{Kind, OrgName, Problem};
use jsonc_parser::{
    CollectOptions, CommentCollectionStrategy, ParseOptions, ast::Value, common::Ranged, parse_to_ast, parse_to_serde_value, tokens::Token,
};
use std::ops::Range;

/// A list at the top of a policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) key: &'static str,
    pub(super) list: List,
}

/// Its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// `{…}`.
    Object,
    /// `[…]`.
    Array,
}

/// One thing in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Of an object. The value as JSON.
    Property { name: String, value: String },
    /// Of an array, as JSON.
    Element(String),
}

impl Entry {
    fn text(&self) -> String {
        match self {
            Self::Property { name, value } => format!("{}: {value},", serde_json::Value::from(name.as_str())),
            Self::Element(value) => format!("{value},"),
        }
    }
}

/// What is found at a place.
struct Found {
    /// The list with its brackets, in bytes.
    list: Range<usize>,
    form: List,
    /// Its parts: where, and what: the name of a property, or an element.
    parts: Vec<(Range<usize>, String)>,
    /// From the beginning of the line of the first mark to the end of that of the second.
    block: Option<Range<usize>>,
}

/// Only what HuJSON has: the server refuses the rest, and would not take what we make of it.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn unreadable(why: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::Conflict, "The tailnet's policy cannot be read, so the org's rules are not written into it.")
        .because(format!("{}.", domain::shown(why.to_string().trim_end_matches('.'))))
        .next("Mend it: headscale policy get, headscale policy set.")
}

/// A text as JSON, without its comments.
pub(super) fn value(text: &str) -> Result<serde_json::Value, Problem> {
    parse_to_serde_value(text, &options()).map_err(unreadable)
}

/// Writes the entries between the org's marks; those that stand elsewhere in the list already are left to whoever wrote them.
pub(super) fn put(text: &str, place: Place, org: &OrgName, entries: &[Entry]) -> Result<String, Problem> {
    let (text, found) = match find(text, place.key, org)? {
        Some(found) => (text.to_owned(), found),
        None => {
            let text = with_list(text, place)?;
            let found = find(&text, place.key, org)?.ok_or_else(|| unreadable("what was written is not found again"))?;
            (text, found)
        }
    };
    if found.form != place.list {
        return Err(unreadable(format!("“{}” has another form than a policy's", place.key)));
    }
    let by_hand = |entry: &Entry| {
        let mut outside = found.parts.iter().filter(|(at, _)| found.block.as_ref().is_none_or(|b| at.end <= b.start || at.start >= b.end));
        outside.any(|(_, what)| same(entry, what))
    };
    let mut block = format!("    {}\n", begins(org));
    for entry in entries.iter().filter(|entry| !by_hand(entry)) {
        block.push_str(&format!("    {}\n", entry.text()));
    }
    block.push_str(&format!("    {}\n", ends(org)));
    Ok(match found.block {
        Some(at) => replaced(&text, at, &block),
        None => {
            let (at, line_before) = first_line(&text, found.list.start + 1);
            replaced(&text, at..at, &format!("{}{block}", if line_before { "" } else { "\n" }))
        }
    })
}

/// Takes the org's marks out, with what is between them.
pub(super) fn take_out(text: &str, key: &str, org: &OrgName) -> Result<String, Problem> {
    Ok(match find(text, key, org)?.and_then(|found| found.block) {
        Some(at) => replaced(text, at, ""),
        None => text.to_owned(),
    })
}

/// Whether a part of the list is what an entry says.
fn same(entry: &Entry, what: &str) -> bool {
    match entry {
        Entry::Property { name, .. } => name == what,
        Entry::Element(value) => match (self::value(value), self::value(what)) {
            (Ok(wanted), Ok(stands)) => wanted == stands,
            _ => false,
        },
    }
}

fn begins(org: &OrgName) -> String {
    format!("// meshwork {org} begin: from the org repository; what is changed up to the end mark is written anew")
}

fn ends(org: &OrgName) -> String {
    format!("// meshwork {org} end")
}

/// What a comment marks for this org.
fn mark(comment: &str, org: &OrgName) -> Option<bool> {
    let words: Vec<&str> = comment.split_whitespace().take(3).collect();
    match words.as_slice() {
        ["meshwork", name, what] if *name == org.as_str() => match what.trim_end_matches(':') {
            "begin" => Some(true),
            "end" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Looks for a list at the top, and for the org's marks in it.
fn find(text: &str, key: &str, org: &OrgName) -> Result<Option<Found>, Problem> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
    let parsed = parse_to_ast(text, &collect, &options()).map_err(unreadable)?;
    let Some(Value::Object(top)) = &parsed.value else { return Err(unreadable("it is not an object")) };
    let of = |range: jsonc_parser::common::Range| range.start..range.end;
    let (list, form, parts) = match top.get(key).map(|property| &property.value) {
        None => return Ok(None),
        Some(Value::Object(object)) => {
            let parts = object.properties.iter().map(|p| (of(p.range), p.name.as_str().to_owned())).collect::<Vec<_>>();
            (of(object.range), List::Object, parts)
        }
        Some(Value::Array(array)) => {
            let parts = array.elements.iter().map(|e| (of(e.range()), e.text(text).to_owned())).collect::<Vec<_>>();
            (of(array.range), List::Array, parts)
        }
        Some(_) => return Err(unreadable(format!("“{key}” is neither a list nor an object"))),
    };
    let inside = |at: &Range<usize>| list.contains(&at.start) && !parts.iter().any(|(part, _)| part.contains(&at.start));
    let comments = parsed.tokens.iter().flatten().filter_map(|token| match token.token {
        Token::CommentLine(comment) => mark(comment, org).map(|begins| (begins, of(token.range))),
        _ => None,
    });
    let marks: Vec<(bool, Range<usize>)> = comments.filter(|(_, at)| inside(at)).collect();
    let block = match marks.as_slice() {
        [] => None,
        [(true, from), (false, to)] => Some(line_start(text, from.start)..line_end(text, to.end)),
        _ => {
            return Err(unreadable(format!("the marks “meshwork {org} begin” and “end” in “{key}” are not one pair"))
                .next("Take them out, with what is between them; they are written anew."));
        }
    };
    if let Some(block) = &block
        && (block.start <= list.start || block.end >= list.end || parts.iter().any(|(at, _)| crosses(at, block)))
    {
        return Err(unreadable(format!("a mark of “meshwork {org}” in “{key}” shares its line with something else"))
            .next("Give each mark a line of its own."));
    }
    Ok(Some(Found { list, form, parts, block }))
}

/// Whether a part lies partly inside of a block.
fn crosses(part: &Range<usize>, block: &Range<usize>) -> bool {
    part.start < block.end && part.end > block.start && !(part.start >= block.start && part.end <= block.end)
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| at + newline + 1)
}

/// The policy with an empty list under a key, before everything else.
fn with_list(text: &str, place: Place) -> Result<String, Problem> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options()).map_err(unreadable)?;
    let Some(Value::Object(top)) = &parsed.value else { return Err(unreadable("it is not an object")) };
    let (opens, closes) = match place.list {
        List::Object => ('{', '}'),
        List::Array => ('[', ']'),
    };
    let (at, line_before) = first_line(text, top.range.start + 1);
    let list = format!("{}  \"{}\": {opens}\n  {closes},\n", if line_before { "" } else { "\n" }, place.key);
    Ok(replaced(text, at..at, &list))
}

/// Where the first line after an opening bracket begins, if nothing but blanks and a comment stands behind the bracket; else right behind
/// it. And whether it is the beginning of a line.
fn first_line(text: &str, behind: usize) -> (usize, bool) {
    let end = line_end(text, behind);
    let rest = text.get(behind..end).unwrap_or_default();
    let blank = rest.trim();
    // A lone carriage return ends a comment, and something may stand behind it.
    let one_line = rest.ends_with('\n') && !rest.trim_end().contains('\r');
    if one_line && (blank.is_empty() || blank.starts_with("//")) { (end, true) } else { (behind, false) }
}

fn replaced(text: &str, at: Range<usize>, with: &str) -> String {
    let mut changed = text.to_owned();
    changed.replace_range(at, with);
    changed
}
