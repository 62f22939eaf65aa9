//! Debian's Chromium and the scenarios of `dashboard/e2e`, played against a real `meshwork up`.
//!
//! A scenario is TypeScript for playwright-core. It is told what the test made and where everything is, and may ask the test to
//! kill `up` or to begin it again. Pictures, also of where a scenario failed, are kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A harness fails its test.

use crate::{Up, root};
use axum::{
    Json, Router,
    extract::{Path as At, State},
    routing::post,
};
use serde_json::{Map, Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{process::Command, sync::Mutex, time::timeout};

/// How long one scenario may take.
const SCENARIO_TIME: Duration = Duration::from_secs(300);
/// Names of Chromium: Debian's, Ubuntu's, others'.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser that is installed, and the folder for pictures.
#[derive(Debug)]
pub struct Browser {
    program: PathBuf,
    pictures: PathBuf,
}

impl Browser {
    /// The browser of this machine; `pictures` is made where it is absent.
    ///
    /// # Errors
    /// Why there is none: Chromium, Node.js or the dashboard's npm packages are missing.
    pub fn find(pictures: &Path) -> Result<Self, String> {
        if !dashboard().join("node_modules/playwright-core").is_dir() {
            return Err("dashboard/node_modules is not there (./dev build)".into());
        }
        let paths = env::var_os("PATH").unwrap_or_default();
        let on_path = |name: &str| env::split_paths(&paths).map(|dir| dir.join(name)).find(|file| file.is_file());
        if on_path("node").is_none() {
            return Err("Node.js is not there".into());
        }
        let named = env::var_os("MESHWORK_CHROMIUM").map(PathBuf::from);
        let program = named.or_else(|| NAMES.into_iter().find_map(on_path));
        let program = program.ok_or_else(|| "Chromium is not there (Debian: apt-get install chromium)".to_owned())?;
        fs::create_dir_all(pictures).unwrap();
        Ok(Self { program, pictures: pictures.canonicalize().unwrap() })
    }

    /// Plays a scenario that is told these facts; gives the machine back.
    pub async fn play(&self, up: Up, scenario: &str, made: Value) -> Up {
        let mut facts: Map<String, Value> = made.as_object().cloned().unwrap_or_default();
        facts.extend(whereabouts(&up));
        let up = Arc::new(Mutex::new(up));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        facts.insert("control".into(), json!(format!("http://{}", listener.local_addr().unwrap())));
        facts.insert("chromium".into(), json!(self.program));
        facts.insert("pictures".into(), json!(self.pictures));
        let router = Router::new().route("/{deed}", post(told)).with_state(Arc::clone(&up));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let control = tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
            server.await
        });
        self.run(scenario, &Value::Object(facts)).await;
        let _ = stop.send(());
        let _ = control.await;
        Arc::into_inner(up).expect("nobody else asks it now").into_inner()
    }

    async fn run(&self, scenario: &str, facts: &Value) {
        let mut command = Command::new("node");
        command.current_dir(dashboard()).arg("node_modules/vitest/vitest.mjs");
        command.args(["run", "--config", "e2e/vitest.config.ts", &format!("e2e/{scenario}.e2e.ts")]);
        command.env("MESHWORK_E2E", facts.to_string()).env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(SCENARIO_TIME, command.output()).await.unwrap_or_else(|_| panic!("{scenario} does not end")).unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{scenario} (pictures are in {}):\n{text}", self.pictures.display());
        print!("{text}");
    }
}

/// What a scenario asks of the machine.
async fn told(State(up): State<Arc<Mutex<Up>>>, At(deed): At<String>) -> Json<Map<String, Value>> {
    let mut up = up.lock().await;
    match deed.as_str() {
        "kill" => up.kill().await,
        "begin" => up.begin().await,
        other => panic!("nobody can “{other}”"),
    }
    Json(whereabouts(&up))
}

fn whereabouts(up: &Up) -> Map<String, Value> {
    let facts = json!({ "url": up.url(), "sign_in": up.sign_in(), "token": up.token() });
    facts.as_object().cloned().unwrap_or_default()
}

fn dashboard() -> PathBuf {
    root().join("dashboard")
}
