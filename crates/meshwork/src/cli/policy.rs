//! The words for the org's policy.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Show what each role and member may, and the files that say so.
    Show,
    /// Say whether somebody may do an action, and which rule decides.
    Explain {
        /// me, a member's name, agent:NAME, device:NAME, or role:NAME.
        who: String,
        /// The action, as patch.merge.
        action: String,
        /// The task, patch, run, credential or agent that it is about; of stop orders `agent:NAME`, `member:NAME`, `device:NAME` or an id.
        what: Option<String>,
        /// The project that it is about; the org, or every project, where nothing is said.
        #[arg(long, short)]
        project: Option<String>,
    },
    /// Check files of policies; those of the org where none is named.
    Check {
        /// The files.
        files: Vec<PathBuf>,
        /// Print the schema: what policies may speak of.
        #[arg(long)]
        schema: bool,
    },
    /// Set a file of the org's policy.
    Set {
        /// The file, as team.cedar: its name is its name in the org.
        file: PathBuf,
        /// Set it also where nobody could do any more what somebody may now.
        #[arg(long)]
        anyway: bool,
    },
    /// Remove a file of the org's policy.
    Remove {
        /// Its name, as team.cedar.
        name: String,
        /// Remove it also where nobody could do any more what somebody may now.
        #[arg(long)]
        anyway: bool,
    },
}
