//! Joining an org. At the issuer: invitations, the Join port, and who knocked ([`desk`], `door`). At the joiner: knocking, waiting, and
//! opening the org once it lists this device ([`Joining`]). Only the owners let in; a ticket lets one knock.

pub mod desk;
mod door;
mod joining;
mod knock;
mod tls;

pub(crate) use door::{keep_open, moved};
pub(crate) use joining::Begun;
pub use joining::{Joining, JoiningView, Status};
