//! Which versions of the protocol work together.

use domain::Problem;
use std::sync::OnceLock;

/// The version of the protocol that this build speaks.
pub const VERSION: u32 = 1;
/// The oldest version that this build understands.
pub const OLDEST: u32 = 1;

/// How every refusal begins that is for the version alone. Newer builds keep these words: older ones know the refusal by them.
const APART: &str = "These two devices cannot work together:";

/// What a test has this process speak and understand instead.
static INSTEAD: OnceLock<(u32, u32)> = OnceLock::new();

/// Has this process speak as another build would: for tests, once, before anything is sent.
#[doc(hidden)]
pub fn speak_as(version: u32, oldest: u32) {
    // Set by whoever was first; a process is one device.
    let _ = INSTEAD.set((version, oldest));
}

/// The version that this process speaks: [`VERSION`], unless a test has it speak another.
pub fn spoken() -> u32 {
    INSTEAD.get().map_or(VERSION, |(version, _)| *version)
}

/// The oldest version that this process understands: [`OLDEST`], unless a test has it understand others.
pub fn oldest() -> u32 {
    INSTEAD.get().map_or(OLDEST, |(_, oldest)| *oldest)
}

/// Refuses a message of a version that is not understood. Newer ones are: what they added is ignored, and they know what we lack.
///
/// # Errors
/// When the sender is too old, or says no version.
pub fn understood(version: u32) -> Result<(), Problem> {
    if version >= oldest() { Ok(()) } else { Err(apart(version, oldest())) }
}

/// Whether this device and one that speaks `version` and understands `from` and newer work together.
///
/// # Errors
/// When one of them is too old for the other: it says which of them needs a newer Meshwork.
pub fn works_with(version: u32, from: u32) -> Result<(), Problem> {
    judged((spoken(), oldest()), (version, from))
}

fn judged((here, understood_here): (u32, u32), (there, understood_there): (u32, u32)) -> Result<(), Problem> {
    if there < understood_here {
        return Err(apart(there, understood_here).next("Install a newer Meshwork on that device; until then neither gives the other work."));
    }
    if here < understood_there {
        return Err(apart(here, understood_there).next("Install a newer Meshwork on this device; until then neither gives the other work."));
    }
    Ok(())
}

/// Whether a problem says that two devices are of versions that do not work together, wherever that was found out.
pub fn says_apart(problem: &Problem) -> bool {
    problem.what.starts_with(APART)
}

/// It passes, once somebody installed a newer Meshwork: whatever waits for the device waits on.
fn apart(speaks: u32, understands: u32) -> Problem {
    Problem::unavailable(format!(
        "{APART} one speaks version {speaks} of the protocol between devices, the other understands {understands} and newer."
    ))
    .next(format!("Install a newer Meshwork on the one that speaks version {speaks}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_versions_work_together_and_who_is_too_old_is_named() {
        for (here, there) in [((1, 1), (1, 1)), ((1, 1), (2, 1)), ((2, 1), (1, 1)), ((3, 2), (2, 1))] {
            assert_eq!(judged(here, there), Ok(()), "{here:?} and {there:?}");
        }
        let next = |here, there| judged(here, there).err().filter(says_apart).and_then(|problem| problem.next).unwrap_or_default();
        assert!(next((1, 1), (2, 2)).contains("on this device"), "the other understands only what is newer");
        assert!(next((2, 2), (1, 1)).contains("on that device"), "the other is too old for this one");
        assert!(next((1, 1), (0, 0)).contains("on that device"), "who says no version is too old");
    }

    #[test]
    fn a_refusal_for_the_version_alone_waits_and_keeps_its_words_over_the_wire() {
        let Err(refused) = understood(0) else { unreachable!("a message without a version is refused") };
        assert!(refused.passes() && refused.next.is_some(), "{refused}");
        assert!(says_apart(&crate::problem(&crate::status(refused))));
        assert!(!says_apart(&Problem::unavailable("The other device did not do it.")));
        assert_eq!(understood(VERSION), Ok(()));
        assert_eq!(understood(VERSION + 1), Ok(()), "newer ones are understood");
    }
}
