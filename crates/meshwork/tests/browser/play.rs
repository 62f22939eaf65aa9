//! What the scenarios share: a machine with the dashboard inside, and a browser for it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use testkit::{Browser, Repository, Up, skip};

const PROGRAM: &str = env!("CARGO_BIN_EXE_meshwork");
/// Checks that always pass, quickly.
pub const PASSES: &str = "[[checks]]\nname = \"there\"\ncommand = \"test -f README.md\"\ntimeout_s = 30\n";

/// A machine with an org and a browser for it.
pub struct Stage {
    pub up: Up,
    browser: Browser,
}

impl Stage {
    /// None, and said why, where a browser or the page in the program is missing.
    pub async fn set(suite: &str) -> Option<Self> {
        let browser = match Browser::find(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("../dashboard-pictures")) {
            Ok(found) => found,
            Err(reason) => {
                skip(&format!("browser: {suite}"), &reason);
                return None;
            }
        };
        let mut up = Up::idle(PROGRAM, &[("MESHWORK_ENGINES", engines().to_str().unwrap())]).listening();
        up.begin().await;
        up.org().await;
        let page = up.http().get(up.url()).header("accept", "text/html").bearer_auth(up.token()).send().await.unwrap();
        if page.status() == 501 {
            skip(&format!("browser: {suite}"), "the program was built without the dashboard (./dev build)");
            return None;
        }
        Some(Self { up, browser })
    }

    /// Plays a scenario of `dashboard/e2e`, which is told these facts; gives the machine back.
    pub async fn play(self, scenario: &str, made: Value) -> Up {
        self.browser.play(self.up, scenario, made).await
    }
}

/// One more device in the org of `owner`, up: that of a developer.
pub async fn joined(owner: &Up, member: &str, device: &str) -> Up {
    let mut up = Up::idle(PROGRAM, &[]).listening();
    up.begin().await;
    owner.let_in(&up, member, device, &["--role", "developer"]).await;
    up
}

/// Where engines for tests lie: shared by all tests, kept between runs.
fn engines() -> PathBuf {
    let dir =
        std::env::var_os("MESHWORK_ENGINES").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/engines"), PathBuf::from);
    std::fs::create_dir_all(&dir).unwrap();
    dir.canonicalize().unwrap()
}

/// A project with these tasks and settings, added to the org.
pub async fn project(up: &Up, name: &str, tasks: &str, settings: &str) -> Repository {
    let made = Repository::with_tasks(up.folder().join(name), "001-work", tasks, settings);
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    made
}
