//! What a newer device says in a file of the org beyond what is known here: left out of account, and kept where the file is written anew.

use domain::org::{Device, Member, Revoked};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A change of one file: its new content; none: it is removed.
type Change = (String, Option<Vec<u8>>);

/// The same changes of these files, with the fields that are not known here kept, also where a file gets another name.
pub(super) fn with_unknown(files: &BTreeMap<String, Vec<u8>>, changes: &[Change]) -> Vec<Change> {
    let kept = |(path, content): &Change| {
        let content = content.as_ref()?;
        let before = files.get(path).or_else(|| renamed(files, changes, path))?;
        with_unknown_of(path, before, content)
    };
    changes.iter().map(|change| (change.0.clone(), kept(change).or_else(|| change.1.clone()))).collect()
}

/// The file that these changes take out of the same folder: of members and devices they never take out one and put in another.
fn renamed<'a>(files: &'a BTreeMap<String, Vec<u8>>, changes: &[Change], path: &str) -> Option<&'a Vec<u8>> {
    let (folder, _) = path.split_once('/')?;
    let gone = |(path, content): &&Change| content.is_none() && path.split_once('/').is_some_and(|(of, _)| of == folder);
    files.get(&changes.iter().find(gone)?.0)
}

/// The new content with what is not known of the old; none: all of that is known, or one of them cannot be read.
fn with_unknown_of(path: &str, before: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let before = std::str::from_utf8(before).ok()?;
    let known = match path.split_once('/') {
        Some(("members", _)) => as_known::<Member>(before),
        Some(("devices", _)) => as_known::<Device>(before),
        None if path == "revoked.toml" => as_known::<Revoked>(before),
        // Of the others nothing is read that is not known.
        _ => None,
    }?;
    let content: Table = toml::from_str(std::str::from_utf8(content).ok()?).ok()?;
    let mut now = content.clone();
    keep(&mut now, toml::from_str(before).ok()?, &known);
    if now == content { None } else { toml::to_string_pretty(&now).map(String::into_bytes).ok() }
}

/// A file without what is not known of it.
fn as_known<T: DeserializeOwned + Serialize>(text: &str) -> Option<Table> {
    Table::try_from(toml::from_str::<T>(text).ok()?).ok()
}

/// Adds to `now` what `before` says and `known`, which is `before` without what is not known, does not.
fn keep(now: &mut Table, before: Table, known: &Table) {
    for (name, value) in before {
        match (known.get(&name), now.get_mut(&name)) {
            (None, None) => drop(now.insert(name, value)),
            (Some(Value::Array(known)), Some(Value::Array(now))) => keep_in_each(now, value, known),
            _ => {}
        }
    }
}

/// As [`keep`], in the entries of a list that are still there: each is of one key.
fn keep_in_each(now: &mut [Value], before: Value, known: &[Value]) {
    let Value::Array(before) = before else { return };
    for (before, known) in before.into_iter().zip(known) {
        let (Value::Table(before), Value::Table(known)) = (before, known) else { continue };
        let same = |entry: &&mut Table| entry.get("did") == known.get("did");
        if let Some(entry) = now.iter_mut().filter_map(Value::as_table_mut).find(same) {
            keep(entry, before, known);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEYS: [&str; 2] =
        ["did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi"];

    /// What comes of one file that is written anew.
    fn written(path: &str, before: &str, now: &str) -> Table {
        let files = BTreeMap::from([(path.to_owned(), before.as_bytes().to_vec())]);
        let changes = with_unknown(&files, &[(path.to_owned(), Some(now.as_bytes().to_vec()))]);
        toml::from_str(std::str::from_utf8(changes[0].1.as_ref().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_known_is_kept_and_what_is_known_is_as_it_was_written() {
        let device = |more: &str, tags: &str| format!("name = \"lap\"\ndid = \"{}\"\nowner = \"ada\"\n{more}{tags}", KEYS[0]);
        let before = device("of_tomorrow = { more = [1, 2] }\naddresses = [\"h:1\"]\n", "[tags]\nregion = \"x\"\n");
        let now = written("devices/lap.toml", &before, &device("", ""));
        assert_eq!((now.len(), now.contains_key("addresses"), now.contains_key("tags")), (4, false, false));
        assert_eq!(now["of_tomorrow"]["more"][1], Value::Integer(2));
        // What the newer one itself writes counts.
        let newer = written("devices/lap.toml", &before, &device("of_tomorrow = 3\n", ""));
        assert_eq!(newer["of_tomorrow"], Value::Integer(3));
    }

    #[test]
    fn what_is_not_known_of_a_key_stays_with_that_key() {
        let key = |n: usize, more: &str| format!("[[keys]]\ndid = \"{}\"\ndevice = \"{}\"\n{more}", KEYS[n], KEYS[n]);
        let head = "name = \"ada\"\nroles = [\"owner\"]\n";
        let before = format!("{head}{}{}", key(0, "mood = \"first\"\n"), key(1, "mood = \"second\"\n"));
        let now = written("members/ada.toml", &before, &format!("{head}{}", key(1, "")));
        let keys = now["keys"].as_array().unwrap();
        assert_eq!((keys.len(), &keys[0]["mood"]), (1, &Value::String("second".into())));
        let gone = |n: usize, more: &str| format!("[[revoked]]\ndid = \"{}\"\nkind = \"run\"\nat = 1\nwhy = \"lost\"\n{more}", KEYS[n]);
        let now = written("revoked.toml", &gone(0, "by = \"ada\"\n"), &format!("{}{}", gone(0, ""), gone(1, "")));
        let all = now["revoked"].as_array().unwrap();
        assert_eq!((all.len(), &all[0]["by"], all[1].get("by")), (2, &Value::String("ada".into()), None));
    }

    #[test]
    fn what_is_not_known_goes_along_with_another_name() {
        let device = |name: &str, more: &str| format!("name = \"{name}\"\ndid = \"{}\"\nowner = \"ada\"\n{more}", KEYS[0]).into_bytes();
        let files = BTreeMap::from([("devices/lap.toml".to_owned(), device("lap", "of_tomorrow = 1\n"))]);
        let changes = [("devices/lap.toml".to_owned(), None), ("devices/top.toml".to_owned(), Some(device("top", "")))];
        let kept = with_unknown(&files, &changes);
        assert_eq!(kept[0], changes[0]);
        let renamed: Table = toml::from_str(std::str::from_utf8(kept[1].1.as_ref().unwrap()).unwrap()).unwrap();
        assert_eq!((renamed["name"].as_str(), renamed["of_tomorrow"].as_integer()), (Some("top"), Some(1)));
        // A device that comes beside is another one, and a file of another kind has nothing that is not known.
        let other = [("devices/top.toml".to_owned(), Some(device("top", "")))];
        assert_eq!(with_unknown(&files, &other), other);
    }
}
