//! A person's existing Radicle profile, used in place: its key is the member's and the node's, its storage holds the org's
//! repositories, and while this runs, its node is ours, also for the stock `rad`. Only the device's key and checkpoints lie
//! in the org's own folder.

use crate::{
    Forge,
    convert::Told,
    key,
    node::{clear_socket, is_listening},
};
use domain::{Kind, Problem};
use identity::Secret;
use radicle::crypto::{SigningKey, ssh::Keystore};
use radicle::profile::{Config, Home};
use std::path::{Path, PathBuf};

/// Whether the key of a profile is protected by a passphrase.
pub fn is_protected(home: &Path) -> Result<bool, Problem> {
    let home = load(home)?;
    Keystore::new(&home.keys()).is_encrypted().told(format!("The key of the Radicle profile {} cannot be read.", home.path().display()))
}

impl Forge {
    /// As [`Forge::create`], with the person's profile in `home`; `dir` is the org's own folder. Refused while a node of its
    /// own runs there: two nodes on one storage harm it.
    pub fn create_in_profile(dir: &Path, home: &Path, passphrase: Option<&Secret>) -> Result<Self, Problem> {
        let profile = load(home)?;
        if is_listening(&profile.socket_from_env()) {
            return Err(node_runs(profile.path()));
        }
        unlock(&profile, passphrase)?;
        key::private_dir(&dir.join("keys"))?;
        key::create(&dir.join("keys"))?;
        Self::open_in_profile(dir, home, passphrase)
    }

    /// As [`Forge::open`], for what [`Forge::create_in_profile`] made.
    pub fn open_in_profile(dir: &Path, home: &Path, passphrase: Option<&Secret>) -> Result<Self, Problem> {
        let profile = load(home)?;
        // Its network, seeds and peers are the person's choice.
        let config = Config::load(&profile.config()).told("The configuration of the Radicle profile cannot be read.")?;
        let member = unlock(&profile, passphrase)?;
        let device = key::load(&dir.join("keys"))?;
        Self::assemble(dir, profile, config, device, member.clone(), member, true)
    }

    /// Whether it works in a person's profile.
    pub fn in_profile(&self) -> bool {
        self.in_profile
    }

    /// The control socket that the stock `rad` looks for in this home.
    pub fn stock_socket(&self) -> PathBuf {
        self.home.socket_from_env()
    }

    /// Makes the way free for the control socket, or says who is in it.
    pub(crate) fn free_socket(&self, socket: &Path) -> Result<(), Problem> {
        if self.in_profile && is_listening(socket) {
            return Err(node_runs(self.home.path()));
        }
        clear_socket(socket)
    }
}

fn load(home: &Path) -> Result<Home, Problem> {
    let wrong = || {
        Problem::not_found(format!("There is no Radicle profile in {}.", home.display()))
            .next("Make one with `rad auth`, or leave --rad-home out: the org then gets keys and a storage of its own.")
    };
    if !home.join("config.json").exists() {
        return Err(wrong());
    }
    Home::load(home).map_err(|error| wrong().because(error.to_string()))
}

fn unlock(home: &Home, passphrase: Option<&Secret>) -> Result<SigningKey, Problem> {
    let store = Keystore::new(&home.keys());
    let shown = home.path().display();
    let what = format!("The key of the Radicle profile {shown} cannot be read.");
    let protected = store.is_encrypted().told(what.clone())?;
    let given = match (protected, passphrase) {
        (false, _) => None,
        (true, Some(passphrase)) => Some(passphrase.expose().to_owned().into()),
        (true, None) => {
            return Err(Problem::new(Kind::Forbidden, format!("The key of the Radicle profile {shown} is protected by a passphrase."))
                .next("Set RAD_PASSPHRASE, or type it when `meshwork org create` asks; it is then kept encrypted."));
        }
    };
    match store.secret_key(given) {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(Problem::not_found(format!("The Radicle profile {shown} has no key.")).next("Make one with `rad auth`.")),
        Err(_) if protected => {
            Err(Problem::new(Kind::Forbidden, format!("This passphrase does not open the key of the Radicle profile {shown}."))
                .next("Give the one that `rad auth` was given, in RAD_PASSPHRASE."))
        }
        Err(error) => Err(error).told(what),
    }
}

fn node_runs(home: &Path) -> Problem {
    Problem::conflict(format!("A Radicle node runs on the profile {} already.", home.display()))
        .because("Two nodes on one storage harm it.")
        .next("Stop it with `rad node stop`. While Meshwork is up, it is this profile's node, also for `rad`.")
}
