//! [`Store`]: the handle that everybody shares.

use crate::{
    begin,
    blob::{self, Blobs},
    chain::{Head, Point, Recorded, Seq},
    fault::Fault,
    files,
    follow::Follower,
    limits,
    mend::{self, Apart},
    migrate,
    park::block_on,
    piece::{self, Piece},
    problem,
    projector::View,
    read::{self, Order, Readers},
    rebuild::{self, RebuildReport},
    remembered::Remembered,
    run_log::{Logs, RunLog},
    session::{self, Ready},
    summary,
    token::{self, Sort, TokenChange},
    upkeep::{self, Upkeep},
    verify::{self, VerifyReport},
    writer::{Command, Writer},
};
use domain::{Did, Hash, Problem, RunId, event::Event, summary::Row};
use identity::token::Record;
use serde::de::DeserializeOwned;
use sqlite::Connection;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::{broadcast, mpsc, oneshot};

/// Signs in the name of a device.
pub type Sign = Arc<dyn Fn(&[u8]) -> Result<[u8; 64], Problem> + Send + Sync>;

/// Whose journal it is, and what signs its heads.
#[derive(Clone)]
pub struct Signer {
    /// The device.
    pub device: Did,
    /// Signs with its key, wherever that lives. Called once a group of commits, on the writer's thread.
    pub sign: Sign,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.device)
    }
}

/// What a device remembers of an org. Cheap to clone; the folder is freed when the last clone is dropped
/// (a [`Follower`] holds one).
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    device: Did,
    readers: Readers,
    published: broadcast::Sender<Recorded>,
    /// The last event's number, as it is on disk.
    last: Arc<AtomicU64>,
    blobs: Blobs,
    logs: Logs,
    unmended: Option<Problem>,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.inner.dir.display())
    }
}

impl Store {
    /// Opens the store in this folder; makes one where there is none. A folder that a restore marked goes on as a new
    /// incarnation, whose first event is [`domain::event::Body::Restored`]; one that is to be mended is, and ends with [`domain::event::Body::JournalMended`]; where that
    /// cannot be done it is opened as it is ([`Store::unmended`]).
    ///
    /// # Errors
    /// When another process uses it, it belongs to another device, was written by a newer Meshwork, is damaged, lost events that
    /// its remembered head names (see [`crate::accept_loss`]), or the disk refuses.
    pub fn open(dir: &Path, signer: Signer) -> Result<Self, Problem> {
        Self::open_with_fault(dir, signer, Fault::None)
    }

    /// Opens the store with something wrong on purpose: for tests.
    #[doc(hidden)]
    pub fn open_with_fault(dir: &Path, signer: Signer, fault: Fault) -> Result<Self, Problem> {
        files::make_dir(dir)?;
        let lock = files::lock(dir)?;
        let mut connection = migrate::open_writer(dir, fault)?;
        begin::begin(&connection, dir, &signer)?;
        rebuild::unless_made_here(&connection)?;
        let blobs = Blobs::open(dir.join("blobs"))?;
        blob::find_parked(&connection, &blobs)?;
        let unmended = mend::join(&connection, dir, &signer, &blobs);
        if unmended.is_some() {
            // Of the attempt nothing is left open.
            connection = migrate::open_writer(dir, fault)?;
        }
        // What a crash left in the log is safe in the database before anything is built on it.
        upkeep::checkpoint(&connection, "TRUNCATE");
        let (commands, receiver) = mpsc::channel(limits::WRITE_QUEUE);
        let (published, _) = broadcast::channel(limits::SUBSCRIBER_LAG_MAX);
        let device = signer.device.clone();
        let upkeep = Upkeep::new(dir, &signer, &blobs);
        let last = Arc::new(AtomicU64::new(read::tail(&connection)?.map_or(0, |tail| tail.seq.0)));
        let writer = Writer {
            dir: dir.to_owned(),
            signer,
            fault,
            commands: receiver,
            published: published.clone(),
            last: last.clone(),
            blobs: blobs.clone(),
            upkeep,
            lock,
        };
        let logs = Logs::open(dir.join("logs"))?;
        let thread = thread::Builder::new().name("journal".into()).spawn(move || writer.run(connection)).map_err(Problem::internal)?;
        let inner = Inner {
            dir: dir.to_owned(),
            device,
            readers: Readers::new(dir.to_owned(), limits::READERS_IDLE_MAX),
            published,
            last,
            blobs,
            logs,
            unmended,
            commands: Some(commands),
            thread: Some(thread),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The device whose journal it is.
    pub fn device(&self) -> &Did {
        &self.inner.device
    }

    /// Appends events, all or none, and changes what they change. Answers with the last one's number once they are on disk.
    /// Events whose answer is not awaited may have been written all the same.
    ///
    /// # Errors
    /// When an event does not fit, or the disk refuses; then nothing was written.
    pub async fn append(&self, events: Vec<Event>) -> Result<Seq, Problem> {
        let events = session::prepare(events)?;
        self.ask(|answer| Command::Append { events, answer }).await
    }

    /// As [`Store::append`], for threads that may block. Works within and without an async runtime.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_blocking(&self, events: Vec<Event>) -> Result<Seq, Problem> {
        block_on(self.append(events))
    }

    /// Appends what `decide` wants, given how everything is at that very moment: nobody else writes between its look and
    /// its events, so this is how claims and leases are taken. It runs on the writer's thread: it must be quick, must not
    /// wait, and must not use the store but through its view. With no events, nothing is written.
    ///
    /// # Errors
    /// What `decide` refuses with, and as [`Store::append`].
    pub async fn append_if(
        &self,
        decide: impl FnOnce(&mut View<'_>) -> Result<Vec<Event>, Problem> + Send + 'static,
    ) -> Result<Seq, Problem> {
        self.ask(|answer| Command::Decide { decide: Box::new(move |view: &mut View<'_>| Ready::new(decide(view)?)), answer }).await
    }

    /// As [`Store::append_if`], of events that were made ready before.
    ///
    /// # Errors
    /// What `decide` refuses with, and as [`Store::append`].
    pub async fn append_ready_if(
        &self,
        decide: impl FnOnce(&mut View<'_>) -> Result<Ready, Problem> + Send + 'static,
    ) -> Result<Seq, Problem> {
        self.ask(|answer| Command::Decide { decide: Box::new(decide), answer }).await
    }

    /// As [`Store::append_if`], for threads that may block.
    ///
    /// # Errors
    /// As [`Store::append_if`].
    pub fn append_if_blocking(
        &self,
        decide: impl FnOnce(&mut View<'_>) -> Result<Vec<Event>, Problem> + Send + 'static,
    ) -> Result<Seq, Problem> {
        block_on(self.append_if(decide))
    }

    /// One projected thing.
    ///
    /// # Errors
    /// When the database refuses, or it is of another form than `T`.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<T>, Problem> {
        let text = self.inner.readers.with(|c| read::value_text(c, kind, id).map_err(|e| problem::database(&e)))?;
        text.map(|text| serde_json::from_str(&text).map_err(Problem::internal)).transpose()
    }

    /// Projected things of one kind, ordered by the events that made them; at most [`limits::READ_MAX`].
    ///
    /// # Errors
    /// When the database refuses, or one is of another form than `T`.
    pub fn list<T: DeserializeOwned>(&self, kind: &str, order: Order, limit: usize) -> Result<Vec<T>, Problem> {
        let texts = self.inner.readers.with(|c| read::list_texts(c, "projected", kind, order, limit).map_err(|e| problem::database(&e)))?;
        texts.iter().map(|text| serde_json::from_str(text).map_err(Problem::internal)).collect()
    }

    /// As [`Store::list`]: those whose id another kind has too, by when they came into that, the oldest first.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn list_among<T: DeserializeOwned>(&self, kind: &str, among: &str, limit: usize) -> Result<Vec<T>, Problem> {
        let texts = self.inner.readers.with(|c| read::texts_among(c, kind, among, limit).map_err(|e| problem::database(&e)))?;
        texts.iter().map(|text| serde_json::from_str(text).map_err(Problem::internal)).collect()
    }

    /// One projected thing, with the number of the event that changed it last.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_numbered<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<(Seq, T)>, Problem> {
        self.inner.readers.with(|c| piece::numbered(c, kind, id))
    }

    /// Projected things of one kind, the newest first, each with the number of the event that changed it last; at most
    /// [`limits::READ_MAX`].
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn list_numbered<T: DeserializeOwned>(&self, kind: &str, limit: usize) -> Result<Vec<(Seq, T)>, Problem> {
        self.inner.readers.with(|c| piece::list_numbered(c, kind, limit))
    }

    /// What of the journal follows a place of it, for another device: about so many bytes, or one event. Nothing where that is its end,
    /// or it does not know the place.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn pieces(&self, after: Point, bytes: usize) -> Result<Vec<Piece>, Problem> {
        self.inner.readers.with(|c| piece::pieces(c, after, bytes))
    }

    /// Where the journal ends, and what it comes to there: things of these kinds, one kind after the other, of each the newest first, until
    /// that is about so many bytes of JSON.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn summary(&self, kinds: &[&str], bytes_max: usize) -> Result<(Head, Vec<Row>), Problem> {
        self.inner.readers.with(|c| summary::summary(c, kinds, bytes_max))
    }

    /// Events after `after`, oldest first; at most [`limits::READ_MAX`].
    ///
    /// # Errors
    /// When the database refuses, or an event cannot be read.
    pub fn events(&self, after: Seq, limit: usize) -> Result<Vec<Recorded>, Problem> {
        self.inner.readers.with(|c| read::events(c, after, limit))
    }

    /// The hash of the event at a place; none where there is no event of that number and incarnation.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn hash_at(&self, at: Point) -> Result<Option<Hash>, Problem> {
        self.inner.readers.with(|c| summary::hash_at(c, at))
    }

    /// How the journal and its branch lie apart; nothing where others hold nothing more.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn apart(&self) -> Result<Option<Apart>, Problem> {
        let there = migrate::open_reader(&files::branch(&self.inner.dir)).map_err(|e| problem::database(&e))?;
        self.inner.readers.with(|here| mend::apart(here, &there))
    }

    /// Why the journal was not mended when it was opened, though it was marked so.
    pub fn unmended(&self) -> Option<&Problem> {
        self.inner.unmended.as_ref()
    }

    /// The end of the journal.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn head(&self) -> Result<Head, Problem> {
        let tail = self.inner.readers.with(read::tail)?;
        tail.ok_or_else(|| Problem::internal("the journal has no incarnation"))?.head()
    }

    /// The last event's number; 0 when there is none. It asks no disk.
    pub fn last(&self) -> Seq {
        Seq(self.inner.last.load(Ordering::Acquire))
    }

    /// Events from now on, after they are on disk. Who lags behind more than [`limits::SUBSCRIBER_LAG_MAX`] is told so, and
    /// reads what it missed with [`Store::events`]; [`Store::follow`] does that by itself.
    pub fn subscribe(&self) -> broadcast::Receiver<Recorded> {
        self.inner.published.subscribe()
    }

    /// Every event after `after`, without gaps: first from the journal, then as they come.
    pub fn follow(&self, after: Seq) -> Follower {
        Follower::new(self.clone(), after)
    }

    /// Checks every link, hash and signature of every incarnation, and the blobs that events name. Takes long for long journals: call it where blocking is
    /// allowed.
    ///
    /// # Errors
    /// When the journal cannot be read at all; what is wrong inside is in the report.
    pub fn verify(&self) -> Result<VerifyReport, Problem> {
        // Read before the journal, which only grows.
        let remembered = Remembered::read(&self.inner.dir, &self.inner.device);
        self.inner.readers.with(|c| verify::verify(c, &self.inner.device, remembered.as_ref(), &self.inner.blobs))
    }

    /// Makes the projections anew from the journal, and says what was different. Writes wait meanwhile.
    ///
    /// # Errors
    /// When an event cannot be read or projected, or the disk refuses; then the projections stay as they were.
    pub async fn rebuild(&self) -> Result<RebuildReport, Problem> {
        self.ask(|answer| Command::Rebuild { answer }).await
    }

    /// As [`Store::rebuild`], for threads that may block.
    ///
    /// # Errors
    /// As [`Store::rebuild`].
    pub fn rebuild_blocking(&self) -> Result<RebuildReport, Problem> {
        block_on(self.rebuild())
    }

    /// Writes a consistent copy of the database into a new file, for a backup. Logs are plain files, and so are blobs, but for those that
    /// came with their events a moment ago: so files are to be copied after this.
    ///
    /// # Errors
    /// When the file exists, or the disk refuses.
    pub fn snapshot(&self, to: &Path) -> Result<(), Problem> {
        if to.exists() {
            return Err(Problem::conflict(format!("{} exists already.", to.display())));
        }
        // A connection of its own: VACUUM INTO is refused on those that only read.
        let connection = Connection::open_with_flags(files::database(&self.inner.dir), sqlite::OpenFlags::new().with_read_write());
        migrate::copy_to(&connection.map_err(|e| problem::database(&e))?, to)
    }

    /// The blobs beside the journal.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// The log of a run; begins one where there is none. All handles of one run's log are the same log.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn run_log(&self, run: &RunId) -> Result<RunLog, Problem> {
        self.inner.logs.get(run)
    }

    /// Keeps a new token's record, together with the event that says so.
    ///
    /// # Errors
    /// As [`Store::append`], and when there are too many.
    pub async fn insert_token(&self, record: Record, event: Event) -> Result<Seq, Problem> {
        self.change_tokens(TokenChange::Insert(Sort::Token, record), vec![event]).await
    }

    /// Forgets a token, together with the event that says so.
    ///
    /// # Errors
    /// As [`Store::append`], and when there is none with this id.
    pub async fn revoke_token(&self, id: &str, event: Event) -> Result<Seq, Problem> {
        self.change_tokens(TokenChange::Revoke(Sort::Token, vec![id.to_owned()]), vec![event]).await
    }

    /// What is kept of one token.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn token(&self, id: &str) -> Result<Option<Record>, Problem> {
        self.inner.readers.with(|c| token::record(c, Sort::Token, id))
    }

    /// What is kept of all tokens, oldest first.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn tokens(&self) -> Result<Vec<Record>, Problem> {
        self.inner.readers.with(|c| token::records(c, Sort::Token))
    }

    /// Keeps the record of a browser that signed in, together with the event that says so. Those that have expired are forgotten.
    ///
    /// # Errors
    /// As [`Store::append`], and when there are too many.
    pub async fn insert_browser(&self, record: Record, event: Event) -> Result<Seq, Problem> {
        self.change_tokens(TokenChange::Insert(Sort::Browser, record), vec![event]).await
    }

    /// Forgets browsers, all or none, together with the events that say so.
    ///
    /// # Errors
    /// As [`Store::append`], and when one of them is not there.
    pub async fn remove_browsers(&self, ids: Vec<String>, events: Vec<Event>) -> Result<Seq, Problem> {
        self.change_tokens(TokenChange::Revoke(Sort::Browser, ids), events).await
    }

    /// What is kept of one browser that signed in.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn browser(&self, id: &str) -> Result<Option<Record>, Problem> {
        self.inner.readers.with(|c| token::record(c, Sort::Browser, id))
    }

    /// What is kept of all browsers that signed in, oldest first.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn browsers(&self) -> Result<Vec<Record>, Problem> {
        self.inner.readers.with(|c| token::records(c, Sort::Browser))
    }

    async fn change_tokens(&self, change: TokenChange, events: Vec<Event>) -> Result<Seq, Problem> {
        let events = session::prepare(events)?;
        self.ask(|answer| Command::Tokens { change, events, answer }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T, Problem>>) -> Command) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        let commands = self.inner.commands.as_ref().ok_or_else(problem::writer_gone)?;
        commands.send(command(answer)).await.map_err(|_| problem::writer_gone())?;
        answered.await.map_err(|_| problem::writer_gone())?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A panic of the writer was already told to everybody who waited for it.
            let _ = thread.join();
        }
    }
}
