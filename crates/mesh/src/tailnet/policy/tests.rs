#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn input(org: &str) -> Input {
    Input {
        org: org.parse().unwrap(),
        user: org.to_owned(),
        mesh: BTreeSet::from([7421, 9_421]),
        gossip: BTreeSet::from([9_422]),
        radicle: BTreeSet::new(),
        join: BTreeSet::from(["100.64.0.2:7423".parse().unwrap()]),
    }
}

fn strings(value: &serde_json::Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// Policies as people write them.
const BY_HAND: [&str; 8] = [
    "",
    "{}",
    "{\n}\n",
    "// the family's\n{ // ours\n  \"acls\": [ // nobody may\n  ],\n}\n",
    "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}",
    "{\n  \"acls\": [\n    // the printer\n    {\"action\": \"accept\", \"src\": [\"ada@\"], \"dst\": [\"100.64.0.9:631\"]} // old\n  ]\n}",
    "{\n  /* meshwork acme begin */ \"groups\": {\"group:family\": [\"ada@\", \"bob@\"]},\n  \"tagOwners\": {\"tag:acme-device\": [\"ada@\"]},\n  \"acls\": [\n\n    {\"action\": \"accept\", \"src\": [\"tag:acme-device\"], \"dst\": [\"tag:acme-device:22\"]},\n\n  ],\n}\n",
    "{\r\n  \"hosts\": {\"nas\": \"100.64.0.7\"}, \"ssh\": [],\r\n  \"acls\": [ {\"action\": \"accept\", \"src\": [\"group:x // no comment\"], \"dst\": [\"nas:*\"]} ],\r\n  \"groups\": { \"group:x\": [] }\r\n}",
];

#[test]
fn an_empty_policy_gets_the_whole_of_an_org() {
    let policy = apply("", &input("acme")).unwrap();
    let whole = text::value(&policy).unwrap();
    assert_eq!(whole["groups"]["group:acme"][0], "acme@");
    assert_eq!(whole["tagOwners"]["tag:acme-device"][0], "group:acme");
    assert_eq!(whole["tagOwners"]["tag:acme-joining"][0], "group:acme");
    let rules = whole["acls"].as_array().unwrap();
    assert_eq!(rules.len(), 3);
    assert_eq!(strings(&rules[0]["dst"]), ["tag:acme-device:2379,2380,6443,7421,8776,9421,10250,50000,50001"]);
    assert_eq!((rules[1]["proto"].as_str(), strings(&rules[1]["dst"])), (Some("udp"), vec!["tag:acme-device:7422,8472,9422"]));
    assert_eq!(
        (strings(&rules[2]["src"]), strings(&rules[2]["dst"])),
        (vec!["tag:acme-joining", "tag:acme-device"], vec!["100.64.0.2:7423"])
    );
}

#[test]
fn what_was_written_by_hand_stays_byte_for_byte() {
    for by_hand in BY_HAND {
        let applied = apply(by_hand, &input("acme")).unwrap();
        assert!(text::value(&applied).is_ok(), "{applied}");
        // Every byte that was there is there, in its order; what is new are whole pieces between them.
        let mut left = by_hand.trim_end().chars().peekable();
        for c in applied.chars() {
            let _ = left.next_if_eq(&c);
        }
        assert_eq!(left.peek(), None, "{by_hand}\n---\n{applied}");
        for line in by_hand.lines().filter(|line| line.contains("accept") && line.trim_start().starts_with('{')) {
            assert!(applied.contains(line.trim()) || by_hand.lines().count() == 1, "{line}\n---\n{applied}");
        }
        assert_eq!(apply(&applied, &input("acme")).unwrap(), applied, "applied twice");
        let mut other = input("acme");
        other.mesh.insert(1234);
        assert_eq!(apply(&apply(&applied, &other).unwrap(), &input("acme")).unwrap(), applied, "there and back");
    }
}

#[test]
fn rules_of_two_orgs_stand_side_by_side_and_never_name_each_other() {
    let both = apply(&apply(BY_HAND[5], &input("acme")).unwrap(), &input("beta")).unwrap();
    let rules = text::value(&both).unwrap();
    for rule in rules["acls"].as_array().unwrap() {
        let text = rule.to_string();
        assert!(!(text.contains("tag:acme") && text.contains("tag:beta")), "{text}");
    }
    let only = withdraw(&both, &"acme".parse().unwrap()).unwrap();
    assert!(!only.contains("acme") && only.contains("the printer") && only.contains("tag:beta-device"), "{only}");
    // An org whose name begins like another's does not take that one's marks for its own.
    let twin = apply(&both, &input("acme-2")).unwrap();
    assert_eq!(apply(&twin, &input("acme")).unwrap(), twin);
}

#[test]
fn rules_by_hand_for_the_same_tags_are_not_taken_for_ours() {
    let applied = apply(BY_HAND[6], &input("acme")).unwrap();
    assert!(applied.contains("\"dst\": [\"tag:acme-device:22\"]"), "{applied}");
    let whole = text::value(&applied).unwrap();
    assert_eq!(whole["tagOwners"]["tag:acme-device"][0], "ada@", "what is owned by hand stays so");
    assert_eq!(applied.matches("\"tag:acme-device\":").count(), 1, "{applied}");
}

#[test]
fn where_a_tool_dropped_the_comments_nothing_is_written_twice() {
    let applied = apply("", &input("acme")).unwrap();
    let bare = text::value(&applied).unwrap().to_string();
    let again = text::value(&apply(&bare, &input("acme")).unwrap()).unwrap();
    assert_eq!(again, text::value(&applied).unwrap());
}

#[test]
fn a_policy_without_rules_lets_everything_through_until_ours_are_in_it() {
    let table = [
        ("", true),
        ("{}", true),
        ("{\"hosts\": {\"nas\": \"100.64.0.7\"}, \"groups\": {}, \"ssh\": [], // \"acls\": []\n}", true),
        ("{\"acls\": []}", false),
        ("{\"grants\": []}", false),
        ("no policy", false),
    ];
    for (policy, all) in table {
        assert_eq!(allows_all(policy), all, "{policy}");
        assert!(!apply(policy, &input("acme")).is_ok_and(|applied| allows_all(&applied)), "{policy}");
    }
}

#[test]
fn what_is_withdrawn_leaves_what_was_written_by_hand_and_opens_nothing() {
    let org = "acme".parse().unwrap();
    for by_hand in BY_HAND {
        let left = withdraw(&apply(by_hand, &input("acme")).unwrap(), &org).unwrap();
        assert!(!left.contains("// meshwork acme") && !allows_all(&left), "{left}");
        assert_eq!(withdraw(&left, &org).unwrap(), left);
        let (before, after) = (text::value(by_hand).unwrap_or_default(), text::value(&left).unwrap());
        for (key, value) in before.as_object().into_iter().flatten() {
            assert_eq!(after[key], *value, "{by_hand}");
        }
    }
    assert_eq!(withdraw("", &org).unwrap(), "", "a server without a policy gets none by it");
}

#[test]
fn damaged_marks_and_what_is_no_policy_are_left_alone() {
    let applied = apply("", &input("acme")).unwrap();
    let open = applied.replace("// meshwork acme end", "// gone");
    let shared = applied.replacen("    // meshwork acme end", "    {\"action\": \"accept\"}, // meshwork acme end", 3);
    for (bad, why) in [
        (open.as_str(), "not one pair"),
        ("[]", "not an object"),
        ("{\"acls\": 3}", "neither"),
        ("{", ""),
        ("{\"groups\": []}", "another form"),
    ] {
        let problem = apply(bad, &input("acme")).unwrap_err();
        assert!(problem.kind == Kind::Conflict && problem.why.clone().unwrap().contains(why), "{bad}: {problem}");
    }
    assert!(apply(&shared, &input("acme")).is_err() || text::value(&shared).is_err());
}

#[test]
fn rules_by_hand_that_open_an_org_to_others_are_named() {
    let org = "acme".parse().unwrap();
    let table = [
        ("{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", 1),
        ("{\"acls\": [{\"action\": \"accept\", \"src\": [\"ada@\"], \"dst\": [\"tag:acme-device:22\"]}]}", 1),
        ("{\"grants\": [{\"src\": [\"tag:beta-device\"], \"dst\": [\"tag:acme-device\"], \"ip\": [\"*\"]}]}", 1),
        ("{\"acls\": [{\"action\": \"accept\", \"src\": [\"ada@\"], \"dst\": [\"100.64.0.9:631\"]}]}", 0),
        ("no policy", 0),
    ];
    let devices = ["100.64.0.2".parse().unwrap(), "fd7a:115c:a1e0::2".parse().unwrap()];
    for (policy, found) in table {
        assert_eq!(opens(policy, &org, &devices).len(), found, "{policy}");
    }
    let hosts = [
        ("*:*", true),
        ("tag:acme-device:22", true),
        ("tag:acme-joining:22", false),
        ("tag:acme-device-2:22", false),
        ("100.64.0.2:22", true),
        ("100.64.0.3:22", false),
        ("100.64.0.0/10:*", true),
        ("100.64.0.0/31:*", false),
        ("0.0.0.0/0:*", true),
        ("10.0.0.0/8:*", false),
        ("[fd7a:115c:a1e0::2]:22", true),
        ("fd7a:115c:a1e0::/48:*", true),
        ("fd7a:115c:a1e0::/48", true),
        ("::/0:*", true),
        ("fd00::/64:*", false),
        ("100.64.0.0/x:*", false),
        ("laptop:22", true),
        ("family:*", true),
        ("printer:631", false),
        ("autogroup:tagged:*", true),
        ("autogroup:tagged", true),
        ("autogroup:member:*", false),
        ("autogroup:internet:*", false),
        ("group:acme:*", false),
    ];
    for (to, wide) in hosts {
        let policy = format!(
            "{{\"hosts\": {{\"laptop\": \"100.64.0.2\", \"family\": \"100.64.0.0/24\", \"printer\": \"100.64.9.9\"}},
              \"acls\": [{{\"action\": \"accept\", \"src\": [\"eve@\"], \"dst\": [\"{to}\"]}}]}}"
        );
        assert_eq!(opens(&policy, &org, &devices).len(), usize::from(wide), "{to}");
    }
    let applied = apply("", &input("acme")).unwrap();
    assert!(opens(&applied, &org, &devices).is_empty(), "our own rules open nothing");
    let both = apply(&applied, &input("beta")).unwrap();
    assert!(opens(&both, &org, &devices).is_empty(), "nor do those of another org on a machine of both");
}

proptest! {
    #[test]
    fn any_text_is_left_alone_or_changed_into_a_policy(text in ".{0,200}") {
        if let Ok(applied) = apply(&text, &input("acme")) {
            prop_assert!(text::value(&applied).is_ok());
            prop_assert_eq!(apply(&applied, &input("acme")).unwrap(), applied);
        }
    }

    #[test]
    fn applied_twice_changes_nothing_whatever_comments_rules_and_blanks_there_are(
        comments in proptest::collection::vec("[a-z \\[\\]{},:\"]{0,20}", 0..4),
        rules in proptest::collection::vec(("[a-z]{1,6}", 1_u16..), 0..4),
        inline: bool,
        trailing: bool,
    ) {
        let separator = if inline { " " } else { "\n" };
        let mut each: Vec<String> = rules.iter()
            .map(|(who, port)| format!("{{\"action\": \"accept\", \"src\": [\"{who}@\"], \"dst\": [\"{who}:{port}\"]}}")).collect();
        if trailing && !each.is_empty() {
            each.push(String::new());
        }
        let said: String = comments.iter().map(|c| format!("// {c}\n")).collect();
        let by_hand = format!("{said}{{{separator}\"acls\": [{separator}{}{separator}],\n{said}}}{separator}", each.join(&format!(",{separator}")));
        let applied = apply(&by_hand, &input("acme")).unwrap();
        let whole = super::text::value(&applied).unwrap();
        prop_assert_eq!(whole["acls"].as_array().unwrap().len(), rules.len() + 3);
        for (who, port) in &rules {
            let expected = format!("\"dst\": [\"{who}:{port}\"]");
            prop_assert!(applied.contains(&expected));
        }
        prop_assert_eq!(apply(&applied, &input("acme")).unwrap(), applied.clone());
        let without = withdraw(&applied, &"acme".parse().unwrap()).unwrap();
        let left = super::text::value(&without).unwrap();
        prop_assert_eq!(left["acls"].as_array().unwrap().len(), rules.len());
    }
}
