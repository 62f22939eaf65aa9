//! What a device remembers of an org: the journal, what is projected from it, blobs, and the logs of runs.
//!
//! A [`Store`] is one folder:
//! - `journal.db`: SQLite (WAL, `synchronous=FULL`): events, signed heads, projections, hashes of API tokens and of browsers' sessions;
//! - `journal.head`: a recent signed head, by which a journal that lost its end is told from a whole one;
//! - `blobs/xx/<hash>`: content that can be erased, named by its BLAKE3 hash; `<hash>.erased` where one was,
//!   `<hash>.lost` where one went with a disk that was put back;
//! - `logs/<run>.jsonl`: what runners told, one line an event of the run;
//! - `branch/`: what other devices hold of this journal, where that is more than is here; `aside/`: journals as they were before a mend;
//! - `journal.lock`: held by the one process that uses the folder.
//!
//! One thread writes. It takes what waits, changes everything in one transaction, signs the head, commits, and only then
//! answers: who got an answer finds the event again after any crash. Reads have connections of their own and never wait.
//!
//! A [`JournalCopy`] is the copy of another device's journal, in a folder of its own: the same database, into which nothing is written
//! but what that device signed.
//!
//! This crate knows what events are and that [`domain::event::project`] says what they change, but not why anybody writes
//! them. It neither speaks to other devices nor schedules anything.

mod begin;
pub mod blob;
pub mod chain;
#[doc(hidden)]
pub mod fault;
pub mod follow;
pub mod limits;
pub mod link;
pub mod run_log;
pub mod verify;

mod copy;
mod files;
mod journal;
mod mend;
mod migrate;
mod park;
mod piece;
mod problem;
mod projector;
mod read;
mod rebuild;
mod remembered;
mod session;
mod summary;
mod token;
mod upkeep;
mod writer;

pub use blob::{Blobs, Parked};
pub use chain::{Head, Point, Recorded, Seq, Tail};
pub use copy::{JournalCopy, Refused};
pub use files::mark_restored;
pub use follow::Follower;
pub use journal::{Signer, Store};
pub use mend::Apart;
pub use migrate::{bring_up_to_date, opens_at_once};
pub use piece::{Incarnation, Piece};
pub use projector::View;
pub use read::Order;
pub use rebuild::{Difference, RebuildReport};
pub use remembered::accept_loss;
pub use run_log::{LogEntry, LogFollower, RunLog};
pub use session::Ready;
pub use verify::{Bad, BadBlob, VerifyReport};
