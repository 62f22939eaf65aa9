//! The vault by passphrase, and by a real keyring where there is one.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use domain::Timestamp;
use identity::vault::{Credential, CredentialInfo, CredentialKind};
use std::process::Command;

fn vault_with_a_secret(dir: &Path) -> Vault {
    let vault = open(dir).unwrap();
    let info = CredentialInfo {
        name: "mine".parse().unwrap(),
        kind: CredentialKind::Generic,
        provider: None,
        scopes: vec![],
        created: Timestamp(0),
    };
    vault.set(Credential { info, secret: "a secret of mine".into() }).unwrap();
    vault
}

fn readable(dir: &Path) -> bool {
    open(dir).and_then(|vault| vault.get(&"mine".parse().unwrap())).is_ok_and(|c| c.secret.expose() == "a secret of mine")
}

#[test]
fn a_passphrase_locks_the_vault_and_a_short_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault_with_a_secret(dir.path());
    assert!(protect(&vault, dir.path(), Protection::Passphrase, Some("short".into())).is_err());
    assert!(readable(dir.path()), "nothing was changed");
    protect(&vault, dir.path(), Protection::Passphrase, Some("correct horse battery".into())).unwrap();
    assert!(protected(dir.path()).unwrap());
    let unlocked = Vault::open(dir.path(), &Unlock::Passphrase("correct horse battery".into())).unwrap();
    protect(&unlocked, dir.path(), Protection::KeyFile, None).unwrap();
    assert!(readable(dir.path()));
}

/// In a session bus and a keyring of its own, without a screen.
#[test]
fn a_real_keyring_unlocks_the_vault() {
    let there =
        |program: &str| Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|o| o.status.success());
    if let Some(missing) = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool"].into_iter().find(|program| !there(program)) {
        testkit::skip(
            "the vault in the system's keyring",
            &format!("{missing} is not installed (Debian: dbus, gnome-keyring, libsecret-tools)"),
        );
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let me = std::env::current_exe().unwrap();
    let inside = "printf 'a password' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; \
                  exec \"$0\" --exact --ignored --nocapture unlock::tests::within_a_keyring";
    let out = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", inside])
        .arg(me)
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("XDG_DATA_HOME", home.path().join("share"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
#[ignore = "run by the test above, with a keyring of its own"]
fn within_a_keyring() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault_with_a_secret(dir.path());
    protect(&vault, dir.path(), Protection::Keyring, None).unwrap();
    assert!(protected(dir.path()).unwrap() && readable(dir.path()), "the keyring has what opens it");
    keyring::clear(dir.path());
    let problem = open(dir.path()).unwrap_err();
    assert!(problem.to_string().contains("keyring has none"), "{problem}");
    protect(&vault, dir.path(), Protection::Keyring, None).unwrap();
    protect(&vault, dir.path(), Protection::KeyFile, None).unwrap();
    assert!(readable(dir.path()) && keyring::look_up(dir.path()).unwrap().is_none(), "it forgets what is not needed");
}
