//! Every page with something on it, much of it written to do harm; and who gets to see it.

use crate::play::{Stage, project};
use serde_json::{Value, json};
use testkit::{Up, random_name};

/// Markup that acts wherever text is taken for markup.
const EVIL: &str = r#"<img src=x onerror=alert(1)><svg onload=alert(2)>"><script>alert(3)</script><a href="javascript:alert(4)">x</a>"#;
/// The same as the name of a file.
const EVIL_FILE: &str = "<img src=x onerror=alert(5)>.txt";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_looked_at_and_text_stays_text() {
    let Some(stage) = Stage::set("looks").await else { return };
    let facts = furnish(&stage.up).await;
    stage.play("looks", facts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doors_keep_others_out() {
    let Some(stage) = Stage::set("doors").await else { return };
    let facts = furnish(&stage.up).await;
    stage.play("doors", facts).await;
}

/// A project with a patch in review, a failed run and tasks of every kind.
async fn furnish(up: &Up) -> Value {
    let name = random_name("looks");
    let tasks = format!(
        "- [ ] T001 [P] [US1] Write {EVIL} into a file\n- [ ] T002 [P] Fail {EVIL}\n- [x] T003 Was done\n- [ ] T004 Wait for the others, with a title that is so long that it does not fit into any card\n"
    );
    let checks = "[[checks]]\nname = \"<b>there</b>\"\ncommand = \"ls -l; test -f README.md\"\ntimeout_s = 30\n";
    project(up, &name, &tasks, checks).await;
    for agent in ["<img src=x>", "a b", "\"x"] {
        let refused = up.run(&["agent", "add", agent, "--engine", "command", "--command", "true"]).await;
        assert_ne!(refused.code, 0, "a name is a name: {agent}");
    }
    let work = format!(
        "printf '\\033[31mred\\033[0m %s\\n' '{EVIL}'; seq 1 60; printf '%s\\n' '{EVIL}' > '{EVIL_FILE}'; mkdir -p src/deep/er; printf 'fn main() {{}}\\n' > src/deep/er/main.rs; echo more >> README.md"
    );
    up.ok(&["agent", "add", "writer", "--engine", "command", "--command", &work]).await;
    up.ok(&["agent", "add", "breaker", "--engine", "command", "--command", &format!("printf '%s\\n' '{EVIL}' >&2; exit 3")]).await;
    up.run_with(&["credential", "set", "a-key", "--provider", "tests"], "sk-none\n").await;
    up.act("token.create", json!({ "role": "viewer", "label": EVIL })).await;
    let run = up.do_task("T001", "writer").await;
    let failed = up.start_task("T002", "breaker").await;
    up.ended(&failed).await;
    let patch = run["patch"].as_str().unwrap();
    let line = format!("{EVIL_FILE}:1:A line of {EVIL}");
    up.ok(&["patch", "review", patch, "--reject", "-m", EVIL, "--line", &line]).await;
    json!({ "project": name, "run": run["id"], "failed": failed, "patch": patch, "task": "001-work/T001", "evil": EVIL })
}
