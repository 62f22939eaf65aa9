//! The named limits of this crate. Reaching one is visible: as a problem, or as the wait of whoever writes.

/// How many writes wait for the writer before callers wait in turn.
pub const WRITE_QUEUE: usize = 4_096;
/// How many events are committed together at most.
pub const GROUP_EVENTS_MAX: usize = 1_024;
/// How many events one append may carry.
pub const APPEND_EVENTS_MAX: usize = 1_024;
/// How large the events of one append may be together, in bytes of their canonical JSON.
pub const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// From which size on of its events, in bytes, nothing more joins a group. So a group never has more than twice that, and a bounded
/// message after the other can carry it to another device.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How many journals that a device replaced, after a restore, are kept beside the copy of the present one.
pub const COPIES_ASIDE_MAX: usize = 4;
/// How much of another line of a journal is taken over at once, about, in bytes. A group may be larger.
pub const LINE_BYTES: usize = 1 << 20;
/// How many journals lie aside, as they were before a mend, until none is mended any more without a person: a key that is used on two
/// machines at once makes them fork each other without end.
pub const MENDS_ASIDE_MAX: usize = 4;
/// How many events are read at once while a journal is mended: each may be large.
pub const MEND_BATCH: usize = 64;
/// How many characters of its head's hash name a journal that was mended.
pub const ASIDE_NAME_CHARS: usize = 16;
/// How many idle connections are kept for readers of a copy.
pub const COPY_READERS_IDLE_MAX: usize = 1;
/// How much of its own journal a device keeps in memory to write it, in KiB: with less, pages are read again and again while much comes.
pub const WRITER_CACHE_KIB: usize = 8_192;
/// How much of a copy SQLite keeps in memory for the one who writes, in KiB.
pub const COPY_CACHE_KIB: usize = 512;
/// The largest event, in bytes of its canonical JSON. Content belongs into blobs.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// How many events a subscriber may lag behind before it has to read them from the journal.
pub const SUBSCRIBER_LAG_MAX: usize = 4_096;
/// How many projected things the writer keeps in memory between groups.
pub const PROJECTED_CACHE_MAX: usize = 2_048;
/// How many idle connections are kept for readers.
pub const READERS_IDLE_MAX: usize = 4;
/// How many events or things one read returns at most.
pub const READ_MAX: usize = 10_000;
/// What a row of a summary takes beside its name and itself, in bytes.
pub const SUMMARY_ROW_BYTES: usize = 64;
/// How many events a follower takes from the journal at once.
pub const FOLLOW_BATCH: usize = 256;
/// How many events are projected between two looks at the disk while projections are rebuilt.
pub const REBUILD_BATCH: usize = 1_000;
/// How many differences a rebuild names; the rest is counted.
pub const DIFFERENCES_MAX: usize = 100;
/// How many blobs that are not as they should be a check names; the rest is counted.
pub const BAD_BLOBS_MAX: usize = 100;
/// How long a statement waits for another one of this process, in milliseconds.
pub const BUSY_MS: usize = 5_000;
/// After how many pages of 4 KiB the write-ahead log is taken over into the database.
pub const WAL_PAGES: usize = 4_000;
/// How large the write-ahead log may stay once it was taken over, in bytes.
pub const WAL_BYTES_KEPT: u64 = 64 * 1024 * 1024;
/// How often the write-ahead log is taken over at the latest, however little is in it.
pub const CHECKPOINT_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);
/// How often the head is remembered outside of the database at the most.
pub const HEAD_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
/// The largest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;
/// For how long nothing is written before a blob that came with events, and is in the database alone, becomes a file.
pub const PARK_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
/// From how many bytes of them on whoever writes waits until some are files. Beyond twice that, as where no files can be made, none is
/// taken.
pub const PARKED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How many of them go from the database together once they are files.
pub const UNPARK_BATCH: usize = 64;
/// How many API tokens there may be.
pub const TOKENS_MAX: usize = 1_000;
/// How many browsers may be signed in.
pub const BROWSERS_MAX: usize = 256;
/// The largest entry of a run's log, in bytes.
pub const LOG_ENTRY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a run's log is kept, in bytes; then output and prompts are dropped, and the log says so.
pub const LOG_BYTES_MAX: u64 = domain::limits::RUN_LOG_BYTES_MAX;
/// What a full log still has for entries that tell how the run goes and how it ended (not its output), in bytes.
pub const LOG_RESERVE_BYTES: u64 = 4 * 1024 * 1024;
/// The part of that reserve which only how the run ended takes, in bytes: its end, and what its key signed of the checks.
pub const LOG_END_BYTES: u64 = 2 * 1024 * 1024;
/// Between how many bytes of a log its index remembers a place.
pub const LOG_INDEX_BYTES: u64 = 64 * 1024;
/// How many entries a follower of a log takes at once.
pub const LOG_FOLLOW_BATCH: usize = 256;

/// How long a folder that seems to be in use is tried again.
pub const LOCK_WAIT: std::time::Duration = std::time::Duration::from_millis(500);
/// The pause between two tries.
pub const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
