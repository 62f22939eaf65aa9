//! The named limits of the orchestrator.

mod checkpoint;
mod command;
mod tailnet;

pub(crate) use checkpoint::*;
pub use command::*;
use domain::pauses::Pauses;
use std::time::Duration;
pub use tailnet::*;

/// How long a browser stays signed in, in milliseconds: 30 days.
pub const BROWSER_SESSION_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// How often reconcilers look by themselves, beside being woken.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(5);
/// How often every patch is compared with the journal, beside the node's news.
pub const FOLLOW_EVERY: Duration = Duration::from_secs(60);
/// For how long a comparison in which nothing was to be noted counts at most, while nothing changes that it is made from.
pub const COMPARED_COUNTS: Duration = Duration::from_secs(15 * 60);
/// How often it is looked whether another process on this machine wrote with the node's keys.
pub const FOLLOW_LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long news of the node are gathered before one looks.
pub const FOLLOW_COALESCE: Duration = Duration::from_millis(150);
/// How many patches of one project are looked at one by one; with more, all are.
pub const FOLLOWED_PATCHES_MAX: usize = 64;
/// How often a claim that changes while it is looked at is looked at again at once.
pub const RECONCILE_TRIES: usize = 3;
/// How often changes made at mirrors are looked for.
pub const MIRROR_EVERY: Duration = Duration::from_secs(30);
/// How long a mirror is left alone, which grows where it fails again and again.
pub const MIRROR_PAUSES: Pauses = Pauses::new(MIRROR_EVERY, Duration::from_secs(30 * 60));
/// How long one node may take to give a repository: a little more than a connection and a fetch may.
pub const CLONE_WAIT: Duration = Duration::from_secs(330);
/// How many nodes are asked for a repository.
pub const CLONE_NODES_MAX: usize = 16;
/// How long a started runner has to report its key.
pub const RUNNER_HELLO_WAIT: Duration = Duration::from_secs(20);
/// How long a runner that is alive has to come back after its host restarted, or its connection broke.
pub const RUNNER_RETURN_WAIT: Duration = Duration::from_secs(15);
/// How often it is looked whether a runner that is waited for still lives.
pub const RUNNER_LOOK_EVERY: Duration = Duration::from_millis(100);
/// Through how many runs, each going on from the one before, saved work is looked for.
pub const CONTINUED_MAX: usize = 64;
/// Of how many runs it is named that something is amiss with their checkpoints, the newest.
pub(crate) const GONE_NAMED_MAX: usize = 5;
/// How many events are looked at at once for why a checkpoint was dropped.
pub(crate) const DROPPED_LOOKED_AT: u64 = 1_000;
/// How often it is tried to remove a run's folder in which something is still written.
pub const REMOVE_TRIES: usize = 30;
/// How long a runner that was killed may take to be gone, in seconds.
pub const RUNNER_DIES_WAIT_S: i64 = 10;
/// How long a runner whose work is not done looks for its host before it goes.
pub const HOST_RETURN_WAIT: Duration = Duration::from_secs(120);
/// How long it does at most while the host is only opening: the org's process holds the org and nobody listens yet, as while the journal is
/// projected anew after an update. As long as a lease, and as long as the host tells other devices that it opens.
pub const HOST_OPENS_WAIT: Duration = Duration::from_millis(domain::limits::LEASE_MS);
/// For how long work that is done can still be signed when its host is away, in milliseconds: a day.
pub const HOST_AWAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The pause between two tries to reach the host.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(150);
/// How long a signature by the run's key may take.
pub const SIGN_WAIT: Duration = Duration::from_secs(30);
/// How long the journal may take, at most, to say who has to leave the machine, and for their ends, before they are told without it.
pub(crate) const END_ASK_WAIT: Duration = Duration::from_secs(5);
/// How long an eviction waits at most, within its grace, until the work is saved too, so that it can say so.
pub(crate) const EVICT_SAVE_WAIT: Duration = Duration::from_secs(5);
/// How long the runner may take to carry out an order.
pub const ORDER_WAIT: Duration = Duration::from_secs(20);
/// How many reports a runner keeps until they are acknowledged; a full buffer holds the engine back.
pub const UNACKED_MAX: usize = 4096;
/// The largest report that a runner sends, in bytes: less than what a log and the journal take in one piece.
pub const REPORT_BYTES_MAX: usize = 192 * 1024;
/// How many reports are written to disk together, and go to another device in one message.
pub const LOG_BATCH: usize = 256;
/// How many runs of agents a device executes at once, unless configured: one for each core.
pub const CORES_PER_SLOT: u64 = 1;
/// What a run is given where nothing is said: a core.
pub const RUN_CPU_MILLI: u64 = 1_000;
/// What a run is given where nothing is said: 2 GiB of memory.
pub const RUN_MEMORY_BYTES: u64 = 2 << 30;
/// What a run is given where nothing is said: 8 GiB of disk.
pub const RUN_DISK_BYTES: u64 = 8 << 30;
/// How long a manifest waits for somebody to take it.
pub const MANIFEST_VALID_MS: u64 = 10 * 60 * 1000;
/// How many events a page of the journal has at most.
pub const PAGE_MAX: usize = 1_000;
/// Through how many pages of the journal a trace looks.
pub const TRACED_PAGES_MAX: usize = 2_000;
/// How many lists a person sees at once where nothing is said.
pub const LIST_DEFAULT: usize = 200;
/// How many connections out of one run's sandbox there may be at once.
pub const TUNNELS_PER_RUN_MAX: usize = 64;
/// How much of a call is kept while the host of the run opens, about, in bytes: so it is seen when the engine gives the call up.
pub(crate) const TUNNEL_EARLY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a tunnel that may be under way.
pub const TUNNEL_CHUNK: usize = 32 * 1024;
/// How many runs are looked at: those before are history.
pub const RUNS_MAX: usize = 10_000;
/// How long one waits for another org of the machine that is taking room.
pub const ROOM_WAIT: Duration = Duration::from_millis(250);
/// The most that an org's file says of what it takes, in bytes.
pub const TAKEN_BYTES_MAX: usize = 4 * 1024;
/// The pause between two looks.
pub const ROOM_PAUSE: Duration = Duration::from_micros(200);
/// How long an org is waited for whose process is ending.
pub const ORG_LOCK_WAIT: Duration = Duration::from_secs(20);
/// How long a data folder that seems to be in use is tried again.
pub const LOCK_WAIT: Duration = Duration::from_secs(1);
/// The pause between two tries.
pub const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// The pauses before a run that nothing drives is taken up.
pub const ADRIFT_PAUSES: Pauses = Pauses::new(Duration::from_secs(2), Duration::from_secs(300));
/// How often a run that nothing drives is taken up before it is ended as it is, with its folder kept.
pub const RECOVERIES_MAX: u32 = 5;
/// How long a runner may take to end its work when it was told to; then its process is ended.
pub const STOP_WAIT: Duration = Duration::from_secs(30);
/// How long a run waits for a journal that cannot be written.
pub const JOURNAL_WAIT_MAX: Duration = Duration::from_secs(300);
/// The pause between two tries to write it.
pub const JOURNAL_PAUSE: Duration = Duration::from_secs(1);
/// How many folders of runs are kept because files of them are in no commit.
pub const KEPT_MAX: usize = 10;
/// How large they may be in all; the newest is kept whatever its size.
pub const KEPT_BYTES_MAX: u64 = 4 << 30;
/// The pauses before a run that something passing kept from starting is tried again.
pub const START_PAUSES: Pauses = Pauses::new(Duration::from_secs(5), Duration::from_secs(300));
/// How often a runner says that it is there.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
/// What a run is given at least, however full the disk is: then it waits for room.
pub const RUN_DISK_BYTES_MIN: u64 = 64 << 20;
/// How many events one search of the journal looks at before it says where to go on.
pub const JOURNAL_SEARCHED_MAX: u64 = 20_000;
/// How many of them it reads at once.
pub(crate) const JOURNAL_SEARCH_STEP: u64 = 500;
/// How long the webhook's host may take.
pub(crate) const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// When a message of the webhook that was not taken is sent again.
pub(crate) const WEBHOOK_AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
/// How many invitations may be open at once.
pub const INVITES_OPEN_MAX: usize = 200;
/// How many invitations, and how many who knocked, are looked at.
pub const INVITES_MAX: usize = 2_000;
/// For how long a ticket counts where nothing is said, in milliseconds: three days.
pub const INVITE_VALID_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// For how many hours a ticket can count at the most: 30 days.
pub const INVITE_HOURS_MAX: u32 = 30 * 24;
/// How many strangers may be connected to the Join port at once.
pub const JOIN_CONNECTIONS_MAX: usize = 32;
/// How long one of them may take for anything; who stays connected for twice as long is cut off.
pub const JOIN_WAIT: Duration = Duration::from_secs(10);
/// The largest knock, in bytes.
pub const KNOCK_BYTES_MAX: usize = 64 * 1024;
/// The pauses between knocks, which grow while nobody answers.
pub const KNOCK_PAUSES: Pauses = Pauses::new(Duration::from_millis(500), Duration::from_secs(15));
/// How often it is looked whether repositories are as the org says, beside news.
pub const KEEP_EVERY: Duration = Duration::from_secs(5);
/// How long somebody who leaves waits until another device has heard of it.
pub const FAREWELL_WAIT: Duration = Duration::from_secs(10);
/// How often the org repository is fetched from a connected device, beside its announcements.
pub const ORG_FETCH_EVERY: Duration = Duration::from_secs(60);
/// As before, while a change of the org waits for others' signatures.
pub const ORG_FETCH_UNSETTLED: Duration = Duration::from_secs(4);
/// How long a device may take to answer a signed manifest.
pub(crate) const SCHEDULE_WAIT: Duration = Duration::from_secs(30);
/// How long the device that asked for a run may be away when its delegation is needed.
pub(crate) const DELEGATION_WAIT: Duration = Duration::from_secs(60);
/// How long it may take for one answer; then it is asked again.
pub(crate) const DELEGATION_ANSWER_WAIT: Duration = Duration::from_secs(15);
/// For how long free room is kept for a run in front of its device's queue that does not come for it.
pub(crate) const ROOM_KEPT: Duration = Duration::from_secs(10);
/// For how long room is gathered for one that needs more than is free.
pub(crate) const ROOM_GATHERED: Duration = Duration::from_secs(15 * 60);
/// How often room is kept for runs of one member without any of them coming, until no more is kept for that member for a while.
pub(crate) const ROOM_TURNS: u32 = 3;
/// The longest such while.
pub(crate) const ROOM_RESTS_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// For how long the room that others gave belongs to the run to which they gave way.
pub(crate) const ROOM_MADE_FOR: Duration = Duration::from_secs(120);
/// How often a device that has no room is asked to make some for a run.
pub(crate) const ROOM_ASKED_EVERY: Duration = Duration::from_secs(30);
/// For how long the shares of members in this device count as they were counted last.
pub(crate) const SHARES_COUNTED_EVERY: Duration = Duration::from_secs(1);
/// How many runs, the newest, count in them.
pub(crate) const SHARES_RUNS_MAX: usize = 200;
/// The pause before another device is called again.
pub(crate) const REMOTE_PAUSE: Duration = Duration::from_millis(250);
/// The longest such pause where it is called again and again, each time later.
pub(crate) const REMOTE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// These pauses.
pub(crate) const REMOTE_PAUSES: Pauses = Pauses::new(REMOTE_PAUSE, REMOTE_PAUSE_MAX);
/// How long a device that begins waits at most until the journals of the devices that answer are here.
pub(crate) const CATCH_UP_WAIT: Duration = Duration::from_secs(5);
/// How long a device that answers is waited for at most, until it follows its run: longer than its longest pause between two tries.
pub(crate) const ORDERS_WAIT: Duration = Duration::from_secs(REMOTE_PAUSE_MAX.as_secs() + 2);
/// After how long a sleep of this machine a call from before says nothing any more, in milliseconds: whoever made it has given it up by
/// then, and calls anew; here it may look whole for a while yet.
pub(crate) const SLEPT_MS: u64 = 10_000;
/// How many runs of checks on the work of one run its executor may tell of.
pub(crate) const TOLD_CHECKS_MAX: usize = 64;
/// How often the executor of a run says that it is there, when there is nothing to tell.
pub(crate) const WATCH_BEAT: Duration = Duration::from_secs(5);
/// For how long nothing may be heard on a connection before it is made anew.
pub(crate) const WATCH_SILENCE: Duration = Duration::from_secs(20);
/// How many facts wait for a slow reader on another device.
pub(crate) const FACTS_AHEAD_MAX: usize = 256;
/// How many packets of log lines wait for a slow reader on another device.
pub(crate) const LOG_AHEAD_MAX: usize = 8;
/// How much of a log goes to another device in one message, about, in bytes: one takes 4 MiB, and a single line may have 1 MiB.
pub(crate) const LOG_MESSAGE_BYTES: usize = 1 << 20;
/// For how long the device of a run elsewhere says that it does not have it until the run is given up, in milliseconds: a disk that was put
/// back is joined with what others hold of its journal before.
pub(crate) const RUN_MISSING_MS: u64 = 60_000;
/// How long the rest of a log may take that still comes when its run has ended.
pub(crate) const LOG_REST_MAX: Duration = Duration::from_secs(10 * 60);
/// How many chunks of a tunnel wait for a slow reader on another device.
pub(crate) const TUNNEL_CHUNKS_AHEAD: usize = 4;
/// How much of a journal goes to another device in one message, about, in bytes. An event has a bound of its own.
pub(crate) const JOURNAL_MESSAGE_BYTES: usize = 1 << 20;
/// How much a device says of what its journal comes to, about, in bytes, to whoever has not copied it yet: one message takes 4 MiB.
pub(crate) const JOURNAL_SUMMARY_BYTES: usize = 2 << 20;
/// How many events whoever asks must lack, so that it is worth while.
pub(crate) const JOURNAL_SUMMARY_FROM: u64 = 2_000;
/// How many messages of a journal wait for a slow reader on another device.
pub(crate) const JOURNAL_AHEAD_MAX: usize = 2;
/// How much of another device's journal waits here until its signature comes, in bytes: more than a group of commits has.
pub(crate) const JOURNAL_GROUP_BYTES_MAX: usize = 48 << 20;
/// How long a device may take to begin with a journal.
pub(crate) const JOURNAL_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// For how long nothing new may come of a device's journal from another until a further one is asked.
pub(crate) const JOURNAL_TURN: Duration = Duration::from_secs(2);
/// For how long nothing may come of what another device holds of this one's own journal. The largest group of events takes a while.
pub(crate) const JOURNAL_STILL_MAX: Duration = Duration::from_secs(60);
/// For how long it is taken from one device at the most, until others have their turn.
pub(crate) const JOURNAL_TAKE_MAX: Duration = Duration::from_secs(10 * 60);
/// In how many turns nothing may come of an end that was told, until this device's journal is mended without it.
pub(crate) const JOURNAL_OWN_TRIES: u32 = 3;
/// The pause before a device is asked again that has two journals, or sent what it did not sign, unless it begins its journal anew.
pub(crate) const JOURNAL_REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// The pauses before the others are asked again for what they have of a removed device's journal.
pub(crate) const JOURNAL_RELAY_PAUSES: Pauses = Pauses::new(JOURNAL_TURN, Duration::from_secs(30));
/// For how long a line of such a journal that could not be taken is not fetched again from who told of it.
pub(crate) const JOURNAL_RELAY_VAIN: Duration = Duration::from_secs(10 * 60);
/// How much later a removed device's journal must have been whole elsewhere, so that it is told here, in milliseconds: more than a message
/// takes on its way.
pub(crate) const JOURNAL_ON_ITS_WAY_MS: i64 = 2_000;
/// How often it is written down as of when another device's journal is known whole.
pub(crate) const JOURNAL_NOTED_EVERY: Duration = Duration::from_secs(30);
/// How long after it is decided a run begins to be driven.
pub(crate) const ANSWER_FIRST: Duration = Duration::from_millis(2);
/// How much of the disk the copies of others' journals and checkpoints leave free, in bytes: else they keep this device from its work.
pub(crate) const COPIES_DISK_LEFT_BYTES: u64 = 512 << 20;
/// How large the copy of one device's journal may be, in bytes: many years of a busy device.
pub(crate) const JOURNAL_COPY_BYTES_MAX: u64 = 16 << 30;
/// How many devices' journals are copied.
pub(crate) const JOURNALS_MAX: usize = 1_024;
/// How often it is looked whether a run is over whose log is followed and does not grow.
pub(crate) const LOG_LOOK_EVERY: Duration = Duration::from_secs(2);
/// For how long nothing may come of the log of a run elsewhere until it is asked for anew: an agent may think for minutes, and a stream
/// whose sender is stuck looks the same.
pub(crate) const LOG_SILENCE: Duration = Duration::from_secs(2 * 60);
/// How long one waits for lines of a log that lies on another device: for the first, and for each that follows at once.
pub(crate) const LOG_PAGE_WAIT: Duration = Duration::from_secs(5);
pub(crate) const LOG_PAGE_QUIET: Duration = Duration::from_millis(300);
/// How long the executor of a run may take for a person's wish: longer than its runner may.
pub(crate) const WISH_WAIT: Duration = Duration::from_secs(30);
/// How long a person who stops a run elsewhere waits to hear that the device took that; it is carried there all the same.
pub(crate) const STOP_TAKEN_WAIT: Duration = Duration::from_secs(2);
/// How long a gate may take for a merge, with its checks.
pub(crate) const GATE_WAIT: Duration = Duration::from_secs(2 * 60 * 60);
/// How often a gate tries to fetch a project from another gate, and how long it waits in between.
pub(crate) const GATE_FETCH_TRIES: u32 = 5;
/// See [`GATE_FETCH_TRIES`].
pub(crate) const GATE_FETCH_PAUSE: Duration = Duration::from_millis(500);
/// From which difference on it is told that another device's clock is off, in milliseconds: well below what gossip and certificates bear.
pub(crate) const CLOCK_OFF_MS: u64 = 30_000;
/// How long a device may take to say that it is there.
pub(crate) const PROBE_WAIT: Duration = Duration::from_secs(3);
/// How often a device announces itself though it has nothing new to say.
pub(crate) const ANNOUNCE_EVERY: Duration = Duration::from_secs(5);
/// How much more or less free memory is news of a device, in bytes.
pub(crate) const ANNOUNCE_MEMORY_STEP_BYTES: u64 = 256 << 20;
/// The pause before it tries to again, where it could not.
pub(crate) const ANNOUNCE_AGAIN: Duration = Duration::from_secs(1);
/// How often it is looked whether other orgs of the machine took room, or gave some back.
pub(crate) const ANNOUNCE_OTHERS_LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long news of one's own, or of others, are gathered before one acts on them.
pub(crate) const ANNOUNCE_COALESCE: Duration = Duration::from_millis(100);
/// How many times as long as it took to say what this device has, it is not said again, up to [`ANNOUNCE_AGAIN`].
pub(crate) const ANNOUNCE_REST: u32 = 20;
/// How long the manifest of a run counts that another device than its requester's is asked for, where none was named: as long the
/// very same device is asked when its answer was lost.
pub(crate) const ASKED_VALID_MS: u64 = 3 * 60 * 1000;
/// For how long a device that was just reached is not asked whether it is there before it is asked for a run.
pub(crate) const PROBE_FRESH_MS: u64 = 2_000;
/// For how long a device's refusal counts that announces nothing new, in milliseconds.
pub(crate) const REFUSAL_COUNTS_MS: u64 = 15_000;
/// How many refusals of devices are remembered.
pub(crate) const REFUSALS_MAX: usize = 4_096;
/// How often it is looked who belongs to the org; who does not any more is cut off within that.
pub(crate) const MEMBERS_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often one other device is asked whether it takes this one, in turn.
pub(crate) const ASKED_NEXT_EVERY: Duration = Duration::from_secs(20);
/// How often the Radicle node of a device is called that gossip does not hear, and the device is asked whether it is there while that is
/// connected: datagrams may be blocked where connections are not.
pub(crate) const SILENT_CALL_EVERY: Duration = Duration::from_secs(30);
/// How long the device with the smaller key waits for the other's call before it calls.
pub(crate) const CALL_HEAD_START: Duration = Duration::from_secs(1);
/// For how long a device that was heard may be silent until the session with its Radicle node is ended, where it does not answer either:
/// TCP comes back as much later as the silence was long, and what is fetched over it waits.
pub(crate) const SESSION_SILENCE_MAX: Duration = Duration::from_secs(2);
/// How much of that it has for answering; it is asked when as much is left.
pub(crate) const SESSION_ANSWER_WAIT: Duration = Duration::from_secs(1);
/// The pauses before what another device did not have, or could not give, is fetched from it again.
pub(crate) const MISSED_PAUSES: Pauses = Pauses::new(REMOTE_PAUSE, Duration::from_secs(120));
/// How often it is compared with a connected device what is signed in the repositories that are here: so long is the way at most of what
/// Radicle's announcements did not bring, beside the fetch.
pub(crate) const SIGNED_LOOK_EVERY: Duration = Duration::from_secs(30);
/// For how long a digest of what is signed here counts at most, of whose changes the node tells: all devices ask for the same ones. What
/// the stock `rad` signs here is not told.
pub(crate) const SIGNED_COUNTS: Duration = Duration::from_secs(120);
/// How long a device that has much to do may take to say what is signed there, and how far lines go.
pub(crate) const SIGNED_WAIT: Duration = Duration::from_secs(10);
/// How much of one kind that another device asks for is done at once; the rest waits.
pub(crate) const ASKED_BY_ONE_AT_ONCE: usize = 8;
/// The same of merges, of which most wait for each other.
pub(crate) const MERGES_OF_ONE_AT_ONCE: usize = 32;
/// For how many repositories it is asked at once.
pub(crate) const SIGNED_ASKED_MAX: usize = 1_024;
/// Of how many keys another device is asked at once how far their lines of signed refs go.
pub(crate) const LINE_KEYS_MAX: usize = 1_024;
/// How many signatures whoever asks for a line may name of those that it has.
pub(crate) const LINE_HAVE_MAX: usize = 64;
/// How many lines are given to other devices at once.
pub(crate) const LINES_AT_ONCE: usize = 2;
/// How long another device waits for its turn to be given one: less than it waits for an answer.
pub(crate) const LINE_TURN: Duration = Duration::from_secs(10);
/// How many messages of a line wait for a slow reader on another device.
pub(crate) const LINE_AHEAD_MAX: usize = 4;
/// How long nothing may come of a line, or be taken of it, until that is given up.
pub(crate) const LINE_SILENCE: Duration = Duration::from_secs(20);
/// How long it may take from one device to another.
pub(crate) const LINE_TRANSFER: Duration = Duration::from_secs(15 * 60);
/// For how long a device is not asked again for a line of which it sent what was too large, not whole, or not the key's.
pub(crate) const LINE_REFUSED_PAUSE: Duration = Duration::from_secs(60 * 60);
/// For how many days it is told that changes are aside since lines were joined: whether they were made again nobody can know.
pub(crate) const ASIDE_TOLD_DAYS: u64 = 7;
/// How many of these changes are named, the newest, or patches; and of how many joined lines that is told, the latest.
pub(crate) const ASIDE_NAMED_MAX: usize = 3;
pub(crate) const ASIDE_LINES_MAX: usize = 16;
/// For how many days it is told that a credential was taken out which came back with an older disk; and of how many, the latest.
pub(crate) const CREDENTIAL_TOLD_DAYS: u64 = 7;
pub(crate) const CREDENTIALS_TOLD_MAX: usize = 64;
/// How often the lines of one key are joined in one repository with what one device has within [`LINE_JOINS_WITHIN`]: a key that is used on
/// two machines forks without end.
pub(crate) const LINE_JOINS_MAX: usize = 4;
/// See [`LINE_JOINS_MAX`].
pub(crate) const LINE_JOINS_WITHIN: Duration = Duration::from_secs(60 * 60);
/// How many repositories are fetched from other devices at once, beside that of the org.
pub(crate) const FETCHED_AT_ONCE: usize = 8;
/// How often a repository is fetched from another device before that is given up for the moment.
pub(crate) const FETCH_TRIES: usize = 4;
/// How often it is looked for a patch that another device published before its connection is made anew.
pub(crate) const PATCH_LOOKS: usize = 20;
/// How long a gateway may be away before a run that needs it is frozen.
pub(crate) const GATEWAY_GRACE: Duration = Duration::from_secs(2);
/// How long a gateway may take to take a stream of a run elsewhere; then it counts as away.
pub(crate) const GATEWAY_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How long a standby device that did not take a run's traffic is left alone.
pub(crate) const STANDBY_PAUSE: Duration = Duration::from_secs(5);
/// For how many runs at once a device stands in.
pub(crate) const STANDBY_RUNS_MAX: usize = 256;
/// How many stop orders are listed, the newest, beside those in force.
pub(crate) const STOPS_MAX: usize = 1_000;
/// How many stop orders in force one member may have given.
pub(crate) const STOPS_OF_ONE_MAX: usize = 100;
/// The longest id of a stop order, in bytes.
pub(crate) const STOP_ID_BYTES_MAX: usize = 26;
/// The pause before devices that have not heard a stop order are told again.
pub(crate) const STOPS_AGAIN: Duration = Duration::from_secs(2);
/// How long a device does not take up again the work of a run that a person sent away from it, in milliseconds.
pub(crate) const SENT_AWAY_PAUSE_MS: u64 = 120_000;
/// How often it is looked whether this machine is its owner's alone: guests are frozen within a second.
pub(crate) const LEND_LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a desktop session is asked at most for how long it is idle: shorter than the pause between looks, so that each of them asks,
/// and who looks between them does not. Each time that is a process (`busctl`) for each desktop, of some milliseconds of processor: about
/// a hundredth of a core all the while, and only where guests are to leave when their host comes.
pub(crate) const PRESENCE_ASK_EVERY: Duration = Duration::from_millis(400);
/// How long desktop sessions may take to say it, all of them together: with the pause between looks, less than a second.
pub(crate) const PRESENCE_ANSWER_WAIT: Duration = Duration::from_millis(300);
/// How long a session may take to answer at all, which later looks hear; then it is asked anew.
pub(crate) const PRESENCE_GIVE_UP: Duration = Duration::from_secs(5);
/// How much of a sensor's file is read, in bytes.
pub(crate) const SENSOR_BYTES_MAX: u64 = 16 * 1024;
/// How many GPUs of a machine count. All of them are in each announcement.
pub(crate) const GPUS_MAX: usize = 64;
/// How long a look waits for NVIDIA's library when it is asked; a later look takes what it says after that.
pub(crate) const GPUS_ANSWER_WAIT: Duration = Duration::from_millis(100);
/// How much of `lend.toml` and of the owner's click is read, in bytes.
pub(crate) const LEND_BYTES_MAX: u64 = 64 * 1024;
/// For how long an owner may reclaim or lend a machine by one click, in minutes: a year.
pub(crate) const CLICK_MINUTES_MAX: u64 = 365 * 24 * 60;
