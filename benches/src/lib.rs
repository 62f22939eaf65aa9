//! Shared timing for the benches.
