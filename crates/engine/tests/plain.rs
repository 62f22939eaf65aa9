//! Plain commands, as real processes, and replays, which really change files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use domain::{
    agent::{EngineChoice, PermissionMode},
    run::{Reason, RunnerEvent, TurnOutcome},
};
use engine::{Context, Driver, DriverOrder, Session, Speaks, launch, limits, plain};
use std::{path::Path, process::Stdio, time::Duration};
use support::{rest, words};
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
};

fn context<'a>(dir: &'a Path, meshwork: &'a str) -> Context<'a> {
    Context {
        engines_dir: dir,
        engine_inside: None,
        model: None,
        model_port: 1,
        context_port: 2,
        home: dir.to_str().unwrap(),
        work: dir.to_str().unwrap(),
        meshwork,
        task: Some("T007"),
        prompt: "Format everything.",
        permissions: PermissionMode::Sandbox,
    }
}

async fn command(command: &str) -> (TurnOutcome, Vec<RunnerEvent>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let launch = launch(&EngineChoice::Command { command: command.into() }, &context(dir.path(), "")).unwrap();
    assert_eq!(launch.speaks, Speaks::Plain);
    for (path, content) in &launch.home_files {
        std::fs::write(dir.path().join(path), content).unwrap();
    }
    let mut starts = tokio::process::Command::new(&launch.command[0]);
    starts.args(&launch.command[1..]).env_clear().envs(launch.env).current_dir(dir.path()).kill_on_drop(true);
    let mut child = starts.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (sender, events) = mpsc::channel(100_000);
    let outcome = plain("Format everything.", stdout, stderr, async move { child.wait().await.unwrap().code() }, sender).await;
    (outcome, rest(events).await, dir)
}

#[tokio::test]
async fn the_log_has_the_whole_prompt() {
    let prompt = format!("Do T001.\n{}The end.", "It matters.\n".repeat(200));
    let (sender, events) = mpsc::channel(100);
    plain(&prompt, tokio::io::empty(), tokio::io::empty(), async { Some(0) }, sender).await;
    assert_eq!(rest(events).await.first(), Some(&RunnerEvent::TurnStarted { turn: 1, prompt }));
}

#[tokio::test]
async fn a_command_finds_its_prompt_and_its_output_is_logged() {
    let (outcome, events, dir) = command("cat \"$MESHWORK_PROMPT\" > out.txt; echo \"for $MESHWORK_TASK\"; echo oops >&2").await;
    assert_eq!(outcome, TurnOutcome::Ended);
    assert_eq!(std::fs::read_to_string(dir.path().join("out.txt")).unwrap(), "Format everything.");
    let log = |stream: &str, text: &str| RunnerEvent::Log { stream: stream.into(), text: text.into() };
    assert!(events.contains(&log("stdout", "for T007\n")) && events.contains(&log("stderr", "oops\n")), "{events:?}");
    assert_eq!(events.last(), Some(&RunnerEvent::TurnEnded { outcome: TurnOutcome::Ended }));
}

#[tokio::test]
async fn a_command_that_fails_says_its_last_words() {
    let TurnOutcome::Failed { reason } = command("echo 'no such rule'; exit 3").await.0 else { panic!("failed") };
    assert_eq!(reason, Reason::EngineFailed { message: "The command exited with 3. Its last words: no such rule.".into() });
    let TurnOutcome::Failed { reason } = command("no-such-program-anywhere").await.0 else { panic!("failed") };
    assert!(matches!(reason, Reason::EngineMissing { .. }), "{reason:?}");
    let TurnOutcome::Failed { reason } = command("kill -9 $$").await.0 else { panic!("failed") };
    assert!(matches!(reason, Reason::EngineFailed { .. }), "{reason:?}");
}

#[tokio::test]
async fn last_words_of_both_streams_keep_their_order_and_their_lines() {
    // All of it is there before anything is read: what came in one piece stays together, and both are heard.
    let (sender, _events) = mpsc::channel(100);
    let (out, errors) = (b"compiling\nlinking\n".as_slice(), b"error: no such rule\nat line 3\n".as_slice());
    let TurnOutcome::Failed { reason } = plain("Build.", out, errors, async { Some(1) }, sender).await else { panic!("failed") };
    let message = "The command exited with 1. Its last words:\ncompiling\nlinking\nerror: no such rule\nat line 3.";
    assert_eq!(reason, Reason::EngineFailed { message: message.into() });
}

#[tokio::test]
async fn output_without_end_is_cut_and_the_command_still_ends() {
    let (outcome, events, _dir) = command("head -c 200000000 /dev/zero | tr '\\0' 'x'; echo; echo end").await;
    assert_eq!(outcome, TurnOutcome::Ended);
    let kept: u64 = events.iter().map(|event| if let RunnerEvent::Log { text, .. } = event { text.len() as u64 } else { 0 }).sum();
    assert!(kept <= limits::LOG_BYTES_MAX);
    assert!(events.iter().any(|event| matches!(event, RunnerEvent::Truncated { dropped_bytes } if *dropped_bytes > 100_000_000)));
}

struct Replay {
    driver: Driver,
    events: mpsc::Receiver<RunnerEvent>,
    orders: mpsc::Sender<DriverOrder>,
    received: mpsc::Receiver<DriverOrder>,
    served: tokio::task::JoinHandle<Result<(), domain::Problem>>,
}

async fn replay(dir: &Path, recording: &str, permissions: PermissionMode) -> Replay {
    std::fs::write(dir.join("T007.jsonl"), recording).unwrap();
    let choice = EngineChoice::Replay { recording: "{task}.jsonl".into() };
    let launch = launch(&choice, &context(dir, "/opt/meshwork")).unwrap();
    let [program, verb, flag, file] = launch.command.as_slice() else { panic!("{launch:?}") };
    assert_eq!((program.as_str(), verb.as_str(), flag.as_str()), ("/opt/meshwork", "replay", "--recording"));
    let steps = engine::replay::load(Path::new(file)).unwrap();
    let (here, there) = tokio::io::duplex(64 * 1024);
    let ((stdin, stdout), (agent_in, agent_out)) = (flip(here), tokio::io::split(there));
    let served = tokio::spawn(engine::replay::serve(steps, agent_in, agent_out));
    let session = Session {
        cwd: dir.to_str().unwrap().into(),
        mcp_url: None,
        resume: None,
        mode: None,
        permissions,
        permission_wait: Duration::from_secs(60),
        failure: launch.failure,
    };
    let (sender, events) = mpsc::channel(10_000);
    let driver = Driver::start(stdin, stdout, session, sender).await.unwrap();
    let (orders, received) = mpsc::channel(4);
    Replay { driver, events, orders, received, served }
}

/// The client's standard input and output of the agent.
fn flip(end: DuplexStream) -> (WriteHalf<DuplexStream>, ReadHalf<DuplexStream>) {
    let (read, write) = tokio::io::split(end);
    (write, read)
}

const RECORDING: &str = r#"# For the tests.
{"recording": 1}
{"plan": [{"text": "write", "status": "in_progress"}]}
{"thought": "easy"}
{"message": "I write a file."}
{"write": {"path": "src/a.txt", "text": "one\n"}}
{"edit": {"path": "src/a.txt", "from": "one", "to": "two"}}
{"run": "cat src/a.txt && echo seen"}
{"pause_ms": 10}
{"usage": {"used": 10, "size": 100}}
{"end": "end_turn"}
{"delete": "src/a.txt"}
{"end": "end_turn"}
{"edit": {"path": "src/gone.txt", "from": "x", "to": "y"}}
"#;

#[tokio::test]
async fn a_replay_says_that_it_is_one_and_really_changes_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut replay = replay(dir.path(), RECORDING, PermissionMode::Sandbox).await;
    assert_eq!(replay.driver.turn("Do it.", &mut replay.received).await, TurnOutcome::Ended);
    assert_eq!(std::fs::read_to_string(dir.path().join("src/a.txt")).unwrap(), "two\n");
    assert_eq!(replay.driver.turn("Go on.", &mut replay.received).await, TurnOutcome::Ended);
    assert!(!dir.path().join("src/a.txt").exists());
    // A step that does not fit fails the turn instead of passing over it.
    let outcome = replay.driver.turn("And on.", &mut replay.received).await;
    assert!(matches!(outcome, TurnOutcome::Failed { reason: Reason::EngineFailed { .. } }), "{outcome:?}");
    // When all is played it says so.
    assert_eq!(replay.driver.turn("More.", &mut replay.received).await, TurnOutcome::Ended);
    let Replay { driver, events, served, .. } = replay;
    drop(driver);
    tokio::time::timeout(Duration::from_secs(20), served).await.expect("it ends with its pipe").unwrap().unwrap();
    let events = rest(events).await;
    assert!(matches!(&events[0], RunnerEvent::EngineReady { replay: true, .. }));
    assert!(words(&events).contains("I write a file.") && words(&events).contains("recording is over"));
    assert!(events.iter().any(|event| matches!(event, RunnerEvent::Tool { output, .. } if output.contains("two\nseen"))), "{events:#?}");
    assert!(events.contains(&RunnerEvent::Context { used: 10, size: 100 }));
}

#[tokio::test]
async fn a_replay_asks_and_ends_where_it_may_not() {
    let dir = tempfile::tempdir().unwrap();
    let recording = "{\"recording\": 1}\n{\"ask\": \"Delete all?\"}\n{\"write\":{\"path\":\"a\",\"text\":\"\"}}\n";
    let mut replay = replay(dir.path(), recording, PermissionMode::Ask).await;
    let Replay { driver, events, orders, received, .. } = &mut replay;
    let answers = async {
        loop {
            if let RunnerEvent::Asked { question } = events.recv().await.unwrap() {
                let no = question.options.iter().find(|option| !option.allows).unwrap().id.clone();
                return orders.send(DriverOrder::Answer { question: question.id, option: no }).await.unwrap();
            }
        }
    };
    let (outcome, ()) = tokio::join!(driver.turn("Do it.", received), answers);
    assert_eq!(outcome, TurnOutcome::Ended);
    assert!(!dir.path().join("a").exists());
}

#[tokio::test]
async fn a_cancelled_replay_ends_its_command() {
    let dir = tempfile::tempdir().unwrap();
    let recording = "{\"recording\": 1}\n{\"run\": \"echo $$ > pid; exec sleep 300\"}\n{\"write\":{\"path\":\"a\",\"text\":\"\"}}\n";
    let mut replay = replay(dir.path(), recording, PermissionMode::Sandbox).await;
    let pid_file = dir.path().join("pid");
    let Replay { driver, orders, received, .. } = &mut replay;
    let cancels = async {
        loop {
            if let Ok(Ok(pid)) = std::fs::read_to_string(&pid_file).map(|text| text.trim().parse::<u32>()) {
                orders.send(DriverOrder::Cancel).await.unwrap();
                return pid;
            }
            tokio::task::yield_now().await;
        }
    };
    let both = async { tokio::join!(driver.turn("Do it.", received), cancels) };
    let (outcome, pid) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("it ends");
    assert_eq!(outcome, TurnOutcome::Cancelled);
    let gone = async {
        while std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the command is gone");
    assert!(!dir.path().join("a").exists());
}
