//! The words for the tailnet.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Tailnet {
    /// Show the org's Headscale server, whether it is reached, and the machines of the tailnet.
    Status,
    /// Say which device is at an address of the tailnet, and whose it is.
    Who {
        /// The address, with a port or without.
        address: String,
    },
}
