//! What is offered while a sentence is written.

use super::world::world;
use crate::command::complete::{completions, found};

fn offered(written: &str) -> Vec<(String, String)> {
    completions(&world(), written).into_iter().map(|c| (c.insert, c.kind)).collect()
}

fn inserts(written: &str) -> Vec<String> {
    offered(written).into_iter().map(|(insert, _)| insert).collect()
}

#[test]
fn an_empty_line_offers_sentences() {
    let all = offered("");
    assert_eq!(all[0], ("what needs me".to_owned(), "sentence".to_owned()));
    assert_eq!(all.len(), crate::limits::COMPLETIONS_MAX);
}

#[test]
fn words_and_names_follow_what_is_written() {
    assert!(inserts("mer").contains(&"merge patch 1a2b3c4d".to_owned()), "{:?}", inserts("mer"));
    assert_eq!(inserts("run T00")[..3], ["T003", "T004", "T005"]);
    assert_eq!(inserts("run T004 to T00")[0], "T003");
    assert_eq!(inserts("run T004 with "), ["builder"]);
    assert!(inserts("run T004 ").contains(&"with".to_owned()), "{:?}", inserts("run T004 "));
    assert!(inserts("show failed runs since ").contains(&"yesterday".to_owned()));
    assert_eq!(inserts("stop everything on l"), ["laptop-3"]);
    assert!(inserts("stop ").contains(&"WRK001".to_owned()), "{:?}", inserts("stop "));
    assert_eq!(inserts("merge patch 1"), ["1a2b3c4d"]);
    assert_eq!(inserts("merge patch bow"), ["beef3c4d"], "by its title");
    assert_eq!(inserts("run feature 0"), ["001-login", "002-report"]);
    assert!(inserts("tell ").contains(&"builder".to_owned()), "{:?}", inserts("tell "));
    assert_eq!(offered("send to run WRK001 ").last().unwrap().1, "text");
    assert_eq!(inserts("dance with "), Vec::<String>::new());
}

#[test]
fn positions_count_as_browsers_do() {
    let all = completions(&world(), "run “😀” T00");
    assert!(all.is_empty());
    let tasks = completions(&world(), "please run T00");
    assert_eq!((tasks[0].from, tasks[0].to), (11, 14));
    let behind = completions(&world(), "tell run WRK001 😀 t");
    assert!(behind.iter().all(|c| c.to <= 20), "{behind:?}");
}

#[test]
fn anything_is_found_by_its_name() {
    let of = |text: &str| found(&world(), text).into_iter().map(|i| i.id).collect::<Vec<_>>();
    assert_eq!(of("chart"), ["T012"]);
    assert_eq!(of("greet"), ["1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"]);
    assert_eq!(of("device laptop"), ["laptop-3"]);
    assert_eq!(of("x"), Vec::<String>::new());
}
