//! The named limits of this crate.

use domain::pauses::Pauses;
use std::time::Duration;

/// How long it may take until a peer has shown its certificate, or an address has answered.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);
/// How many peers may be showing their certificates at once.
pub(crate) const HANDSHAKES_MAX: usize = 128;
/// How many connections wait to be accepted.
pub(crate) const CONNECTIONS_WAITING: i32 = 1_024;
/// How many connections are held at once.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;
/// How many calls one connection may have under way.
pub(crate) const CALLS_PER_CONNECTION_MAX: u32 = 512;
/// How much of a stream that is read slowly is taken ahead, and of all such streams from one device together, in bytes: so 256 of them
/// hold each other up, and not one less.
pub(crate) const READER_WINDOW_BYTES: u32 = 64 * 1024;
pub(crate) const READERS_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// How much of a stream between a run and its gateway is taken ahead in either direction, and of all streams of the run together, in bytes:
/// none of the 64 that it may have is held up by the others.
pub(crate) const TUNNEL_WINDOW_BYTES: u32 = 256 * 1024;
pub(crate) const TUNNELS_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// How often a peer of which nothing is heard is asked whether it is there, and how long it may take to say so.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How many addresses of one device are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;
/// How long accepting pauses after the system refused (no more file handles).
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often a device gossips with some others, three of them each time; in a larger org, where datagrams are larger too, as many times as
/// long as it has groups of so many devices, and four times at the most.
pub(crate) const GOSSIP_INTERVAL: Duration = Duration::from_millis(100);
pub(crate) const GOSSIP_PACE_DEVICES: usize = 48;
pub(crate) const GOSSIP_PACE_MAX: usize = 4;
/// Up to how many devices the list of those that were heard goes uncompressed, which takes less time. It has 25 KiB then.
pub(crate) const GOSSIP_PLAIN_DEVICES: usize = 256;
/// How many times the usual pause between two signs of life a silence may last until the device is suspected.
pub(crate) const SUSPICION_PAUSES: f64 = 8.0;
/// From how many of the latest pauses the usual one is reckoned, beside five of the length of the interval: where that is 0.1 s, a silence
/// of less than 0.4 s is never suspect. Few: a machine under load is given more time at once.
pub(crate) const PAUSES_REMEMBERED: usize = 5;
/// The longest pause that counts among them. After a longer one the device was gone.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(1);
/// After which silence a device's state is not gossiped any more (at half of this), and then forgotten by the gossip. What was heard of
/// it stays in the picture for [`SILENT_MAX_MS`]. Short, since each start of a device leaves a state behind that all datagrams carry.
pub(crate) const GOSSIP_FORGETS: Duration = Duration::from_secs(10 * 60);
/// Of how many starts of a device it is known how far they got.
pub(crate) const STARTS_KEPT: usize = 8;
/// How often there must be news of one start of a device after news of another, where both run, within how many milliseconds, until its key
/// is used twice: a clock that is set back while one ends may look so once or twice.
pub(crate) const STARTS_RETURNS: usize = 4;
pub(crate) const STARTS_WITHIN_MS: i64 = 15 * 60 * 1000;
/// After which silence what was heard of a device is forgotten, in milliseconds.
pub(crate) const SILENT_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// How often the picture of the others is looked at, where nothing wakes it.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// After which pause between two looks this device itself was held up, and does not judge others.
pub(crate) const HELD_UP: Duration = Duration::from_millis(300);
/// For how long it then does not.
pub(crate) const HELD_UP_TRUST: Duration = Duration::from_millis(500);
/// For how long a device that moved to another address does not judge others: it has to meet them again.
pub(crate) const MOVED_TRUST: Duration = Duration::from_secs(3);
/// How many moves may wait to be made.
pub(crate) const MOVES_WAITING: usize = 4;
/// How often addresses of devices that are not heard are gossiped to, and to how many of them at once.
pub(crate) const INTRODUCE: Duration = Duration::from_millis(500);
pub(crate) const INTRODUCED_AT_ONCE: usize = 4;
/// How many addresses of other devices are kept.
pub(crate) const SEEDS_MAX: usize = 4_096;
/// How long the name of an address may take to be resolved, and how often it is again.
pub(crate) const RESOLVE: Duration = Duration::from_secs(2);
pub(crate) const RESOLVE_AGAIN: Duration = Duration::from_secs(60);
/// The largest envelope of an announcement, in bytes. Strings of chitchat have 65,535 at most, and several should fit into a datagram.
pub(crate) const ANNOUNCEMENT_JSON_BYTES_MAX: usize = 32 * 1024;
/// The largest message of chitchat, in bytes. The crate fixes it.
pub(crate) const MESSAGE_BYTES_MAX: usize = 65_507;
/// How much of a message one datagram carries, in bytes. A longer one goes in two.
pub(crate) const PART_BYTES_MAX: usize = 48 * 1024;
/// How many of a sender's latest datagrams are remembered, so that none counts twice. One that is older than all of them does not count.
pub(crate) const DATAGRAMS_REMEMBERED: usize = 128;
/// How often a datagram to a device is signed, though both have agreed on a key: after so long one that was started again is understood
/// at the latest.
pub(crate) const SIGN_AGAIN: Duration = Duration::from_secs(5);
/// From how many addresses it is known whose they are.
pub(crate) const PLACES_MAX: usize = 4_096;
/// The longest round trip that counts, in milliseconds. What takes longer waited somewhere.
pub(crate) const ROUND_TRIP_MAX_MS: u64 = 2_000;
/// How long a message may take through chitchat's own reader or writer.
pub(crate) const CODEC: Duration = Duration::from_secs(1);
/// After which time it is asked whether the reader can read it at all; and how often the writer is looked at again.
pub(crate) const CODEC_ASK: Duration = Duration::from_millis(20);
pub(crate) const CODEC_PAUSE: Duration = Duration::from_millis(1);
/// How many times in a row receiving may fail until the socket counts as broken, and the pause after each.
pub(crate) const RECEIVE_FAILURES_MAX: u32 = 100;
pub(crate) const RECEIVE_PAUSE: Duration = Duration::from_millis(10);
/// The pause before the gossip is started again after it broke.
pub(crate) const GOSSIP_RESTART: Duration = Duration::from_millis(500);
/// Beyond this a count of changes of one's own state was not made by counting; the state is begun anew.
pub(crate) const STATE_VERSION_MAX: u64 = u64::MAX / 2;

/// How long tailscaled may take to answer.
pub(crate) const LOCAL_API: Duration = Duration::from_secs(10);
/// The largest answer of tailscaled that is read, in bytes: a status has about 2 KiB for each machine of the tailnet.
pub(crate) const LOCAL_API_BYTES_MAX: usize = 16 << 20;
/// The pause between two looks whether tailscaled is in its tailnet.
pub(crate) const TAILSCALED_LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long Headscale may take to answer, and to be connected to.
pub(crate) const HEADSCALE: Duration = Duration::from_secs(15);
pub(crate) const HEADSCALE_CONNECT: Duration = Duration::from_secs(5);
/// The largest answer of Headscale that is read, in bytes.
pub(crate) const HEADSCALE_BYTES_MAX: usize = 16 << 20;
/// The largest policy that is read and written, in bytes.
pub(crate) const POLICY_BYTES_MAX: usize = 1 << 20;
/// How often a policy is merged anew that others change meanwhile.
pub(crate) const POLICY_TRIES: usize = 5;
/// How many nodes, users or keys of a server are looked at.
pub(crate) const HEADSCALE_LIST_MAX: usize = 10_000;
/// How long a supervised program may take to serve, and to end when it is told to.
pub(crate) const PROGRAM_STARTS: Duration = Duration::from_secs(30);
pub(crate) const PROGRAM_ENDS: Duration = Duration::from_secs(5);
/// The pause between two looks whether it serves.
pub(crate) const PROGRAM_LOOK_EVERY: Duration = Duration::from_millis(100);
/// The pauses before a supervised program that ended is started again, which grow where it does not stay up.
pub(crate) const PROGRAM_PAUSES: Pauses = Pauses::new(Duration::from_millis(500), Duration::from_secs(60));
/// How long it must have run so that its end counts as the first again.
pub(crate) const PROGRAM_STAYED: Duration = Duration::from_secs(60);
/// How long a program may take that makes a part of a network namespace; how long another one that is being made is waited for.
pub(crate) const NAMESPACE_COMMAND: Duration = Duration::from_secs(10);
pub(crate) const NAMESPACE_LOCK: Duration = Duration::from_secs(60);
/// How long a database is waited for that another process writes, in milliseconds.
pub(crate) const DATABASE_BUSY_MS: usize = 5_000;
/// How large its log may grow, in bytes, until it is begun anew; one older log is kept.
pub(crate) const PROGRAM_LOG_BYTES_MAX: u64 = 4 << 20;
/// The longest line of its log, in bytes.
pub(crate) const PROGRAM_LINE_BYTES_MAX: usize = 8 * 1024;
