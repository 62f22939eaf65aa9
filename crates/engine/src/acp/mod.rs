//! The Agent Client Protocol: the only place that knows the crate `agent-client-protocol`, whose majors are frequent.
//!
//! [`client`] drives an engine, [`agent`] is one (for replays), [`transport`] keeps an untrusted writer within bounds, and
//! [`update`] puts what comes into the words of this project.

pub(crate) mod agent;
pub(crate) mod client;
mod transport;
mod update;
