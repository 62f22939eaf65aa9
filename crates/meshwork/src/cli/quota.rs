//! The words of `meshwork quota`.

use super::number::whole;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Quota {
    /// Show limits, what was used of them, and prices.
    Show,
    /// Set how much the org, a member or an agent may use; with no limit the quota is taken away.
    Set(Set),
    /// Set what a model costs; without input and output the price is taken away.
    Price(Price),
    /// Set which models may be used, and whether content of calls is kept.
    Rules {
        /// A model, or the beginning of names with * at the end; any, where none is named.
        #[arg(long = "model")]
        models: Vec<String>,
        /// Let any model be used.
        #[arg(long, conflicts_with = "models")]
        any_model: bool,
        /// Keep requests and answers, as blobs that can be erased.
        #[arg(long)]
        keep_content: Option<bool>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Of a member.
    #[arg(long, conflicts_with = "agent")]
    pub(crate) member: Option<String>,
    /// Of an agent.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// How long it lasts.
    #[arg(long, value_enum, default_value = "month")]
    pub(crate) period: Period,
    /// Tokens read and written.
    #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true)]
    pub(crate) tokens: Option<u64>,
    /// Calls to models.
    #[arg(long, value_parser = whole::<u64>, allow_negative_numbers = true)]
    pub(crate) calls: Option<u64>,
    /// Money, as 25.00, in the currency of the prices.
    #[arg(long)]
    pub(crate) money: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Period {
    /// A day (UTC).
    Day,
    /// A calendar month (UTC).
    Month,
}

impl Period {
    /// As the action names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Price {
    /// The model's name, or its beginning with * at the end.
    pub(crate) model: String,
    /// Only at this host.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// A million tokens read, as 1.25.
    #[arg(long)]
    pub(crate) input: Option<String>,
    /// A million tokens from the provider's cache.
    #[arg(long)]
    pub(crate) cached_input: Option<String>,
    /// A million tokens into the provider's cache.
    #[arg(long)]
    pub(crate) cache_write: Option<String>,
    /// A million tokens written.
    #[arg(long)]
    pub(crate) output: Option<String>,
}
