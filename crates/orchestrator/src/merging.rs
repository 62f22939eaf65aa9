//! One change of a project's default branch at a time: each merge is judged on the result of the one before. Projects go
//! side by side. Whoever waits can see for what.

use domain::{PatchId, ProjectName};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OwnedMutexGuard;

/// What changes a default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A patch is merged.
    Merge(PatchId),
    /// Commits of a working copy, a mirror or another remote are taken in.
    Take,
}

impl Change {
    fn text(&self) -> String {
        match self {
            Self::Merge(patch) => format!("the patch {patch} is merged"),
            Self::Take => "commits from elsewhere are taken in".into(),
        }
    }
}

/// Who changes which default branch, and who waits.
#[derive(Debug, Default)]
pub struct Merging {
    lanes: Mutex<BTreeMap<ProjectName, Lane>>,
}

#[derive(Debug, Default)]
struct Lane {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The first one has the turn, the others wait in this order.
    queue: Vec<(u64, Change)>,
    last: u64,
}

/// The right to change a project's default branch; let go when dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    merging: &'a Merging,
    project: ProjectName,
    number: u64,
    held: Option<OwnedMutexGuard<()>>,
}

impl Merging {
    /// Waits for the turn.
    pub async fn turn(&self, project: &ProjectName, change: Change) -> Turn<'_> {
        let (mut turn, lock) = self.queued(project, change);
        turn.held = Some(lock.lock_owned().await);
        turn
    }

    fn queued(&self, project: &ProjectName, change: Change) -> (Turn<'_>, Arc<tokio::sync::Mutex<()>>) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(project.clone()).or_default();
        lane.last += 1;
        lane.queue.push((lane.last, change));
        (Turn { merging: self, project: project.clone(), number: lane.last, held: None }, lane.turn.clone())
    }

    /// Where the merge of a patch is, in words; none when nobody merges it.
    pub fn state(&self, project: &ProjectName, patch: &PatchId) -> Option<String> {
        let lanes = self.lanes();
        let queue = &lanes.get(project)?.queue;
        let at = queue.iter().position(|(_, change)| *change == Change::Merge(patch.clone()))?;
        Some(match (at, queue.first()) {
            (1.., Some((_, first))) => format!("Its merge waits until {}; {at} before it in {project}.", first.text()),
            _ => "It is being merged: the checks run on the result (meshwork run list --all shows them).".into(),
        })
    }

    /// Whether somebody here changes a project's default branch, or waits to.
    pub fn busy(&self, project: &ProjectName) -> bool {
        self.lanes().get(project).is_some_and(|lane| !lane.queue.is_empty())
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<ProjectName, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.merging.lanes().get_mut(&self.project) {
            lane.queue.retain(|(number, _)| *number != self.number);
        }
        // Only now: whoever comes next is the first of the queue.
        self.held = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn projects_go_side_by_side_and_patches_of_one_wait_and_say_for_what() {
        let (merging, a, b): (_, ProjectName, ProjectName) = (Merging::default(), "a".parse().unwrap(), "b".parse().unwrap());
        let patch = |letter: &str| -> PatchId { letter.repeat(40).parse().unwrap() };
        let first = merging.turn(&a, Change::Merge(patch("1"))).await;
        let other = merging.turn(&b, Change::Merge(patch("2"))).await;
        let mut second = Box::pin(merging.turn(&a, Change::Merge(patch("3"))));
        assert!(second.as_mut().now_or_never().is_none(), "one at a time");
        assert!(merging.state(&a, &patch("1")).unwrap().contains("is being merged"));
        assert!(merging.state(&a, &patch("3")).unwrap().contains(&format!("waits until the patch {} is merged", patch("1"))));
        assert_eq!(merging.state(&b, &patch("3")), None);
        assert!(merging.busy(&a) && merging.busy(&b) && !merging.busy(&"c".parse().unwrap()));
        drop((first, other));
        let second = second.await;
        assert!(merging.state(&a, &patch("3")).unwrap().contains("is being merged"));
        let mut given_up = Box::pin(merging.turn(&a, Change::Merge(patch("4"))));
        assert!(given_up.as_mut().now_or_never().is_none());
        drop((given_up, second));
        assert!(merging.lanes().values().all(|lane| lane.queue.is_empty()) && !merging.busy(&a));
    }
}
