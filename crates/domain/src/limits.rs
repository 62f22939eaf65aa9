//! The named limits that several crates share. Reaching one is always visible.

/// How long a lease lasts without a heartbeat, in milliseconds.
pub const LEASE_MS: u64 = 30 * 60 * 1000;
/// How many patches of runs that were given up are kept with a claim, beside its own.
pub const OTHERS_KEPT_MAX: usize = 16;
/// How many times a task's run is taken up again by itself after it was lost.
pub const RESUME_ATTEMPTS_MAX: u32 = 3;
/// How many times failing checks are handed back to the engine within one run.
pub const FEEDBACK_ROUNDS_MAX: u32 = 2;
/// The largest manifest that is accepted, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 256 * 1024;
/// The longest message that a person can send to an agent, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Default wall time of a run, in seconds.
pub const RUN_WALL_S: u64 = 60 * 60;
/// Default silence after which a run is ended, in seconds.
pub const RUN_SILENCE_S: u64 = 10 * 60;
/// Default time after which unanswered permission requests are denied, in seconds.
pub const PERMISSION_WAIT_S: u64 = 30 * 60;
/// How much of a run's log is kept, in bytes; then it says that it was cut.
pub const RUN_LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many patches may wait for review in one project before no new task is started.
pub const PATCHES_WAITING_MAX: usize = 20;
/// Default grace that a run gets to be checkpointed, in milliseconds.
pub const GRACE_MS: u64 = 30_000;
/// How many of its states a run remembers; one that waits for room may enter two of them often.
pub const PHASES_MAX: usize = 64;
/// How many messages that an agent did not get yet are listed with a run; what is beyond is counted.
pub const MESSAGES_KEPT_MAX: usize = 64;
/// How many open questions are listed with a run; what is beyond is counted.
pub const QUESTIONS_OPEN_MAX: usize = 64;
/// How many things that the sandbox stopped are listed with a run; what is beyond is counted.
pub const VIOLATIONS_KEPT_MAX: usize = 64;
/// How many files that were left out are listed with a run; what is beyond is counted.
pub const LEFT_OUT_MAX: usize = 50;
/// How many devices that refused a run are remembered with it.
pub const REFUSALS_KEPT_MAX: usize = 16;
/// How often a run that something passing keeps from starting is tried before it fails.
pub const START_TRIES_MAX: u32 = 8;
/// How many repositories a device announces.
pub const ANNOUNCED_REPOSITORIES_MAX: usize = 64;
/// How many devices are asked for one workload, best first, before it waits.
pub const ASK_MAX: usize = 8;
/// For each such span that a run waits it gains one step of priority, in milliseconds.
pub const AGEING_MS: u64 = 10 * 60 * 1000;
/// What ran on a device within this span counts in the shares of its queue, in milliseconds.
pub const SHARE_SPAN_MS: u64 = 60 * 60 * 1000;
/// How many runs that wait for other devices a device announces.
pub const ANNOUNCED_WAITING_MAX: usize = 8;
/// Of how many devices at once a run is announced to wait.
pub const ANNOUNCED_WAITS_AT_MAX: usize = 8;
/// How many runs of its queue a device announces.
pub const ANNOUNCED_QUEUE_MAX: usize = 32;
/// How many of a device's repositories, of those used last, count as warm.
pub const WARM_REPOSITORIES_MAX: usize = 2;
/// Through how many runs, the newest, it is looked which repositories a device worked at last.
pub const WORKED_AT_RUNS_MAX: usize = 32;
/// How many readers or devices to avoid are looked up one by one; of larger sets only the best devices are tested.
pub const LOOKED_UP_MAX: usize = 256;
/// Up to this many victims the smallest set is searched for; beyond it a small one suffices.
pub const VICTIMS_EXACT_MAX: usize = 4;
/// Among how many runs that search chooses, those whose loss hurts least first.
pub const VICTIMS_SEARCHED_MAX: usize = 32;
/// The longest grace that an owner may give what is sent away, in seconds.
pub const LEND_GRACE_MAX_S: u64 = 600;
/// How many runs of guests at once an owner may speak of: as many as slots of a device.
pub const LEND_SLOTS_MAX: u32 = 1024;
/// How long nothing may have been typed until an owner counts as away, at the most, in seconds: a day.
pub const LEND_AWAY_MAX_S: u64 = 86_400;
/// For how many days at the most the checkpoints of guests are kept that nobody brings away.
pub const LEND_SAVED_DAYS_MAX: u32 = 3_650;
/// How much they may have at the most, in GiB.
pub const LEND_SAVED_GIB_MAX: u32 = 65_536;
/// How long before one of them is removed for its age that is said, in milliseconds.
pub const SAVED_NOTICE_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// How long before one of them is removed because they have too much together that is said, in milliseconds.
pub const SAVED_SIZE_NOTICE_MS: u64 = 60 * 60 * 1000;
/// How many lines of hours a lend policy has.
pub const LEND_HOURS_MAX: usize = 32;
/// The longest line of hours, in bytes.
pub const LEND_HOURS_BYTES_MAX: usize = 64;
/// How many tags a device says of itself.
pub const LEND_TAGS_MAX: usize = 32;
/// The longest name and the longest value of a tag, in bytes.
pub const LEND_TAG_BYTES_MAX: usize = 64;
