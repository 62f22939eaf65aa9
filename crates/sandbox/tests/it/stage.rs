//! Prepared sandboxes, equal sandboxes, doctor.

use crate::{Place, finish, here, run};
use sandbox::Sandbox;
use std::path::Path;

#[tokio::test]
async fn prepared_or_not_the_walls_are_the_same() {
    if !here() {
        return;
    }
    let place = Place::new();
    for prepared in [true, false, true] {
        if prepared {
            sandbox::prepare().await.unwrap();
            sandbox::prepare().await.unwrap();
        }
        let mut spec = place.shell("cat /proc/self/cgroup | grep -c meshwork; ulimit -c; echo $A; ls -A ~");
        spec.env = vec![("A".into(), format!("prepared {prepared}"))];
        let got = run(spec).await;
        assert!(got.out.ends_with(&format!("0\nprepared {prepared}\n")), "{got:?}");
        assert!(got.ended.success());
    }
}

/// In a process of its own, since what is prepared is the whole process's.
#[test]
fn what_was_prepared_and_not_taken_leaves_nothing() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mut supervisor = std::process::Command::new(crate::example("probe"))
        .args([crate::example("bridge").as_os_str(), place.dir.path().as_os_str(), "discard".as_ref()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(supervisor.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap() == "prepared"), "nothing was prepared");
    if sandbox::limits_in_force().starts_with("cgroup") {
        assert_ne!(crate::escape::groups_of(supervisor.id()), Vec::<String>::new());
    }
    drop(supervisor.stdin.take());
    assert!(supervisor.wait().unwrap().success());
    assert_eq!(crate::escape::groups_of(supervisor.id()), Vec::<String>::new());
}

#[tokio::test]
async fn an_equal_sandbox_runs_checks_beside_the_engine() {
    if !here() {
        return;
    }
    let place = Place::new();
    let spec = place.shell("echo made by the engine > result; cat");
    let engine = Sandbox::spawn(spec.clone()).await.unwrap();
    crate::until("the engine's file", || place.path("work/result").exists()).await;
    let checks = run(spec.with_command(vec!["grep".into(), "-q".into(), "engine".into(), "result".into()], vec![])).await;
    assert!(checks.ended.success(), "{checks:?}");
    let ended = finish(&engine).await;
    assert!(ended.ended.success(), "its input was closed, so it ended: {ended:?}");
}

#[tokio::test]
async fn toolchains_are_seen_read_only_at_their_own_path() {
    if !here() {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path("tools")).unwrap();
    std::fs::write(place.path("tools/version"), "1.2.3").unwrap();
    let tools = place.path("tools");
    let mut spec = place.shell(&format!(
        "cat {0}/version; (echo x > {0}/version) 2>/dev/null || echo ' kept'; ls {1}",
        tools.display(),
        place.dir.path().display()
    ));
    spec.readonly = vec![tools];
    let got = run(spec).await;
    assert_eq!(got.out, "1.2.3 kept\ntools\n", "{got:?}");
}

#[test]
fn doctor_says_what_is_here() {
    if !here() {
        return;
    }
    let findings = sandbox::doctor(Path::new("/tmp/not-there-yet/data"));
    let names: Vec<&str> = findings.iter().map(|f| f.what.as_str()).collect();
    assert_eq!(names, ["bubblewrap", "sandbox", "limits", "disk"]);
    for finding in &findings {
        assert!(finding.ok || finding.next.is_some(), "{finding:?} says nothing to do");
    }
    assert!(findings[0].ok && findings[1].ok, "{findings:?}");
    assert!(!sandbox::limits_in_force().is_empty());
}

/// What is there on the host (keys of a registry in `/usr/local/etc/npmrc`, say) is not there inside.
#[tokio::test]
async fn settings_of_the_machine_below_usr_are_seen_empty() {
    if !here() {
        return;
    }
    let place = Place::new();
    let got = place
        .run(
            "for d in /usr/etc /usr/local/etc /usr/local/var; do ls -A $d; touch $d/x && echo written; done 2>/dev/null; ls /usr | head -1",
        )
        .await;
    assert!(got.ended.success() && got.out.lines().count() == 1, "{got:?}");
}
