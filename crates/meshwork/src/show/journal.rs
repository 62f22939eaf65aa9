//! The journal, for people.

use super::{Names, halted, typed_at};
use crate::{
    output::at,
    paint::{Tone, cell, table, toned},
    text::{self, ago, clean},
};
use domain::{Did, Problem, Timestamp, counted};
use serde_json::Value;

/// A page of events, oldest first.
pub(crate) fn events(value: &Value, names: &Names) -> Result<String, Problem> {
    let now = text::now();
    let mut rows = Vec::new();
    for entry in value.as_array().into_iter().flatten() {
        let event = &entry["event"];
        let (when, who): (Timestamp, Did) = (typed_at(event, "at")?, typed_at(event, "actor")?);
        rows.push(vec![
            cell(entry["seq"].to_string()),
            cell(ago(when, now)),
            cell(what(event)),
            cell(about(event)),
            cell(names.of(&who)),
            cell(door(&event["via"])),
            cell(detail(event)),
        ]);
    }
    Ok(match rows.is_empty() {
        true => "There are no such events.".into(),
        false => table(&["EVENT", "WHEN", "WHAT", "ABOUT", "WHO", "BY WAY OF", "MORE"], &rows),
    })
}

/// The journals of all devices.
pub(crate) fn journals(value: &Value, names: &Names) -> Result<String, Problem> {
    let now = text::now();
    let mut rows = Vec::new();
    let mut wrong = String::new();
    for journal in value.as_array().into_iter().flatten() {
        let device: Did = typed_at(journal, "device")?;
        let as_of: Option<Timestamp> = typed_at(journal, "as_of")?;
        let state = match at(journal, &["state"]) {
            _ if journal["here"] == true => toned(Tone::Good, "here"),
            state if state == "verified" => toned(Tone::Good, "verified"),
            state if state == "behind" => toned(Tone::Waits, "behind"),
            state => toned(Tone::Bad, state),
        };
        let reached = if journal["reachable"] == true { "" } else { "unreachable" };
        let reached: Vec<String> = [reached.to_owned()].into_iter().chain(journal["halted"].as_str().map(halted)).collect();
        let reached = reached.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        let as_of = as_of.filter(|_| journal["here"] != true).map(|at| ago(at, now)).unwrap_or_default();
        let hash: String = at(journal, &["hash"]).chars().take(12).collect();
        rows.push(vec![cell(names.of(&device)), cell(journal["seq"].to_string()), cell(hash), state, cell(as_of), cell(reached)]);
        if let Some(why) = journal["why"].as_str() {
            wrong.push_str(&format!("\n{}: {}", names.of(&device), names.within(&clean(why))));
        }
    }
    Ok(table(&["DEVICE", "EVENTS", "HASH", "STATE", "AS OF", ""], &rows) + &wrong)
}

/// What a check of the journals found.
pub(crate) fn verified(value: &Value) -> String {
    let copies: Vec<&Value> = value["copies"].as_array().into_iter().flatten().collect();
    if value["sound"] == true {
        let sound = copies.iter().filter(|copy| copy["sound"] == true).count();
        let number = |key: &str, noun: &str| counted(value[key].as_u64().unwrap_or(0), noun);
        let mut lines = vec![format!(
            "The journal is sound: {}, {}, {}, {}.{}",
            number("events", "event"),
            number("signatures", "signature"),
            number("incarnations", "incarnation"),
            number("blobs", "blob"),
            not_understood(value)
        )];
        lines.extend(value["mends"].as_array().into_iter().flatten().map(mend));
        if let Some(lost) = value["lost_blobs"].as_u64().filter(|lost| *lost > 0) {
            lines.push(format!("Contents that went with the disk that was put back, and are nowhere here: {lost}."));
        }
        if !copies.is_empty() {
            lines.push(format!("Of {} copies of other devices' journals {sound} are sound.", copies.len()));
        }
        lines.extend(copies.iter().filter(|copy| copy["sound"] != true).map(|copy| unsound(copy)));
        return lines.join("\n");
    }
    let mut lines = vec!["The journal is NOT sound.".to_owned()];
    if !value["bad"].is_null() {
        lines.push(format!("Event {}: {}.", value["bad"]["seq"], clean(&at(value, &["bad", "why"]))));
    }
    for blob in value["bad_blobs"].as_array().into_iter().flatten() {
        lines.push(format!("Blob {} of event {}: {}", clean(&at(blob, &["hash"])), blob["seq"], clean(&at(blob, &["why"]))));
    }
    if let Some(more) = value["more_bad_blobs"].as_u64().filter(|more| *more > 0) {
        lines.push(format!("And {more} more blobs."));
    }
    lines.push("Restore a backup (meshwork restore), and keep this data folder for a look at what happened.".to_owned());
    lines.join("\n")
}

/// What a person is told of events that a newer Meshwork wrote; nothing where there are none.
pub(crate) fn not_understood(value: &Value) -> String {
    match value["unknown"].as_u64().unwrap_or_default() {
        0 => String::new(),
        1 => " 1 of the events was written by a newer Meshwork: it is kept as it is, and not understood here.".to_owned(),
        many => format!(" {many} of the events were written by a newer Meshwork: they are kept as they are, and not understood here."),
    }
}

/// How a journal was mended whose disk had been put back.
fn mend(mend: &Value) -> String {
    let (seq, mended) = (&mend["seq"], &mend["mended"]);
    let (after, came_back, written_here) = (&mended["after"], &mended["came_back"], &mended["written_here"]);
    let aside = mended["aside"].as_str().map(|name| format!(" As it was before: the folder store/aside/{} of the org.", clean(name)));
    format!(
        "Event {seq} mended it, since the disk had been put back to event {after}: then follow the events that came back from other \
         devices ({came_back}), and those that had been written here meanwhile ({written_here}).{}",
        aside.unwrap_or_default()
    )
}

/// What is wrong with the copy of a journal.
fn unsound(copy: &Value) -> String {
    let bad = copy["bad"]["why"].as_str().map(|why| format!("event {}: {why}", copy["bad"]["seq"]));
    let why = bad.or_else(|| copy["kept_out"].as_str().map(str::to_owned)).unwrap_or_default();
    clean(&format!("The copy of the journal of {} is not: {why}", at(copy, &["device"])))
}

/// What happened. The lifting of a stop order is signed as an order is, and told apart by what it says.
fn what(event: &Value) -> String {
    match (event["type"].as_str(), event["order"]["lifts"].as_bool()) {
        (Some("stop_ordered"), Some(true)) => "stop lifted".to_owned(),
        _ => at(event, &["type"]).replace('_', " "),
    }
}

/// What an event is about: a run, a patch, a task, or something with a name.
fn about(event: &Value) -> String {
    let run = event["run"].as_str().or_else(|| event["run"]["id"].as_str());
    match (run, event["patch"].as_str()) {
        (Some(run), _) => format!("run {}", text::run(run)),
        (None, Some(patch)) => format!("patch {}", text::oid(patch)),
        _ => ["project", "agent", "name", "org", "id", "repository"]
            .iter()
            .find_map(|key| event[*key].as_str())
            .map(clean)
            .unwrap_or_default(),
    }
}

/// What else an event says, in short.
fn detail(event: &Value) -> String {
    match event["type"].as_str() {
        Some("line_rejoined") => return left_to_do(event),
        Some("journal_mended") => return put_back(event),
        _ => {}
    }
    let to = event["to"].as_str().map(|to| format!("{to} {}", at(event, &["reason", "code"])));
    let commit = || event["commit"].as_str().map(text::oid);
    let other = || ["verdict", "option", "what", "model", "role"].iter().find_map(|key| event[*key].as_str()).map(str::to_owned);
    let task = || event["run"]["task"]["task"].as_str().map(str::to_owned);
    clean(&to.or_else(task).or_else(other).or_else(commit).unwrap_or_default().replace('_', " "))
}

/// What a person is to do after two lines of a key were joined.
fn left_to_do(event: &Value) -> String {
    let (aside, patches) = (texts(&event["aside"]), texts(&event["review_again"]));
    let mut left = vec![];
    if !aside.is_empty() {
        left.push(format!("kept aside: {}", aside.join(", ")));
    }
    if !patches.is_empty() {
        left.push(format!("review again: {}", patches.into_iter().map(text::oid).collect::<Vec<_>>().join(", ")));
    }
    clean(&left.join("; "))
}

/// What came of it that the disk of a journal had been put back.
fn put_back(event: &Value) -> String {
    let aside = event["aside"].as_str().map(|name| format!("; as it was before: store/aside/{name}")).unwrap_or_default();
    clean(&format!(
        "put back to event {}; came back from other devices: {}, written here meanwhile: {}{aside}",
        event["after"], event["came_back"], event["written_here"]
    ))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The door by which somebody came in, and the token that they showed.
fn door(via: &Value) -> String {
    match via["token"].as_str() {
        Some(token) => clean(&format!("{}, token {token}", at(via, &["door"]))),
        None => at(via, &["door"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_lifting_of_a_stop_order_is_told_from_the_order() {
        let said = |lifts: bool| what(&json!({"type": "stop_ordered", "order": {"lifts": lifts}}));
        assert_eq!([said(false), said(true)], ["stop ordered", "stop lifted"]);
        assert_eq!(what(&json!({"type": "message_sent", "order": 3})), "message sent");
    }

    #[test]
    fn a_journal_that_was_mended_says_what_came_of_it() {
        let mended = json!({"type": "journal_mended", "after": 7, "came_back": 3, "written_here": 2, "told_twice": 0});
        let words = "put back to event 7; came back from other devices: 3, written here meanwhile: 2";
        assert_eq!(detail(&mended), words);
        let aside = json!({"type": "journal_mended", "after": 7, "came_back": 3, "written_here": 2, "told_twice": 0, "aside": "a1"});
        assert_eq!(detail(&aside), format!("{words}; as it was before: store/aside/a1"));
    }
}
