//! The words for the tailnet.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Tailnet {
    /// Show the org's Headscale server, whether it is reached, and the machines of the tailnet.
    Status,
}
