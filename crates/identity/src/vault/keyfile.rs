//! `vault.key`: the vault's key, in the open for its owner alone, or encrypted with a passphrase.

use super::{Unlock, identity_text};
use crate::{Secret, file, limits};
use age::{DecryptError, scrypt, secrecy::SecretString, x25519};
use domain::{Kind, Problem};
use std::path::Path;
use zeroize::Zeroizing;

/// What every age file begins with.
const AGE_MAGIC: &[u8] = b"age-encryption.org/";

/// Reads the key; nothing when there is no file.
pub(super) fn read(path: &Path, unlock: &Unlock) -> Result<Option<x25519::Identity>, Problem> {
    let Some(bytes) = file::read(path, limits::KEY_FILE_BYTES_MAX)? else { return Ok(None) };
    file::check_private(path)?;
    let plain = match (bytes.starts_with(AGE_MAGIC), unlock) {
        (false, Unlock::KeyFile) => bytes,
        (true, Unlock::Passphrase(passphrase)) => Zeroizing::new(decrypt(path, &bytes, passphrase)?),
        (true, Unlock::KeyFile) => {
            return Err(Problem::unavailable("The vault is locked by a passphrase.").next("Give the passphrase."));
        }
        (false, Unlock::Passphrase(_)) => {
            return Err(Problem::conflict("The vault has no passphrase.").because("Its key file opens it.").next("Open it without one."));
        }
    };
    let text = std::str::from_utf8(&plain).map_err(|_| damaged(path))?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).ok_or_else(|| damaged(path))?;
    line.parse().map(Some).map_err(|_| damaged(path))
}

/// Makes a new key and its file.
pub(super) fn create(path: &Path, unlock: &Unlock) -> Result<x25519::Identity, Problem> {
    let key = x25519::Identity::generate();
    write(path, &key, unlock)?;
    Ok(key)
}

/// Writes the key in the form that `unlock` opens.
pub(super) fn write(path: &Path, key: &x25519::Identity, unlock: &Unlock) -> Result<(), Problem> {
    let text = Zeroizing::new(format!(
        "# The key of the vault beside it. Whoever has both can use the credentials.\n# public key: {}\n{}\n",
        key.to_public(),
        identity_text(key).expose()
    ));
    match unlock {
        Unlock::KeyFile => file::write_atomic(path, text.as_bytes()),
        Unlock::Passphrase(passphrase) => {
            check_passphrase(passphrase)?;
            let mut recipient = scrypt::Recipient::new(secret_string(passphrase));
            recipient.set_work_factor(limits::PASSPHRASE_LOG_N);
            file::write_atomic(path, &age::encrypt(&recipient, text.as_bytes()).map_err(Problem::internal)?)
        }
    }
}

/// Refuses a passphrase that is too short to protect anything.
pub(crate) fn check_passphrase(passphrase: &Secret) -> Result<(), Problem> {
    if passphrase.expose().chars().count() < limits::PASSPHRASE_CHARS_MIN {
        return Err(Problem::invalid("The passphrase is too short.")
            .because(format!("It needs {} characters.", limits::PASSPHRASE_CHARS_MIN))
            .next("Give a longer one."));
    }
    Ok(())
}

/// In the form that age wants.
pub(crate) fn secret_string(secret: &Secret) -> SecretString {
    SecretString::from(secret.expose().to_owned())
}

fn decrypt(path: &Path, bytes: &[u8], passphrase: &Secret) -> Result<Vec<u8>, Problem> {
    let mut identity = scrypt::Identity::new(secret_string(passphrase));
    identity.set_max_work_factor(limits::PASSPHRASE_LOG_N_MAX);
    age::decrypt(&identity, bytes).map_err(|e| match e {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            Problem::new(Kind::Unauthenticated, "This is not the vault's passphrase.").next("Try again.")
        }
        _ => damaged(path),
    })
}

fn damaged(path: &Path) -> Problem {
    Problem::unavailable(format!("The vault's key file {} is damaged.", path.display()))
        .next("Put it back from a backup, or move it and vault.age away and set the credentials anew.")
}
