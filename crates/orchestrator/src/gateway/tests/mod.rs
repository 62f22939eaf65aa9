//! The gateway against a real HTTP server, over a real HTTP connection.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod counting;
mod egress;
mod harness;
mod model;
mod paths;
mod secrecy;
mod spending;
mod streams;
mod upstream;
