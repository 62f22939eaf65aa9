//! Words for people: short ids, times, sizes; and text of others without what could play with a terminal.

use domain::{Timestamp, counted};

/// How much of a run's id is shown: its end, which differs first.
const RUN_DIGITS: usize = 8;
/// How much of a git object's or a patch's id is shown.
const OID_DIGITS: usize = 8;

/// A run's id in short.
pub(crate) fn run(id: &str) -> String {
    id.get(id.len().saturating_sub(RUN_DIGITS)..).unwrap_or(id).to_owned()
}

/// A commit's or patch's id in short.
pub(crate) fn oid(id: &str) -> String {
    id.get(..OID_DIGITS).unwrap_or(id).to_owned()
}

/// The present moment.
pub(crate) fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// How long before `now` something was, as `3 min ago`; long ago as a date.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.0.saturating_sub(at.0) / 1000;
    match seconds {
        ..=-60 => format!("in {}", span(seconds.unsigned_abs() * 1000)),
        -59..=4 => "now".into(),
        5..2_592_000 => format!("{} ago", span(seconds.unsigned_abs() * 1000)),
        _ => at.rfc3339().chars().take(10).collect(),
    }
}

/// A moment that comes, with how long it is until then: `2026-11-30 09:15 UTC, in 3 days`.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    let date = at.minute();
    match at.0.saturating_sub(now.0) {
        ..=0 => format!("{date}, which is over"),
        left => format!("{date}, in {}", long_span(left.unsigned_abs())),
    }
}

/// A length of time in whole words, rounded: `45 minutes`, `26 hours`, `3 days and 2 hours`.
fn long_span(ms: u64) -> String {
    let minutes = ms.saturating_add(30_000) / 60_000;
    let hours = minutes.saturating_add(30) / 60;
    match (minutes, hours / 24, hours % 24) {
        (0, ..) => "less than a minute".into(),
        (1..60, ..) => counted(minutes, "minute"),
        (_, 0 | 1, _) => counted(hours, "hour"),
        (_, days, 0) => counted(days, "day"),
        (_, days, rest) => format!("{} and {}", counted(days, "day"), counted(rest, "hour")),
    }
}

/// A length of time in one or two words.
pub(crate) fn span(ms: u64) -> String {
    match ms / 1000 {
        0 => format!("{ms} ms"),
        s @ 1..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..86_400 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// Bytes with a unit.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| bytes >= 1 << bits) {
        Some((unit, bits)) => {
            let tenths = u128::from(bytes) * 10 / (1 << bits);
            if tenths % 10 == 0 { format!("{} {unit}", tenths / 10) } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
        }
        None => format!("{bytes} B"),
    }
}

/// Thousandths of a core as cores.
pub(crate) fn cores(milli: u64) -> String {
    let number = if milli.is_multiple_of(1000) { format!("{}", milli / 1000) } else { format!("{:.1}", milli as f64 / 1000.0) };
    format!("{number} {}", if number == "1" { "core" } else { "cores" })
}

/// A number with groups of three digits.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// One line of text from repositories and agents, without what would move a terminal's cursor or turn its letters around.
pub(crate) fn clean(text: &str) -> String {
    tame(&text.replace(['\n', '\r'], " "), false)
}

/// Several such lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.lines().map(|line| tame(line, false)).collect::<Vec<_>>().join("\n")
}

/// A line of a program's output: of its terminal commands only colours are left, and those only if `colours`. Of a line
/// that was written over (progress bars) its last state is shown.
pub(crate) fn tame(line: &str, colours: bool) -> String {
    let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let (mut out, mut coloured) = (String::with_capacity(line.len()), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' | '\u{9b}' | '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
                let sequence = skip_command(c, &mut chars);
                if colours && let Some(codes) = sequence {
                    out.push_str(&format!("\u{1b}[{codes}m"));
                    coloured = true;
                }
            }
            c if (c.is_control() && c != '\t') || turns(c) => {}
            c => out.push(c),
        }
    }
    if coloured {
        out.push_str("\u{1b}[0m");
    }
    out
}

/// A line of a diff with nothing hidden: what a terminal would obey, or would not show, is spelt out.
pub(crate) fn visible(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => out.push(c),
            '\u{0}'..='\u{1f}' => out.extend(['^', char::from(c as u8 + b'@')]),
            c if c.is_control() || turns(c) => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Letters that turn the direction of text, or are not seen.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// Goes over one terminal command (ECMA-48). Its codes are given back when it sets colours, and nothing but that.
fn skip_command(first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let kind = if first == '\u{1b}' { chars.next()? } else { first };
    match kind {
        '[' | '\u{9b}' => {
            let mut codes = String::new();
            for c in chars.by_ref() {
                if matches!(c, '\u{40}'..='\u{7e}') {
                    let only_colours = c == 'm' && codes.chars().all(|c| c.is_ascii_digit() || matches!(c, ';' | ':'));
                    return (only_colours && !hides(&codes)).then_some(codes);
                }
                codes.push(c);
            }
            None
        }
        // Strings for the terminal: titles, links, the clipboard. They end with BEL or ESC \.
        ']' | 'P' | 'X' | '^' | '_' | '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
            None
        }
        // Two letters, perhaps with others between.
        '\u{20}'..='\u{2f}' => {
            while chars.next_if(|c| matches!(c, '\u{20}'..='\u{2f}')).is_some() {}
            chars.next();
            None
        }
        _ => None,
    }
}

/// Whether colour codes make text unreadable.
fn hides(codes: &str) -> bool {
    codes == "8" || codes.ends_with(";8") || codes.starts_with("8;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_comes_is_told_with_how_long_it_is_until_then() {
        const HOUR: i64 = 3_600_000;
        let now = Timestamp(1_795_737_600_000);
        for (left, words) in [
            (72 * HOUR - 40, "2026-11-29 23:59 UTC, in 3 days"),
            (HOUR, "2026-11-27 01:00 UTC, in 1 hour"),
            (26 * HOUR, "2026-11-28 02:00 UTC, in 26 hours"),
            (50 * HOUR, "2026-11-29 02:00 UTC, in 2 days and 2 hours"),
            (HOUR / 2, "2026-11-27 00:30 UTC, in 30 minutes"),
            (1_000, "2026-11-27 00:00 UTC, in less than a minute"),
            (-HOUR, "2026-11-26 23:00 UTC, which is over"),
        ] {
            assert_eq!(until(Timestamp(now.0 + left), now), words);
        }
        assert!(until(Timestamp(i64::MAX), now).starts_with("a moment that no calendar has"));
    }

    #[test]
    fn of_a_programs_output_only_colours_are_left() {
        let table = [
            ("plain \u{1b}[31mred\u{1b}[0m", "plain red", "plain \u{1b}[31mred\u{1b}[0m\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}[H\u{1b}[?25lgone", "gone", "gone"),
            ("\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\b\u{1b}]52;c;Zm9v\u{9c}c", "abc", "abc"),
            ("\u{1b}Pq#0\u{1b}\\x\u{1b}cy\u{1b}(Bz\u{9b}2Jw", "xyzw", "xyzw"),
            ("10 %\r50 %\r100 %\r", "100 %", "100 %"),
            ("\u{1b}[8mhidden", "hidden", "hidden"),
            ("a\u{202e}b\u{8}c\u{1b}", "abc", "abc"),
            ("cut \u{1b}[31", "cut ", "cut "),
        ];
        for (line, plain, coloured) in table {
            assert_eq!((tame(line, false).as_str(), tame(line, true).as_str()), (plain, coloured), "{line:?}");
        }
    }

    #[test]
    fn a_diff_hides_nothing() {
        assert_eq!(visible("+evil()\rgood()\u{1b}[8m \u{202e}x\u{9b}\ty\r"), "+evil()^Mgood()^[[8m <U+202E>x<U+009B>\ty");
    }

    #[test]
    fn times_sizes_and_numbers_have_units() {
        let now = Timestamp(1_700_000_000_000);
        let table = [(2, "now"), (45, "45 s ago"), (200, "3 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago"), (9_000_000, "2023-08-02")];
        for (seconds, words) in table {
            assert_eq!(ago(Timestamp(now.0 - seconds * 1000), now), words);
        }
        assert_eq!(ago(Timestamp(now.0 + 7_200_000), now), "in 2 h");
        assert_eq!([size(512), size(2 << 30), size(3 << 19)], ["512 B", "2 GiB", "1.5 MiB"]);
        assert_eq!([cores(1000), cores(1500), cores(2000)], ["1 core", "1.5 cores", "2 cores"]);
        assert_eq!([number(7), number(1_234_567)], ["7", "1,234,567"]);
    }
}
