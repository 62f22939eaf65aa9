//! The named limits of this crate. Reaching one is an error or a note that says so.

use std::time::Duration;

/// The longest path of a unix socket.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// How long a node may take to stop.
pub const NODE_STOP: Duration = Duration::from_secs(20);
/// How long a connection to a peer may take.
pub const CONNECT: Duration = Duration::from_secs(10);
/// How often a session that is being made is looked at.
pub const SESSION_LOOK: Duration = Duration::from_millis(100);
/// For how long nothing may come while a repository is fetched from a peer; git says every 5 s that it is at work. Radicle then ends the
/// session, and everything else that is to come from that peer has waited so long.
pub const FETCH: Duration = Duration::from_secs(60);
/// How many keys one announcement names; the newest count. Radicle's own limit is 1,024.
pub const ANNOUNCED_KEYS_MAX: usize = 512;

/// How many owners of an org count.
pub const OWNERS_MAX: usize = 32;
/// How many proposals of changes of the org are looked at.
pub const PROPOSALS_MAX: usize = 200;
/// For how long it counts which commit of the org repository is in force, while nothing is signed.
pub const ORG_HEAD_COUNTS: Duration = Duration::from_secs(5);
/// Behind how many signed commits with mistakes the last org without any is looked for.
pub const ORG_REFUSED_MAX: usize = 1_000;
/// How many revisions of the org are looked at to find out which parts of quotas its devices may act by.
pub const ORG_HISTORY_MAX: usize = 2_000;

/// How many files of a commit are handed out at once.
pub const FILES_MAX: usize = 20_000;
/// How many bytes of files are handed out at once.
pub const FILES_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The largest file that is handed out or committed by a member.
pub const READ_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest diff that is handed out.
pub const DIFF_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many changed files are listed.
pub const CHANGED_FILES_MAX: usize = 20_000;

/// How many commits of history a run's worktree shows.
pub const HISTORY_COMMITS: u32 = 50;
/// How many commits that an engine made are followed in its clone; what lies before them counts as saved nowhere.
pub const CLONE_COMMITS_MAX: usize = 1000;
/// How many names of branches are looked at in an engine's clone.
pub const CLONE_NAMES_MAX: usize = 10_000;
/// How much of a file of git is read in an engine's clone, in bytes.
pub const CLONE_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How many entries a worktree may have.
pub const IMPORT_ENTRIES_MAX: usize = 500_000;
/// The largest file that a run may add or change.
pub const IMPORT_FILE_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// How many bytes a run may add or change in all.
pub const IMPORT_NEW_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How many bytes the objects of a checkpoint may have in all when it comes from another device, and how many its files may have that
/// are laid: what a run may add or change, its engine's session, and their listings. More than that none can have that was made here.
pub const CHECKPOINT_BYTES_MAX: u64 = 1280 * 1024 * 1024;
/// The largest object of it, in bytes: the largest file that a run may add.
pub const CHECKPOINT_OBJECT_BYTES_MAX: u64 = IMPORT_FILE_BYTES_MAX;
/// How many objects it may have.
pub const CHECKPOINT_OBJECTS_MAX: usize = 1_000_000;
/// How many bytes the paths of its entries may have together: they are held in memory when it is checked, and when it is laid.
pub const CHECKPOINT_PATHS_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How many of the files are named that a damaged checkpoint lost.
pub const LOST_NAMED_MAX: usize = 5;
/// Of how many checkpoints it is known that they were read whole; then they are read again.
pub const WHOLE_KNOWN_MAX: usize = 10_000;
/// How deep folders may be nested.
pub const IMPORT_DEPTH_MAX: usize = 128;
/// The longest path within a worktree.
pub const PATH_BYTES_MAX: usize = 4096;
/// The largest ignore file that is heeded.
pub const IGNORE_BYTES_MAX: u64 = 1024 * 1024;
/// How many lines of an ignore file are heeded.
pub const IGNORE_LINES_MAX: usize = 10_000;
/// How many notes an import makes; then it counts.
pub const NOTES_MAX: usize = 50;

/// The longest title of a patch, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// The longest text of a description, comment or review, in bytes.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// The longest trace in a description, in bytes; output of checks is cut until it fits.
pub const TRACE_BYTES_MAX: usize = 128 * 1024;
/// How many entries of one patch are looked at.
pub const PATCH_ENTRIES_MAX: usize = 50_000;
/// How often a write is made again that a fetch sets back.
pub const SET_BACK_TRIES: u32 = 5;
/// How many bytes go from one device to another of a key's line of signatures, with what they name.
pub const LINE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// In pieces of at most how many bytes.
pub const LINE_PIECE_BYTES: usize = 256 * 1024;
/// How many signatures of a line are named to say what is here of it.
pub const LINE_KNOWN_MAX: usize = 64;
/// How many objects git is given at once to find out whether all below them is here.
pub const LINE_CHECKED_MAX: usize = 1_000;
/// How many line comments one review brings.
pub const LINE_COMMENTS_MAX: usize = 200;

/// How long git may take with local work.
pub const GIT_LOCAL: Duration = Duration::from_secs(600);
/// How long git may take with another host.
pub const GIT_REMOTE: Duration = Duration::from_secs(180);
/// How much of git's output is kept.
pub const GIT_OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// How often a ref that another writer holds is tried again.
pub const REF_LOCK_TRIES: u32 = 50;
/// How long is waited between two of these tries.
pub const REF_LOCK_WAIT: Duration = Duration::from_millis(20);
