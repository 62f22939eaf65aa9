//! The machine's room, which all its orgs share: what each takes stands in a file of its own (`orgs/<org>/taken.json`), written
//! before the lease is journaled, and read under one lock of the machine (`<data>/room.lock`) by whoever admits.
//!
//! So two orgs never get the same room, and nothing has to run for that but the two. What an org's process held when it died
//! stays taken until a process of that org has read its journal again. There is no fsync: a power cut ends the runs too.
//!
//! Which orgs there are is looked up when one comes or goes: each of these adds a byte to the lock file (`announce`). Whoever admits sees
//! by its length whether the files that it has open are still those of all others.

use crate::{
    data_dir::{DataDir, storage},
    limits,
};
use domain::{OrgName, Problem, capacity::Taken};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::File,
    io::{ErrorKind, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// One org's share in the machine's room.
#[derive(Debug)]
pub struct Room {
    data: DataDir,
    org: OrgName,
    lock: File,
    own: File,
    path: PathBuf,
    /// What the file says.
    told: Mutex<Option<Taken>>,
    others: Mutex<Others>,
}

/// The files of the other orgs of the machine.
#[derive(Debug, Default)]
struct Others {
    /// How long the lock file was when they were looked up; none: that is to be done.
    as_of: Option<u64>,
    files: Vec<(PathBuf, File)>,
}

/// The right to take room, held by one process of the machine at a time.
#[derive(Debug)]
pub struct Turn<'a> {
    room: &'a Room,
    /// What other orgs take.
    pub others: Taken,
}

impl Room {
    /// Opens an org's share. What it took before it was last ended stays until [`Room::tell`].
    ///
    /// # Errors
    /// When its files cannot be opened.
    pub fn open(data: &DataDir, org: &OrgName) -> Result<Self, Problem> {
        let open = |path: &Path| {
            let file = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
            file.map_err(|e| storage(path, &e))
        };
        let path = data.org(org).taken();
        let (lock, own) = (open(&data.room_lock())?, open(&path)?);
        announce(data)?;
        Ok(Self { data: data.clone(), org: org.clone(), lock, own, path, told: Mutex::default(), others: Mutex::default() })
    }

    /// What other orgs of the machine take now.
    ///
    /// # Errors
    /// When one has not told yet what it takes.
    pub fn others(&self) -> Result<Taken, Problem> {
        let length = self.lock.metadata().map_err(|e| storage(&self.data.room_lock(), &e))?.len();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.as_of != Some(length) {
            *others = Others::default();
            *others = Others { files: self.look_up()?, as_of: Some(length) };
        }
        others.files.iter().map(|(path, file)| read(path, file)).try_fold(Taken::default(), |sum, taken| Ok(sum.plus(taken?)))
    }

    fn look_up(&self) -> Result<Vec<(PathBuf, File)>, Problem> {
        let others = self.data.orgs().into_iter().filter(|org| *org != self.org).map(|org| self.data.org(&org).taken());
        let open = |path: PathBuf| match File::open(&path) {
            Ok(file) => Ok((path, file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(unknown()),
            Err(e) => Err(storage(&path, &e)),
        };
        others.map(open).collect()
    }

    /// Waits for its turn, and looks what is taken.
    ///
    /// # Errors
    /// When the turn does not come in time, or another org has not told yet what it takes: waiting helps.
    pub fn turn(&self) -> Result<Turn<'_>, Problem> {
        let begun = Instant::now();
        while flock(&self.lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            if begun.elapsed() > limits::ROOM_WAIT {
                return Err(Problem::unavailable("Another org of this machine is taking room, and does not come to an end.")
                    .next("meshwork org list says how the orgs do."));
            }
            std::thread::sleep(limits::ROOM_PAUSE);
        }
        // From here on the lock is let go when the turn is dropped, also on a mistake.
        let mut turn = Turn { room: self, others: Taken::default() };
        turn.others = self.others()?;
        Ok(turn)
    }

    /// Says what the org takes now. Whoever takes more says it within its [`Turn`]; giving back needs none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn tell(&self, taken: Taken) -> Result<(), Problem> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == Some(taken) {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&taken).map_err(Problem::internal)?;
        // The rest of a longer text may stand behind it, which no reader looks at.
        self.own.write_all_at(&bytes, 0).map_err(|e| storage(&self.path, &e))?;
        *told = Some(taken);
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = flock(&self.room.lock, FlockOperation::Unlock);
    }
}

/// Has all orgs of the machine look up which there are: one comes, or has gone.
///
/// # Errors
/// When the lock file cannot be written.
pub(crate) fn announce(data: &DataDir) -> Result<(), Problem> {
    let path = data.room_lock();
    let file = File::options().create(true).append(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(b".")).map_err(|e| storage(&path, &e))
}

/// What an org takes, as its file says.
fn read(path: &Path, file: &File) -> Result<Taken, Problem> {
    let mut text = [0; limits::TAKEN_BYTES_MAX];
    let length = file.read_at(&mut text, 0).map_err(|e| storage(path, &e))?;
    let first = serde_json::Deserializer::from_slice(&text[..length]).into_iter::<Taken>().next();
    first.and_then(Result::ok).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::unavailable("Another org of this machine has not told yet what of the machine it uses.")
        .next("Wait until it has started; meshwork org list says how it does.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        capacity::{Lane, Resources},
        manifest::Class,
        run::RunState,
    };

    fn two() -> (tempfile::TempDir, Room, Room) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let room = |name: &str| {
            let name = name.parse().unwrap();
            std::fs::create_dir_all(data.org(&name).root).unwrap();
            std::fs::write(data.org(&name).record(), "{}").unwrap();
            Room::open(&data, &name).unwrap()
        };
        let (acme, beta) = (room("acme"), room("beta"));
        (folder, acme, beta)
    }

    fn working(memory_bytes: u64) -> Taken {
        Taken::default().with(Class::Agent, RunState::Working, Resources { cpu_milli: 1000, memory_bytes, disk_bytes: 1, gpus: 0 })
    }

    #[test]
    fn nothing_is_admitted_before_every_org_said_what_it_takes() {
        let (_folder, acme, beta) = two();
        assert!(acme.turn().unwrap_err().passes());
        beta.tell(working(7)).unwrap();
        assert_eq!(acme.turn().unwrap().others, working(7));
        // Its process died: what it took stays taken.
        drop(beta);
        assert_eq!(acme.turn().unwrap().others.beside(Class::Agent), Lane { slots: 1, reserved: working(7).work.reserved });
    }

    #[test]
    fn the_other_orgs_are_looked_up_when_one_comes_or_goes_and_not_for_each_admission() {
        let (_folder, acme, beta) = two();
        beta.tell(working(7)).unwrap();
        assert_eq!(acme.others().unwrap(), working(7));
        std::fs::remove_file(acme.data.org(&beta.org).record()).unwrap();
        assert_eq!(acme.others().unwrap(), working(7), "the folder was not read again");
        beta.tell(working(8)).unwrap();
        assert_eq!(acme.others().unwrap(), working(8), "what it takes is");
        announce(&acme.data).unwrap();
        assert_eq!(acme.others().unwrap(), Taken::default(), "it has gone");

        let third: OrgName = "third".parse().unwrap();
        std::fs::create_dir_all(acme.data.org(&third).root).unwrap();
        std::fs::write(acme.data.org(&third).record(), "{}").unwrap();
        let third = Room::open(&acme.data, &third).unwrap();
        assert!(acme.others().unwrap_err().passes(), "it has not told yet");
        third.tell(working(9)).unwrap();
        assert_eq!(acme.others().unwrap(), working(9));
    }

    #[test]
    fn one_at_a_time_takes_room_and_a_shorter_text_is_read_too() {
        let (_folder, acme, beta) = two();
        acme.tell(working(1 << 40)).unwrap();
        beta.tell(Taken::default()).unwrap();
        let turn = acme.turn().unwrap();
        assert!(beta.turn().unwrap_err().passes(), "it is acme's turn");
        drop(turn);
        acme.tell(working(1)).unwrap();
        std::fs::OpenOptions::new().append(true).open(&acme.path).unwrap().write_at(b"}rest", 200).unwrap();
        assert_eq!(beta.turn().unwrap().others, working(1));
        acme.tell(Taken::default()).unwrap();
        assert_eq!(beta.turn().unwrap().others, Taken::default());
    }

    #[test]
    fn checks_and_work_have_slots_of_their_own_and_share_memory() {
        let both = working(30).with(Class::Ci, RunState::Preparing, Resources { cpu_milli: 500, memory_bytes: 20, disk_bytes: 1, gpus: 0 });
        let both = both.with(Class::Agent, RunState::Verifying, Resources { cpu_milli: 1000, memory_bytes: 99, disk_bytes: 9, gpus: 0 });
        let found = both.beside(Class::Ci);
        assert_eq!((found.slots, found.reserved.cpu_milli, found.reserved.memory_bytes), (1, 500, 50));
        assert_eq!((both.beside(Class::Agent).slots, both.beside(Class::Job).reserved.cpu_milli), (2, 1000));
    }
}
