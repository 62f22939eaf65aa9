//! The one thread that writes. It takes everything that waits, commits it together, and then answers.
//!
//! After an error of the disk it answers with that error, opens the database anew, and first takes the whole write-ahead log
//! over into the database: what a failed sync may have left in the system's cache only is written again, before anything
//! is built on it. Until that works, every write is answered with why not.

use crate::{
    blob::{self, Blobs},
    chain::{Recorded, Seq},
    fault::Fault,
    journal::Signer,
    migrate, problem,
    projector::{Failure, View},
    read,
    rebuild::{self, Of, RebuildReport},
    session::{Prepared, Ready, Session},
    token::TokenChange,
    upkeep::Upkeep,
};
use domain::Problem;
use sqlite::{Connection, State};
use std::{
    fs::File,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{broadcast, mpsc, oneshot};

/// Who waits for an append.
pub(crate) type Answer = oneshot::Sender<Result<Seq, Problem>>;
/// What an append depends on.
pub(crate) type Decide = Box<dyn FnOnce(&mut View<'_>) -> Result<Ready, Problem> + Send>;

/// What the writer is asked.
pub(crate) enum Command {
    Append { events: Vec<Prepared>, answer: Answer },
    Decide { decide: Decide, answer: Answer },
    Tokens { change: TokenChange, events: Vec<Prepared>, answer: Answer },
    Rebuild { answer: oneshot::Sender<Result<RebuildReport, Problem>> },
}

/// What the writer's thread owns.
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) signer: Signer,
    pub(crate) fault: Fault,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) published: broadcast::Sender<Recorded>,
    /// The last event's number, as it is on disk.
    pub(crate) last: Arc<AtomicU64>,
    pub(crate) blobs: Blobs,
    /// What is done between groups.
    pub(crate) upkeep: Upkeep,
    /// Held as long as the thread lives.
    pub(crate) lock: File,
}

/// Why a session ended.
enum Ended {
    /// Nobody can ask any more.
    Closed,
    /// The disk or the database refused.
    Broken,
}

impl Writer {
    /// Writes until nobody can ask any more. Begins with a connection that is known to be sound.
    pub(crate) fn run(mut self, connection: Connection) {
        let mut sound = Some(connection);
        while let Some(command) = self.commands.blocking_recv() {
            let connection = match sound.take().map_or_else(|| self.mend(), Ok) {
                Ok(connection) => connection,
                Err(problem) => {
                    tracing::warn!(%problem, "the journal cannot be written");
                    command.refuse(problem);
                    continue;
                }
            };
            match self.serve(&connection, command) {
                Ended::Closed => break,
                Ended::Broken => {}
            }
        }
        drop(sound);
        drop(self.lock);
    }

    /// Opens the database anew after a failure.
    fn mend(&self) -> Result<Connection, Problem> {
        let connection = migrate::open_writer(&self.dir, self.fault)?;
        let checkpoint = || -> sqlite::Result<bool> {
            let mut statement = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")?;
            Ok(statement.next()? == State::Row && statement.read::<i64, _>(0)? == 0)
        };
        match checkpoint().map_err(|e| problem::database(&e))? {
            // Also what a commit brought of which it is not known whether it failed.
            true => blob::find_parked(&connection, &self.blobs).map(|()| connection),
            false => Err(Problem::unavailable("The journal is still being read after an error of the disk.").next("Try again.")),
        }
    }

    fn serve(&mut self, connection: &Connection, first: Command) -> Ended {
        let opened = read::tail(connection)
            .and_then(|tail| tail.ok_or_else(|| Problem::internal("the journal has no incarnation")))
            .and_then(|tail| Session::new(connection, &self.signer, tail).map_err(|e| problem::database(&e)));
        let mut session = match opened {
            Ok(session) => session,
            Err(problem) => {
                first.refuse(problem);
                return Ended::Broken;
            }
        };
        let mut next = first;
        loop {
            if let Command::Rebuild { answer } = next {
                let report = rebuild::rebuild(connection, Of::Own);
                session.forget_projections();
                let _ = answer.send(report);
            } else {
                let group = Group {
                    commands: &mut self.commands,
                    published: &self.published,
                    last: &self.last,
                    blobs: &self.blobs,
                    fault: self.fault,
                };
                match group.run(&mut session, next) {
                    Ok(None) => {}
                    Ok(Some(command)) => {
                        next = command;
                        continue;
                    }
                    Err(()) => return Ended::Broken,
                }
            }
            self.upkeep.committed(session.committed(), connection);
            match self.upkeep.wait(&mut self.commands, connection) {
                Some(command) => next = command,
                None => {
                    self.upkeep.end(connection);
                    return Ended::Closed;
                }
            }
        }
    }
}

/// One group of commands on its way into one commit.
struct Group<'a> {
    commands: &'a mut mpsc::Receiver<Command>,
    published: &'a broadcast::Sender<Recorded>,
    last: &'a AtomicU64,
    blobs: &'a Blobs,
    fault: Fault,
}

impl Group<'_> {
    /// Writes `first` and what else waits, and answers them all. Returns a command that needs the database for itself.
    fn run(self, session: &mut Session<'_>, first: Command) -> Result<Option<Command>, ()> {
        if let Err(error) = session.begin() {
            first.refuse(problem::database(&error));
            return Err(());
        }
        let mut answers = vec![];
        let mut alone = None;
        let mut next = Some(first);
        while let Some(command) = next {
            match apply(session, command) {
                Applied::Done(answer, result) => answers.push((answer, result)),
                Applied::Alone(command) => {
                    alone = Some(command);
                    break;
                }
                Applied::Broken(answer, problem) => {
                    answers.push((answer, Err(problem.clone())));
                    return Self::fail(session, answers, &problem, alone);
                }
            }
            next = if session.is_full() { None } else { self.commands.try_recv().ok() };
        }
        if let Err(problem) = session.prepare_commit() {
            return Self::fail(session, answers, &problem, alone);
        }
        if self.fault == Fault::AnswerBeforeCommit {
            send(std::mem::take(&mut answers));
            // As one who leaves the writing to the system does: it happens a moment later.
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        session.park(self.blobs);
        if let Err(problem) = session.finish_commit() {
            return Self::fail(session, answers, &problem, alone);
        }
        self.last.store(session.committed().seq.0, Ordering::Release);
        // Who waits for its answer goes first: of the events many hear, and each takes its time.
        send(answers);
        self.publish(session);
        Ok(alone)
    }

    /// Nothing of the group is there; everybody hears why.
    fn fail(
        session: &mut Session<'_>,
        answers: Vec<(Answer, Result<Seq, Problem>)>,
        problem: &Problem,
        alone: Option<Command>,
    ) -> Result<Option<Command>, ()> {
        tracing::warn!(%problem, "a group of events was not written");
        // The connection is closed next, which rolls back too.
        let _ = session.rollback();
        let refused = |(answer, result): (Answer, Result<Seq, Problem>)| (answer, result.and(Err(problem.clone())));
        send(answers.into_iter().map(refused).collect());
        if let Some(command) = alone {
            command.refuse(problem.clone());
        }
        Err(())
    }

    fn publish(&self, session: &mut Session<'_>) {
        let recorded = session.take_recorded();
        if self.published.receiver_count() > 0 {
            for event in recorded.flatten() {
                // Without receivers nobody misses it.
                let _ = self.published.send(event);
            }
        }
    }
}

fn send(answers: Vec<(Answer, Result<Seq, Problem>)>) {
    for (answer, result) in answers {
        // Who does not wait any more does not need the answer.
        let _ = answer.send(result);
    }
}

/// What became of a command in the open transaction.
enum Applied {
    Done(Answer, Result<Seq, Problem>),
    Alone(Command),
    Broken(Answer, Problem),
}

fn apply(session: &mut Session<'_>, command: Command) -> Applied {
    let (answer, result) = match command {
        Command::Append { events, answer } => (answer, session.append(&events)),
        Command::Decide { decide, answer } => (answer, guarded(session, decide)),
        Command::Tokens { change, events, answer } => (answer, session.change_tokens(&change, &events)),
        rebuild @ Command::Rebuild { .. } => return Applied::Alone(rebuild),
    };
    match result {
        Ok(seq) => Applied::Done(answer, Ok(seq)),
        Err(Failure::Append(problem)) => Applied::Done(answer, Err(problem)),
        Err(Failure::Database(error)) => Applied::Broken(answer, problem::database(&error)),
    }
}

/// A condition is foreign code: should it panic, only its own append fails.
fn guarded(session: &mut Session<'_>, decide: Decide) -> Result<Seq, Failure> {
    let guarded = |view: &mut View<'_>| {
        std::panic::catch_unwind(AssertUnwindSafe(|| decide(view)))
            .unwrap_or_else(|_| Err(Problem::internal("the condition of an append panicked")))
    };
    session.decide(guarded)
}

impl Command {
    /// Answers that it was not done.
    fn refuse(self, problem: Problem) {
        match self {
            Self::Append { answer, .. } | Self::Decide { answer, .. } | Self::Tokens { answer, .. } => {
                let _ = answer.send(Err(problem));
            }
            Self::Rebuild { answer } => {
                let _ = answer.send(Err(problem));
            }
        }
    }
}
