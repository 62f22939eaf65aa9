//! One thread that starts all processes of this crate and lives as long as the program: what is to die with its parent
//! dies, for the kernel, with the thread that made it, and a runtime's threads come and go.

use crate::limits;
use domain::Problem;
use std::sync::{
    OnceLock,
    mpsc::{SyncSender, sync_channel},
};
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Runs `work` on the thread and gives what it returned.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let (done, result) = oneshot::channel();
    let work: Work = Box::new(move || drop(done.send(work())));
    let thread = thread()?;
    // Full only when this many sandboxes are being started at once; then this waits where it does not hold up others.
    match thread.try_send(work) {
        Ok(()) => {}
        Err(std::sync::mpsc::TrySendError::Full(work)) => {
            let sent = tokio::task::spawn_blocking(move || thread.send(work)).await;
            sent.map_err(Problem::internal)?.map_err(Problem::internal)?;
        }
        Err(gone) => return Err(Problem::internal(gone)),
    }
    result.await.map_err(Problem::internal)
}

fn thread() -> Result<SyncSender<Work>, Problem> {
    static THREAD: OnceLock<Option<SyncSender<Work>>> = OnceLock::new();
    let started = THREAD.get_or_init(|| {
        let (sender, receiver) = sync_channel::<Work>(limits::FORKS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("sandbox-forker".into()).stack_size(512 * 1024);
        let run = move || receiver.into_iter().for_each(|work| work());
        thread.spawn(run).map(|_| sender).ok()
    });
    started.clone().ok_or_else(|| Problem::internal("the thread that starts sandboxes could not be started"))
}
