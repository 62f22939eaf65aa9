//! Properties that hold for any bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::task::Feature;
use proptest::{collection::vec, prelude::*};
use spec::{NewTask, add, edit, features, reapply, spec_hash, tick, ticked};

fn read(text: &[u8]) -> Feature {
    features(&[("specs/001-x/tasks.md".to_owned(), text.to_vec())].into()).remove(0)
}

/// Lines that are nearly right, so that chance meets every rule.
fn line() -> impl Strategy<Value = String> {
    let bullet = prop_oneof!["- ", "\\* ", "\\+ ", "1\\. ", "  - ", "\t- ", "    [0-9]\\) ", ""];
    let mark = prop_oneof!["\\[ \\]", "\\[x\\]", "\\[X\\]", "\\[\\]", "\\[-\\]", "\\[ x \\]", "\\[✓\\]", ""];
    let id = prop_oneof!["T00[1-9]", "\\*\\*T0[1-3][0-9]\\*\\*", "T[0-9]{1,4}[a-c]?:", "\\[T001\\]", "TXXX", "T001\\.2", ""];
    let tag = prop_oneof!["\\[P\\] ", "\\[US[1-3]\\] ", "\\[é\\]", "", ""];
    let title = prop_oneof![
        "[a-zé中 `*_]{0,20}",
        "x \\(depends on T00[1-9], T00[1-9]\\)",
        "T00[1-9] (→|before|depends on) T00[1-9]-T00[1-9]",
        "a <!-- b( -->)?",
        "\\| T001 \\| T00[1-3] \\|"
    ];
    let task = (bullet, mark, id, tag, title).prop_map(|(b, m, i, g, t)| format!("{b}{m} {i} {g}{t}"));
    let other = prop_oneof![
        "#{1,4} [A-Za-z0-9 ]{0,9}",
        "```",
        "~~~",
        "<!--",
        "-->",
        "---",
        "===",
        "",
        "  [a-z]{0,9}  ",
        "Depends: T001",
        "\\|a\\|depends on\\|"
    ];
    prop_oneof![5 => task, 3 => other]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let ending = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let lines = vec((line(), ending), 0..24);
    let text = (any::<bool>(), lines).prop_map(|(mark, lines)| {
        let body: String = lines.into_iter().map(|(line, ending)| line + ending).collect();
        format!("{}{body}", if mark { "\u{feff}" } else { "" }).into_bytes()
    });
    // Some bytes that are no UTF-8.
    (text, vec((any::<prop::sample::Index>(), 128_u8..), 0..3)).prop_map(|(mut text, broken)| {
        for (at, byte) in broken {
            let at = at.index(text.len() + 1);
            text.insert(at, byte);
        }
        text
    })
}

fn differences(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(x, y)| x != y).count() + a.len().abs_diff(b.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_fails(bytes in vec(any::<u8>(), 0..400)) {
        let feature = read(&bytes);
        let _ = spec::blocked(&feature);
    }

    #[test]
    fn reading_never_fails_on_text(text in "\\PC{0,300}") {
        let _ = read(text.as_bytes());
    }

    #[test]
    fn a_tick_changes_at_most_one_byte_and_makes_exactly_that_task_done(text in file()) {
        let before = read(&text);
        let hash = |t: &[u8]| spec_hash(&[("specs/001-x/tasks.md".to_owned(), t.to_vec())].into(), &before.id);
        for task in &before.tasks {
            let Ok(after) = tick(&text, &task.id) else {
                prop_assert!(before.tasks.iter().filter(|t| t.id == task.id).count() > 1);
                continue;
            };
            prop_assert_eq!(differences(&text, &after), usize::from(!task.done));
            let mut expected = before.tasks.clone();
            expected.iter_mut().filter(|t| t.id == task.id).for_each(|t| t.done = true);
            prop_assert_eq!(&read(&after).tasks, &expected);
            if !task.done {
                prop_assert_eq!(ticked(&text, &after), vec![task.id.clone()]);
            }
            let odd = before.problems.iter().any(|p| p.contains("neither open nor done"));
            prop_assert!(odd || hash(&text) == hash(&after));
        }
    }

    #[test]
    fn ticks_applied_anew_change_nothing_the_second_time(text in file()) {
        let ids: Vec<_> = read(&text).tasks.into_iter().map(|t| t.id).collect();
        let once = reapply(&text, &ids);
        let twice = reapply(&once.text, &ids);
        prop_assert_eq!(&once, &twice);
        prop_assert_eq!(text.len(), once.text.len());
    }

    #[test]
    fn a_new_task_is_read_back_and_all_others_stay(text in file(), title in "[A-Za-z][a-zé ]{0,20}[a-z]", parallel: bool) {
        let before = read(&text);
        let new = NewTask { title: title.clone(), parallel, story: Some("US7".to_owned()), ..NewTask::default() };
        let Ok((after, id)) = add(&text, &new) else {
            // Where code or a comment is never closed, nothing can be added below it that is read.
            prop_assert!(before.problems.iter().any(|p| p.contains("nothing closes")), "{:?}", String::from_utf8_lossy(&text));
            return Ok(());
        };
        let after = read(&after);
        let found = after.tasks.iter().find(|t| t.id == id);
        prop_assert!(found.is_some(), "{:?}", String::from_utf8_lossy(&text));
        let found = found.unwrap();
        let words = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!((words(&found.title), found.parallel, found.story.as_deref()), (words(&title), parallel, Some("US7")), "{:?}", String::from_utf8_lossy(&text));
        let others: Vec<_> = after.tasks.iter().filter(|t| t.id != id).map(|t| (&t.id, &t.title, t.done)).collect();
        let were: Vec<_> = before.tasks.iter().map(|t| (&t.id, &t.title, t.done)).collect();
        prop_assert_eq!(others, were);
    }

    #[test]
    fn a_new_title_is_read_back_and_all_others_stay(text in file(), title in "[A-Za-z][a-z]{0,20}") {
        let before = read(&text);
        for task in &before.tasks {
            let Ok(after) = edit(&text, &task.id, &title) else { continue };
            let after = read(&after);
            for (was, is) in before.tasks.iter().zip(&after.tasks) {
                prop_assert_eq!((&was.id, was.done, &was.details), (&is.id, is.done, &is.details), "{:?}", String::from_utf8_lossy(&text));
                prop_assert_eq!(if was.id == task.id { &title } else { &was.title }, &is.title, "{:?}", String::from_utf8_lossy(&text));
            }
            prop_assert_eq!(before.tasks.len(), after.tasks.len());
        }
    }
}
