//! Which versions of the protocol work together.

use domain::{Kind, Problem};

/// The version of the protocol that this build speaks.
pub const VERSION: u32 = 1;
/// The oldest version that this build understands.
pub const OLDEST: u32 = 1;

/// Refuses a message of a version that is not understood. Newer ones are: what they added is ignored, and they know what we lack.
///
/// # Errors
/// When the sender is too old, or says no version.
pub fn understood(version: u32) -> Result<(), Problem> {
    if version >= OLDEST {
        return Ok(());
    }
    Err(Problem::new(Kind::Conflict, format!("The device speaks version {version} of the protocol between devices."))
        .because(format!("Understood here is version {OLDEST} and newer."))
        .next("Install a newer Meshwork there."))
}
