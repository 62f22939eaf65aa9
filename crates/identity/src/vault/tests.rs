#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use std::{fs, os::unix::fs::PermissionsExt};
use tempfile::TempDir;

fn name(text: &str) -> CredentialName {
    text.parse().unwrap()
}

fn credential(called: &str, secret: &str) -> Credential {
    let info = CredentialInfo {
        name: name(called),
        kind: CredentialKind::ApiKey,
        provider: Some("openai".into()),
        scopes: vec![],
        created: Timestamp(5),
    };
    Credential { info, secret: secret.into() }
}

fn vault() -> (TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(&dir.path().join("v"), &Unlock::KeyFile).unwrap();
    (dir, vault)
}

fn all_bytes(dir: &Path) -> Vec<u8> {
    fs::read_dir(dir).unwrap().flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

#[test]
fn credentials_stay_after_reopening_and_are_nowhere_in_plain_text() {
    let (_dir, vault) = vault();
    vault.set(credential("b", "sk-secret-one")).unwrap();
    vault.set(credential("a", "sk-secret-two")).unwrap();
    vault.set(credential("b", "sk-secret-three")).unwrap();
    let again = Vault::open(&vault.dir, &Unlock::KeyFile).unwrap();
    assert_eq!(again.list().unwrap().iter().map(|i| i.name.as_str().to_owned()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(again.get(&name("b")).unwrap(), credential("b", "sk-secret-three"));
    assert!(!contains(&all_bytes(&vault.dir), "sk-secret") && !contains(&all_bytes(&vault.dir), "openai"));
    assert!(!format!("{:?} {vault:?}", again.get(&name("a")).unwrap()).contains("secret-two"));
    again.remove(&name("b")).unwrap();
    assert_eq!(vault.get(&name("b")).unwrap_err().kind, Kind::NotFound);
    assert_eq!(vault.remove(&name("b")).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn only_the_owner_can_read_its_files() {
    let (_dir, vault) = vault();
    vault.set(credential("a", "x")).unwrap();
    for entry in fs::read_dir(&vault.dir).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    assert_eq!(fs::metadata(&vault.dir).unwrap().permissions().mode() & 0o777, 0o700);
    let key = vault.dir.join("vault.key");
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let problem = Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err();
        assert_eq!(problem.kind, Kind::Unavailable);
        assert!(problem.next.unwrap().contains("chmod 600"));
    }
}

#[test]
fn a_passphrase_locks_and_can_be_set_and_taken_off() {
    let (_dir, vault) = vault();
    vault.set(credential("a", "kept")).unwrap();
    assert_eq!(vault.protect(&Unlock::Passphrase("short".into())).unwrap_err().kind, Kind::Invalid);
    let locked = Unlock::Passphrase("correct horse".into());
    vault.protect(&locked).unwrap();
    assert!(!contains(&all_bytes(&vault.dir), "AGE-SECRET-KEY"));
    assert_eq!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err().kind, Kind::Unavailable);
    assert_eq!(Vault::open(&vault.dir, &Unlock::Passphrase("wrong horse".into())).unwrap_err().kind, Kind::Unauthenticated);
    let open = Vault::open(&vault.dir, &locked).unwrap();
    assert_eq!(open.get(&name("a")).unwrap().secret.expose(), "kept");
    open.protect(&Unlock::KeyFile).unwrap();
    assert_eq!(Vault::open(&vault.dir, &locked).unwrap_err().kind, Kind::Conflict);
    assert_eq!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap().list().unwrap().len(), 1);
}

#[test]
fn missing_wrong_and_damaged_files_are_told_apart() {
    let (_dir, vault) = vault();
    vault.set(credential("a", "x")).unwrap();
    let (key, file) = (vault.dir.join("vault.key"), vault.dir.join("vault.age"));
    let (key_bytes, file_bytes) = (fs::read(&key).unwrap(), fs::read(&file).unwrap());

    fs::remove_file(&key).unwrap();
    assert!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err().what.contains("key file is missing"));
    let other = tempfile::tempdir().unwrap();
    Vault::open(other.path(), &Unlock::KeyFile).unwrap();
    fs::copy(other.path().join("vault.key"), &key).unwrap();
    assert!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err().what.contains("not the one of this vault"));
    fs::write(&key, "nonsense").unwrap();
    assert!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err().what.contains("damaged"));
    fs::write(&key, key_bytes).unwrap();

    for cut in [0, 10, file_bytes.len() - 1] {
        fs::write(&file, &file_bytes[..cut]).unwrap();
        assert!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err().what.contains("damaged"), "{cut}");
    }
    fs::write(&file, &file_bytes).unwrap();
    assert_eq!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap().list().unwrap().len(), 1);
}

#[test]
fn a_vault_of_a_newer_version_is_left_alone() {
    let (_dir, vault) = vault();
    let newer = br#"{"version":2,"credentials":"in another form"}"#;
    let bytes = age::encrypt(&vault.key.to_public(), newer).unwrap();
    fs::write(vault.path(), &bytes).unwrap();
    for problem in
        [Vault::open(&vault.dir, &Unlock::KeyFile).unwrap_err(), vault.list().unwrap_err(), vault.set(credential("a", "x")).unwrap_err()]
    {
        assert!(problem.what.contains("newer Meshwork") && problem.next.is_some(), "{problem}");
    }
    assert_eq!(fs::read(vault.path()).unwrap(), bytes);
}

#[test]
fn two_writers_follow_each_other() {
    let (_dir, vault) = vault();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let vault = vault.clone();
            scope.spawn(move || {
                for n in 0..8 {
                    vault.set(credential(&format!("c{writer}-{n}"), "x")).unwrap();
                }
            });
        }
    });
    assert_eq!(vault.list().unwrap().len(), 32);
}

#[test]
fn scopes_narrow_where_a_credential_is_used() {
    let (demo, other): (ProjectName, ProjectName) = ("demo".parse().unwrap(), "other".parse().unwrap());
    let (coder, tester): (AgentName, AgentName) = ("coder".parse().unwrap(), "tester".parse().unwrap());
    let (in_demo, by_coder) = (CredentialScope::Project(demo.clone()), CredentialScope::Agent(coder.clone()));
    let table = [
        (vec![], &other, Some(&tester), true),
        (vec![], &other, None, true),
        (vec![in_demo.clone()], &demo, None, true),
        (vec![in_demo.clone()], &other, Some(&coder), false),
        (vec![by_coder.clone()], &other, Some(&coder), true),
        (vec![by_coder.clone()], &other, None, false),
        (vec![in_demo.clone(), by_coder.clone()], &demo, Some(&tester), false),
        (vec![in_demo, by_coder], &demo, Some(&coder), true),
    ];
    for (scopes, project, agent, expected) in table {
        let info = CredentialInfo { scopes, ..credential("a", "x").info };
        assert_eq!(info.allows(project, agent), expected, "{info:?} {project} {agent:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (_dir, vault) = vault();
    assert_eq!(vault.set(credential("a", "")).unwrap_err().kind, Kind::Invalid);
    assert_eq!(vault.set(credential("a", &"x".repeat(limits::SECRET_BYTES_MAX + 1))).unwrap_err().kind, Kind::Limit);
    assert_eq!(vault.list().unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_secret_comes_back_as_it_was(secret in "(?s).{1,400}", provider in prop::option::of("[a-z]{1,20}"), created: i64) {
        let (_dir, vault) = vault();
        let mut set = credential("a", &secret);
        (set.info.provider, set.info.created) = (provider, Timestamp(created));
        vault.set(set.clone()).unwrap();
        prop_assert_eq!(Vault::open(&vault.dir, &Unlock::KeyFile).unwrap().get(&name("a")).unwrap(), set);
    }

    #[test]
    fn one_changed_byte_of_the_file_is_refused(at: prop::sample::Index, bit in 0u8..8) {
        let (_dir, vault) = vault();
        vault.set(credential("a", "x")).unwrap();
        let mut bytes = fs::read(vault.path()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(vault.path(), bytes).unwrap();
        prop_assert!(vault.list().is_err());
    }
}
