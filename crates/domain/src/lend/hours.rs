//! At which hours a machine takes guests: days of the week and a span of time, which may go over midnight.

use super::LocalTime;
use crate::{Problem, limits::LEND_HOURS_BYTES_MAX};
use std::str::FromStr;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u16 = 24 * 60;

/// One line of a lend policy's hours, as `mon-fri 19:00-07:00`. What goes over midnight belongs to the day on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    days: [bool; 7],
    /// In minutes of the day.
    from: u16,
    /// In minutes of the day, not within any more; before `from`: of the next day.
    until: u16,
}

impl Hours {
    /// Whether a moment is within.
    pub fn contains(&self, at: LocalTime) -> bool {
        let today = usize::from(at.weekday % 7);
        let (begins, before) = (self.days[today], self.days[(today + 6) % 7]);
        if self.from < self.until {
            return begins && (self.from..self.until).contains(&at.minute);
        }
        (begins && at.minute >= self.from) || (before && at.minute < self.until)
    }
}

impl FromStr for Hours {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        parse(text).ok_or_else(|| {
            Problem::invalid(format!("“{}” are no hours.", crate::shown(text)))
                .next("Write days and a span of time: mon-fri 19:00-07:00; sat,sun 00:00-24:00; or 22:00-06:00 for every day.")
        })
    }
}

fn parse(text: &str) -> Option<Hours> {
    if text.len() > LEND_HOURS_BYTES_MAX {
        return None;
    }
    let mut words = text.split_whitespace();
    let (days, span) = match (words.next(), words.next(), words.next()) {
        (Some(days), Some(span), None) => (parse_days(days)?, span),
        (Some(span), None, None) => ([true; 7], span),
        _ => return None,
    };
    let (from, until) = span.split_once('-')?;
    let (from, until) = (parse_time(from)?, parse_time(until)?);
    // The whole day is 00:00-24:00: of two times that are the same nobody knows whether all or nothing is meant.
    (from < DAY_MINUTES && from != until).then_some(Hours { days, from, until })
}

fn parse_days(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|known| known.eq_ignore_ascii_case(name));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let many = (last + 7 - first) % 7;
        (0..=many).for_each(|ahead| days[(first + ahead) % 7] = true);
    }
    Some(days)
}

fn parse_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (parse_number(hour)?, parse_number(minute)?);
    let of_the_day = hour * 60 + minute;
    (minute < 60 && of_the_day <= DAY_MINUTES).then_some(of_the_day)
}

fn parse_number(digits: &str) -> Option<u16> {
    let plain = matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn at(weekday: u8, hour: u16, minute: u16) -> LocalTime {
        LocalTime { weekday, minute: hour * 60 + minute }
    }

    #[test]
    fn hours_are_read_as_a_person_means_them() {
        // Monday is 0.
        let table = [
            ("mon-fri 19:00-07:00", at(0, 18, 59), false),
            ("mon-fri 19:00-07:00", at(0, 19, 0), true),
            ("mon-fri 19:00-07:00", at(1, 6, 59), true),
            ("mon-fri 19:00-07:00", at(1, 7, 0), false),
            ("mon-fri 19:00-07:00", at(5, 3, 0), true),
            ("mon-fri 19:00-07:00", at(5, 20, 0), false),
            ("mon-fri 19:00-07:00", at(0, 3, 0), false),
            ("sat,sun 00:00-24:00", at(5, 0, 0), true),
            ("sat,sun 00:00-24:00", at(6, 23, 59), true),
            ("sat,sun 00:00-24:00", at(0, 0, 0), false),
            ("Fri-Mon 8:00-9:30", at(0, 9, 29), true),
            ("Fri-Mon 8:00-9:30", at(6, 9, 30), false),
            ("Fri-Mon 8:00-9:30", at(1, 8, 30), false),
            ("22:00-06:00", at(3, 23, 0), true),
            ("22:00-06:00", at(3, 12, 0), false),
        ];
        for (text, moment, within) in table {
            assert_eq!(text.parse::<Hours>().unwrap().contains(moment), within, "{text} {moment:?}");
        }
    }

    #[test]
    fn what_is_no_hours_is_refused_with_an_example() {
        let wrong = [
            "",
            "mon",
            "mon 19:00",
            "mon-fri 19:00-07:00 x",
            "day 19:00-07:00",
            "mon 24:00-07:00",
            "mon 19:00-24:01",
            "mon 19:60-20:00",
            "mon 7:00-7:00",
            "mon +7:00-8:00",
            "mon, 7:00-8:00",
            "mon- 7:00-8:00",
            "mon 123:00-8:00",
        ];
        for text in wrong {
            let problem = text.parse::<Hours>().unwrap_err();
            assert!(problem.next.unwrap().contains("mon-fri 19:00-07:00"), "{text}");
        }
        assert!("mon ".repeat(1_000).parse::<Hours>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".*") {
            let _ = text.parse::<Hours>();
        }

        #[test]
        fn what_looks_like_hours_neither(text in "[a-z,-]{0,9} ?[0-9:]{0,6}-[0-9:]{0,6}") {
            let _ = text.parse::<Hours>();
        }

        #[test]
        fn each_day_has_its_whole_span_and_nothing_more(days in proptest::array::uniform7(any::<bool>()), from in 0_u16..1_440, until in 0_u16..=1_440) {
            prop_assume!(from != until && days.contains(&true));
            let names: Vec<&str> = DAYS.iter().zip(days).filter(|(_, taken)| *taken).map(|(name, _)| *name).collect();
            let text = format!("{} {}:{:02}-{}:{:02}", names.join(","), from / 60, from % 60, until / 60, until % 60);
            let hours: Hours = text.parse().unwrap();
            let week = (0..7_u8).flat_map(|weekday| (0..DAY_MINUTES).map(move |minute| LocalTime { weekday, minute }));
            let within = week.filter(|moment| hours.contains(*moment)).count();
            let span = if from < until { until - from } else { DAY_MINUTES - from + until };
            prop_assert_eq!(within, names.len() * usize::from(span));
        }
    }
}
