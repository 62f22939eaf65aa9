#![allow(clippy::unwrap_used)]
use super::program::KEPT;
use super::*;
use tokio::time::timeout;

fn shell(dir: &Path, script: &str) -> Program {
    let command = vec!["sh".into(), "-c".into(), script.into(), dir.as_os_str().to_owned()];
    Program { name: "sh", command, dir: dir.to_owned() }
}

async fn until(running: &mut Running, fits: impl Fn(&State) -> bool) -> State {
    let look = async {
        loop {
            let state = running.changed().await;
            if fits(&state) {
                return state;
            }
        }
    };
    timeout(Duration::from_secs(20), look).await.unwrap()
}

#[tokio::test]
async fn a_program_that_ends_is_started_again_and_its_last_words_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(shell(dir.path(), "echo it broke >&2; exit 3")).unwrap();
    let down = until(&mut running, |state| matches!(state, State::Down { tries: 2, .. })).await;
    assert!(matches!(&down, State::Down { why, .. } if why.contains('3')), "{down:?}");
    assert!(running.last_words().contains("it broke"), "{}", running.last_words());
    assert!(fs::read_to_string(dir.path().join("sh.log")).unwrap().starts_with("it broke\n"));
    running.stop().await;
}

#[tokio::test]
async fn one_that_a_crash_left_behind_is_ended_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let forever = shell(dir.path(), "while :; do sleep 0.1; done");
    let (first, words) = forever.command.split_first().unwrap();
    let mut left = std::process::Command::new(first).args(words).spawn().unwrap();
    // The words of a program that has just begun cannot be read at once.
    let said = || fs::read(format!("/proc/{}/cmdline", left.id())).unwrap_or_default();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while said().is_empty() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    fs::write(dir.path().join("sh.pid"), left.id().to_string()).unwrap();
    let second = Running::start(forever).unwrap();
    assert!(!left.wait().unwrap().success(), "it was killed");
    let State::Up { pid } = second.state() else { unreachable!("it runs") };
    assert_eq!(fs::read_to_string(dir.path().join("sh.pid")).unwrap(), pid.to_string());
    second.stop().await;
    // A process that got the id meanwhile is not ours: this one here goes on.
    fs::write(dir.path().join("sh.pid"), std::process::id().to_string()).unwrap();
    Running::start(shell(dir.path(), "exit 0")).unwrap().stop().await;
}

#[tokio::test]
async fn a_program_is_told_nothing_that_this_process_was_told() {
    let told = std::env::vars_os().filter(|(name, _)| !KEPT.iter().any(|kept| name == kept));
    assert!(told.count() > 0, "Cargo tells it a lot");
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(shell(dir.path(), "env > seen; exit 3")).unwrap();
    until(&mut running, |state| matches!(state, State::Down { .. })).await;
    running.stop().await;
    let seen = fs::read_to_string(dir.path().join("seen")).unwrap();
    // The shell's own.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let names = seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let others: Vec<&str> = names.filter(|name| !KEPT.contains(name) && !own.contains(name)).collect();
    assert!(seen.contains("PATH=") && others.is_empty(), "{others:?}");
}

#[test]
fn a_configuration_cannot_be_broken_by_a_name() {
    let config = HeadscaleConfig {
        program: "headscale".into(),
        dir: "/data/or gs: \"x\"".into(),
        socket: "/run/x/hs".into(),
        url: "http://10.98.0.1:8080/".parse().unwrap(),
        listen: "10.98.0.1:8080".parse().unwrap(),
        relay: Relay::Embedded { stun: "10.98.0.1:3478".parse().unwrap() },
        domain: "acme.mesh".into(),
        key_lasts: Duration::from_secs(60),
    };
    let text = config.text();
    for line in [
        "server_url: \"http://10.98.0.1:8080\"\n",
        "listen_addr: \"10.98.0.1:8080\"\n",
        "  private_key_path: \"/data/or gs: \\\"x\\\"/noise.key\"\n",
        "    stun_listen_addr: \"10.98.0.1:3478\"\n",
        "    ipv4: \"10.98.0.1\"\n",
        "  base_domain: \"acme.mesh\"\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
    let maps = HeadscaleConfig { relay: Relay::Maps(vec!["https://relays.example/map.json".into()]), ..config };
    assert!(maps.text().contains("  urls: [\"https://relays.example/map.json\"]\n"));
}
