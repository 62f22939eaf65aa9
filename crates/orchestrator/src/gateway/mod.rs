//! The gateway: the part of a member's own orchestrator through which the traffic of their runs leaves the sandbox.
//!
//! The host hands over the byte stream of one connection of one run, and the [`Route`] of that run. [`serve_model`] speaks
//! HTTP/1.1 on it: it lets through exactly the calls that the agent's model needs, puts the real key in, holds the run to
//! its budget, and counts what the provider says was used. [`serve_egress`] is an HTTP proxy that reaches exactly the
//! hosts that the run's manifest allows.
//!
//! It knows neither the sandbox nor the journal nor the vault: what it needs of them comes as functions in [`Parts`]. Keys
//! are never in an answer, an error, a log line or a `Debug`.

mod call;
mod client;
mod count;
mod egress;
mod endpoint;
mod headers;
mod ledger;
pub mod limits;
mod login;
mod model;
mod reach;
mod redact;
mod refusal;
mod request;
mod retry;
mod route;
mod rules;
mod secret;
mod sse;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use egress::{Resolver, serve_egress, system_resolver};
pub use endpoint::check_address;
pub(crate) use endpoint::is_loopback;
pub use ledger::{Ledger, Line, Spent};
pub(crate) use login::Login;
pub use login::Logins;
pub use model::serve_model;
pub use route::{Call, Elsewhere, Parts, Patience, Recorder, Refused, Route};
pub use rules::{RuleSource, Rules};
pub use secret::{Granted, KeySource, plain_key};
