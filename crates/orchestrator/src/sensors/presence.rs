//! Whether somebody is at the machine: for how long nothing was typed in any session of logind that counts.
//!
//! Sessions are the files below `/run/systemd/sessions`, which sd-login(3) reads too. A session counts whose user sits at the machine (it
//! has a seat, and is the active one there), whoever that is; and of remote ones those of the user for whom this process runs: others
//! who work here by ssh are no owners. A terminal tells by the time of its last input, as logind and w(1) take it; a desktop tells only
//! logind, over D-Bus, which `busctl` of systemd is asked for, and only where the lend policy wants to know.

use super::{entries, text};
use crate::{clock, limits};
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// What desktop sessions said last, so that they are not asked by whoever looks between the regular looks.
#[derive(Debug, Default)]
pub(super) struct Hints(Mutex<HashMap<String, (Instant, Option<u64>)>>);

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
    let each: Vec<Option<u64>> = sessions.iter().filter(|session| session.counts(&uid)).map(|session| idle(root, session, hints)).collect();
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

    /// Whether whoever types there is at the machine, as its owner or before it.
    fn counts(&self, uid: &str) -> bool {
        let of_a_person = matches!(self.get("CLASS"), "" | "user" | "user-early" | "user-light" | "user-early-light");
        let here = !self.get("SEAT").is_empty() && self.get("ACTIVE") == "1";
        let own = self.get("REMOTE") == "1" && self.get("UID") == uid;
        of_a_person && self.get("STATE") != "closing" && (here || own)
    }
}

fn idle(root: &Path, session: &Session, hints: Option<&Hints>) -> Option<u64> {
    if matches!(session.get("TYPE"), "x11" | "wayland" | "mir") {
        return hints?.idle_s(root, &session.id);
    }
    let tty = session.get("TTY").trim_start_matches("/dev/");
    let tty = Some(tty).filter(|tty| !tty.is_empty() && !tty.starts_with('/') && !tty.split('/').any(|part| part == ".."))?;
    let touched = fs::metadata(root.join("dev").join(tty)).ok()?.atime();
    u64::try_from((clock::now().0 / 1000).saturating_sub(touched)).ok().or(Some(0))
}

impl Hints {
    fn idle_s(&self, root: &Path, session: &str) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < limits::PRESENCE_ASK_EVERY);
        if let Some((_, idle)) = known.get(session) {
            return *idle;
        }
        let idle = ask(root, session);
        known.insert(session.to_owned(), (Instant::now(), idle));
        idle
    }
}

/// Asks logind for how long a session is idle.
fn ask(root: &Path, session: &str) -> Option<u64> {
    let object = format!("/org/freedesktop/login1/session/{}", label(session));
    let mut busctl = Command::new(root.join("usr/bin/busctl"));
    busctl.args(["--timeout=1", "get-property", "org.freedesktop.login1", &object]);
    busctl.args(["org.freedesktop.login1.Session", "IdleHint", "IdleSinceHint"]);
    let said = busctl.stdin(Stdio::null()).stderr(Stdio::null()).output().ok().filter(|said| said.status.success())?;
    hint(&String::from_utf8_lossy(&said.stdout), u64::try_from(clock::now().0).ok()? * 1000)
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
        let session = "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\nSEAT=seat0\n";
        let root = root(&[("run/systemd/sessions/2", session)]);
        assert_eq!(idle_s(root.path(), None, AWAY), None, "not asked");
        assert_eq!(idle_s(root.path(), Some(&Hints::default()), AWAY), None, "no busctl");
        let answers = |said: &str| {
            let busctl = root.path().join("usr/bin/busctl");
            fs::create_dir_all(busctl.parent().unwrap()).unwrap();
            // Written by another process: a child of this one that is just being started may hold what is written here, and what
            // somebody holds so cannot be started.
            let script = format!("#!/bin/sh\n[ \"$4\" = /org/freedesktop/login1/session/_32 ] && printf '{said}'\n");
            let write = "printf '%s' \"$1\" > \"$0\" && chmod 755 \"$0\"";
            let laid = Command::new("sh").arg("-c").arg(write).arg(&busctl).arg(script).status().unwrap();
            assert!(laid.success());
            idle_s(root.path(), Some(&Hints::default()), AWAY)
        };
        assert_eq!(answers("b false\\nt 0\\n"), Some(0));
        let before = Instant::now().checked_sub(limits::LEND_LOOK_EVERY).unwrap();
        let away = Hints(Mutex::new(HashMap::from([("2".to_owned(), (before, Some(900)))])));
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
    fn sessions_are_named_on_the_bus_as_logind_names_them() {
        assert_eq!([label("2"), label("12"), label("c1")], ["_32", "_312", "c1"]);
        assert_eq!([hint("b true\nt 1000000\n", 4_000_000), hint("b x\nt 1\n", 1), hint("", 1)], [Some(3), None, None]);
    }
}
