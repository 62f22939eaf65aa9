//! What a refusal tells its caller to do, by the door they came in: at the command line there are commands and options, for
//! scripts and pages the action's input has fields.

use domain::{Problem, shown};
use serde_json::Value;

/// Actions whose command is called otherwise.
const OTHERWISE: [(&str, &str); 19] = [
    ("backup.create", "backup"),
    ("command.run", "ask"),
    ("command.understand", "ask"),
    ("device.capacity", "capacity"),
    ("device.change", "org device"),
    ("device.doctor", "doctor"),
    ("device.evict", "evict"),
    ("device.lend", "lend"),
    ("device.lending", "lend"),
    ("device.pods", "pods"),
    ("device.reclaim", "reclaim"),
    ("device.release", "release"),
    ("device.remove", "org remove"),
    ("member.remove", "org remove"),
    ("member.rename", "org rename"),
    ("member.roles", "org role"),
    ("org.join", "join"),
    ("org.joining", "join"),
    ("trace.show", "trace"),
];

/// Resources whose actions have no commands.
const WITHOUT: [&str; 5] = ["attention", "command", "member", "session", "webhook"];
/// Actions that have no command, though others of their resource do.
const ALONE: [&str; 2] = ["device.schedule", "journal.search"];

/// Options that are called otherwise than the field of the input that they fill.
const FIELDS: [(&str, &str); 4] = [("message", "summary"), ("message", "body"), ("line", "comments"), ("seed", "seeds")];

/// The words after `meshwork` that carry an action out; none where the command line has none.
pub fn command(action: &str) -> Option<String> {
    if let Some((_, words)) = OTHERWISE.iter().find(|(name, _)| *name == action) {
        return Some((*words).to_owned());
    }
    let (resource, _) = action.split_once('.')?;
    let without = WITHOUT.contains(&resource) || ALONE.contains(&action);
    (!without).then(|| action.replacen('.', " ", 1))
}

/// What is said when an action's input cannot be read.
pub(super) fn not_in_order(action: &str, by_hand: bool, error: &serde_json::Error) -> Problem {
    let next = match command(action).filter(|_| by_hand) {
        Some(words) => format!("meshwork {words} --help says what it takes."),
        None => format!("GET /openapi.json says what {action} takes."),
    };
    let why = in_words(&error.to_string());
    Problem::invalid(format!("The input of {action} is not in order: {}.", why.trim_end_matches('.'))).next(next)
}

/// What is wrong with an input, in words for a person: the library that reads it speaks to programmers. What was not well formed often says
/// so in sentences of its own, which stay.
fn in_words(said: &str) -> String {
    let unknown = |what: &str| said.strip_prefix(what)?.rsplit_once("`, expected ").map(|(given, names)| (shown(given), listed(names)));
    if let Some((given, names)) = unknown("unknown variant `") {
        return format!("“{given}” is none of these: {names}");
    }
    if let Some((given, names)) = unknown("unknown field `") {
        return format!("it has no field “{given}”; its fields are: {names}");
    }
    if let Some(given) = said.strip_prefix("unknown field `").and_then(|rest| rest.strip_suffix("`, there are no fields")) {
        return format!("it has no field “{}”, and no other", shown(given));
    }
    if let Some(field) = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("“{field}” is missing");
    }
    let of_type = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    match of_type.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((given, expected)) => format!("{} stands where {} is wanted", value(given), wanted(expected)),
        None => said.to_owned(),
    }
}

/// Names that stand between backquotes.
fn listed(names: &str) -> String {
    names.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ")
}

/// A value that was given, as the library that reads it calls it: integer `-1`, string "x", null.
fn value(said: &str) -> String {
    let between = |mark: char| said.split_once(mark).and_then(|(_, rest)| rest.rsplit_once(mark)).map(|(inner, _)| inner);
    match (said, between('"'), between('`')) {
        (text, Some(inner), _) if text.starts_with("string ") => format!("“{}”", shown(inner)),
        (_, _, Some(inner)) => shown(inner),
        ("null", ..) => "nothing".to_owned(),
        ("map", ..) => "an object".to_owned(),
        ("sequence", ..) => "a list".to_owned(),
        _ => shown(said),
    }
}

/// What is wanted instead, which it calls by the type here.
fn wanted(said: &str) -> String {
    let up_to = |most: u64| format!("a whole number from 0 to {most}");
    match said {
        "u8" => up_to(u8::MAX.into()),
        "u16" => up_to(u16::MAX.into()),
        "u32" => up_to(u32::MAX.into()),
        "u64" | "usize" => "a whole number, 0 or more,".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        of if of.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

/// The problem for who does not type: options that stand for a field of the input are called by the field's name.
pub(super) fn for_scripts(mut problem: Problem, schema: &Value) -> Problem {
    problem.what = with_fields(&problem.what, schema);
    problem.next = problem.next.map(|next| with_fields(&next, schema));
    problem
}

fn with_fields(text: &str, schema: &Value) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = text;
    while let Some(at) = left.find("--") {
        let (before, option) = left.split_at(at);
        let name = &option[2..];
        let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
        out.push_str(before);
        // A whole command stays as it is typed.
        match field(&name[..end], schema).filter(|_| !out.contains("meshwork ")) {
            Some(field) => out.push_str(&format!("“{field}”")),
            None => out.push_str(&option[..2 + end]),
        }
        left = &name[end..];
    }
    out.push_str(left);
    out
}

/// The field of the input that an option fills.
fn field(option: &str, schema: &Value) -> Option<String> {
    let otherwise = FIELDS.iter().filter(|(name, _)| *name == option).map(|(_, field)| (*field).to_owned());
    std::iter::once(option.replace('-', "_")).chain(otherwise).find(|name| schema["properties"].get(name.as_str()).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_are_named_where_there_are_some() {
        for (action, words) in
            [("task.run", Some("task run")), ("device.evict", Some("evict")), ("device.schedule", None), ("session.end", None)]
        {
            assert_eq!(command(action).as_deref(), words, "{action}");
        }
        let error = || serde_json::from_str::<u8>("x").unwrap_err();
        assert!(not_in_order("device.schedule", true, &error()).next.unwrap().contains("/openapi.json"));
        assert!(not_in_order("task.run", true, &error()).next.unwrap().contains("meshwork task run --help"));
        assert!(not_in_order("task.run", false, &error()).next.unwrap().contains("/openapi.json"));
    }

    #[test]
    fn what_is_wrong_with_an_input_is_said_in_words() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is never read whole")]
        struct Input {
            role: domain::role::Role,
            #[serde(default)]
            limit: Option<usize>,
            #[serde(default)]
            small: u32,
        }
        for (input, said) in [
            (json!({"role": "king"}), "“king” is none of these: owner, maintainer, developer, viewer, reviewer-bot, agent"),
            (json!({"roles": []}), "it has no field “roles”; its fields are: role, limit, small"),
            (json!({}), "“role” is missing"),
            (json!({"role": "owner", "limit": -1}), "-1 stands where a whole number, 0 or more, is wanted"),
            (json!({"role": "owner", "limit": "few"}), "“few” stands where a whole number, 0 or more, is wanted"),
            (json!({"role": "owner", "small": 1_u64 << 32}), "4294967296 stands where a whole number from 0 to 4294967295 is wanted"),
            (json!({"role": "owner", "small": null}), "nothing stands where a whole number from 0 to 4294967295 is wanted"),
        ] {
            let told = not_in_order("org.invite", true, &serde_json::from_value::<Input>(input).unwrap_err());
            assert_eq!(told.what, format!("The input of org.invite is not in order: {said}."));
        }
        assert_eq!(in_words("“a b” is not a name for a project."), "“a b” is not a name for a project.", "a sentence of its own");
    }

    #[test]
    fn scripts_are_told_of_fields_and_not_of_options() {
        let schema = json!({"properties": {"agent": {}, "base_url": {}, "summary": {}, "comments": {}}});
        for (text, told) in [
            ("Say which with --agent: a, b.", "Say which with “agent”: a, b."),
            ("Give --base-url.", "Give “base_url”."),
            ("Say it: --message, or --line FILE.", "Say it: “summary”, or “comments” FILE."),
            ("Make one: meshwork agent add x --agent y.", "Make one: meshwork agent add x --agent y."),
            ("Give --data-dir -- or not --", "Give --data-dir -- or not --"),
        ] {
            let told_so = for_scripts(Problem::invalid("No.").next(text), &schema);
            assert_eq!(told_so.next.as_deref(), Some(told));
        }
    }
}
