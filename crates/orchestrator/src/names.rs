//! Names of people and machines that can be a file's.

use domain::{Kind, Problem, with_name};
use forge::OrgState;

/// How every key's name begins.
const PREFIX: &str = "did:key:";

/// What everybody calls themselves, where a member is asked for.
pub(crate) const ME: &str = "me";

/// Refuses a name that is none for a member.
pub(crate) fn check_person(name: &str) -> Result<(), Problem> {
    if name == ME {
        return Err(Problem::new(Kind::Invalid, format!("Nobody can be called “{ME}”."))
            .because("On the command line everybody calls themselves so.")
            .next("Choose another name."));
    }
    if file_name(name) == name && !name.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Kind::Invalid, format!("“{}” is not a name for a member.", domain::shown(name)))
        .next("Use lower-case letters, digits, “-” and “_”."))
}

/// A problem in which they are called so. In what to do next keys stay: commands take them.
pub(crate) fn within_problem(state: &OrgState, problem: Problem) -> Problem {
    let what = within(state, &problem.what);
    let why = problem.why.as_deref().map(|why| within(state, why));
    Problem { what, why, ..problem }
}

/// A sentence in which members and devices are called by their names, and not by their keys.
pub(crate) fn within(state: &OrgState, sentence: &str) -> String {
    if !sentence.contains(PREFIX) {
        return sentence.to_owned();
    }
    let members = state.members.values().flat_map(|member| member.keys.iter().map(move |key| (&key.did, &member.name)));
    let devices = state.devices.values().map(|device| (&device.did, &device.name));
    let text = members.chain(devices).fold(sentence.to_owned(), |text, (key, name)| with_name(&text, key.as_str(), name));
    let gone = state.revoked.iter().chain(&state.ended).filter_map(|gone| Some((&gone.did, state.called(&gone.did)?)));
    gone.fold(text, |text, (key, name)| with_name(&text, key.as_str(), &name))
}

/// What this machine is called.
pub(crate) fn host_name() -> String {
    file_name(&rustix::system::uname().nodename().to_string_lossy())
}

/// A name that can be a file's: lower case, digits, `-`, `_`.
pub(crate) fn file_name(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(keep).take(32).collect();
    if name.is_empty() { "device".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{did, member, state};
    use domain::{
        Timestamp,
        org::{KeyKind, Revocation},
        role::Role,
    };

    #[test]
    fn who_was_removed_is_called_as_before_with_a_word_that_they_were() {
        let gone = |letter, kind, name: Option<&str>| Revocation {
            did: did(letter),
            kind,
            at: Timestamp(0),
            why: String::new(),
            name: name.map(str::to_owned),
        };
        let revoked = vec![gone('g', KeyKind::Device, Some("old-box"))];
        let ended = vec![gone('h', KeyKind::Member, Some("bob")), gone('k', KeyKind::Device, None)];
        let state = OrgState { members: [member("ada", Role::Owner, &['a'])].into(), revoked, ended, ..state() };
        let sentence = format!("{} {} {} {}", did('A'), did('g'), did('h'), did('k'));
        assert_eq!(within(&state, &sentence), format!("ada old-box (removed) bob (removed) {}", did('k')));
    }

    #[test]
    fn a_problem_calls_people_by_their_names_and_leaves_paths_commands_and_what_was_typed_as_they_are() {
        let state = OrgState { members: [member("ada", Role::Owner, &['a'])].into(), ..state() };
        let key = did('A');
        let problem = Problem::unavailable(format!("{key} did not answer."))
            .because(format!("/data/journals/{key} is full, by {key}."))
            .next(format!("meshwork org remove {key}"));
        let named = within_problem(&state, problem);
        assert_eq!(named.what, "ada did not answer.");
        assert_eq!(named.why, Some(format!("/data/journals/{key} is full, by ada.")));
        assert_eq!(named.next, Some(format!("meshwork org remove {key}")));
        let typed = format!("There is no member “{key}”.");
        assert_eq!(within(&state, &typed), typed, "there is one of that name");
    }

    #[test]
    fn a_member_has_a_name_that_can_be_a_files_and_that_is_theirs_alone() {
        assert_eq!(check_person("ada-2"), Ok(()));
        for (name, words) in [("", "not a name"), ("Ada", "not a name"), ("con.", "not a name"), ("me", "Nobody can be called “me”")] {
            let told = check_person(name).err().map(|problem| problem.to_string()).unwrap_or_default();
            assert!(told.contains(words), "{name}: {told}");
        }
    }
}
