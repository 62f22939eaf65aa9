//! A full disk: said in one sentence, and nothing that was answered is lost.

use crate::support::{PASSES, acp_agent, acp_project, clear, command_agent, idle, project, started, text, work};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};
use testkit::{Up, skip};

/// A small file system of its own; it goes with the test.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(bytes: u64) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("mw-disk-").tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(done) if done.status.success() => Ok(Self(folder)),
            Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still hold it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Fills a file system, and takes what becomes free there, until it is dropped.
struct Filler {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
    fn begin(folder: &Path) -> Self {
        let (path, ends, (full, filled)) = (folder.join("filler"), Arc::new(AtomicBool::new(false)), channel());
        let over = ends.clone();
        let thread = spawn(move || {
            let mut file = File::create(&path).unwrap();
            while file.write_all(&[7; 1 << 20]).is_ok() {}
            while !over.load(Ordering::SeqCst) {
                if file.write_all(&[7; 1 << 16]).is_err() {
                    let _ = full.send(());
                    sleep(Duration::from_millis(1));
                }
            }
            fs::remove_file(path).unwrap();
        });
        filled.recv().unwrap();
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

/// The process id of a run's runner.
pub(crate) fn runner(up: &Up, run: &str) -> Pid {
    let noted = fs::read_to_string(up.data().join("orgs/crew/runs").join(run).join("runner.pid")).unwrap();
    Pid::from_raw(noted.split_whitespace().next().unwrap().parse().unwrap()).unwrap()
}

pub(crate) fn signal(pid: Pid, signal: Signal) {
    kill_process(pid, signal).unwrap();
}

/// Whether all threads of a process are stopped; else what they are.
fn still(pid: Pid) -> Result<(), Vec<String>> {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap().flatten();
    let state = |stat: String| stat.rsplit_once(") ").map(|(_, rest)| rest[..1].to_owned());
    let states: Vec<String> = threads.filter_map(|t| state(fs::read_to_string(t.path().join("stat")).ok()?)).collect();
    if states.iter().all(|state| state == "T") { Ok(()) } else { Err(states) }
}

/// Waits until a process runs no more.
pub(crate) async fn gone(up: &Up, pid: Pid) {
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    // Where nobody asks how it ended, its number stays.
    let over = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    let look = || async { if over() { Ok(()) } else { Err(json!("it is there")) } };
    up.until("the runner is gone", look).await;
}

/// A machine on a small file system of its own, and a run there that has done half of its work; none: it is said why not.
async fn working(story: &str) -> Option<(Small, Up, String)> {
    let small = match Small::mount(640 << 20) {
        Ok(small) => small,
        Err(why) => {
            skip(story, &format!("no file system could be mounted ({why}); it takes root"));
            return None;
        }
    };
    let up = idle();
    symlink(small.path(), up.data()).unwrap();
    let up = started(up).await;
    let needs = "[resources]\ncpu_milli = 500\nmemory_bytes = 268435456\ndisk_bytes = 8388608\ngpus = 0\n";
    acp_project(&up, "tight", &format!("{needs}{PASSES}")).await;
    acp_agent(&up, "hang", &[]).await;
    let run = up.start_task("T001", "hang").await;
    up.until_logged(&run, "turn_started").await;
    fs::write(work(&up, &run).join("half.txt"), "half of it").unwrap();
    Some((small, up, run))
}

/// Waits until another run goes on from one with all that it had done, and ends it.
async fn goes_on(up: &Up, run: &str) {
    let look = || async {
        let runs = up.act("run.list", json!({})).await;
        let next = runs.as_array().unwrap().iter().find(|r| r["continues"] == *run).map(|r| text(&r["id"]));
        next.ok_or(runs)
    };
    let next = up.until("a run goes on from it", look).await;
    up.until_logged(&next, "turn_started").await;
    assert_eq!(fs::read_to_string(work(up, &next).join("half.txt")).unwrap(), "half of it");
    up.ok(&["run", "stop", &next]).await;
    assert_eq!(up.ended(&next).await["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_loses_nothing() {
    let small = match Small::mount(96 << 20) {
        Ok(small) => small,
        Err(why) => return skip("story of a full disk", &format!("no file system could be mounted ({why}); it takes root")),
    };
    let up = idle();
    symlink(small.path(), up.data()).unwrap();
    let mut up = started(up).await;
    let needs = "[resources]\ncpu_milli = 500\nmemory_bytes = 268435456\ndisk_bytes = 8388608\ngpus = 0\n";
    project(&up, "tight", "- [ ] T001 One\n", &format!("{needs}{PASSES}")).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let before = up.journal().await;
    // What is taken over into the database later would make room again.
    let log = up.data().join("orgs/crew/store/journal.db-wal");
    let look = || async { if fs::metadata(&log).is_ok_and(|log| log.len() == 0) { Ok(()) } else { Err(json!("not yet")) } };
    up.until("the journal's log is taken over", look).await;

    let filler = small.path().join("filler");
    assert!(fs::write(&filler, vec![7; 96 << 20]).is_err(), "the disk is full now");
    let (status, answer) = up.call("token.create", json!({"role": "viewer"})).await;
    assert_eq!(status, 503, "{answer}");
    clear(&answer["error"], "disk");
    clear(&up.refused(&["token", "create", "--role", "viewer"], 7).await, "disk");
    let (status, answer) = up.call("task.run", json!({"tasks": ["T001"]})).await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(up.request(reqwest::Method::GET, "/health", "", None).await.status(), 200);
    let health = up.request(reqwest::Method::GET, "/health", &up.token(), None).await.text().await.unwrap();
    assert!(health.contains("MiB are left at"), "{health}");

    fs::remove_file(&filler).unwrap();
    let run = up.do_task("T001", "echo").await;
    assert!(run["patch"].is_string());
    up.kill().await;
    up.begin().await;
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    assert_eq!(up.journal().await[..before.len()], before, "what was there is there");
    assert_eq!(up.ok(&["task", "show", "T001"]).await["state"]["state"], "in_review");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_while_the_disk_is_full_ends_once_there_is_room_and_its_work_is_there() {
    let Some((small, up, run)) = working("story of a run on a full disk").await else { return };
    // The runner watches the disk too, and would end the run itself while there is still room to write its end down.
    let runner = runner(&up, &run);
    signal(runner, Signal::STOP);
    up.until("the runner stands still", || async { still(runner).map_err(|threads| json!(threads)) }).await;
    let filler = Filler::begin(small.path());
    signal(runner, Signal::KILL);
    let look =
        || async { if up.log().contains("it is tried again") { Ok(()) } else { Err(up.act("run.show", json!({ "run": run })).await) } };
    up.until("something about it cannot be written", look).await;
    let seen = up.until_run(&run, "it is said that nothing of it runs", |seen| seen["reason"]["code"] == "end_unwritten").await;
    assert!(text(&seen["why"]).contains("disk"), "{seen:#}");

    drop(filler);
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("lost"), Some("vanished")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    goes_on(&up, &run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_free_within_the_grace_while_the_disk_is_full_and_what_ran_there_goes_on_once_there_is_room() {
    let Some((small, up, run)) = working("story of a machine that is wanted back with its disk full").await else { return };
    let log = up.data().join("orgs/crew/store/journal.db-wal");
    let look = || async { if fs::metadata(&log).is_ok_and(|log| log.len() == 0) { Ok(()) } else { Err(json!("not yet")) } };
    up.until("the journal's log is taken over", look).await;
    // One that cannot even be frozen.
    let runner = runner(&up, &run);
    signal(runner, Signal::STOP);
    up.until("the runner stands still", || async { still(runner).map_err(|threads| json!(threads)) }).await;
    let filler = Filler::begin(small.path());

    let asked = Instant::now();
    let said = up.act("device.evict", json!({ "run": run, "grace_ms": 2_000 })).await;
    let taken = asked.elapsed();
    let said = text(&said["message"]);
    for words in ["Evicted 1 run.", "Cut off", "could not be written down", "disk"] {
        assert!(said.contains(words), "“{words}” in {said}");
    }
    // A runner that was merely told to end its work would have half a minute.
    assert!(taken < Duration::from_secs(20), "after {taken:?}");
    gone(&up, runner).await;

    drop(filler);
    let ended = up.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("evicted"), Some("evicted")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    goes_on(&up, &run).await;
}
