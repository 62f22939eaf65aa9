//! A sentence as words: where each stands, which only fill, and what follows a colon as free text.

/// Words that say nothing of what is wanted.
const FILLERS: [&str; 46] = [
    "please",
    "kindly",
    "the",
    "a",
    "an",
    "hey",
    "hi",
    "just",
    "could",
    "can",
    "would",
    "will",
    "you",
    "i",
    "we",
    "want",
    "like",
    "me",
    "my",
    "our",
    "us",
    "now",
    "currently",
    "let",
    "lets",
    "let's",
    "ok",
    "okay",
    "also",
    "then",
    "so",
    "is",
    "are",
    "was",
    "were",
    "does",
    "did",
    "has",
    "have",
    "been",
    "be",
    "there",
    "right",
    "i'd",
    "i'll",
    "meshwork",
];

/// A word of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it was written, without marks around it.
    pub(super) raw: String,
    /// In small letters.
    pub(super) low: String,
    /// Where it begins, in bytes.
    pub(super) from: usize,
    /// Where it ends.
    pub(super) to: usize,
    /// Whether it only fills.
    pub(super) filler: bool,
}

/// A sentence.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// As it was written.
    pub(super) all: String,
    /// Its words, up to a colon.
    pub(super) words: Vec<Word>,
    /// What follows the colon.
    pub(super) tail: Option<String>,
}

impl Text {
    pub(super) fn read(all: &str) -> Self {
        let (mut words, mut tail) = (Vec::new(), None);
        for (from, token) in tokens(all) {
            let ends = token.len() > 1 && token.ends_with(':');
            push(&mut words, from, token);
            if ends {
                tail = Some(all[from + token.len()..].trim().to_owned()).filter(|t| !t.is_empty());
                break;
            }
        }
        // “I want to run …”
        if let Some(first) = words.iter_mut().find(|w| !w.filler)
            && first.low == "to"
        {
            first.filler = true;
        }
        Self { all: all.to_owned(), words, tail }
    }

    /// The text between two words, as it was written.
    pub(super) fn between(&self, from: usize, to: usize) -> &str {
        match (self.words.get(from), to.checked_sub(1).and_then(|last| self.words.get(last))) {
            (Some(first), Some(last)) if first.from <= last.to => &self.all[first.from..last.to],
            _ => "",
        }
    }
}

/// Pieces between blanks and commas.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|token| !token.is_empty())
        .map(|token| (token.as_ptr() as usize - text.as_ptr() as usize, token))
}

fn push(words: &mut Vec<Word>, from: usize, token: &str) {
    let marks = |c: char| matches!(c, '"' | '\'' | '“' | '”' | '‘' | '’' | '(' | ')' | '«' | '»' | '.' | '!' | '?' | ';' | ':');
    let begun = token.trim_start_matches(marks);
    let raw = begun.trim_end_matches(marks);
    if raw.is_empty() {
        return;
    }
    let from = from + token.len() - begun.len();
    if let Some((first, second)) = range(raw) {
        words.push(word(from, first));
        words.push(Word { raw: "to".into(), low: "to".into(), from, to: from, filler: false });
        words.push(word(from + raw.len() - second.len(), second));
        return;
    }
    words.push(word(from, raw));
}

fn word(from: usize, raw: &str) -> Word {
    let low = raw.to_lowercase();
    let low = match low.as_str() {
        "what's" | "what’s" => "what".into(),
        "who's" | "who’s" => "who".into(),
        "why's" | "why’s" => "why".into(),
        _ => low,
    };
    Word { raw: raw.to_owned(), filler: FILLERS.contains(&low.as_str()), low, from, to: from + raw.len() }
}

/// `T004-T008`, `T004..T008`.
fn range(raw: &str) -> Option<(&str, &str)> {
    ["..", "–", "-"].iter().find_map(|mark| raw.split_once(mark)).filter(|(a, b)| a.starts_with(['t', 'T']) && is_task(a) && is_task(b))
}

/// Whether a word can name a task: `T012`, `t12`, `12`, `T012a`.
pub(super) fn is_task(word: &str) -> bool {
    let digits = word.strip_prefix(['t', 'T']).unwrap_or(word).trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = word.len() - digits.len() - usize::from(word.starts_with(['t', 'T']));
    (1..=8).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && suffix <= 2
        && (digits.len() <= 4 || word.len() > digits.len())
}

/// How many letters have to be changed to make one of these words of it; none where it is too far from all. Digits are no
/// slips: `laptop-9` is not nearly `laptop-3`.
pub(super) fn near(wanted: &[&str], low: &str) -> Option<usize> {
    if wanted.contains(&low) {
        return Some(0);
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let close = |word: &&&str| word.len() >= 4 && low.len() >= 4 && digits(word) == digits(low);
    let distances = wanted.iter().filter(close).map(|word| (strsim::osa_distance(word, low), if word.len() < 7 { 1 } else { 2 }));
    distances.filter(|(distance, limit)| distance <= limit).map(|(distance, _)| distance).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lows(text: &str) -> Vec<String> {
        Text::read(text).words.into_iter().filter(|w| !w.filler).map(|w| w.low).collect()
    }

    #[test]
    fn words_are_found_without_marks_and_ranges_are_opened() {
        assert_eq!(lows("Please run T004–T006, “T9” and the t10!"), ["run", "t004", "to", "t006", "t9", "and", "t10"]);
        assert_eq!(lows("I want to run 001-login"), ["run", "001-login"]);
        assert_eq!(lows("What's running?"), ["what", "running"]);
        assert_eq!(lows("  "), Vec::<String>::new());
        let text = Text::read("comment on 1a2b3c: Use a map: it is faster, ok?");
        assert_eq!(text.tail.as_deref(), Some("Use a map: it is faster, ok?"));
        assert_eq!(text.words.len(), 3);
        assert_eq!(Text::read("ends with a colon:").tail, None);
        assert_eq!(text.between(1, 3), "on 1a2b3c");
    }

    #[test]
    fn small_slips_are_forgiven_and_other_words_are_not() {
        for (word, slip, found) in [
            ("merge", "mrege", true),
            ("stop", "stpo", true),
            ("stop", "show", false),
            ("run", "rnu", false),
            ("capacity", "capasitty", true),
            ("laptop-3", "laptop-9", false),
            ("laptop-3", "latpop-3", true),
        ] {
            assert_eq!(near(&[word], slip).is_some(), found, "{slip}");
        }
    }

    #[test]
    fn tasks_are_told_from_other_numbers() {
        for (word, task) in
            [("T012", true), ("t1", true), ("12", true), ("T012a", true), ("20260501", false), ("01JABC", false), ("T", false)]
        {
            assert_eq!(is_task(word), task, "{word}");
        }
    }
}
