//! The command line as people use it: what they read, how little they type, and what it says when it is not clear.

use crate::support::{PASSES, PROGRAM, clear, command_agent, idle, machine, project, text};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};
use testkit::{Repository, Up, git, skip};

/// What a person reads; it must succeed.
async fn read(up: &Up, args: &[&str]) -> String {
    let outcome = up.told(args).await;
    assert_eq!(outcome.code, 0, "meshwork {args:?}: {outcome:?}");
    outcome.stdout
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_tables_and_type_parts_of_ids() {
    let up = machine().await;
    project(&up, "plain", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    up.run_with(&["credential", "set", "openai"], "a secret").await;
    let run = text(&up.do_task("T001", "echo").await["id"]);
    let (end, begin) = (&run[18..], &run[..6]);
    let patch = text(&up.ok(&["patch", "list"]).await[0]["id"]);
    let table: [(&[&str], &[&str]); 16] = [
        (&["org", "show"], &["Org crew", "Members", "ada   owner"]),
        (&["project", "list"], &["PROJECT", "plain"]),
        (&["project", "show"], &["Features", "0 of 2", "test -f README.md"]),
        (&["task", "list"], &["TASK", "in review", "ready"]),
        (&["task", "show", "T001"], &["T001 One", "waits for a person", end]),
        (&["run", "list"], &["BEGAN", "T001 by echo", end, "done"]),
        (&["run", "show", end], &["agent", "echo", "queued", "passed"]),
        (&["patch", "list"], &["CHANGED", "to merge", "echo for ada", &patch[..8]]),
        (&["patch", "show", &patch[..6]], &["Files", "T001.txt", "The gate is open", "“there” passed"]),
        (&["patch", "diff", "T001"], &["+++ b/T001.txt", "+x"]),
        (&["agent", "list"], &["AGENT", "echo", "ready"]),
        (&["credential", "list"], &["openai", "everywhere", "SET"]),
        (&["capacity"], &["runs at once", "core", "GiB"]),
        (&["pods"], &["Nothing runs."]),
        (&["journal", "list", "--limit", "400"], &["BY WAY OF", "run queued", "ada", "cli"]),
        (&["run", "logs", end], &["check “there” passed"]),
    ];
    for (args, words) in table {
        let said = read(&up, args).await;
        for word in words {
            assert!(said.contains(word), "“{word}” of meshwork {args:?}:\n{said}");
        }
        assert!(!said.contains('\u{1b}') && !said.contains("{\""), "plain words of meshwork {args:?}:\n{said}");
    }

    // A run's checks were begun in the same second: they do not make its id ambiguous.
    assert_eq!(up.ok(&["run", "show", begin]).await["id"], run.as_str());
    let second = up.do_task("T002", "echo").await;
    let several = up.refused(&["run", "show", &run[..3]], 2).await;
    clear(&several, "too short");
    let several = up.refused(&["run", "show", &run[..4]], 2).await;
    assert!(several.to_string().contains(&run) && several.to_string().contains(second["id"].as_str().unwrap()), "{several}");

    for part in ["T001", &run[run.len() - 8..run.len() - 2]] {
        assert_eq!(up.ok(&["run", "show", part]).await["id"], run.as_str(), "{part}");
    }

    for feature in ["001-work", "001", "1", "work"] {
        assert_eq!(up.ok(&["task", "list", "-f", feature]).await.as_array().unwrap().len(), 2, "{feature}");
    }
    clear(&up.refused(&["task", "list", "-f", "7"], 4).await, "001-work");
    clear(&up.refused(&["token", "create", "--role", "bogus"], 2).await, "reviewer-bot");
    clear(&up.refused(&["call", "task.bogus"], 4).await, "task.run");
    clear(&up.refused(&["run", "list", "--state", "bogus"], 2).await, "meshwork run list --help");
    let (_, answer) = up.call("no.such", json!({})).await;
    clear(&answer["error"], "task.run");
    clear(&up.refused(&["no-such-verb"], 2).await, "no-such-verb");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_start_it_is_told_what_is_missing_and_shells_learn_the_verbs() {
    let bare = idle().set("PATH", "/nowhere");
    let outcome = bare.run(&["doctor"]).await;
    assert_eq!(outcome.code, 7, "{outcome:?}");
    let found = outcome.json();
    let git = found.as_array().unwrap().iter().find(|f| f["what"] == "git").unwrap();
    assert_eq!((&git["ok"], &git["detail"]), (&json!(false), &json!("not found")), "{found:#}");
    let told = bare.told(&["doctor"]).await;
    assert_eq!(told.code, 7, "{told:?}");
    assert!(told.stdout.contains("BAD  git: not found") && told.stdout.contains("apt-get install git"), "{told:?}");
    for shell in ["bash", "zsh", "fish"] {
        let said = read(&bare, &["completions", shell]).await;
        assert!(said.contains("meshwork") && said.contains("completions") && said.contains("takeover"), "{shell}: {said}");
    }
    assert!(!bare.data().exists(), "looking makes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_is_an_error_and_a_reader_who_had_enough_is_none() {
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for args in [&["completions", "bash"][..], &["--help"], &["task", "run", "--help"], &["--version"], &["--json", "--version"]] {
        let run = |stdout: Stdio| std::process::Command::new(PROGRAM).args(args).stdout(stdout).output().unwrap();
        let lost = run(full());
        let told = String::from_utf8_lossy(&lost.stderr);
        assert!(lost.status.code() == Some(7) && told.contains("could not be written") && !told.contains("panicked"), "{args:?}: {lost:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = run(Stdio::from(writer));
        assert!(closed.status.success() && closed.stderr.is_empty(), "{args:?}: {closed:?}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let mut unheard = std::process::Command::new(PROGRAM);
    unheard.arg("--data-dir").arg(nowhere.path()).args(["run", "list"]).stdout(full()).stderr(full()).env("MESHWORK_LOG", "trace");
    assert_eq!(unheard.status().unwrap().code(), Some(7), "an error that nobody can be told is the same error");

    let up = machine().await;
    project(&up, "plain", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "talks", "while ! test -f go; do echo said; sleep 0.05; done").await;
    let run = up.start_task("T001", "talks").await;
    up.until_logged(&run, "said").await;
    let mut follows = up.begun(&["run", "logs", &run, "-f"]);
    let mut first = [0];
    tokio::io::AsyncReadExt::read_exact(&mut follows.stdout.take().unwrap(), &mut first).await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), follows.wait()).await;
    assert!(ended.expect("it ends with its reader").unwrap().success());
    up.ok(&["run", "stop", &run]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_gets_colours_a_pager_and_nothing_that_plays_with_it() {
    if std::process::Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skip("the command line on a terminal", "there is no `script` (util-linux)");
    }
    let up = machine().await;
    project(&up, "bright", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "loud", r"printf '\033[2J\033]0;evil\007\033[31mred\033[0m\n'; printf 'a\rb\n' > x.txt").await;
    let run = text(&up.do_task("T001", "loud").await["id"]);
    let plain = read(&up, &["run", "logs", &run]).await;
    assert!(plain.lines().any(|line| line == "red") && !plain.contains("evil"), "{plain:?}");
    let coloured = up.on_terminal(&[], &["run", "logs", "-f", &run]).await.stdout;
    assert!(coloured.contains("\u{1b}[31mred\u{1b}[0m") && coloured.contains("\u{1b}[32m"), "{coloured:?}");
    assert!(!coloured.contains("evil") && !coloured.contains("\u{1b}[2J") && !coloured.contains("\u{1b}]"), "{coloured:?}");
    let without = up.on_terminal(&[("NO_COLOR", "1")], &["run", "list"]).await.stdout;
    assert!(without.contains("T001 by loud") && !without.contains('\u{1b}'), "{without:?}");
    let paged = up.on_terminal(&[("PAGER", "sed s/^/paged:/")], &["patch", "diff", "T001"]).await.stdout;
    assert!(paged.contains("paged:\u{1b}[32m+a^Mb\u{1b}[0m"), "{paged:?}");
    let absent = up.on_terminal(&[("PAGER", "no-such-pager")], &["patch", "diff", "T001"]).await.stdout;
    assert!(absent.contains("+a^Mb"), "{absent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_is_on_a_line_of_the_patch_and_reviews_and_merges_tell_of_the_gate() {
    let up = machine().await;
    project(&up, "gated", "- [ ] T001 One\n", &format!("approvals = 1\n{PASSES}")).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let run = up.do_task("T001", "echo").await;
    let patch = text(&run["patch"]);
    for (line, words) in [("README.md:1:No", "does not change"), ("x.txt:2:No", "Line 2"), ("x.txt:0:No", "Line 0")] {
        clear(&up.refused(&["patch", "review", &patch, "--line", line], 2).await, words);
    }
    assert_eq!(up.ok(&["patch", "show", &patch]).await["revisions"][0]["reviews"], json!([]), "nothing was said");
    let said = read(&up, &["patch", "review", &patch, "--line", "x.txt:1:Why x?"]).await;
    assert!(said.contains("The gate is shut. It has 0 of 1 approvals"), "{said}");
    assert!(read(&up, &["patch", "show", &patch]).await.contains("x.txt:1: Why x?"));
    clear(&up.refused(&["patch", "merge", &patch], 5).await, "0 of 1 approvals");
    let said = read(&up, &["patch", "review", &patch, "--accept"]).await;
    assert!(said.contains("The gate is open: approved by ada") && said.contains("(1 of 1 needed)"), "{said}");
    assert!(read(&up, &["patch", "list"]).await.contains("to merge"));
    let needs = up.ok(&["ask", "what needs me?"]).await;
    assert_eq!(needs["items"][0]["detail"], "can be merged", "{needs:#}");
    let merged = read(&up, &["patch", "merge", &patch]).await;
    assert!(merged.contains("Merged, as commit") && merged.contains("approved by ada (1 of 1 needed); “there” passed"), "{merged}");
    let pull: Vec<&str> = merged.lines().find_map(|line| line.split_once("comes with: git ")).unwrap().1.split(' ').collect();
    git(&up.folder().join("gated"), &pull);
    assert!(up.folder().join("gated/x.txt").exists(), "what the answer says brings the result: {merged}");
    assert_eq!(up.ok(&["patch", "show", &patch]).await["pull"], format!("git {}", pull.join(" ")), "told later too, whoever merged it");
    for verb in ["merge", "review", "close"] {
        let more: &[&str] = if verb == "review" { &["--accept"] } else { &[] };
        clear(&up.refused(&[&["patch", verb, &patch][..], more].concat(), 5).await, "is merged already");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_run_runs_and_the_rest_is_told() {
    let up = machine().await;
    let tasks = "- [ ] T001 [P] One\n- [ ] T002 [P] Two (depends on T009)\n- [ ] T003 [P] Three (depends on T002)\n";
    project(&up, "partly", tasks, PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let outcome = up.run(&["task", "run", "-f", "1"]).await;
    let started = outcome.json();
    assert_eq!((outcome.code, started["runs"].as_array().unwrap().len(), &started["runs"][0]["task"]), (1, 1, &json!("T001")));
    let why = |n: usize| format!("{} {}", text(&started["skipped"][n]["task"]), text(&started["skipped"][n]["why"]));
    assert!(why(0).contains("T002") && why(0).contains("T009") && why(1).starts_with("T003 T003 waits for T002"), "{started}");
    up.ended(started["runs"][0]["run"].as_str().unwrap()).await;
    let none = up.refused(&["task", "run", "T002", "T003"], 5).await;
    clear(&none, "T003 waits for T002");
    assert_eq!(up.ok(&["run", "list"]).await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_waits_for_a_person_is_not_waited_for() {
    let up = machine().await;
    let made = project(&up, "chain", "- [ ] T001 One\n- [ ] T002 Two (depends on T001)\n", PASSES).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let outcome = up.run(&["task", "run", "T001", "T002", "--wait"]).await;
    let waited = outcome.json();
    assert_eq!((outcome.code, &waited[0]["state"], &waited[1]["state"]), (1, &json!("done"), &json!("queued")), "{waited:#}");
    assert!(text(&waited[1]["why"]).contains("must review and merge T001"), "{waited:#}");
    assert!(text(&up.ok(&["task", "add", "Three"]).await["pull"]).starts_with("git pull "));
    let again = up.refused(&["project", "add", made.path().to_str().unwrap(), "--name", "other"], 5).await;
    clear(&again, "is the project chain already");
}

/// A project with two patches, the first merged: merging the second needs checks on the result, which take a while.
async fn half_merged(up: &Up, name: &str) -> Value {
    let checks = "[[checks]]\nname = \"slow\"\ncommand = \"sleep 2\"\ntimeout_s = 30\n";
    let tasks = "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n";
    let made = Repository::with_tasks(up.folder().join(name), "001-work", tasks, checks);
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    let started = up.ok(&["task", "run", "-p", name, "-f", "1", "--agent", "echo", "--wait"]).await;
    let patches: Vec<Value> = started.as_array().unwrap().iter().map(|run| run["patch"].clone()).collect();
    assert_eq!(up.ok(&["patch", "merge", patches[0].as_str().unwrap()]).await["outcome"], "merged");
    json!({ "project": name, "patches": patches })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn merges_of_two_projects_go_side_by_side_and_those_of_one_wait_and_say_so() {
    let up = machine().await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let (a, b) = (half_merged(&up, "left").await, half_merged(&up, "right").await);
    let merge = |of: &Value, n: usize| up.act("patch.merge", json!({"patch": of["patches"][n]}));
    let where_is = async |of: &Value, n: usize| up.act("patch.show", json!({"patch": of["patches"][n]})).await["merging"].clone();
    let (a, b, where_is) = (&a, &b, &where_is);
    let seen = up.until("two at once, and one that waits", || async move {
        let states = [where_is(a, 1).await, where_is(a, 2).await, where_is(b, 1).await].map(|s| s.as_str().unwrap_or_default().to_owned());
        let going = states.iter().filter(|s| s.contains("is being merged")).count();
        let waits = states.iter().filter(|s| s.contains("waits until the patch")).count();
        if (going, waits) == (2, 1) { Ok(()) } else { Err(json!(states)) }
    });
    let (first, second, other, ()) = tokio::join!(merge(a, 1), merge(a, 2), merge(b, 1), seen);
    for done in [first, second, other] {
        assert_eq!(done["outcome"], "merged", "{done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_changes_while_a_merge_is_checked_is_heard() {
    let up = machine().await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;
    let made = half_merged(&up, "heard").await;
    let patch = text(&made["patches"][1]);
    let says_no = async {
        let look = || async {
            let runs = up.act("run.list", json!({"all": true, "state": "working"})).await;
            if runs.as_array().unwrap().is_empty() { Err(runs) } else { Ok(()) }
        };
        up.until("the result is checked", look).await;
        up.ok(&["patch", "review", &patch, "--reject", "-m", "Stop."]).await;
    };
    let ((status, answer), ()) = tokio::join!(up.call("patch.merge", json!({"patch": patch})), says_no);
    assert_eq!(status, 409, "{answer}");
    assert!(answer.to_string().contains("asked for changes"), "{answer}");
    assert_eq!(up.ok(&["patch", "show", &patch]).await["state"], "open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_sent_to_its_link_by_a_file_that_only_the_owner_reads() {
    let up = idle();
    let bin = up.folder().join("bin");
    fs::create_dir(&bin).unwrap();
    let opener = bin.join("xdg-open");
    fs::write(&opener, "#!/bin/sh\nprintf '%s\\n' \"$*\" > \"$0.args\"\n").unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = std::process::Command::new(crate::support::PROGRAM);
    command.arg("--data-dir").arg(up.data()).args(["up", "--listen", "127.0.0.1:0"]);
    command.env("PATH", path).env("DISPLAY", ":99").env("XDG_RUNTIME_DIR", up.folder()).env_remove("MESHWORK_DATA_DIR");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let look = || async {
        let args = fs::read_to_string(bin.join("xdg-open.args")).unwrap_or_default();
        if args.ends_with('\n') { Ok(args) } else { Err(json!(args)) }
    };
    let args = up.until("a browser is opened", look).await;
    let page = up.data().join("sign-in.html").canonicalize().unwrap();
    assert_eq!(args.trim(), page.to_str().unwrap(), "no secret is among the arguments");
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&page).unwrap();
    let link = text.split("url=").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    // The browser comes from the file, which is another site to it.
    let signed = up.http().get(link).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert!(signed.status().is_success() && signed.headers().contains_key("set-cookie"));
    assert!(signed.text().await.unwrap().contains("url=/"), "our own page goes on, so that the cookie is sent");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!page.exists(), "the page goes with it");
}
