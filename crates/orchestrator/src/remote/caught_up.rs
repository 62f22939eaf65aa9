//! After a start a device hears what the others did meanwhile before it begins anything: their journals, as far as they answer within some
//! seconds. Else it would begin at a task that another has done while it was away.

use super::reach::{others, probe};
use crate::{limits, org::Org};
use domain::Did;
use futures::future::join_all;
use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

/// What is known of that.
#[derive(Debug, Default)]
pub(super) struct CaughtUp {
    /// The devices whose journals were here as far as they themselves said, at some time since the start.
    whole: watch::Sender<BTreeSet<Did>>,
    /// Whether it is still waited for some.
    waits: AtomicBool,
}

impl CaughtUp {
    /// Notes that a device's journal is here as far as the device itself says.
    pub(super) fn note(&self, device: &Did) {
        self.whole.send_if_modified(|whole| whole.insert(device.clone()));
    }
}

/// Whether the others are still to be heard before anything is begun.
pub(crate) fn catches_up(org: &Org) -> bool {
    org.remote.caught_up.waits.load(Ordering::Relaxed)
}

/// Hears the others, and has the dispatcher look again then. To be called before anything is dispatched.
pub(crate) fn catch_up(org: &Arc<Org>) {
    let others = others(org);
    if others.is_empty() {
        return;
    }
    org.remote.caught_up.waits.store(true, Ordering::Relaxed);
    let (org, mut closing) = (org.clone(), org.closing.subscribe());
    tokio::spawn(async move {
        let all = join_all(others.iter().map(|device| heard(&org, device)));
        tokio::select! {
            came = tokio::time::timeout(limits::CATCH_UP_WAIT, all) => if came.is_err() {
                tracing::warn!("the journals of devices that answer did not come in time: what waits is begun all the same");
            },
            _ = closing.wait_for(|c| *c) => {}
        }
        org.remote.caught_up.waits.store(false, Ordering::Relaxed);
        org.wake.notify_one();
    });
}

/// Returns once a device's journal is here, or where the device does not answer.
async fn heard(org: &Arc<Org>, device: &Did) {
    let mut comes = pin!(whole(org, device));
    tokio::select! {
        () = &mut comes => {}
        reach = probe(org, device) => if reach.reachable {
            comes.await;
        },
    }
}

/// Returns once a device's journal is here.
async fn whole(org: &Org, device: &Did) {
    let mut whole = org.remote.caught_up.whole.subscribe();
    // Its sender is not dropped before this.
    let _ = whole.wait_for(|whole| whole.contains(device)).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{self, Opened, did};
    use domain::org::Device;
    use forge::OrgState;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_device_alone_begins_at_once_and_one_of_several_when_it_heard_those_that_answer() {
        let opened = Opened::new().await;
        let org = &opened.org;
        catch_up(org);
        assert!(!catches_up(org), "there is nobody to hear");
        let devices = [("box".to_owned(), Device::new("box", did('b'), "bob"))].into();
        org.remote.learn(Arc::new(OrgState { devices, ..fixtures::state() }));
        catch_up(org);
        assert!(catches_up(org));
        // It has no address, so it does not answer; nothing here keeps the journals.
        org.wake.notified().await;
        assert!(!catches_up(org));
    }

    #[tokio::test]
    async fn a_journal_is_waited_for_until_its_device_says_that_it_is_here() {
        let opened = Opened::new().await;
        let org = &opened.org;
        org.remote.note_whole(&did('c'));
        assert!(whole(org, &did('b')).now_or_never().is_none());
        org.remote.note_whole(&did('b'));
        assert!(whole(org, &did('b')).now_or_never().is_some());
    }
}
