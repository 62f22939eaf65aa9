//! What the verbs of lending do: `lend`, `reclaim`, `release`.

use super::{Outcome, work::tags_of};
use crate::{
    cli::{Lend, Span, Switch},
    client::Client,
    output::{answer, at},
    text::clean,
};
use domain::{Problem, Timestamp, lend::Condition};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Changes what is lent, or shows it.
pub(super) async fn lend(client: &Client, asked: Lend, json: bool) -> Outcome {
    let input = wanted(asked)?;
    let value = match input.is_empty() {
        true => client.call("device.lending", json!({})).await?,
        false => client.call("device.lend", Value::Object(input)).await?,
    };
    answer(&value, json, shown);
    Ok(ExitCode::SUCCESS)
}

/// Takes the machine back, or lends it again: by the action's name.
pub(super) async fn say(client: &Client, action: &str, span: Span, json: bool) -> Outcome {
    let minutes = span.time.as_deref().map(minutes).transpose()?;
    answer(&client.call(action, json!({ "minutes": minutes })).await?, json, |v| at(v, &["message"]));
    Ok(ExitCode::SUCCESS)
}

fn wanted(asked: Lend) -> Result<Map<String, Value>, Problem> {
    let mut input = Map::new();
    let switch = |asked: Option<Switch>| asked.map(|asked| Value::Bool(asked.is_on()));
    let fields = [
        ("guests", switch(asked.guests)),
        ("on_battery", switch(asked.on_battery)),
        ("while_present", switch(asked.while_present)),
        ("lid_closed", switch(asked.lid_closed)),
        ("slots", asked.slots.map(Value::from)),
        ("away_after_s", asked.away_after.map(Value::from)),
        ("grace_s", asked.grace.map(Value::from)),
        ("saved_days", asked.saved_days.map(Value::from)),
        ("saved_gib", asked.saved_gib.map(Value::from)),
        ("classes", (!asked.classes.is_empty()).then(|| json!(asked.classes))),
    ];
    input.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    if asked.hours == ["always"] {
        input.insert("hours".into(), json!([]));
    } else if !asked.hours.is_empty() {
        input.insert("hours".into(), json!(asked.hours));
    }
    let tags = tags_of(&asked.tags)?;
    if !tags.is_empty() {
        input.insert("tags".into(), json!(tags));
    }
    Ok(input)
}

/// A time as `30m`, `2h` or `1d`, in minutes.
fn minutes(text: &str) -> Result<u64, Problem> {
    let wrong =
        || Problem::invalid(format!("“{}” is no time.", domain::shown(text))).next("Give minutes, hours or days: --for 30m, 2h or 1d.");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let each = match unit {
        "m" | "min" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(each)).filter(|minutes| *minutes > 0).ok_or_else(wrong)
}

/// For a person.
fn shown(value: &Value) -> String {
    let policy = &value["policy"];
    let yes = |field: &str| if policy[field] == true { "yes" } else { "no" };
    let list = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(clean).collect::<Vec<_>>().join(", ");
    let tags = policy["tags"].as_object().into_iter().flatten();
    let tags: Vec<String> = tags.map(|(tag, value)| clean(&format!("{tag}:{}", value.as_str().unwrap_or_default()))).collect();
    let or = |text: String, nothing: &str| if text.is_empty() { nothing.to_owned() } else { text };
    let lines = [
        ("guests are taken", yes("guests").to_owned()),
        ("classes", list(&policy["classes"])),
        ("at once at most", or(at(policy, &["slots"]), "all slots")),
        ("while you are at it", format!("{}; away after {} s", yes("while_present"), at(policy, &["away_after_s"]))),
        ("on battery", yes("on_battery").to_owned()),
        ("with the lid closed", yes("lid_closed").to_owned()),
        ("hours", or(list(&policy["hours"]), "always")),
        ("sent away within", format!("{} s", at(policy, &["grace_s"]))),
        ("what they saved", format!("kept {} days, {} GiB at most", at(policy, &["saved_days"]), at(policy, &["saved_gib"]))),
        ("tags", or(tags.join(", "), "none")),
        ("seen", seen(&value["condition"])),
        ("guests here now", at(value, &["guests"])),
    ];
    let lines: Vec<String> = lines.iter().map(|(what, said)| format!("  {what:<20} {said}")).collect();
    format!("{}\n{}", now(value), lines.join("\n"))
}

fn now(value: &Value) -> String {
    let since = value["since"].as_i64().map(|at| format!(" (since {})", Timestamp(at).minute())).unwrap_or_default();
    match (&value["broken"]["what"], &value["why"]) {
        (Value::String(what), why) => {
            let here = match why {
                Value::String(why) if value["reclaimed"]["code"] != "unread" => format!("Those that are here leave: {}", clean(why)),
                _ => "Those that are here stay for now; meshwork reclaim sends them away.".to_owned(),
            };
            format!("No new guests are taken: {} {} {here}", clean(what), clean(&at(&value["broken"], &["why"])))
        }
        (_, Value::String(why)) => format!("No guests are taken now. {}{since}", clean(why)),
        _ => format!("Guests are taken now{since}."),
    }
}

/// What the sensors see; what nothing here can tell is said too.
fn seen(condition: &Value) -> String {
    let Ok(condition) = serde_json::from_value::<Condition>(condition.clone()) else { return String::new() };
    let battery = match (condition.on_battery, condition.battery_percent) {
        (Some(true), Some(percent)) => format!("on battery, {percent}%"),
        (Some(true), None) => "on battery".to_owned(),
        (Some(false), _) => "not on battery".to_owned(),
        (None, _) => "power not known".to_owned(),
    };
    let lid = match condition.lid_closed {
        Some(true) => "lid closed",
        Some(false) => "lid open",
        None => "no lid known",
    };
    let typed =
        condition.idle_s.map_or_else(|| "whether somebody is here is not known".to_owned(), |idle| format!("nothing typed for {idle} s"));
    format!("{battery}; {lid}; {typed}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_policy_that_cannot_be_read_says_what_becomes_of_those_that_are_here() {
        let broken = json!({"what": "The file is not in order.", "why": "Line 2: no."});
        let stays = now(&json!({"broken": broken, "reclaimed": {"code": "unread"}, "why": "What its owner lends cannot be read."}));
        assert!(stays.contains("Line 2: no. Those that are here stay"), "{stays}");
        for (code, why) in [("asked", "Its owner wants it."), ("battery", "It runs on battery.")] {
            let goes = now(&json!({"broken": broken, "reclaimed": {"code": code}, "why": why}));
            assert!(goes.ends_with(&format!("Those that are here leave: {why}")), "{goes}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [("30m", 30), ("2h", 120), ("1d", 1_440), ("90min", 90)] {
            assert_eq!(minutes(text).unwrap(), expected, "{text}");
        }
        for text in ["", "2", "h", "0h", "-1h", "2 h", "99999999999999999999d", "18446744073709551615d"] {
            assert!(minutes(text).unwrap_err().next.is_some(), "{text}");
        }
    }
}
