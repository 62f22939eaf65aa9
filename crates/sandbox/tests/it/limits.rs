//! Attempts to use more than was given.

use crate::{Place, finish, here, processes_with, run, until};
use sandbox::Sandbox;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn forking_without_end_is_bounded_and_told() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mut spec = place.python("import os\nwhile True:\n try: os.fork()\n except OSError: pass");
    spec.processes_max = 40;
    let sandbox = Sandbox::spawn(spec).await.unwrap();
    let mut violations = sandbox.take_violations().unwrap();
    let told = violations.recv().await.unwrap();
    assert_eq!(told, "Processes: the limit of 40 was reached; further ones were refused.");
    let begun = Instant::now();
    sandbox.kill().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_memory_bomb_ends_and_says_so() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mut spec = place.python("x=[]\nwhile True: x.append(bytearray(1<<20))");
    spec.resources.memory_bytes = 64 << 20;
    let got = run(spec).await;
    if sandbox::limits_in_force().starts_with("rlimits") {
        // Each process has its own bound, and is told so itself.
        assert!(got.ended.code == Some(1) && got.err.contains("MemoryError"), "{got:?}");
        return;
    }
    assert_eq!(got.ended.signal, Some(9), "{got:?}");
    assert_eq!(got.ended.limit.as_deref(), Some("Memory: the limit of 64 MiB was reached; the kernel ended it."));
    assert!(got.told("Memory: the limit of 64 MiB was reached"), "{got:?}");
}

#[tokio::test]
async fn files_in_memory_count_as_memory_and_are_bounded() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mut spec = place.shell("for d in /tmp /dev/shm; do head -c 500M /dev/zero > $d/x 2>/dev/null; stat -c %s $d/x; done; : > /run/x");
    spec.resources.memory_bytes = 256 << 20;
    let got = run(spec).await;
    let sizes: Vec<u64> = got.out.lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(sizes.len(), 2, "{got:?}");
    assert!(got.err.contains("Read-only"), "{got:?}");
    assert!(sizes.iter().all(|size| *size <= 64 << 20), "{sizes:?}");
}

#[tokio::test]
async fn filling_the_disk_ends_the_sandbox() {
    if !here() {
        return;
    }
    for script in [
        "i=0; while :; do head -c 8M /dev/zero > f$i || sleep 0.1; i=$((i+1)); done",
        "cd ~; mkdir a; cd a; i=0; while :; do head -c 8M /dev/zero > f$i || sleep 0.1; i=$((i+1)); done",
        // Deleted, but held open.
        "exec 3>x; rm x; head -c 60M /dev/zero >&3; exec 4>y; rm y; head -c 60M /dev/zero >&4; sleep 1000",
        "i=0; while :; do mkdir d$i; cd d$i; i=$((i+1)); done",
    ] {
        let place = Place::new();
        let mut spec = place.shell(script);
        spec.resources.disk_bytes = 64 << 20;
        let got = tokio::time::timeout(Duration::from_secs(30), run(spec)).await.unwrap();
        let limit = got.ended.limit.clone().unwrap_or_default();
        assert!(limit.starts_with("Disk: "), "{script}: {got:?}");
        assert!(got.told("Disk: "), "{got:?}");
    }
}

#[tokio::test]
async fn one_file_cannot_be_larger_than_the_limit() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mut spec = place.shell("truncate -s 100M sparse 2>/dev/null && echo made; truncate -s 60M small && echo fits");
    spec.resources.disk_bytes = 64 << 20;
    assert_eq!(run(spec).await.out, "fits\n");
}

#[tokio::test]
async fn processor_time_is_bounded() {
    if !here() || !sandbox::limits_in_force().contains("cpu,") {
        return testkit::skip("sandbox: processor time", "it is not limited here");
    }
    let place = Place::new();
    let mut spec = place.python("import time\ne=time.time()+2\nwhile time.time()<e: pass\nprint(time.process_time())");
    spec.resources.cpu_milli = 200;
    let used: f64 = run(spec).await.out.trim().parse().unwrap();
    assert!(used < 1.0, "{used} s of 2 s");
}

#[tokio::test]
async fn a_gigabyte_of_output_waits_for_its_reader() {
    if !here() {
        return;
    }
    let place = Place::new();
    let sandbox = Sandbox::spawn(place.shell("head -c 1G /dev/zero & echo $! >&2; wait")).await.unwrap();
    let mut stdio = sandbox.take_stdio().unwrap();
    // Nobody reads: the writer must come to rest.
    let mut pid = [0; 16];
    let _ = stdio.stderr.read(&mut pid).await.unwrap();
    until("the writer", || !processes_with("head\0-c\x001G").is_empty()).await;
    let head = processes_with("head\0-c\x001G")[0];
    let written = || {
        let text = std::fs::read_to_string(format!("/proc/{head}/io")).unwrap();
        text.lines().find_map(|l| l.strip_prefix("wchar: ")).unwrap().parse::<u64>().unwrap()
    };
    until("a blocked writer", || std::fs::read_to_string(format!("/proc/{head}/wchan")).is_ok_and(|w| w.contains("pipe_write"))).await;
    assert!(written() < 4 << 20, "{} bytes were taken though nobody read", written());
    let before = resident_bytes();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0u64;
    loop {
        match stdio.stdout.read(&mut buffer).await.unwrap() {
            0 => break,
            n => total += n as u64,
        }
    }
    assert_eq!(total, 1 << 30);
    assert!(resident_bytes() < before + (64 << 20));
    assert!(sandbox.wait().await.success());
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn many_refused_calls_do_not_hold_up_the_host() {
    if !here() {
        return;
    }
    let place = Place::new();
    let script = "import ctypes\nlibc=ctypes.CDLL(None)\nfor _ in range(12000): libc.mount(b'a',b'/work',b'tmpfs',0,None)\nprint('end')";
    let sandbox = Sandbox::spawn(place.python(script)).await.unwrap();
    let got = finish(&sandbox).await;
    assert_eq!(got.out, "end\n");
    assert_eq!(got.violations.iter().filter(|v| v.contains("mounted")).count(), 1, "{got:?}");
    assert!(got.told("refused without being told"), "{got:?}");
}
