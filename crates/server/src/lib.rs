//! The doors over HTTP: the API, its document, server-sent events, MCP, metrics, the dashboard's files, and signing in.
//!
//! A handler parses, calls one action, and renders. Everything that a person can do is in `orchestrator::table`; this crate
//! adds no rule of its own but who is let in.

mod agent;
mod api;
mod auth;
mod dashboard;
mod error;
mod events;
mod fan;
mod limits;
mod mcp;
mod metrics;
mod openapi;
mod router;

pub use auth::{Gate, SignIn};
pub use openapi::document;
pub use router::router;
