#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use domain::role::{Permission, Role};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const ACTIONS: [(&str, Permission, Subject); 23] = [
    ("project.show", Permission::View, Subject::Project),
    ("task.run", Permission::RunTasks, Subject::Task),
    ("run.stop", Permission::SteerRuns, Subject::Run),
    ("patch.review", Permission::Review, Subject::Patch),
    ("patch.merge", Permission::Merge, Subject::Patch),
    ("task.add", Permission::EditTasks, Subject::Task),
    ("project.add", Permission::ManageProjects, Subject::Project),
    ("agent.add", Permission::ManageAgents, Subject::Agent),
    ("org.approve", Permission::ManageOrg, Subject::Org),
    ("org.create", Permission::ManageOrg, Subject::Device),
    ("org.join", Permission::ManageOrg, Subject::Device),
    ("backup.create", Permission::ManageOrg, Subject::Device),
    ("credential.set", Permission::ManageCredentials, Subject::Credential),
    ("token.create", Permission::ManageTokens, Subject::Device),
    ("device.evict", Permission::ManageDevice, Subject::Device),
    ("device.change", Permission::ManageOrg, Subject::Device),
    ("device.remove", Permission::ManageOrg, Subject::Device),
    ("stop.order", Permission::ManageOrg, Subject::Stop),
    ("stop.lift", Permission::ManageOrg, Subject::Stop),
    ("member.roles", Permission::ManageOrg, Subject::Member),
    ("member.rename", Permission::ManageOrg, Subject::Member),
    ("member.standby", Permission::ManageOrg, Subject::Member),
    ("member.remove", Permission::ManageOrg, Subject::Member),
];

fn scheme() -> Arc<Scheme> {
    let named: Vec<_> = ACTIONS.into_iter().map(|(name, permission, about)| Named { name, permission, about }).collect();
    Arc::new(Scheme::new(&named).unwrap())
}

fn rules(files: &[(&str, &str)]) -> Rules {
    Rules::new(scheme(), &texts(files)).unwrap()
}

fn texts(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, text)| (format!("policy/{path}"), text.as_bytes().to_vec())).collect()
}

fn member(name: &str, role: Role) -> Principal {
    Principal::Member { name: name.into(), roles: vec![role] }
}

fn ask(rules: &Rules, principal: &Principal, action: &str, resource: &Resource) -> Decided {
    rules.decide(&Ask { principal, action, resource, org: "crew" }).unwrap()
}

fn web() -> Resource {
    Resource::Project("web".into())
}

#[test]
fn the_default_files_give_each_role_what_its_name_promises() {
    let written: BTreeMap<String, Vec<u8>> = files().into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    assert_eq!(Rules::check(&scheme(), &written), []);
    for rules in [rules(&[]), Rules::new(scheme(), &written).unwrap()] {
        assert_eq!(rules.mistakes, []);
        for role in Role::ALL {
            for (action, permission, _) in ACTIONS {
                let decided = ask(&rules, &member("somebody", role), action, &Resource::Org);
                assert_eq!(decided.allowed, role.allows(permission), "{role:?} {action}: {}", decided.why);
            }
        }
    }
}

#[test]
fn an_answer_names_file_and_rule_and_what_it_says() {
    let rules = rules(&[(
        "team.cedar",
        "@id(\"bob-merges-web\")\n@says(\"Bob looks after web.\")\npermit (principal == Member::\"bob\", action == Action::\"patch.merge\", resource in Project::\"web\");\npermit (principal in Role::\"viewer\", action in Action::\"view\", resource);\n",
    )]);
    let bob = member("bob", Role::Viewer);
    let patch = |project: &str| Resource::Patch("abc".into(), project.into());
    let decided = ask(&rules, &bob, "patch.merge", &patch("web"));
    let rule = Rule { file: "policy/team.cedar".into(), id: "bob-merges-web".into(), says: Some("Bob looks after web.".into()) };
    assert_eq!((decided.allowed, decided.rules.as_slice()), (true, [rule].as_slice()));
    assert!(decided.why.contains("“bob-merges-web” in policy/team.cedar"), "{}", decided.why);
    let other = ask(&rules, &bob, "patch.merge", &patch("app"));
    assert_eq!((other.allowed, other.why.as_str()), (false, "No rule allows it."));
    assert!(ask(&rules, &bob, "project.show", &Resource::Project("app".into())).allowed, "groups of actions");
    assert!(rules.decide(&Ask { principal: &bob, action: "made.up", resource: &web(), org: "crew" }).is_err());
}

#[test]
fn a_token_may_what_both_its_role_and_its_member_may() {
    let rules = rules(&[]);
    let token = |role, of| Principal::Token { id: "t".into(), role, member: "ada".into(), roles: vec![of] };
    let table = [
        (Role::Owner, Role::Owner, "credential.set", true),
        (Role::Viewer, Role::Owner, "task.run", false),
        (Role::Owner, Role::Viewer, "task.run", false),
        (Role::Owner, Role::Developer, "task.run", true),
        (Role::Owner, Role::Developer, "org.create", false),
        (Role::Viewer, Role::Owner, "org.create", false),
    ];
    for (role, of, action, expected) in table {
        let decided = ask(&rules, &token(role, of), action, &Resource::Org);
        assert_eq!(decided.allowed, expected, "{role:?} of {of:?}, {action}: {}", decided.why);
    }
}

#[test]
fn whoever_owns_a_device_keeps_it_whatever_files_say() {
    let (mine, theirs) = (Resource::Device("box".into(), "bob".into()), Resource::Device("desk".into(), "ada".into()));
    let key = |of: &str| Resource::Credential("openai".into(), "box".into(), of.into());
    for rules in [rules(&[]), rules(&[("all.cedar", "forbid (principal, action, resource);")])] {
        let bob = member("bob", Role::Viewer);
        for action in ["device.evict", "token.create", "backup.create", "org.create", "org.join"] {
            assert!(ask(&rules, &bob, action, &mine).allowed, "{action}");
            assert!(!ask(&rules, &bob, action, &theirs).allowed, "{action}");
        }
        assert!(ask(&rules, &bob, "credential.set", &key("bob")).allowed);
        assert!(!ask(&rules, &bob, "credential.set", &key("ada")).allowed);
        let agent = Principal::Agent { name: "builder".into(), answers: "bob".into() };
        assert!(!ask(&rules, &agent, "device.evict", &mine).allowed);
        // A token is no more than its role, whoever it acts for.
        let token = Principal::Token { id: "t".into(), role: Role::Viewer, member: "bob".into(), roles: vec![Role::Viewer] };
        assert!(!ask(&rules, &token, "token.create", &mine).allowed);
    }
}

#[test]
fn members_propose_what_concerns_themselves_and_nothing_of_others() {
    let (rules, bob) = (rules(&[]), member("bob", Role::Developer));
    let someone = |name: &str| Resource::Member(name.into());
    let device = |of: &str| Resource::Device("box".into(), of.into());
    for (action, resource, expected) in [
        ("member.rename", someone("bob"), true),
        ("member.rename", someone("ada"), false),
        ("member.standby", someone("bob"), true),
        ("member.standby", someone("ada"), false),
        ("member.roles", someone("bob"), false),
        ("device.change", device("bob"), true),
        ("device.remove", device("ada"), false),
    ] {
        assert_eq!(ask(&rules, &bob, action, &resource).allowed, expected, "{action} {resource:?}");
    }
}

#[test]
fn no_file_locks_the_owners_out_and_none_lets_an_agent_change_the_rules() {
    let agent = Principal::Agent { name: "builder".into(), answers: "ada".into() };
    for text in [
        "forbid (principal, action, resource);",
        "this is no policy",
        "permit (principal, action, resource) when { principal.nonsense };",
        "permit (principal, action, resource);",
    ] {
        let rules = rules(&[("all.cedar", text)]);
        for action in ["org.create", "project.show"] {
            assert!(ask(&rules, &member("ada", Role::Owner), action, &Resource::Org).allowed, "{text}: {action}");
        }
        for action in ["org.create", "credential.set", "token.create", "patch.merge", "project.add"] {
            let decided = ask(&rules, &agent, action, &Resource::Org);
            assert!(!decided.allowed && decided.rules[0].file == "built in", "{text}: {action}: {}", decided.why);
        }
    }
}

#[test]
fn a_broken_file_opens_nothing_and_says_where_it_is_broken() {
    let good = ("good.cedar", "permit (principal, action, resource);");
    let cases = [
        ("permit (principal, action, resource);\n\npermit (principal, action);\n", 3),
        ("// One\n// Two\npermit (principal, action == Action::\"task.fly\", resource);", 3),
        ("permit (principal in Rolle::\"owner\", action, resource);", 1),
        ("permit (\n  principal,\n  action,\n  resource\n) when {\n  principal.height > 2\n};", 6),
        ("permit (principal == ?principal, action, resource);", 1),
        ("@id(\"x\")\npermit (principal, action, resource);\n@id(\"x\")\npermit (principal, action, resource);", 3),
    ];
    for (text, line) in cases {
        let mistakes = Rules::check(&scheme(), &texts(&[good, ("bad.cedar", text)]));
        let first = mistakes.first().unwrap_or_else(|| panic!("no mistake in {text}"));
        assert_eq!((first.file.as_str(), first.line), ("policy/bad.cedar", line), "{mistakes:?}");
        let rules = rules(&[good, ("bad.cedar", text)]);
        let decided = ask(&rules, &member("bob", Role::Developer), "project.show", &web());
        assert!(!decided.allowed && decided.why.contains("policy/bad.cedar"), "{}", decided.why);
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let rules = rules(&[(
        "sums.cedar",
        "permit (principal, action, resource);\n@id(\"too-much\")\nforbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };",
    )]);
    let decided = ask(&rules, &member("bob", Role::Developer), "project.show", &web());
    assert!(!decided.allowed && decided.why.contains("too-much"), "{}", decided.why);
}

#[test]
fn a_member_may_be_let_stop_their_own_runs_only() {
    let rules = rules(&[(
        "own.cedar",
        "permit (principal is Member, action == Action::\"run.stop\", resource is Run) when { resource.member == principal };",
    )]);
    assert_eq!(rules.mistakes, []);
    let run = Resource::Run("r".into(), "web".into(), "bob".into());
    assert!(ask(&rules, &member("bob", Role::Viewer), "run.stop", &run).allowed);
    assert!(!ask(&rules, &member("eve", Role::Viewer), "run.stop", &run).allowed);
}

#[test]
fn what_is_remembered_of_one_task_is_not_taken_for_one_that_a_rule_names() {
    let rules = rules(&[(
        "tasks.cedar",
        "permit (principal, action == Action::\"task.run\", resource);\nforbid (principal, action, resource == Task::\"T007\");",
    )]);
    assert_eq!(rules.mistakes, []);
    let may = |task: &str, project: &str| {
        let task = Resource::Task(task.into(), project.into());
        ask(&rules, &member("bob", Role::Developer), "task.run", &task).allowed
    };
    for _ in 0..2 {
        assert_eq!(["T001", "T007", "T002", ""].map(|task| may(task, "web")), [true, false, true, true]);
    }
    assert!(rules.names("T007") && !rules.names("T001"));
}

#[test]
fn a_task_of_any_name_is_told_from_those_that_no_rule_names() {
    // The empty name, the one that stands for all, and one that is written with escapes.
    for (name, written) in [("", ""), ("\"", "\\\""), ("T007", "T\\u{30}07")] {
        let text = format!(
            "permit (principal, action == Action::\"task.run\", resource);\nforbid (principal, action, resource == Task::\"{written}\");"
        );
        for order in [["T001", name], [name, "T001"]] {
            let rules = rules(&[("tasks.cedar", text.as_str())]);
            assert_eq!(rules.mistakes, []);
            for task in order {
                let about = Resource::Task(task.into(), "web".into());
                assert_eq!(ask(&rules, &member("bob", Role::Developer), "task.run", &about).allowed, task != name, "{text}: “{task}”");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bytes in a file: told or taken, never a panic, and nobody but owners gains or loses what the built-in rules say.
    #[test]
    fn any_file_is_read_or_told(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let files = BTreeMap::from([("policy/any.cedar".to_owned(), bytes)]);
        let rules = Rules::new(scheme(), &files).unwrap();
        prop_assert!(ask(&rules, &member("ada", Role::Owner), "org.create", &Resource::Org).allowed);
        prop_assert!(!ask(&rules, &member("bob", Role::Viewer), "org.create", &Resource::Org).allowed);
    }

    /// A good file with one part cut out or changed.
    #[test]
    fn a_file_with_a_hole_opens_nothing_new(from in 0usize..400, length in 0usize..60, put in "[a-z\"():;, ]{0,6}") {
        let mut texts: BTreeMap<String, Vec<u8>> = files().into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
        let file = texts.get_mut("policy/viewer.cedar").unwrap();
        let from = from.min(file.len());
        let to = (from + length).min(file.len());
        file.splice(from..to, put.bytes());
        let rules = Rules::new(scheme(), &texts).unwrap();
        prop_assert!(ask(&rules, &member("ada", Role::Owner), "org.create", &Resource::Org).allowed);
        for mistake in &rules.mistakes {
            prop_assert!(mistake.file == "policy/viewer.cedar" && mistake.line >= 1, "{mistake}");
        }
        let agent = Principal::Agent { name: "b".into(), answers: "ada".into() };
        prop_assert!(!ask(&rules, &agent, "patch.merge", &Resource::Org).allowed);
    }

    /// Names from anywhere are only names.
    #[test]
    fn any_name_is_only_a_name(name in "\\PC{0,40}") {
        let rules = rules(&[]);
        prop_assert!(!ask(&rules, &member(&name, Role::Viewer), "project.add", &Resource::Project(name.clone())).allowed);
    }
}

#[test]
fn rules_are_known_to_be_of_the_same_files() {
    let own = [("crew.cedar", "permit(principal, action, resource);")];
    let made = rules(&own);
    assert!(made.are_of(&texts(&own)) && !made.are_of(&texts(&[])));
    assert!(!made.are_of(&texts(&[("crew.cedar", "forbid(principal, action, resource);")])));
}
