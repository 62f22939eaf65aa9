//! Waiting for an answer that may take long: who works on it says so when asked beside, and who does not even do that is stuck.

use super::Client;
use domain::Problem;
use orchestrator::data_dir::DataDir;
use std::time::Duration;

/// How often it is asked, and how long each answer may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    pause: Duration,
    wait: Duration,
}

/// The first word comes after 5 s, the end after 40 s: longer than an org's process may take to start.
const PATIENCE: Patience = Patience { pause: Duration::from_secs(2), wait: Duration::from_secs(3) };
/// After how many questions in a row without an answer nobody waits any more.
const SILENT_MAX: u32 = 8;
/// The same where its process is stopped: it will not even start until somebody lets it go on.
const SILENT_STOPPED: u32 = 2;

impl Client {
    /// Waits for an answer for as long as `meshwork up` shows that it lives.
    ///
    /// # Errors
    /// When it does not.
    pub(super) async fn answered<T>(&self, answer: impl Future<Output = T>) -> Result<T, Problem> {
        self.answered_with(answer, PATIENCE).await
    }

    async fn answered_with<T>(&self, answer: impl Future<Output = T>, patience: Patience) -> Result<T, Problem> {
        let mut answer = std::pin::pin!(answer);
        let (mut silent, mut stopped) = (0, false);
        while silent < SILENT_MAX && !stopped {
            let look = async {
                tokio::time::sleep(patience.pause).await;
                self.speaks(patience.wait).await
            };
            let speaks = tokio::select! {
                biased;
                done = &mut answer => return Ok(done),
                speaks = look => speaks,
            };
            silent = if speaks { 0 } else { silent + 1 };
            if silent == 1 {
                tracing::warn!("{} does not answer; it is still waited for", self.who());
            }
            stopped = silent >= SILENT_STOPPED && self.is_stopped();
        }
        let next = "Let it go on if it is stopped (kill -CONT), or end it and start it again. Look then whether what was asked is done.";
        let why = if stopped { "its process is stopped" } else { "it is stopped, stuck or too busy" };
        Err(Problem::unavailable(format!("{} does not answer.", self.who()))
            .because(format!("It was asked {silent} times whether it is there, and said nothing: {why}."))
            .next(next))
    }

    /// Whether anything at all is answered. Who refuses at once may be starting anew, and is waited for as long as who says nothing.
    async fn speaks(&self, wait: Duration) -> bool {
        let over = tokio::time::Instant::now() + wait;
        let heard = self.http.get(format!("{}/health", self.url)).timeout(wait).send().await.is_ok();
        if !heard {
            tokio::time::sleep_until(over).await;
        }
        heard
    }

    /// Whether the process that is asked is stopped, as by Ctrl-Z.
    fn is_stopped(&self) -> bool {
        let pid = self.found.as_ref().and_then(|found| Some(DataDir::open(&found.root).ok()?.up()?.pid));
        let stat = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stat.is_some_and(|stat| says_stopped(&stat))
    }

    /// Who is asked, for a person.
    fn who(&self) -> String {
        let up = self.found.as_ref().and_then(|found| Some((DataDir::open(&found.root).ok()?.up()?.pid, found.root.display())));
        let of_folder = |(pid, root)| format!("meshwork up (process {pid}, data folder {root})");
        up.map_or_else(|| format!("meshwork up at {}", self.url), of_folder)
    }
}

/// Whether `/proc/PID/stat` says so (proc_pid_stat(5)): the state stands behind the name, which may have brackets in it.
fn says_stopped(stat: &str) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['T', 't']))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::{Router, routing::get};
    use domain::Kind;
    use tokio::net::TcpListener;

    const SHORT: Patience = Patience { pause: Duration::from_millis(20), wait: Duration::from_millis(100) };

    async fn client() -> (TcpListener, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, Client::at(url, "token".into()).unwrap())
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_waited_for_without_end() {
        // It is connected to, and nobody ever reads what is sent.
        let (_stuck, client) = client().await;
        let problem = client.answered_with(std::future::pending::<()>(), SHORT).await.unwrap_err();
        assert_eq!((problem.kind, problem.next.is_some()), (Kind::Unavailable, true), "{problem}");
    }

    #[test]
    fn a_process_that_is_stopped_is_known() {
        assert!(says_stopped("12 (mesh) T work) T 1 12") && says_stopped("12 (meshwork) t 1"));
        assert!(!says_stopped("12 (T) S 1 12") && !says_stopped(""));
        assert!(!says_stopped(&std::fs::read_to_string("/proc/self/stat").unwrap()));
    }

    #[tokio::test]
    async fn who_lives_is_waited_for() {
        let (listener, client) = client().await;
        let asked = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        let heard = asked.clone();
        let health = move || {
            heard.add_permits(1);
            std::future::ready("ok")
        };
        let server = tokio::spawn(async move { axum::serve(listener, Router::new().route("/health", get(health))).await });
        // Far more questions than silence would be borne for.
        let answer = async { asked.acquire_many(SILENT_MAX * 2).await.map(|_| "done").unwrap() };
        let calm = Patience { wait: Duration::from_secs(60), ..SHORT };
        assert_eq!(client.answered_with(answer, calm).await.unwrap(), "done");
        server.abort();
    }
}
