//! The named limits of this crate.

/// The largest payload of an envelope, in bytes. A manifest is the largest thing that is signed so.
pub const ENVELOPE_PAYLOAD_BYTES_MAX: usize = domain::limits::MANIFEST_BYTES_MAX;
/// The largest envelope as JSON, in bytes: the payload in base64, and the signatures.
pub const ENVELOPE_JSON_BYTES_MAX: usize = ENVELOPE_PAYLOAD_BYTES_MAX * 4 / 3 + 64 * 1024;
/// How many signatures one envelope may carry.
pub const ENVELOPE_SIGNATURES_MAX: usize = 16;
/// How many keys are kept unpacked, by which signatures are verified.
pub const KEYS_KEPT_MAX: usize = 1_024;
/// The longest secret of a credential, in bytes.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// How many credentials a vault holds.
pub const CREDENTIALS_MAX: usize = 1_000;
/// The longest name of a provider, in bytes: the address of a server fits.
pub const PROVIDER_BYTES_MAX: usize = 272;
/// How many scopes one credential has.
pub const CREDENTIAL_SCOPES_MAX: usize = 100;
/// The largest vault file that is read, in bytes.
pub const VAULT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The largest key file that is read, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// How long a change of the vault waits for another writer, in milliseconds.
pub const VAULT_LOCK_WAIT_MS: u64 = 5_000;
/// How often it looks meanwhile, in milliseconds.
pub const VAULT_LOCK_LOOK_MS: u64 = 10;
/// Work factor of passphrases that we set: scrypt with N = 2^17, which takes 128 MiB of memory and some tenths of a second.
pub const PASSPHRASE_LOG_N: u8 = 17;
/// The highest work factor that is accepted when something is opened (2^20 takes 1 GiB).
pub const PASSPHRASE_LOG_N_MAX: u8 = 20;
/// The shortest passphrase that is taken, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 8;
/// The longest ticket in writing, in bytes.
pub const TICKET_BYTES_MAX: usize = 8 * 1024;
/// The longest label of a token, in bytes.
pub const TOKEN_LABEL_BYTES_MAX: usize = 200;
/// How many files one backup holds.
pub const BACKUP_FILES_MAX: u64 = 1_000_000;
/// The largest single file in a backup, in bytes.
pub const BACKUP_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// The longest path within a backup, in bytes.
pub const BACKUP_PATH_BYTES_MAX: usize = 1024;
/// The longest head of a backup, in bytes: what age writes before what is encrypted. Ours have some hundred.
pub const BACKUP_HEAD_BYTES_MAX: u64 = 64 * 1024;
/// How much of a file is held in memory while a backup is made or taken up, in bytes.
pub const BACKUP_BUFFER_BYTES: usize = 64 * 1024;
/// For how long a device's certificate holds, in milliseconds; it is renewed at half of that.
pub const DEVICE_CERTIFICATE_MS: u64 = 24 * 60 * 60 * 1000;
/// For how long a run's certificate holds, in milliseconds; it is renewed at half of that.
pub const RUN_CERTIFICATE_MS: u64 = 10 * 60 * 1000;
/// By how much the clocks of two devices may differ, in milliseconds.
pub const CLOCKS_DIFFER_MS: u64 = 2 * 60 * 1000;
/// The largest certificate that is read, in bytes. Ours have some hundred.
pub const CERTIFICATE_BYTES_MAX: usize = 4 * 1024;
