//! The system's keyring: the Secret Service (GNOME Keyring, KWallet, KeePassXC) by libsecret's own program, `secret-tool`.
//! Secrets go to it by standard input, never by arguments, which all users can see.

use domain::{Kind, Problem};
use identity::Secret;
use std::{
    io::{ErrorKind, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PROGRAM: &str = "secret-tool";
/// How long the keyring may take: it may ask a person to unlock it.
const WAIT: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Keeps a vault's passphrase.
pub(super) fn store(dir: &Path, secret: &Secret) -> Result<(), Problem> {
    let mut child = start(dir, &["store", "--label=Meshwork vault"])?.ok_or_else(|| missing("secret-tool is not installed."))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(secret.expose().as_bytes()).map_err(|e| missing(&format!("It did not take the passphrase: {e}.")))?;
    }
    let (good, _) = finish(child)?;
    let back = look_up(dir)?;
    if good && back.as_ref() == Some(secret) { Ok(()) } else { Err(missing("It did not keep the passphrase.")) }
}

/// A vault's passphrase; none where there is no keyring, or none in it.
pub(super) fn look_up(dir: &Path) -> Result<Option<Secret>, Problem> {
    let Some(child) = start(dir, &["lookup"])? else { return Ok(None) };
    let (good, said) = finish(child)?;
    Ok((good && !said.expose().is_empty()).then_some(said))
}

/// Forgets a vault's passphrase, where there is one.
pub(super) fn clear(dir: &Path) {
    if let Ok(Some(child)) = start(dir, &["clear"])
        && let Err(problem) = finish(child)
    {
        tracing::debug!(%problem, "the keyring could not be asked to forget");
    }
}

/// None where the program is not there.
fn start(dir: &Path, words: &[&str]) -> Result<Option<Child>, Problem> {
    let mut command = Command::new(PROGRAM);
    command.args(words).args(["service", "meshwork", "vault"]).arg(dir);
    match command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
        Ok(child) => Ok(Some(child)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(missing(&format!("secret-tool cannot be started: {error}."))),
    }
}

/// Whether it worked, and what it said.
fn finish(mut child: Child) -> Result<(bool, Secret), Problem> {
    drop(child.stdin.take());
    let deadline = Instant::now() + WAIT;
    loop {
        match child.try_wait().map_err(|e| missing(&format!("{e}.")))? {
            Some(status) => {
                let mut said = String::new();
                if let Some(mut out) = child.stdout.take() {
                    let _ = out.read_to_string(&mut said);
                }
                return Ok((status.success(), Secret::new(said)));
            }
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(missing(&format!("It did not answer within {} s; perhaps it waits to be unlocked.", WAIT.as_secs())));
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

fn missing(why: &str) -> Problem {
    Problem::new(Kind::Unavailable, "The system's keyring cannot be used.")
        .because(why)
        .next("Install libsecret-tools and a keyring (gnome-keyring), sign in at a desktop, or use a passphrase: meshwork credential protect passphrase.")
}
