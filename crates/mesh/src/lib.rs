//! Devices of one org speak to each other: gRPC over mTLS, with certificates that each made from its own key.
//!
//! This crate carries: it accepts connections and makes them, knows whose each is, and cuts off those of a device that does not
//! belong to the org any more; and by gossip over UDP it hears which devices are there and what each announces. It knows neither the
//! org repository (whom to accept is asked of the caller) nor what the methods of the service do.

mod connection;
mod early;
mod gossip;
mod limits;
mod live;
mod network;
mod problem;
mod server;
pub mod tailnet;
mod version;

pub use connection::{Connection, Peer};
pub use early::{accept_at, is_here};
pub use gossip::{Doubles, Dropped, Gossip, GossipConfig, Heard, Mover, Place, RoundTrips};
pub use live::Connections;
pub use network::{Network, RunChannel};
pub use problem::{problem, says_unanswered, says_unlisted, status};
pub use server::serve;
pub use version::{OLDEST, VERSION, oldest, says_apart, speak_as, spoken, understood, works_with};
