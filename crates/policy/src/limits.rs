//! Limits of policies.

/// Files of policies in an org.
pub(crate) const FILES_MAX: usize = 64;
/// Bytes of one file of policies.
pub(crate) const FILE_BYTES_MAX: usize = 64 * 1024;
/// Mistakes that one check tells.
pub(crate) const MISTAKES_MAX: usize = 20;
/// Answers that are remembered.
pub(crate) const ANSWERS_MAX: usize = 4096;
