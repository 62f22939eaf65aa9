//! The vault: credentials of this machine's member, encrypted at rest. Nothing of them is ever in plain text on disk.
//!
//! # Files
//! In one folder (mode 0700), all with mode 0600:
//! - `vault.key`: an age identity file: comment lines, then one line `AGE-SECRET-KEY-1…` (X25519). Read only when no other
//!   user can read it, so that an unattended restart works. Where a passphrase is wanted, this file is itself an age file
//!   encrypted with it (scrypt), as `age -p` makes it.
//! - `vault.age`: an age file (<https://age-encryption.org/v1>, binary) for that key. Inside is JSON:
//!   `{"version": 1, "credentials": [{"name", "kind", "provider", "scopes", "created", "secret"}, …]}`, sorted by name.
//!   `created` is in milliseconds since 1970. Any `age` tool opens it: `age -d -i vault.key vault.age`.
//! - `vault.lock`: locked (flock) while the vault is changed, so that two writers follow each other.
//!
//! A change writes a temporary file, syncs it, renames it, and syncs the folder: after a crash the old or the new vault is
//! there. Each read reads the file, so every process sees the last change.

use crate::{Secret, file, limits};
use age::{DecryptError, secrecy::ExposeSecret, x25519};
use domain::{AgentName, CredentialName, Kind, Problem, ProjectName, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

pub(crate) mod keyfile;

/// The version of the vault's JSON that this build writes.
pub const VERSION: u16 = 1;

/// How the vault is unlocked.
#[derive(Clone, Debug)]
pub enum Unlock {
    /// By the key file alone, which only its owner can read.
    KeyFile,
    /// By the key file and this passphrase, which encrypts it.
    Passphrase(Secret),
}

/// What sort of credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A key of a model provider.
    ApiKey,
    /// A token of a service.
    Token,
    /// What a git host takes: a token, or `user:password`. Its provider is the host's name.
    GitHost,
    /// The passphrase of a Radicle key.
    RadiclePassphrase,
    /// What opens a vault of Obsidian: a sync token, or a path's password.
    Obsidian,
    /// A login of an engine: the file that it made when a person signed in.
    Login,
    /// Anything else.
    Generic,
}

/// Where a credential may be used. None at all: in every run of the member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialScope {
    /// In runs of this project.
    Project(ProjectName),
    /// In runs of this agent.
    Agent(AgentName),
}

/// What may be seen of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialInfo {
    /// Its name in this vault.
    pub name: CredentialName,
    /// Its sort.
    pub kind: CredentialKind,
    /// Whose it is, as `openai` or `github`: a hint for people; of the API key of a tailnet's server the address to which alone it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Where it may be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<CredentialScope>,
    /// When it was set.
    pub created: Timestamp,
}

impl CredentialInfo {
    /// Whether a run of this project by this agent may use it: where projects are named the project must be among them,
    /// and where agents are named the agent.
    pub fn allows(&self, project: &ProjectName, agent: Option<&AgentName>) -> bool {
        let mut projects = self.scopes.iter().filter_map(|s| if let CredentialScope::Project(p) = s { Some(p) } else { None }).peekable();
        let mut agents = self.scopes.iter().filter_map(|s| if let CredentialScope::Agent(a) = s { Some(a) } else { None }).peekable();
        (projects.peek().is_none() || projects.any(|p| p == project)) && (agents.peek().is_none() || agents.any(|a| Some(a) == agent))
    }
}

/// A credential. It cannot be serialized, and its `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What may be seen of it.
    pub info: CredentialInfo,
    /// The secret itself.
    pub secret: Secret,
}

/// An unlocked vault.
#[derive(Clone)]
pub struct Vault {
    dir: PathBuf,
    key: x25519::Identity,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.dir.display())
    }
}

impl Vault {
    /// Opens the vault in this folder; makes one where there is none.
    pub fn open(dir: &Path, unlock: &Unlock) -> Result<Self, Problem> {
        file::make_private_dir(dir)?;
        let _lock = lock(dir)?;
        let (key_path, vault_path) = (dir.join("vault.key"), dir.join("vault.age"));
        let key = match keyfile::read(&key_path, unlock)? {
            Some(key) => key,
            None if vault_path.exists() => {
                return Err(Problem::unavailable(format!("The vault's key file is missing: {}.", key_path.display()))
                    .because("Without it the credentials cannot be read by anybody.")
                    .next(format!("Put it back from a backup, or move {} away and set the credentials anew.", vault_path.display())));
            }
            None => keyfile::create(&key_path, unlock)?,
        };
        let vault = Self { dir: dir.to_owned(), key };
        match vault.load()? {
            Some(_) => {}
            None => vault.store(&Content { version: VERSION, credentials: vec![] })?,
        }
        Ok(vault)
    }

    /// Sets a credential; one of the same name is replaced.
    pub fn set(&self, credential: Credential) -> Result<(), Problem> {
        check(&credential)?;
        self.change(|credentials| {
            credentials.retain(|c| c.info.name != credential.info.name);
            if credentials.len() >= limits::CREDENTIALS_MAX {
                return Err(Problem::new(Kind::Limit, format!("The vault holds {} credentials already.", limits::CREDENTIALS_MAX))
                    .next("Remove one with `meshwork credential remove`."));
            }
            credentials.push(Stored { info: credential.info, secret: credential.secret });
            credentials.sort_by(|a, b| a.info.name.cmp(&b.info.name));
            Ok(())
        })
    }

    /// Puts a new secret into the place of this old one, in one step; whether that was still there. Nothing else of the
    /// credential changes.
    pub fn replace_secret(&self, name: &CredentialName, old: &Secret, new: Secret) -> Result<bool, Problem> {
        let mut replaced = false;
        self.change(|credentials| {
            let found = credentials.iter_mut().find(|c| c.info.name == *name).ok_or_else(|| unknown(name))?;
            if found.secret == *old {
                check(&Credential { info: found.info.clone(), secret: new.clone() })?;
                found.secret = new;
                replaced = true;
            }
            Ok(())
        })?;
        Ok(replaced)
    }

    /// A credential with its secret.
    pub fn get(&self, name: &CredentialName) -> Result<Credential, Problem> {
        let found = self.content()?.credentials.into_iter().find(|c| c.info.name == *name);
        found.map(|c| Credential { info: c.info, secret: c.secret }).ok_or_else(|| unknown(name))
    }

    /// What may be seen of every credential, by name.
    pub fn list(&self) -> Result<Vec<CredentialInfo>, Problem> {
        Ok(self.content()?.credentials.into_iter().map(|c| c.info).collect())
    }

    /// Removes a credential.
    pub fn remove(&self, name: &CredentialName) -> Result<(), Problem> {
        self.change(|credentials| {
            let before = credentials.len();
            credentials.retain(|c| c.info.name != *name);
            if credentials.len() == before { Err(unknown(name)) } else { Ok(()) }
        })
    }

    /// From now on the vault is unlocked in this other way. The key stays, so old backups of `vault.age` still open with it.
    pub fn protect(&self, unlock: &Unlock) -> Result<(), Problem> {
        let _lock = lock(&self.dir)?;
        keyfile::write(&self.dir.join("vault.key"), &self.key, unlock)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Stored>) -> Result<(), Problem>) -> Result<(), Problem> {
        let _lock = lock(&self.dir)?;
        let mut content = self.content()?;
        change(&mut content.credentials)?;
        self.store(&content)
    }

    fn content(&self) -> Result<Content, Problem> {
        self.load()?.ok_or_else(|| {
            Problem::unavailable(format!("The vault is gone: {}.", self.path().display()))
                .next("Put it back from a backup, or start Meshwork again and set the credentials anew.")
        })
    }

    fn load(&self) -> Result<Option<Content>, Problem> {
        let Some(bytes) = file::read(&self.path(), limits::VAULT_BYTES_MAX)? else { return Ok(None) };
        let plain = Zeroizing::new(age::decrypt(&self.key, &bytes).map_err(|e| self.unreadable(&e))?);
        parse(&plain, &self.path()).map(Some)
    }

    fn store(&self, content: &Content) -> Result<(), Problem> {
        // One allocation that is wiped; growing would leave pieces of secrets behind in memory.
        let room = content.credentials.iter().map(|c| c.secret.expose().len() * 6 + 4096).sum::<usize>() + 256;
        let mut plain = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *plain, content).map_err(Problem::internal)?;
        let bytes = age::encrypt(&self.key.to_public(), &plain).map_err(Problem::internal)?;
        if bytes.len() as u64 > limits::VAULT_BYTES_MAX {
            return Err(Problem::new(Kind::Limit, "The vault would become too large.")
                .because(format!("It may have {} bytes.", limits::VAULT_BYTES_MAX))
                .next("Remove a credential with `meshwork credential remove`."));
        }
        file::write_atomic(&self.path(), &bytes)
    }

    fn path(&self) -> PathBuf {
        self.dir.join("vault.age")
    }

    fn unreadable(&self, error: &DecryptError) -> Problem {
        let path = self.path();
        match error {
            DecryptError::NoMatchingKeys => {
                Problem::unavailable(format!("The key file beside {} is not the one of this vault.", path.display()))
                    .next("Put back vault.key and vault.age from the same backup, or move both away and set the credentials anew.")
            }
            other => damaged(&path, &other.to_string()),
        }
    }
}

/// What is inside `vault.age`.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u16,
    credentials: Vec<Stored>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    info: CredentialInfo,
    #[serde(with = "in_the_open")]
    secret: Secret,
}

/// Writes and reads a secret as it is. Used for the inside of the encrypted file only.
mod in_the_open {
    use super::Secret;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

fn parse(plain: &[u8], path: &Path) -> Result<Content, Problem> {
    #[derive(Deserialize)]
    struct Head {
        version: u16,
    }
    // Errors of the parser are not shown: they may quote what is inside.
    let head: Head = serde_json::from_slice(plain).map_err(|_| damaged(path, "its inside is not what a vault holds"))?;
    if head.version > VERSION {
        return Err(Problem::unavailable(format!("The vault {} was written by a newer Meshwork.", path.display()))
            .because(format!("It has version {}, and this build reads up to {VERSION}.", head.version))
            .next("Update Meshwork on this machine; nothing was changed."));
    }
    serde_json::from_slice(plain).map_err(|_| damaged(path, "its inside is not what a vault holds"))
}

fn damaged(path: &Path, why: &str) -> Problem {
    Problem::unavailable(format!("The vault {} is damaged.", path.display()))
        .because(format!("It cannot be opened: {}.", why.trim_end_matches('.')))
        .next("Put it back from a backup, or move it away and set the credentials anew.")
}

fn unknown(name: &CredentialName) -> Problem {
    Problem::not_found(format!("There is no credential “{name}” on this machine."))
        .next(format!("Set it with `meshwork credential set {name}`, or see `meshwork credential list`."))
}

fn check(credential: &Credential) -> Result<(), Problem> {
    let length = credential.secret.expose().len();
    if length == 0 {
        return Err(Problem::invalid("The secret is empty.").next("Give it on standard input: meshwork credential set NAME < FILE."));
    }
    if length > limits::SECRET_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("The secret has {length} bytes."))
            .because(format!("{} fit.", limits::SECRET_BYTES_MAX))
            .next("Look whether it is the file that was meant."));
    }
    let provider = credential.info.provider.as_deref().unwrap_or_default();
    if provider.len() > limits::PROVIDER_BYTES_MAX || provider.chars().any(char::is_control) {
        return Err(
            Problem::invalid(format!("“{}” is not a provider's name.", domain::shown(provider))).next("Give a short one, as openai.")
        );
    }
    if credential.info.scopes.len() > limits::CREDENTIAL_SCOPES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A credential has {} scopes at most.", limits::CREDENTIAL_SCOPES_MAX))
            .next("Name fewer projects and agents, or none for all."));
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, Problem> {
    file::lock(&dir.join("vault.lock"), limits::VAULT_LOCK_WAIT_MS, limits::VAULT_LOCK_LOOK_MS)
}

/// The secret line of an age identity.
fn identity_text(key: &x25519::Identity) -> Secret {
    Secret::from(key.to_string().expose_secret())
}

#[cfg(test)]
mod tests;
