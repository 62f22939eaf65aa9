//! Of checkpoints on their way between devices.

use std::time::Duration;

/// How much of a checkpoint goes to another device in one message, about, in bytes.
pub(crate) const CHECKPOINT_PART_BYTES: usize = 256 * 1024;
/// What an object costs in a message beside what it holds, about, in bytes.
pub(crate) const CHECKPOINT_OBJECT_BYTES: usize = 64;
/// How many messages of a checkpoint wait for a slow reader on another device.
pub(crate) const CHECKPOINT_AHEAD_MAX: usize = 4;
/// How many checkpoints are given to other devices at once; and how many are looked for that devices saved alone.
pub(crate) const CHECKPOINTS_AT_ONCE: usize = 4;
/// How long another device waits for its turn to be given one: less than it waits for an answer.
pub(crate) const CHECKPOINT_TURN: Duration = Duration::from_secs(10);
/// How long nothing may come of a checkpoint, or be taken of it, until its way is given up.
pub(crate) const CHECKPOINT_SILENCE: Duration = Duration::from_secs(20);
/// How long a checkpoint may take from one device to another over one connection; then others get a turn, and it goes on over the next.
pub(crate) const CHECKPOINT_TRANSFER: Duration = Duration::from_secs(15 * 60);
/// How long nothing more may come of a checkpoint whose way broke until it is given up, and the pause between two tries.
pub(crate) const CHECKPOINT_BREAK: Duration = Duration::from_secs(60);
/// See [`CHECKPOINT_BREAK`].
pub(crate) const CHECKPOINT_BREAK_PAUSE: Duration = Duration::from_secs(1);
/// How much of it must have come a second, on the whole, in bytes: once it took as long as [`CHECKPOINT_BREAK`], and once as long as
/// [`CHECKPOINT_TRANSFER`]. Who sends less holds up what waits for it.
pub(crate) const CHECKPOINT_PACE_BYTES: u64 = 16 * 1024;
/// See [`CHECKPOINT_PACE_BYTES`].
pub(crate) const CHECKPOINT_PACE_LONG_BYTES: u64 = 64 * 1024;
/// How often its way may break.
pub(crate) const CHECKPOINT_BREAKS_MAX: u32 = 64;
/// How long the device that has the work with which a run goes on is asked for it before the run begins anew.
pub(crate) const CHECKPOINT_WAIT_MS: u64 = 2 * 60 * 1000;
/// For how long a device that did not give a checkpoint is not asked for it again, once that wait is over; and how long ago a run may have
/// ended whose requester, where this device closes, is given the time to bring its checkpoint away.
pub(crate) const CHECKPOINT_AGAIN: Duration = Duration::from_secs(30);
/// How long the patch is waited for that a run published which was given up here, before the next run begins in its place.
pub(crate) const PUBLISHED_WAIT: Duration = Duration::from_secs(2 * 60);
/// For how many runs that were given up here it is looked what their devices saved of them since; beyond that, for the newest.
pub(crate) const GIVEN_UP_MAX: usize = 4_096;
/// For how many runs it is remembered that their saved work was not to be had.
pub(crate) const LEFT_BEHIND_MAX: usize = 4_096;
/// How long the messages may be that go on to a run elsewhere with its checkpoint, in bytes.
pub(crate) const HANDED_BYTES_MAX: usize = 1 << 20;
/// How long a device that closes waits until the checkpoints of its guests were brought away; and then until the last bytes went out.
pub(crate) const CHECKPOINT_FAREWELL: Duration = Duration::from_secs(8);
pub(crate) const CHECKPOINT_LAST_BYTES: Duration = Duration::from_millis(300);
/// How often it is looked whether checkpoints of guests are on another device by now, or are to go; and what devices saved alone.
pub(crate) const CHECKPOINTS_LOOK_EVERY: Duration = Duration::from_secs(10);
