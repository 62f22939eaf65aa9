//! The words for projects and features.

use super::InProject;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// Make a git working copy a project, or clone one by its Radicle id.
    Add {
        /// Its folder, or rad:z….
        #[arg(default_value = ".")]
        source: String,
        /// Its name in the org.
        #[arg(long)]
        name: Option<String>,
        /// Its default branch.
        #[arg(long)]
        branch: Option<String>,
        /// Everybody may read it.
        #[arg(long)]
        public: bool,
        /// Where to clone from: did:key:…@host:port.
        #[arg(long = "seed")]
        seeds: Vec<String>,
    },
    /// List the projects.
    List,
    /// Show a project.
    Show {
        /// The project.
        project: Option<String>,
    },
    /// Let a Radicle node read a private project.
    Share {
        /// Keys of the nodes.
        #[arg(required = true)]
        with: Vec<String>,
        #[command(flatten)]
        at: InProject,
    },
    /// Let only one device, or two of three, move a project's default branch, or open it again.
    Gate {
        /// The project.
        project: Option<String>,
        #[command(flatten)]
        by: GatedBy,
    },
    /// Push the merged default branch to an ordinary git host, and take changes made there.
    Mirror {
        /// The remote's address; an empty one ends the mirror.
        remote: String,
        #[command(flatten)]
        at: InProject,
    },
    /// Take commits of a working copy (or another git remote) into the default branch.
    Pull {
        /// The working copy's folder.
        #[arg(default_value = ".")]
        from: String,
        #[command(flatten)]
        at: InProject,
    },
    /// Bring a project and its mirror to the same state now.
    Sync(InProject),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct GatedBy {
    /// The device that alone is to move it; three of them, of which two must sign: say it thrice, or give them with commas.
    #[arg(long = "device", value_delimiter = ',')]
    pub(crate) devices: Vec<String>,
    /// The project's people move it again.
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Feature {
    /// Make a feature with Spec-Kit's own script.
    New {
        /// A short name.
        name: String,
        /// What it is to do.
        #[arg(default_value = "")]
        description: String,
        #[command(flatten)]
        at: InProject,
    },
}
