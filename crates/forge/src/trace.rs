//! The description of a revision: words for people, and the trace as a fenced block that any Radicle tool carries along.

use crate::limits;
use domain::{Problem, patch::Trace};

const OPEN: &str = "```meshwork-trace\n";
const CLOSE: &str = "\n```";

/// A description with its trace. Output of checks is cut until the trace fits its limit.
pub fn describe(text: &str, trace: Option<&Trace>) -> Result<String, Problem> {
    let text = cut(text.trim(), limits::TEXT_BYTES_MAX);
    let Some(trace) = trace else { return Ok(text) };
    let mut trace = trace.clone();
    let mut tail = 16 * 1024;
    let json = loop {
        let json = serde_json::to_string_pretty(&trace).map_err(Problem::internal)?;
        if json.len() <= limits::TRACE_BYTES_MAX {
            break json;
        }
        if tail == 0 {
            return Err(Problem::new(domain::Kind::Limit, "The trace of the run is too long for a patch."));
        }
        for check in &mut trace.checks {
            check.tail = end(&check.tail, tail);
        }
        tail /= 4;
    };
    // Within a fence no line of JSON can be the fence's end: strings have their line ends escaped.
    Ok(format!("{text}\n\n{OPEN}{json}{CLOSE}\n").trim_start().to_owned())
}

/// The words of a description, and its trace if it has one that can be read. Whoever may write a patch may write a trace:
/// it says what its author claims, until delegation and signatures are checked.
pub fn read_description(description: &str) -> (String, Option<Trace>) {
    let text = description.replace("\r\n", "\n");
    let Some(start) = text.rfind(OPEN) else { return (text.trim().to_owned(), None) };
    let json = &text[start + OPEN.len()..];
    let Some(close) = json.find(CLOSE) else { return (text.trim().to_owned(), None) };
    match serde_json::from_str(&json[..close]) {
        Ok(trace) => {
            let rest = &json[close + CLOSE.len()..];
            (format!("{}{}", &text[..start], rest).trim().to_owned(), Some(trace))
        }
        Err(_) => (text.trim().to_owned(), None),
    }
}

/// The beginning of a text, in whole characters.
fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

fn end(text: &str, bytes: usize) -> String {
    text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..].to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use domain::run::CheckResult;

    pub(crate) fn trace(tail: &str) -> Trace {
        Trace {
            version: 1,
            run: "01J00000000000000000000000".parse().unwrap(),
            agent: "coder".parse().unwrap(),
            engine: "codex".into(),
            member: "did:key:z6MktWkM9vcfysWFq1c2aaLjJ6j4PYYg93TLPswR4qtuoAeT".parse().unwrap(),
            task: domain::TaskRef { project: "demo".parse().unwrap(), feature: "001-x".parse().unwrap(), task: "T001".parse().unwrap() },
            spec_hash: "0".repeat(64).parse().unwrap(),
            definitions: "2".repeat(40).parse().unwrap(),
            manifest: "1".repeat(64).parse().unwrap(),
            asked: serde_json::json!({"payload": "e30="}),
            judged: None,
            delegation: serde_json::json!({"payload": "```\n"}),
            checks: vec![CheckResult { name: "test".into(), passed: true, exit_code: Some(0), duration_ms: 1, tail: tail.into() }],
        }
    }

    #[test]
    fn a_trace_comes_back_as_it_was_and_the_words_without_it() {
        let trace = trace("ok\n```\nend");
        let told = describe("Says hello.\n\n```rust\nfn a() {}\n```", Some(&trace)).unwrap();
        assert_eq!(read_description(&told), ("Says hello.\n\n```rust\nfn a() {}\n```".into(), Some(trace)));
    }

    #[test]
    fn what_is_no_trace_stays_text() {
        for text in ["plain", "```meshwork-trace\n{\"version\": 1}\n```", "```meshwork-trace\nnever closed", "```meshwork-trace\n```"] {
            assert_eq!(read_description(text), (text.to_owned(), None));
        }
    }

    #[test]
    fn long_output_of_checks_is_cut_at_its_beginning() {
        let long = format!("{}é the end", "x".repeat(500_000));
        let told = describe("", Some(&trace(&long))).unwrap();
        assert!(told.len() < limits::TRACE_BYTES_MAX + 100);
        assert!(read_description(&told).1.unwrap().checks[0].tail.ends_with("é the end"));
    }
}
