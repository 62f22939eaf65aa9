//! A person's existing Radicle profile, used in place with `--rad-home`; its passphrase lies encrypted in the data folder, so
//! that an unattended restart works, or comes with `RAD_PASSPHRASE`.

use crate::{clock, data_dir::OrgDir};
use domain::{CredentialName, Problem};
use forge::Forge;
use identity::{
    Secret,
    vault::{Credential, CredentialInfo, CredentialKind, Unlock, Vault},
};
use std::path::{Path, PathBuf};

/// The environment variable that the stock `rad` knows too.
const PASSPHRASE: &str = "RAD_PASSPHRASE";

/// A profile that an org is to be made in.
#[derive(Debug)]
pub struct Profile {
    /// Its folder.
    pub home: PathBuf,
    /// What its key is protected by.
    pub passphrase: Option<Secret>,
}

/// Makes an org's forge in a person's profile, and keeps the passphrase.
pub(crate) fn create(dir: &OrgDir, profile: Profile) -> Result<Forge, Problem> {
    if !profile.home.is_absolute() {
        return Err(Problem::invalid(format!("“{}” is not an absolute path.", profile.home.display()))
            .next("Give the full path of the Radicle profile."));
    }
    let passphrase = profile.passphrase.or_else(from_environment);
    let forge = Forge::create_in_profile(&dir.radicle(), &profile.home, passphrase.as_ref())?;
    if let (Some(secret), true) = (passphrase, forge::is_protected(&profile.home)?) {
        let info = CredentialInfo { name: name()?, kind: CredentialKind::Generic, provider: None, scopes: vec![], created: clock::now() };
        Vault::open(&dir.profile(), &Unlock::KeyFile)?.set(Credential { info, secret })?;
    }
    Ok(forge)
}

/// Opens an org's forge: in this profile, or in the org's own folder.
pub(crate) fn open(dir: &OrgDir, home: Option<&Path>) -> Result<Forge, Problem> {
    let Some(home) = home else { return Forge::open(&dir.radicle(), &dir.member()) };
    let passphrase = match from_environment() {
        Some(secret) => Some(secret),
        None if dir.profile().exists() => Some(Vault::open(&dir.profile(), &Unlock::KeyFile)?.get(&name()?)?.secret),
        None => None,
    };
    Forge::open_in_profile(&dir.radicle(), home, passphrase.as_ref())
}

fn from_environment() -> Option<Secret> {
    std::env::var(PASSPHRASE).ok().map(Secret::new)
}

fn name() -> Result<CredentialName, Problem> {
    "passphrase".parse()
}
