//! What the machine has, the sandbox has: Spec-Kit's `specify`, and packages that were fetched already; and never a key.

use crate::support::{PASSES, command_agent, idle, machine, project, published, started, text};
use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{Repository, Up, random_name, skip};

const ONE: &str = "- [ ] T001 Write it\n";
/// No checks are named, so they are guessed.
const GUESSED: &str = "stack = false\n";

fn home() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap()
}

/// Compiles little: the guessed `go test` would compile half of Go's library anew.
const GO_BUILD: &str = "[[checks]]\nname = \"go build\"\ncommand = \"go build ./...\"\ntimeout_s = 100\n";

/// A project with these files beside Spec-Kit's: what became of its first check after a run, and the run that made it.
async fn checked(up: &Up, name: &str, settings: &str, files: &[(&str, &str)]) -> (serde_json::Value, String) {
    let made = Repository::with_tasks(up.folder().join(name), "001-work", ONE, settings);
    files.iter().for_each(|(file, text)| made.write(file, text));
    made.commit("The program");
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    let started = up.ok(&["task", "run", "T001", "--agent", "writer", "--project", name]).await;
    let ended = up.ended(started["runs"][0]["run"].as_str().unwrap()).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    let all = up.ok(&["run", "list", "--all"]).await;
    let judged = all.as_array().unwrap().iter().find(|r| r["subject"] == ended["id"]).expect("the run that checked it");
    (ended["checks"][0].clone(), text(&judged["id"]))
}

/// The output of a program of this machine, or why there is none.
fn output(program: &str, folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<String, String> {
    let output = Command::new(program).args(args).current_dir(folder).envs(env.iter().copied()).output().map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn specify_is_at_hand_in_the_sandbox_wherever_it_is_installed() {
    let Ok(specify) = spec::specify::Specify::find() else { return skip("specify in the sandbox", "specify is not installed") };
    let version = specify.version().unwrap();
    let up = idle();
    // As pipx and uv lay it: a link in the home, to a program with an environment elsewhere.
    let home = up.folder().join("home");
    std::fs::create_dir_all(home.join(".local/bin")).unwrap();
    symlink(specify.program().canonicalize().unwrap(), home.join(".local/bin/specify")).unwrap();
    let up = started(up.set("HOME", home.to_str().unwrap()).set("MESHWORK_SPECIFY", "").set("PATH", "/usr/bin:/bin")).await;
    let name = random_name("kit");
    project(&up, &name, ONE, PASSES).await;
    command_agent(&up, "writer", "specify --version > said.txt 2>&1; specify check >> said.txt 2>&1; command -v pip3 >> said.txt; true")
        .await;
    up.do_task("T001", "writer").await;
    let patch = text(&up.ok(&["patch", "list"]).await[0]["id"]);
    up.merge(&patch).await;
    let said = published(&up, &name, "said.txt").await;
    assert!(said.contains(&version), "{said}");
    assert!(!said.contains("specify/bin/pip"), "only `specify` is on the path, not what it is made of: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetched_crates_are_there_for_checks_and_keys_are_not() {
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home().join(".cargo"), PathBuf::from);
    let own = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"counter\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"1\"\n";
    let library = "#[test]\nfn prints() {\n    assert_eq!(itoa::Buffer::new().format(7), \"7\");\n}\n";
    std::fs::create_dir(own.path().join("src")).unwrap();
    std::fs::write(own.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(own.path().join("src/lib.rs"), library).unwrap();
    if let Err(why) = output("cargo", own.path(), &["fetch", "--offline"], &[]) {
        return skip("crates in the sandbox", &format!("itoa was not fetched here: {}", why.lines().next().unwrap_or_default()));
    }
    let lock = std::fs::read_to_string(own.path().join("Cargo.lock")).unwrap();

    // A home with the real packages, and with keys beside them.
    let (up, canary) = (idle(), random_name("canary"));
    let owner = up.folder().join("home");
    std::fs::create_dir_all(owner.join(".cargo")).unwrap();
    for (real, link) in
        [(cargo.join("registry"), ".cargo/registry"), (cargo.join("bin"), ".cargo/bin"), (home().join(".rustup"), ".rustup")]
    {
        symlink(real, owner.join(link)).unwrap();
    }
    for file in [".cargo/credentials.toml", ".cargo/credentials", ".cargo/config.toml", ".npmrc", ".netrc", ".pypirc"] {
        std::fs::write(owner.join(file), &canary).unwrap();
    }
    let up = started(up.set("HOME", owner.to_str().unwrap()).set("CARGO_HOME", "")).await;
    // The name is put together inside, so that only a real file can hold it.
    let (first, second) = canary.split_at(8);
    let look = format!(
        "grep -rlsF {first}\"\"{second} / --exclude-dir=proc --exclude-dir=usr --exclude-dir=.rustup > found.txt; echo >> found.txt"
    );
    command_agent(&up, "writer", &look).await;
    let (name, other) = (random_name("counter"), random_name("lacks"));
    let (check, _) = checked(
        &up,
        &name,
        GUESSED,
        &[("Cargo.toml", manifest), ("Cargo.lock", &lock), ("src/lib.rs", library), (".gitignore", "target\n"), ("known.txt", &canary)],
    )
    .await;
    assert_eq!((check["name"].as_str(), check["passed"].as_bool()), (Some("cargo test"), Some(true)), "{check:#}");
    let patch = text(&up.ok(&["patch", "list"]).await[0]["id"]);
    up.merge(&patch).await;
    assert_eq!(published(&up, &name, "found.txt").await.trim(), "/work/known.txt", "a key was seen inside");

    let unknown = random_name("no-such-crate");
    let (check, judged) = checked(&up, &other, GUESSED, &[("Cargo.toml", &manifest.replace("itoa", &unknown)), ("src/lib.rs", "")]).await;
    assert_eq!(check["passed"], false, "{check:#}");
    up.until_logged(&judged, "Fetch them once by hand in a working copy (cargo fetch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetched_go_modules_are_there_for_checks() {
    let Some(go) = ["/usr/local/go/bin/go", "/usr/bin/go"].into_iter().find(|go| Path::new(go).exists()) else {
        return skip("Go modules in the sandbox", "Go is not installed");
    };
    // A module as a proxy gives it, fetched into a module cache of the test.
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let served = at("proxy/example.org/seven/@v");
    std::fs::create_dir_all(&served).unwrap();
    let module = "module example.org/seven\n\ngo 1.20\n";
    std::fs::write(served.join("list"), "v1.0.0\n").unwrap();
    std::fs::write(served.join("v1.0.0.info"), r#"{"Version":"v1.0.0"}"#).unwrap();
    std::fs::write(served.join("v1.0.0.mod"), module).unwrap();
    let zip = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\nb = 'example.org/seven@v1.0.0/'\nz.writestr(b + 'go.mod', sys.argv[2])\nz.writestr(b + 'seven.go', 'package seven\\n\\nfunc Seven() int { return 7 }\\n')\n";
    output("python3", dir.path(), &["-c", zip, served.join("v1.0.0.zip").to_str().unwrap(), module], &[]).unwrap();
    let mine = at("mine");
    std::fs::create_dir(&mine).unwrap();
    let mine_module = "module example.org/mine\n\ngo 1.20\n\nrequire example.org/seven v1.0.0\n";
    let program = "package mine\n\nimport \"example.org/seven\"\n\nvar Eight = seven.Seven() + 1\n";
    std::fs::write(mine.join("go.mod"), mine_module).unwrap();
    std::fs::write(mine.join("mine.go"), program).unwrap();
    let (proxy, modules) = (format!("file://{}", at("proxy").display()), at("modules"));
    let modules = modules.to_str().unwrap();
    let env =
        [("GOPROXY", proxy.as_str()), ("GOMODCACHE", modules), ("GOSUMDB", "off"), ("GOFLAGS", "-modcacherw"), ("GOTOOLCHAIN", "local")];
    output(go, &mine, &["mod", "tidy"], &env).unwrap();
    let sum = std::fs::read_to_string(mine.join("go.sum")).unwrap();

    let up = started(idle().set("GOMODCACHE", modules)).await;
    command_agent(&up, "writer", "echo done > done.txt").await;
    let (check, _) = checked(&up, &random_name("mine"), GO_BUILD, &[("go.mod", mine_module), ("go.sum", &sum), ("mine.go", program)]).await;
    assert_eq!((check["name"].as_str(), check["passed"].as_bool()), (Some("go build"), Some(true)), "{check:#}");
}

/// Says something on either stream in turn, a hundred times.
const SPEAKS: &str = "[[checks]]\nname = \"speaks\"\ncommand = \"i=0; while [ $i -lt 100 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done\"\ntimeout_s = 60\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_check_says_is_logged_in_the_order_in_which_it_says_it() {
    let up = machine().await;
    command_agent(&up, "writer", "echo done > done.txt").await;
    let (_, judged) = checked(&up, &random_name("speaks"), SPEAKS, &[("program.txt", "speaks\n")]).await;
    let log = up.run_log(&judged).await;
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let said: String = events.filter(|event| event["type"] == "log").map(|event| text(&event["text"])).collect();
    let wanted: String = (0..100).map(|n| format!("out {n}\nerr {n}\n")).collect();
    assert_eq!(said, wanted, "{log}");
}
