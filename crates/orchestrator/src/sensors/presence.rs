//! Whether somebody is at the machine: for how long nothing was typed in any session of logind that counts.
//!
//! Sessions are the files below `/run/systemd/sessions`, which sd-login(3) reads too. A session counts whose user sits at the machine (it
//! has a seat, and is the active one there), whoever that is; and of remote ones those of the user for whom this process runs: others
//! who work here by ssh are no owners. A terminal tells by the time of its last input, as logind and w(1) take it; a desktop tells only
//! logind, over D-Bus, which `busctl` of systemd is asked for, and only where the lend policy wants to know. Of one that does not answer
//! soon nothing is known but what it said before: whoever was at it within that time counts as being there.

use super::{entries, text};
use crate::{clock, limits};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
};
use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Desktop sessions, and what they said last: they are not asked by whoever looks between the regular looks.
#[derive(Debug)]
pub(super) struct Hints {
    /// How long all of them together may take to answer.
    wait: Duration,
    known: Mutex<HashMap<String, Hint>>,
}

/// What is known of one.
#[derive(Debug)]
struct Hint {
    /// When it was asked last.
    asked: Instant,
    /// When it was asked to which it answered last, and for how long it was idle then, in seconds.
    said: Option<(Instant, u64)>,
    /// It is being asked still: a busy machine may take longer than a look does.
    asking: Option<Asking>,
}

/// A program that asks a session.
#[derive(Debug)]
struct Asking {
    child: Child,
    stdout: ChildStdout,
    heard: String,
}

/// What came of listening to it.
enum Heard {
    /// All that it says.
    All(String),
    /// More may come.
    Part,
    /// It cannot be heard.
    Nothing,
}

impl Default for Hints {
    fn default() -> Self {
        Self { wait: limits::PRESENCE_ANSWER_WAIT, known: Mutex::default() }
    }
}

/// A session of logind.
#[derive(Debug, PartialEq, Eq)]
struct Session {
    id: String,
    fields: HashMap<String, String>,
}

/// For how long nothing was typed, in seconds; none where that is not known: no logind, or a session that does not tell. A session that
/// was used within `away_after_s` is enough to know that somebody is there. With nobody logged in: since the machine was started.
pub(super) fn idle_s(root: &Path, hints: Option<&Hints>, away_after_s: u64) -> Option<u64> {
    let sessions = sessions(root)?;
    let uid = rustix::process::getuid().as_raw().to_string();
    let counted: Vec<&Session> = sessions.iter().filter(|session| session.counts(&uid)).collect();
    let desktops: Vec<&str> = counted.iter().filter(|session| session.is_desktop()).map(|session| session.id.as_str()).collect();
    let said = hints.map(|hints| hints.idle_s(root, &desktops, away_after_s)).unwrap_or_default();
    let one = |session: &&Session| if session.is_desktop() { said.get(&session.id).copied() } else { idle(root, session) };
    let each: Vec<Option<u64>> = counted.iter().map(one).collect();
    if each.is_empty() {
        return text(&root.join("proc/uptime"))?.split(['.', ' ']).next()?.parse().ok();
    }
    let least = each.iter().flatten().min().copied();
    least.filter(|idle| *idle < away_after_s || !each.contains(&None))
}

/// None where there is no logind.
fn sessions(root: &Path) -> Option<Vec<Session>> {
    let files = entries(&root.join("run/systemd/sessions"))?;
    let read = |path: &std::path::PathBuf| {
        let id = path.file_name()?.to_str().filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))?.to_owned();
        let text = text(path)?;
        let field = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
        Some(Session { id, fields: text.lines().filter_map(field).collect() })
    };
    Some(files.iter().filter_map(read).collect())
}

impl Session {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    /// Whether only logind can tell for how long nothing was typed there.
    fn is_desktop(&self) -> bool {
        matches!(self.get("TYPE"), "x11" | "wayland" | "mir")
    }

    /// Whether whoever types there is at the machine, as its owner or before it.
    fn counts(&self, uid: &str) -> bool {
        let of_a_person = matches!(self.get("CLASS"), "" | "user" | "user-early" | "user-light" | "user-early-light");
        let here = !self.get("SEAT").is_empty() && self.get("ACTIVE") == "1";
        let own = self.get("REMOTE") == "1" && self.get("UID") == uid;
        of_a_person && self.get("STATE") != "closing" && (here || own)
    }
}

/// For how long nothing was typed at a terminal, in seconds.
fn idle(root: &Path, session: &Session) -> Option<u64> {
    let tty = session.get("TTY").trim_start_matches("/dev/");
    let tty = Some(tty).filter(|tty| !tty.is_empty() && !tty.starts_with('/') && !tty.split('/').any(|part| part == ".."))?;
    let touched = fs::metadata(root.join("dev").join(tty)).ok()?.atime();
    u64::try_from((clock::now().0 / 1000).saturating_sub(touched)).ok().or(Some(0))
}

impl Hints {
    /// For how long these sessions are idle, in seconds, of which that is known.
    fn idle_s(&self, root: &Path, sessions: &[&str], away_after_s: u64) -> HashMap<String, u64> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|session, _| sessions.contains(&session.as_str()));
        let now = Instant::now();
        for session in sessions {
            let is_due = |hint: &Hint| hint.asking.is_none() && hint.asked.elapsed() >= limits::PRESENCE_ASK_EVERY;
            if known.get(*session).is_none_or(is_due) {
                let said = known.get(*session).and_then(|hint| hint.said);
                known.insert((*session).to_owned(), Hint { asked: now, said, asking: Asking::begin(root, session).ok() });
            }
        }
        // All were asked before the first is listened to.
        known.values_mut().for_each(|hint| hint.hear(now + self.wait));
        known.iter().filter_map(|(session, hint)| Some((session.clone(), hint.idle_s(away_after_s)?))).collect()
    }
}

impl Hint {
    /// Takes the answer, if it comes until then. One that takes too long is asked anew.
    fn hear(&mut self, until: Instant) {
        let Some(mut asking) = self.asking.take() else { return };
        match asking.hear(until) {
            Heard::All(said) => {
                let now_us = u64::try_from(clock::now().0).unwrap_or_default() * 1000;
                self.said = hint(&said, now_us).map(|idle| (self.asked, idle)).or(self.said);
            }
            Heard::Part if self.asked.elapsed() < limits::PRESENCE_GIVE_UP => self.asking = Some(asking),
            Heard::Part | Heard::Nothing => {}
        }
    }

    /// For how long it is idle, in seconds. One that does not answer now is idle no longer than it was, and the time since: that is enough
    /// to know where somebody still is by that, and for nothing else.
    fn idle_s(&self, away_after_s: u64) -> Option<u64> {
        let (at, idle) = self.said?;
        let most = || Some(idle.saturating_add(at.elapsed().as_secs())).filter(|idle| *idle < away_after_s);
        if at == self.asked { Some(idle) } else { most() }
    }
}

impl Asking {
    /// Begins to ask logind for how long a session is idle.
    fn begin(root: &Path, session: &str) -> io::Result<Self> {
        let object = format!("/org/freedesktop/login1/session/{}", label(session));
        let mut busctl = Command::new(root.join("usr/bin/busctl"));
        busctl.args(["--timeout=5", "get-property", "org.freedesktop.login1", &object]);
        busctl.args(["org.freedesktop.login1.Session", "IdleHint", "IdleSinceHint"]);
        let mut child = busctl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, stdout, heard: String::new() })
    }

    /// Listens until then.
    fn hear(&mut self, until: Instant) -> Heard {
        let mut piece = [0; 256];
        while self.heard.len() as u64 <= limits::SENSOR_BYTES_MAX {
            let Ok(left) = Timespec::try_from(until.saturating_duration_since(Instant::now())) else { return Heard::Nothing };
            let mut ready = [PollFd::new(&self.stdout, PollFlags::IN)];
            match retry_on_intr(|| poll(&mut ready, Some(&left))) {
                Ok(0) => return Heard::Part,
                Ok(_) => {}
                Err(_) => return Heard::Nothing,
            }
            match self.stdout.read(&mut piece) {
                Ok(0) => return Heard::All(std::mem::take(&mut self.heard)),
                Ok(count) => self.heard.push_str(&String::from_utf8_lossy(&piece[..count])),
                Err(_) => return Heard::Nothing,
            }
        }
        Heard::Nothing
    }
}

impl Drop for Asking {
    /// It said all, or is too late.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `busctl get-property` prints: `b true`, and since when in microseconds, `t 1700000000000000`.
fn hint(said: &str, now_us: u64) -> Option<u64> {
    let mut lines = said.lines();
    let idle = lines.next()?.trim().strip_prefix("b ")?;
    let since_us: u64 = lines.next()?.trim().strip_prefix("t ")?.parse().ok()?;
    match idle {
        "true" => Some(now_us.saturating_sub(since_us) / 1_000_000),
        "false" => Some(0),
        _ => None,
    }
}

/// A session's name in the path of its object: a digit at the beginning is escaped, as sd_bus_path_encode(3) does.
fn label(session: &str) -> String {
    match session.as_bytes().first() {
        Some(first) if first.is_ascii_digit() => format!("_{first:02x}{}", &session[1..]),
        _ => session.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::tests::root, *};

    const AWAY: u64 = 300;

    /// Lays a terminal that was typed at so many seconds ago.
    fn typed(root: &Path, tty: &str, ago: i64) {
        let path = root.join("dev").join(tty);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(u64::try_from(ago).unwrap());
        fs::File::options().write(true).open(&path).unwrap().set_times(fs::FileTimes::new().set_accessed(at)).unwrap();
    }

    fn near(found: Option<u64>, expected: u64) -> bool {
        found.is_some_and(|found| (expected..expected + 5).contains(&found))
    }

    /// Lays a `busctl` that does so.
    fn lay(root: &Path, script: &str) {
        let busctl = root.join("usr/bin/busctl");
        fs::create_dir_all(busctl.parent().unwrap()).unwrap();
        // Written by another process: a child of this one that is just being started may hold what is written here, and what somebody
        // holds so cannot be started.
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let laid = Command::new("sh").arg("-c").arg(write).arg(&busctl).arg(script).status().unwrap();
        assert!(laid.success());
    }

    /// The second session's name on the bus.
    const SECOND: &str = "/org/freedesktop/login1/session/_32";
    const DESKTOP: &str = "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\nSEAT=seat0\n";

    /// Waits for a busy machine too.
    fn patient() -> Hints {
        Hints { wait: Duration::from_secs(60), ..Hints::default() }
    }

    /// That the second session said so at the look before.
    fn said(idle: u64) -> Mutex<HashMap<String, Hint>> {
        let asked = Instant::now().checked_sub(limits::LEND_LOOK_EVERY).unwrap();
        Mutex::new(HashMap::from([("2".to_owned(), Hint { asked, said: Some((asked, idle)), asking: None })]))
    }

    #[test]
    fn without_logind_nobody_knows() {
        assert_eq!(idle_s(root(&[("proc/uptime", "77.0 1.0\n")]).path(), None, AWAY), None);
    }

    #[test]
    fn a_terminal_at_the_machine_tells_when_it_was_typed_at() {
        let session = "# This is private data. Do not parse.\nUID=4242\nACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=tty\nCLASS=user\nSEAT=seat0\nTTY=tty2\n";
        let root = root(&[("run/systemd/sessions/3", session), ("proc/uptime", "9000.0 1.0\n")]);
        assert_eq!(idle_s(root.path(), None, AWAY), None, "its terminal is not there");
        typed(root.path(), "tty2", 20);
        assert!(near(idle_s(root.path(), None, AWAY), 20));
        typed(root.path(), "tty2", 2_000);
        assert!(near(idle_s(root.path(), None, AWAY), 2_000));
        let gone = session.replace("ACTIVE=1", "ACTIVE=0");
        fs::write(root.path().join("run/systemd/sessions/3"), gone).unwrap();
        assert_eq!(idle_s(root.path(), None, AWAY), Some(9_000), "somebody else has the seat, or nobody");
    }

    #[test]
    fn of_remote_sessions_only_those_of_the_same_user_count() {
        let uid = rustix::process::getuid().as_raw();
        let session = |uid: u32| format!("UID={uid}\nACTIVE=1\nSTATE=active\nREMOTE=1\nTYPE=tty\nCLASS=user\nTTY=pts/4\n");
        let (own, other) = (session(uid), session(uid + 1));
        let theirs = root(&[("run/systemd/sessions/7", other.as_str()), ("proc/uptime", "800.5 1.0\n")]);
        typed(theirs.path(), "pts/4", 1);
        assert_eq!(idle_s(theirs.path(), None, AWAY), Some(800));
        let ours = root(&[("run/systemd/sessions/7", own.as_str()), ("proc/uptime", "800.5 1.0\n")]);
        typed(ours.path(), "pts/4", 1);
        assert!(near(idle_s(ours.path(), None, AWAY), 1));
    }

    #[test]
    fn a_desktop_is_asked_over_the_bus_and_unknown_where_it_does_not_answer() {
        let root = root(&[("run/systemd/sessions/2", DESKTOP)]);
        assert_eq!(idle_s(root.path(), None, AWAY), None, "not asked");
        assert_eq!(idle_s(root.path(), Some(&Hints::default()), AWAY), None, "no busctl");
        let answers = |said: &str| {
            lay(root.path(), &format!("[ \"$4\" = {SECOND} ] && printf '{said}'"));
            idle_s(root.path(), Some(&patient()), AWAY)
        };
        assert_eq!(answers("b false\\nt 0\\n"), Some(0));
        let away = Hints { known: said(900), ..patient() };
        assert_eq!(idle_s(root.path(), Some(&away), AWAY), Some(0), "its owner came back since the last look");
        let since = (clock::now().0 / 1000 - 900) * 1_000_000;
        assert!(near(answers(&format!("b true\\nt {since}\\n")), 900));
        // One that does not tell says nothing against one that was used just now.
        let console = "ACTIVE=1\nTYPE=tty\nCLASS=user\nSEAT=seat1\nTTY=tty9\n";
        fs::write(root.path().join("run/systemd/sessions/9"), console).unwrap();
        typed(root.path(), "tty9", 10);
        assert!(near(idle_s(root.path(), None, AWAY), 10));
        typed(root.path(), "tty9", 1_000);
        assert_eq!(idle_s(root.path(), None, AWAY), None);
    }

    #[test]
    fn desktops_that_do_not_answer_are_waited_for_together_and_whoever_was_at_one_is_still_there() {
        let root = root(&[("run/systemd/sessions/1", DESKTOP), ("run/systemd/sessions/2", DESKTOP), ("run/systemd/sessions/3", DESKTOP)]);
        lay(root.path(), &format!("[ \"$4\" = {SECOND} ] && exec printf 'b false\\nt 0\\n'; exec sleep 100"));
        let begun = Instant::now();
        // A busy machine may not even start it in time.
        while idle_s(root.path(), Some(&Hints::default()), AWAY) != Some(0) && begun.elapsed() < Duration::from_secs(20) {}
        assert!(begun.elapsed() < Duration::from_secs(20), "the others held it up");

        // What comes later than a look waits for is heard by one of the next.
        lay(root.path(), &format!("[ \"$4\" = {SECOND} ] && sleep 0.5 && exec printf 'b false\\nt 0\\n'; exec sleep 100"));
        let (slow, begun) = (Hints { wait: Duration::from_millis(1), known: said(AWAY) }, Instant::now());
        while idle_s(root.path(), Some(&slow), AWAY) != Some(0) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it was asked anew each time");

        lay(root.path(), "exec sleep 100");
        let hurried = |known| Hints { wait: Duration::ZERO, known };
        let now = |known| idle_s(root.path(), Some(&hurried(known)), AWAY);
        assert_eq!(now(Mutex::default()), None);
        assert!(near(now(said(7)), 7), "nobody can have left for longer");
        assert_eq!(now(said(AWAY)), None, "they may be back");
    }

    #[test]
    fn sessions_are_named_on_the_bus_as_logind_names_them() {
        assert_eq!([label("2"), label("12"), label("c1")], ["_32", "_312", "c1"]);
        assert_eq!([hint("b true\nt 1000000\n", 4_000_000), hint("b x\nt 1\n", 1), hint("", 1)], [Some(3), None, None]);
    }
}
