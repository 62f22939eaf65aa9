//! Who acts, and how others can check it: keys, certificates, signed envelopes, delegations, results of checks, tokens, and the vault that keeps credentials.
//!
//! Keys, certificates, envelopes, manifests, delegations, results and tokens are pure. Only the vault, its key file and backups read and write files. This
//! crate does not know the journal, Radicle's storage, or how a request travels; where a key lives elsewhere (in a Radicle
//! keystore, in a runner), signing is a function that the caller passes in.

pub mod agreement;
pub mod backup;
pub mod canonical;
pub mod certificate;
pub mod checked;
pub mod delegation;
pub mod envelope;
pub mod key;
pub mod limits;
pub mod manifest;
pub mod secret;
pub mod ticket;
pub mod token;
pub mod vault;

mod file;

pub use agreement::{Agreement, SharedKey};
pub use canonical::canonical;
pub use checked::Checked;
pub use delegation::Delegation;
pub use envelope::Envelope;
pub use file::check_private;
pub use key::{Key, did, public_key, verify};
pub use secret::Secret;
