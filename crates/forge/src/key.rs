//! Keys: the keystores of device and member, and the run's key that stays in its runner.

use crate::{convert::Told, queue::lock};
use domain::{Kind, Oid, Problem};
use radicle::crypto::{PublicKey, Seed, Signature, SigningKey, VerifyingKey, signature, ssh::Keystore};
use ssh_key::{HashAlg, SshSig};
use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    sync::Mutex,
};

/// Signs for a run. The key itself is in the runner; the implementation carries the request there and brings the answer back.
pub trait RunSigner: Send + Sync {
    /// The run's public key (Ed25519).
    fn key(&self) -> [u8; 32];
    /// Signs a message of Radicle: a change of a patch, or the list of the run's refs.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Problem>;
    /// Signs a commit. `raw` is the commit without signature; what is signed is [`commit_payload`] of it, which the runner
    /// makes itself after it has compared the tree with its own.
    fn sign_commit(&self, raw: &[u8], tree: &Oid) -> Result<[u8; 64], Problem> {
        let _ = tree;
        self.sign(&commit_payload(raw)?)
    }
}

/// What is signed for a commit: git's own SSH signature over the raw commit (OpenSSH PROTOCOL.sshsig, namespace `git`).
pub fn commit_payload(raw: &[u8]) -> Result<Vec<u8>, Problem> {
    SshSig::signed_data("git", HashAlg::Sha512, raw).map_err(Problem::internal)
}

/// The signature of a commit in the form that git keeps.
pub(crate) fn commit_signature(key: [u8; 32], signature: &[u8; 64]) -> Result<String, Problem> {
    let public = ssh_key::public::KeyData::Ed25519(ssh_key::public::Ed25519PublicKey(key));
    let signature = ssh_key::Signature::new(ssh_key::Algorithm::Ed25519, signature.to_vec()).map_err(Problem::internal)?;
    let signed = SshSig::new(public, "git", HashAlg::Sha512, signature).map_err(Problem::internal)?;
    signed.to_pem(ssh_key::LineEnding::LF).map_err(Problem::internal)
}

/// Makes a key in `dir`, or takes the one that an interrupted attempt left there.
pub(crate) fn create(dir: &Path) -> Result<SigningKey, Problem> {
    let store = Keystore::new(&dir);
    if let (Ok(Some(key)), Ok(Some(_))) = (store.secret_key(None), store.public_key()) {
        return Ok(key);
    }
    // Half a keystore is of nobody: nothing was signed with it, because creation never ended.
    for half in [Some(store.secret_key_path()), store.public_key_path()].into_iter().flatten() {
        if half.exists() {
            fs::remove_file(half).told("An unfinished key could not be removed.")?;
        }
    }
    let mut seed = [0; Seed::BYTES];
    getrandom::fill(&mut seed).told("The system gives no randomness.")?;
    store.init("radicle", None, Seed::new(seed)).told(format!("The key in {} could not be written.", dir.display()))?;
    load(dir)
}

/// What to do where a key cannot be read.
const UNREADABLE: &str = "Run as the user who owns the data folder, who must be able to read the key; where it is damaged, restore it from a \
                          backup with `meshwork restore`.";

/// The key in `dir`, unless others could have read it or put another in its place.
pub(crate) fn load(dir: &Path) -> Result<SigningKey, Problem> {
    let (store, what) = (Keystore::new(&dir), format!("The key in {} cannot be read.", dir.display()));
    // Of a folder that may not be entered Radicle says that no key is there.
    if store.secret_key_path().try_exists().told(&what).map_err(|problem| problem.next(UNREADABLE))? {
        check_folder(dir)?;
        identity::check_private(store.secret_key_path())?;
    }
    store.secret_key(None).told(what).map_err(|problem| problem.next(UNREADABLE))?.ok_or_else(|| {
        Problem::not_found(format!("There is no key in {}.", dir.display())).next("Restore it from a backup with `meshwork restore`.")
    })
}

/// Refuses a folder in which others could put another key.
fn check_folder(dir: &Path) -> Result<(), Problem> {
    let mode = fs::metadata(dir).told(format!("The folder {} cannot be read.", dir.display()))?.permissions().mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(Problem::unavailable(format!("{} can be changed by other users of this machine.", dir.display()))
        .because(format!("Its mode is {mode:03o}; only its owner may put a key there."))
        .next(format!("If nobody else did: chmod 700 {}", dir.display())))
}

/// Makes a folder that only its owner can enter.
pub(crate) fn private_dir(dir: &Path) -> Result<(), Problem> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).told(format!("The folder {} could not be made.", dir.display()))
}

/// A [`RunSigner`] as Radicle wants it. Keeps the runner's own words when it refuses.
pub(crate) struct RemoteKey<'a> {
    signer: &'a dyn RunSigner,
    public: PublicKey,
    verifying: VerifyingKey,
    refused: Mutex<Option<Problem>>,
}

impl<'a> RemoteKey<'a> {
    pub(crate) fn new(signer: &'a dyn RunSigner) -> Result<Self, Problem> {
        let public = PublicKey::from_bytes(signer.key());
        let verifying = VerifyingKey::try_from(&public).map_err(|_| Problem::invalid("The run's key is not an Ed25519 key."))?;
        Ok(Self { signer, public, verifying, refused: Mutex::new(None) })
    }

    /// The runner's refusal, if that is why `problem` came about.
    pub(crate) fn explain(&self, problem: Problem) -> Problem {
        lock(&self.refused).take().unwrap_or(problem)
    }
}

impl AsRef<PublicKey> for RemoteKey<'_> {
    fn as_ref(&self) -> &PublicKey {
        &self.public
    }
}

impl signature::Keypair for RemoteKey<'_> {
    type VerifyingKey = VerifyingKey;
    fn verifying_key(&self) -> VerifyingKey {
        self.verifying
    }
}

impl signature::Signer<Signature> for RemoteKey<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, signature::Error> {
        let signed = self.signer.sign(message).and_then(|bytes| {
            let signature = Signature::from_bytes(&bytes);
            // A wrong signature would lie in the repository for ever; here it is only an error.
            signature::Verifier::verify(&self.verifying, message, &signature)
                .map_err(|_| Problem::new(Kind::Invalid, "The runner answered with a signature that is not the run's."))?;
            Ok(signature)
        });
        signed.map_err(|problem| {
            *lock(&self.refused) = Some(problem);
            signature::Error::new()
        })
    }
}
