//! The words for stop orders.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Stop {
    /// Halt an agent, a member, a device or the whole org everywhere, until that is lifted.
    Order {
        #[command(flatten)]
        what: What,
        /// Why: everybody who waits is shown it.
        #[arg(long)]
        why: String,
    },
    /// Lift an order: what it halted goes on.
    Lift {
        /// The order's id, or its beginning.
        id: String,
    },
    /// List orders, the newest first.
    List,
}

/// What is halted.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// The runs of an agent.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// The runs of a member.
    #[arg(long)]
    pub(crate) member: Option<String>,
    /// A device: what it executes and what it asks for.
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// The whole org. (The global --org names the org that is meant.)
    #[arg(long)]
    pub(crate) everything: bool,
}
