//! Starts real things for tests.
pub mod model;
