//! Radicle in process: the org repository, projects, runs' commits, patches, reviews, the merge, mirrors, and the node.
//!
//! One storage and one node on a device carry the refs of the device, its member and its runs. The device's key is the
//! node's; the member's key signs what the member does; a run's key stays in its runner and is asked through
//! [`RunSigner`]. Writes are queued per repository and key, because two writers with one key lose objects.
//!
//! Everything here blocks: call it from a thread that may wait. It knows nothing of tasks, journals or engines.

mod aside;
mod beside;
mod convert;
mod diff;
mod durable;
mod forge;
mod git;
mod key;
mod limits;
mod line;
mod locks;
mod merge;
mod mirror;
mod moving;
mod node;
mod objects;
mod org;
mod patch;
mod profile;
mod project;
mod proof;
mod publish;
mod queue;
mod quotas;
mod rejoin;
mod repository;
mod review;
mod run;
mod signing;
mod trace;
mod tree;
mod unreached;
mod whole;

pub use aside::Undone;
pub use diff::{ChangedFile, FileChange};
pub use forge::{Forge, OrgCheck};
pub use key::{RunSigner, commit_payload};
pub use limits::{CHECKPOINT_BYTES_MAX, CHECKPOINT_OBJECT_BYTES_MAX as OBJECT_BYTES_MAX};
pub use locks::clear_stale_locks;
pub use merge::{MergeResult, Merged, Resolve};
pub use mirror::AtMirror;
pub use moving::{Arrived, Incoming, ObjectKind};
pub use node::{Health, Node, NodeEvent, NodeEvents, Peer, Received};
pub use org::{Approved, Changed, Charter, OrgState, Proposal, Refused, Standing};
pub use profile::is_protected;
pub use project::{InitProject, Visibility};
pub use proof::{CommitProof, CommitSignature, PatchEntry, Voucher};
pub use publish::{Publication, Published};
pub use rejoin::{Joined, Rejoined};
pub use run::{Checkpoint, PreparedCommit, RunRepo};
pub use trace::{describe, read_description};
pub use tree::{BaseTree, Ignore, ImportLimits, Imported, TooLarge, tree_of};
pub use whole::{Look, OnDisk};
