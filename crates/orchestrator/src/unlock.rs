//! How the vault is unlocked, once, at `up`: by its key file alone, which only its owner can read, or by that file and a
//! passphrase, which comes from a file that the environment names, or lies in the system's keyring.

mod keyring;

use crate::data_dir::storage;
use domain::{Kind, Problem};
use identity::{
    Secret,
    vault::{Unlock, Vault},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::Path,
};

/// Names the file with the passphrase.
const PASSPHRASE_FILE: &str = "MESHWORK_VAULT_PASSPHRASE_FILE";
/// What a key file begins with that a passphrase protects.
const PROTECTED: &[u8] = b"age-encryption.org/";
/// The largest file with a passphrase, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;
/// The shortest passphrase, in characters.
const PASSPHRASE_CHARS_MIN: usize = 12;

/// What protects the vault's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protection {
    /// That only its owner can read the key file: an unattended restart works.
    KeyFile,
    /// A passphrase that a person keeps.
    Passphrase,
    /// A passphrase that the system's keyring keeps (Secret Service).
    Keyring,
}

/// Opens the vault in a folder as it is protected; makes one where there is none.
pub(crate) fn open(dir: &Path) -> Result<Vault, Problem> {
    let unlock = if protected(dir)? { Unlock::Passphrase(passphrase(dir)?) } else { Unlock::KeyFile };
    Vault::open(dir, &unlock)
}

/// Protects the vault in another way from now on.
pub(crate) fn protect(vault: &Vault, dir: &Path, by: Protection, passphrase: Option<Secret>) -> Result<(), Problem> {
    let unlock = match by {
        Protection::KeyFile => Unlock::KeyFile,
        Protection::Passphrase => {
            let long = |p: &Secret| p.expose().chars().count() >= PASSPHRASE_CHARS_MIN;
            Unlock::Passphrase(passphrase.filter(long).ok_or_else(|| {
                Problem::invalid("The passphrase is too short.").next(format!("Give one of at least {PASSPHRASE_CHARS_MIN} characters."))
            })?)
        }
        Protection::Keyring => {
            // In the keyring before the key needs it, and never another than the one that it needs now: a crash in between leaves
            // a vault that opens.
            let kept = match keyring::look_up(dir)? {
                Some(kept) => kept,
                None => Secret::new(crate::lifecycle::secret()?),
            };
            keyring::store(dir, &kept)?;
            Unlock::Passphrase(kept)
        }
    };
    vault.protect(&unlock)?;
    if by != Protection::Keyring {
        keyring::clear(dir);
    }
    Ok(())
}

fn protected(dir: &Path) -> Result<bool, Problem> {
    let path = dir.join("vault.key");
    let mut begin = vec![];
    match File::open(&path).and_then(|file| file.take(PROTECTED.len() as u64).read_to_end(&mut begin)) {
        Ok(_) => Ok(begin == PROTECTED),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(storage(&path, &error)),
    }
}

fn passphrase(dir: &Path) -> Result<Secret, Problem> {
    if let Some(path) = std::env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty()) {
        let path = Path::new(&path);
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(PASSPHRASE_BYTES_MAX).read_to_string(&mut text));
        let secret = Secret::new(text);
        read.map_err(|error| storage(path, &error))?;
        check_private(path)?;
        return Ok(Secret::from(secret.expose().trim_end_matches(['\r', '\n'])));
    }
    keyring::look_up(dir)?.ok_or_else(|| {
        Problem::new(Kind::Unavailable, "The vault is locked by a passphrase.")
            .because(format!("{PASSPHRASE_FILE} names no file, and the system's keyring has none for this vault."))
            .next(format!("Start it with {PASSPHRASE_FILE}=FILE, a file of yours alone, or unlock the keyring and try again."))
    })
}

fn check_private(path: &Path) -> Result<(), Problem> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path).map_err(|error| storage(path, &error))?;
    if found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Problem::new(Kind::Unavailable, format!("{} can be read by others.", path.display())).next(format!("chmod 600 {}", path.display())))
}

#[cfg(test)]
mod tests;
