//! Moments as people say them: `yesterday`, `2 hours ago`, `last week`, `monday`, `2026-05-01`, `9:30`.

use super::words::Word;
use domain::Timestamp;
use jiff::{
    Span, Zoned,
    civil::{Date, Time, Weekday},
};

/// Whether these words name a moment.
pub(super) fn is_moment(words: &[Word]) -> bool {
    moment(words, &Zoned::default()).is_some()
}

/// The moment that these words name: the beginning of what they say.
pub(super) fn moment(words: &[Word], now: &Zoned) -> Option<Timestamp> {
    if words.last().is_some_and(|w| w.filler) {
        return None;
    }
    let said: Vec<&str> = words.iter().filter(|w| !w.filler).map(|w| w.low.as_str()).collect();
    let at = begin(&said, now)?;
    Some(Timestamp(at.timestamp().as_millisecond()))
}

/// A moment for people, in the machine's own time zone.
pub(super) fn shown(at: Timestamp, now: &Zoned) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.rfc3339(), |t| t.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M").to_string())
}

fn begin(said: &[&str], now: &Zoned) -> Option<Zoned> {
    let today = now.start_of_day().ok()?;
    let back = |span: Span| today.checked_sub(span).ok();
    match said {
        ["today" | "morning"] | ["this", "morning" | "day"] => Some(today),
        ["yesterday"] | ["last", "night"] => back(Span::new().days(1)),
        ["this", "week"] => back(Span::new().days(i64::from(now.weekday().to_monday_zero_offset()))),
        ["last", "week"] => back(Span::new().days(i64::from(now.weekday().to_monday_zero_offset()) + 7)),
        ["this", "month"] => today.first_of_month().ok(),
        ["last", "month"] => today.first_of_month().ok()?.checked_sub(Span::new().months(1)).ok(),
        ["last", day] | ["on", day] | [day] if weekday(day).is_some() => {
            let ago = i64::from(weekday(day)?.until(now.weekday()));
            back(Span::new().days(if ago == 0 && said.len() > 1 { 7 } else { ago }))
        }
        [date] if date.parse::<Date>().is_ok() => date.parse::<Date>().ok()?.to_zoned(now.time_zone().clone()).ok(),
        [time] if time.contains(':') => clock(time, now),
        ["last" | "past", unit] => now.checked_sub(span(1, unit)?).ok(),
        ["last" | "past", count, unit] => now.checked_sub(span(number(count)?, unit)?).ok(),
        [unit, "ago"] => now.checked_sub(span(1, unit)?).ok(),
        [count, unit, "ago"] => now.checked_sub(span(number(count)?, unit)?).ok(),
        _ => None,
    }
}

/// The last time that a clock showed this.
fn clock(time: &str, now: &Zoned) -> Option<Zoned> {
    let padded = if time.len() == 4 { format!("0{time}") } else { time.to_owned() };
    let at = now.date().to_datetime(padded.parse::<Time>().ok()?).to_zoned(now.time_zone().clone()).ok()?;
    if at > *now { at.checked_sub(Span::new().days(1)).ok() } else { Some(at) }
}

fn number(word: &str) -> Option<i64> {
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let spelt = words.iter().position(|w| *w == word).and_then(|n| i64::try_from(n).ok());
    spelt.or_else(|| word.parse().ok()).filter(|n| (1..=10_000).contains(n))
}

fn span(count: i64, unit: &str) -> Option<Span> {
    let span = Span::new();
    Some(match unit.trim_end_matches('s') {
        "minute" | "min" => span.minutes(count),
        "hour" | "hr" => span.hours(count),
        "day" => span.days(count),
        "week" => span.weeks(count),
        "month" => span.months(count),
        _ => return None,
    })
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::words::Text, *};

    #[test]
    fn moments_are_understood_as_people_mean_them() {
        // A Wednesday.
        let now: Zoned = "2026-05-06T14:30:00+02:00[Europe/Berlin]".parse().unwrap();
        let table = [
            ("today", "2026-05-06 00:00"),
            ("yesterday", "2026-05-05 00:00"),
            ("this week", "2026-05-04 00:00"),
            ("last week", "2026-04-27 00:00"),
            ("last month", "2026-04-01 00:00"),
            ("monday", "2026-05-04 00:00"),
            ("wednesday", "2026-05-06 00:00"),
            ("last wednesday", "2026-04-29 00:00"),
            ("2026-05-01", "2026-05-01 00:00"),
            ("9:15", "2026-05-06 09:15"),
            ("15:00", "2026-05-05 15:00"),
            ("2 hours ago", "2026-05-06 12:30"),
            ("an hour ago", "2026-05-06 13:30"),
            ("the last three days", "2026-05-03 14:30"),
            ("past week", "2026-04-29 14:30"),
        ];
        for (said, expected) in table {
            let found = moment(&Text::read(said).words, &now);
            assert_eq!(found.map(|at| shown(at, &now)).as_deref(), Some(expected), "{said}");
        }
        for nothing in ["soon", "2 bananas ago", "99:99", "0 days ago", "ago", "next week"] {
            assert_eq!(moment(&Text::read(nothing).words, &now), None, "{nothing}");
        }
    }
}
