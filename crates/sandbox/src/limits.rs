//! The limits of this crate, each with its name. What a spec leaves at 0 gets the defaults.

/// Processor time, in thousandths of a core.
pub const CPU_MILLI_DEFAULT: u64 = 2_000;
/// Memory, in bytes.
pub const MEMORY_BYTES_DEFAULT: u64 = 4 << 30;
/// Disk that worktree and home may hold together, in bytes.
pub const DISK_BYTES_DEFAULT: u64 = 10 << 30;
/// Processes and threads.
pub const PROCESSES_DEFAULT: u32 = 1_024;
/// The least memory that a sandbox can be given, in bytes: below it not even the bridge starts.
pub const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// The fewest processes that a sandbox can be given.
pub const PROCESSES_MIN: u32 = 8;

/// Size of `/tmp`, in bytes, where a quarter of the memory limit is not less.
pub const TMP_BYTES_MAX: u64 = 1 << 30;
/// Size of `/dev/shm`, in bytes, where an eighth of the memory limit is not less.
pub const SMALL_TMPFS_BYTES_MAX: u64 = 256 << 20;
/// Size of a folder that is seen empty, in bytes.
pub const EMPTY_BYTES_MAX: u64 = 4_096;
/// The largest file of the host's `/etc` that is copied into a sandbox, in bytes.
pub const ETC_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Ports that a sandbox can forward.
pub const FORWARDS_MAX: usize = 32;
/// Read-only folders that a sandbox can show.
pub const READONLY_MAX: usize = 64;
/// Bytes of command and environment together.
pub const JOB_BYTES_MAX: usize = 1 << 20;

/// How long a sandbox may take until its bridge accepts and its command runs, in milliseconds.
pub const READY_MS: u64 = 20_000;
/// How long freezing may take, in milliseconds.
pub const FREEZE_MS: u64 = 900;
/// How long it may take until everything inside is gone after a kill, in milliseconds.
pub const KILL_MS: u64 = 10_000;
/// How long an ended sandbox without a runtime to wait in may hold up its thread, in milliseconds.
pub const REMOVE_MS: u64 = 2_000;
/// How long the groups of a supervisor that was just killed are waited for, while something of it still dies.
pub(crate) const DYING_MS: u64 = 500;
/// How long processes that the command left behind are given to end by themselves, in milliseconds.
pub const LEFTOVER_MS: u64 = 100;

/// How often counters and free disk space are looked at, in milliseconds.
pub const WATCH_MS: u64 = 200;
/// How long between two full counts of the disk at least, in milliseconds.
pub const DISK_COUNT_MS: u64 = 1_000;
/// A full count waits at least this many times as long as the one before took.
pub const DISK_COUNT_REST: u32 = 10;
/// Free space that the machine's disk keeps: a sandbox that still grows below it is ended, in bytes.
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;
/// Free disk space below which people are warned, in bytes: early enough that it is heard before anything stops.
pub const DISK_WARNED_BYTES: u64 = 1 << 30;
/// Folders inside each other that the disk count follows; deeper ones end the sandbox.
pub const DISK_DEPTH_MAX: usize = 256;
/// Counts of the disk in a row that may meet a folder whose mode hides what it holds; then the sandbox is ended.
pub const DISK_HIDDEN_COUNTS_MAX: u32 = 3;
/// What an empty file counts, in bytes, so that millions of them are not free.
pub const INODE_BYTES: u64 = 1_024;

/// Connections that the bridge carries at once; further ones wait.
pub const CONNECTIONS_MAX: usize = 256;
/// Bytes that the bridge holds for each direction of a connection.
pub const RELAY_BYTES: usize = 64 * 1024;
/// Buffers that one connection moves before the others have their turn.
pub const RELAY_ROUNDS: usize = 16;
/// How long a connection waits for the host's socket to have room, in milliseconds.
pub const CONNECT_MS: u64 = 5_000;

/// What a sandbox tells of things that were stopped; more are only counted.
pub const VIOLATIONS_MAX: usize = 64;
/// Refused system calls that are told one by one; after that they are refused in silence.
pub const REFUSALS_MAX: u32 = 10_000;
/// Sandboxes that wait to be forked.
pub const FORKS_WAITING_MAX: usize = 64;
/// How much of bubblewrap's own complaint is kept, in bytes.
pub const COMPLAINT_BYTES_MAX: usize = 4 * 1024;
/// The longest message on the bridge's control socket, in bytes.
pub const CONTROL_BYTES_MAX: usize = 4 * 1024;
