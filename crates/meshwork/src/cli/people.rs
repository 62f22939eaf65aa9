//! The words about the org: who belongs to it, who is invited, what waits for its owners.

use super::number::whole;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The ticket that you were given; none: show how it stands.
    pub(crate) ticket: Option<String>,
    /// What people are to call you.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What people are to call this device.
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// Do not wait for the owners.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Wait for the owners, also where the ticket was given before.
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) wait: bool,
    /// Enter the org's tailnet with a tailscaled of the org's own, in a network namespace of its own: for a machine that is in
    /// another tailnet already. Meshwork runs it, and has to run as root.
    #[arg(long, requires = "ticket")]
    pub(crate) own_tailscaled: bool,
}

impl Join {
    /// Whether to wait until this machine belongs to the org, or is refused.
    pub(crate) fn waits(&self) -> bool {
        self.wait || (self.ticket.is_some() && !self.no_wait)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// Make an org, with this machine's member as its owner.
    Create {
        /// Its name.
        name: String,
        /// What people call its founder.
        #[arg(long)]
        member: Option<String>,
        /// An existing Radicle profile (what RAD_HOME names): its key, storage and node are used in place. A passphrase
        /// comes from RAD_PASSPHRASE or is asked for, and is kept encrypted.
        #[arg(long, value_name = "DIR")]
        rad_home: Option<PathBuf>,
        /// The Headscale server of the tailnet in which its devices reach each other: its address, or “managed” for one that this
        /// device runs. The API key of a server that is there comes from MESHWORK_HEADSCALE_API_KEY or standard input, and is kept
        /// encrypted.
        #[arg(long, value_name = "URL")]
        headscale: Option<String>,
        /// Where a server that this device runs is reached by others; this machine's address and port 8080 where nothing is said.
        #[arg(long, value_name = "ADDR", requires = "headscale")]
        headscale_listen: Option<String>,
        /// Enter the tailnet with a tailscaled of the org's own, in a network namespace of its own: for a machine that is in another
        /// tailnet already. Meshwork runs it, and has to run as root.
        #[arg(long, requires = "headscale")]
        own_tailscaled: bool,
    },
    /// Show the org.
    Show,
    /// List the orgs of this data folder.
    List,
    /// Leave the org; its folder is kept aside.
    Leave {
        /// Give up joining an org instead.
        #[arg(long)]
        joining: bool,
    },
    /// Invite somebody: prints a ticket.
    Invite(Invite),
    /// List the invitations that this device made.
    Invites,
    /// Take an invitation back.
    Uninvite {
        /// Its id, or the end of it.
        invite: String,
    },
    /// List those who knocked at this device.
    Joiners,
    /// List the changes that wait for owners.
    Proposals,
    /// Approve a change of the org, or let somebody in who knocked here.
    Approve {
        /// A proposal's id, or who waits: their name, their device's, or its key.
        what: String,
        /// The revision of the proposal that you looked at, where it is not the first: `meshwork org proposals` shows it.
        #[arg(long)]
        revision: Option<String>,
    },
    /// Reject a change of the org, or decline somebody who knocked here.
    Reject {
        /// A proposal's id, or who waits.
        what: String,
        /// Why.
        #[arg(long)]
        why: Option<String>,
    },
    /// Say how many owners must sign a change.
    Threshold {
        /// How many.
        #[arg(value_parser = whole::<u32>, allow_negative_numbers = true)]
        owners: u32,
    },
    /// Give a member roles, and take some from them.
    Role {
        /// The member.
        member: String,
        #[command(flatten)]
        roles: Roles,
    },
    /// Rename a member, or a device.
    Rename {
        /// The name so far.
        name: String,
        /// The new name.
        to: String,
        /// It is a device.
        #[arg(long)]
        device: bool,
    },
    /// Name the device of yours through which your runs elsewhere reach a model while the one that asked for them is away.
    Standby {
        /// The device; “none” takes it back.
        device: String,
        /// Another member than yourself.
        #[arg(long)]
        member: Option<String>,
    },
    /// Remove a member with their devices, or a device.
    Remove {
        /// The name.
        name: String,
        /// It is a device.
        #[arg(long)]
        device: bool,
        /// Its keys were lost or stolen: nothing of them is taken any more, not even what they made before.
        #[arg(long)]
        lost: bool,
        /// Why, for the org's records.
        #[arg(long)]
        why: Option<String>,
    },
    /// Say where a device is, and what the org promises about it; shown where nothing is said.
    Device {
        /// The device.
        name: String,
        /// Where its mesh port is reached.
        #[arg(long = "address", value_name = "HOST:PORT")]
        addresses: Vec<String>,
        /// Where its Radicle node is reached.
        #[arg(long, value_name = "HOST:PORT")]
        radicle: Vec<String>,
        /// Where its gossip is reached.
        #[arg(long, value_name = "HOST:PORT")]
        gossip: Vec<String>,
        /// A promise, as region=ap-southeast-2; an empty value takes it back.
        #[arg(long = "tag", value_name = "NAME=VALUE")]
        tags: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The role of a new member: owner, maintainer, developer, viewer. Developer where nothing is said.
    #[arg(long, conflicts_with_all = ["member", "device"])]
    pub(crate) role: Option<String>,
    /// Instead of a new member: one more device of this one; “me” for yourself.
    #[arg(long, conflicts_with = "device")]
    pub(crate) member: Option<String>,
    /// One more device of yourself.
    #[arg(long)]
    pub(crate) device: bool,
    /// Hours until the ticket counts no more, from 1 to 720 (30 days); three days where nothing is said.
    #[arg(long, value_parser = whole::<u32>, allow_negative_numbers = true)]
    pub(crate) hours: Option<u32>,
    /// How many devices may join with it; one where nothing is said.
    #[arg(long, value_parser = whole::<u32>, allow_negative_numbers = true)]
    pub(crate) uses: Option<u32>,
    /// Where the Join port of this device is reached from outside; where it listens, where nothing is said.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) at: Vec<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Roles {
    /// Roles that they get.
    #[arg(long)]
    pub(crate) give: Vec<String>,
    /// Roles that they lose.
    #[arg(long)]
    pub(crate) take: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Cli, Verb};
    use clap::Parser;

    #[test]
    fn without_a_ticket_it_is_shown_how_it_stands_and_waited_for_only_where_that_is_asked_for() {
        for (args, waits) in [("", false), ("--wait", true), ("mwt1.x", true), ("mwt1.x --no-wait", false)] {
            let cli = Cli::try_parse_from(format!("meshwork join {args}").split_whitespace()).unwrap();
            assert!(matches!(&cli.verb, Verb::Join(join) if join.waits() == waits), "{args:?}");
        }
    }
}
