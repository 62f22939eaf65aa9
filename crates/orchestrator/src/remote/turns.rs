//! How much of what one other device asks for is done at once. What it asks for beyond that waits, and is given up when it goes away: a
//! device that asks for too much holds itself up, and neither this one nor the others.

use super::lock;
use crate::{limits, org::Org};
use domain::{Did, Problem};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// What is asked for. One kind waits for no other: merges may take hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// That a run is taken.
    Runs,
    /// What is signed here.
    Signed,
    /// That a merge is made.
    Merges,
    /// That one is signed: what is merged here may wait for that elsewhere.
    Cosigned,
    /// That a stop order is heard.
    Stops,
}

impl About {
    fn at_once(self) -> usize {
        match self {
            Self::Runs | Self::Signed | Self::Stops => limits::ASKED_BY_ONE_AT_ONCE,
            Self::Merges | Self::Cosigned => limits::MERGES_OF_ONE_AT_ONCE,
        }
    }
}

/// What is done for others now.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<(Did, About), Arc<Semaphore>>>);

/// Does what a device asks of the org here, in its turn: see [`Turns::work`].
///
/// # Errors
/// Those of `what`.
pub(super) async fn work<T, F>(org: &Arc<Org>, caller: Did, about: About, what: impl FnOnce(Arc<Org>, Did) -> F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let work = what(org.clone(), caller.clone());
    org.remote.turns.work(&caller, about, work).await
}

impl Turns {
    /// Does what a device asks for, in its turn. What was begun goes on when the device goes away, and takes its place until it is done:
    /// what blocks cannot be cut off, and would not be counted otherwise.
    ///
    /// # Errors
    /// Those of `work`.
    async fn work<T: Send + 'static>(
        &self,
        caller: &Did,
        about: About,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.places(caller, about).acquire_owned().await.map_err(Problem::internal)?;
        let held = async move {
            let _place = place;
            work.await
        };
        tokio::spawn(held).await.map_err(Problem::internal)?
    }

    fn places(&self, caller: &Did, about: About) -> Arc<Semaphore> {
        let mut all = lock(&self.0);
        // What nobody holds or waits for is forgotten.
        all.retain(|_, places| Arc::strong_count(places) > 1);
        all.entry((caller.clone(), about)).or_insert_with(|| Arc::new(Semaphore::new(about.at_once()))).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt;
    use std::{
        future::{pending, ready},
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };
    use tokio::{sync::watch, time::timeout};

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_a_device_asks_for_beyond_its_bound_waits_and_what_others_ask_for_does_not() {
        let (turns, go, begun) = (Turns::default(), watch::Sender::new(false), Arc::new(AtomicUsize::new(0)));
        let [one, other] = [1, 2].map(|seed| identity::Key::from_seed(&[seed; 32]).did());
        let work = || {
            let (mut go, begun) = (go.subscribe(), begun.clone());
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                go.wait_for(|go| *go).await.map(drop).map_err(Problem::internal)
            }
        };
        // Whoever asked goes away at once each time: all that was begun goes on.
        for _ in 0..About::Signed.at_once() {
            assert!(turns.work(&one, About::Signed, work()).now_or_never().is_none());
        }
        let mut beyond = Box::pin(turns.work(&one, About::Signed, work()));
        assert!(beyond.as_mut().now_or_never().is_none());
        // So does what waited, and is forgotten with who asked.
        assert!(turns.work(&one, About::Signed, pending::<Result<(), Problem>>()).now_or_never().is_none());
        for (device, about) in [(&other, About::Signed), (&one, About::Runs)] {
            assert_eq!(timeout(LONG, turns.work(device, about, ready(Ok(7)))).await.unwrap(), Ok(7));
        }
        assert!(beyond.as_mut().now_or_never().is_none());
        assert_eq!(begun.load(Ordering::Relaxed), About::Signed.at_once());

        go.send_replace(true);
        timeout(LONG, beyond).await.unwrap().unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), About::Signed.at_once() + 1);
        // Nothing holds a place any more, or that would be waited for.
        let places = turns.places(&one, About::Signed);
        let all = u32::try_from(About::Signed.at_once()).unwrap();
        drop(timeout(LONG, places.acquire_many(all)).await.unwrap().unwrap());
    }
}
