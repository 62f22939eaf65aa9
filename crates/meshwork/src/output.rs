//! How the command line speaks: tables and sentences for people, JSON for scripts.

use domain::Problem;
use serde_json::Value;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// Sends our own log to standard error.
pub(crate) fn log(json: bool) {
    let filter = EnvFilter::try_from_env("MESHWORK_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,orchestrator=info,server=info,meshwork=info,store=info,forge=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if json { builder.json().init() } else { builder.with_ansi(std::io::stderr().is_terminal()).init() }
}

/// Says what went wrong; the exit code says the kind.
pub(crate) fn fail(problem: &Problem, json: bool) -> ExitCode {
    if json {
        println!("{}", serde_json::json!({ "error": problem }));
    } else {
        eprintln!("meshwork: {}", problem.what);
        for (mark, text) in [("  why:  ", &problem.why), ("  next: ", &problem.next)] {
            if let Some(text) = text {
                eprintln!("{mark}{text}");
            }
        }
    }
    ExitCode::from(problem.kind.exit_code())
}

/// Prints an answer: as JSON, or as `people` renders it.
pub(crate) fn answer(value: &Value, json: bool, people: impl FnOnce(&Value) -> String) {
    let text = if json { value.to_string() } else { people(value) };
    say(&text);
}

/// Prints a text; a closed pipe is no error.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// Rows below headings, in columns.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| rows.iter().map(|r| r[at].chars().count()).chain([headings[at].len()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count()))).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|r| line(r.iter().map(String::as_str).collect()));
    std::iter::once(line(headings.to_vec())).chain(body).collect::<Vec<_>>().join("\n")
}

/// A list of objects as a table; each column is a heading and a path of keys.
pub(crate) fn list(value: &Value, empty: &str, columns: &[(&str, &[&str])]) -> String {
    let items = value.as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        return empty.to_owned();
    }
    let rows: Vec<Vec<String>> = items.iter().map(|item| columns.iter().map(|(_, path)| clean(&at(item, path))).collect()).collect();
    table(&columns.iter().map(|(h, _)| *h).collect::<Vec<_>>(), &rows)
}

/// What a person should know besides, one note a line: sentences, or tasks with theirs.
pub(crate) fn notes(value: &Value) -> String {
    let note = |n: &Value| match n.as_str() {
        Some(text) => format!("\nnote: {}", clean(text)),
        None => format!("\nnote: {}: {}", clean(&at(n, &["task"])), clean(&at(n, &["why"]))),
    };
    value.as_array().into_iter().flatten().map(note).collect()
}

/// The value at a path of keys, as text.
pub(crate) fn at(value: &Value, path: &[&str]) -> String {
    match path.iter().fold(value, |v, key| &v[*key]) {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(thing) if thing.contains_key("id") => at(&thing["id"], &[]),
        Value::Array(items) => items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Text from repositories and agents, without what would move a terminal's cursor or turn its letters around.
pub(crate) fn clean(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    text.chars().filter(|c| (!c.is_control() || *c == '\t') && !turns(*c)).collect()
}

/// An object's parts, one a line.
pub(crate) fn parts(value: &Value) -> String {
    let Some(object) = value.as_object() else { return value.to_string() };
    let width = object.keys().map(String::len).max().unwrap_or(0);
    let line = |(key, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.lines().map(clean).collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(width + 2))),
            Value::Object(_) | Value::Array(_) => serde_json::to_string(value).unwrap_or_default(),
            other => other.to_string(),
        };
        format!("{key}{}  {text}", " ".repeat(width - key.len()))
    };
    object.iter().filter(|(_, v)| !v.is_null()).map(line).collect::<Vec<_>>().join("\n")
}
