//! The words for what this machine lends to others.

use super::number::whole;
use clap::{Args, ValueEnum};

/// What is to be otherwise; without anything it is shown.
#[derive(Debug, Args)]
pub(crate) struct Lend {
    /// Whether guests are taken at all.
    #[arg(long, value_name = "on|off")]
    pub(crate) guests: Option<Switch>,
    /// Whether guests run on battery.
    #[arg(long, value_name = "on|off")]
    pub(crate) on_battery: Option<Switch>,
    /// Whether guests run while you are at the machine.
    #[arg(long, value_name = "on|off")]
    pub(crate) while_present: Option<Switch>,
    /// Whether guests run while the lid is closed.
    #[arg(long, value_name = "on|off")]
    pub(crate) lid_closed: Option<Switch>,
    /// When guests are taken, as "mon-fri 19:00-07:00"; again for further times; “always” for any time.
    #[arg(long, value_name = "HOURS")]
    pub(crate) hours: Vec<String>,
    /// How many of guests' runs at once at most; 0: as many as there are slots.
    #[arg(long, value_name = "N", value_parser = whole::<u32>, allow_negative_numbers = true)]
    pub(crate) slots: Option<u32>,
    /// Which classes guests may run, as agent; again for further ones.
    #[arg(long = "class", value_name = "CLASS")]
    pub(crate) classes: Vec<String>,
    /// For how many seconds nothing may have been typed until you count as away.
    #[arg(long, value_name = "SECONDS", value_parser = whole::<u64>, allow_negative_numbers = true)]
    pub(crate) away_after: Option<u64>,
    /// Seconds until guests' processors and memory are free when you want the machine back.
    #[arg(long, value_name = "SECONDS", value_parser = whole::<u64>, allow_negative_numbers = true)]
    pub(crate) grace: Option<u64>,
    /// For how many days the checkpoint of a guest is kept that nobody brings away.
    #[arg(long, value_name = "DAYS", value_parser = whole::<u32>, allow_negative_numbers = true)]
    pub(crate) saved_days: Option<u32>,
    /// How many GiB all of them may have at most; the oldest of whoever has most go first.
    #[arg(long, value_name = "GIB", value_parser = whole::<u32>, allow_negative_numbers = true)]
    pub(crate) saved_gib: Option<u32>,
    /// What the machine says of itself, as gpu:true; with nothing behind the sign it is taken away.
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

impl Switch {
    /// Whether it is on.
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// For how long.
#[derive(Debug, Args)]
pub(crate) struct Span {
    /// For how long, as 30m, 2h or 1d.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) time: Option<String>,
}
