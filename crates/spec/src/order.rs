//! Makes direct dependencies of phases, order, `[P]` and what is written out. Pure.

use std::collections::BTreeSet;

/// One task, as far as order goes.
pub(crate) struct Place {
    /// The stretch it stands in: a phase, or a part of one.
    pub step: usize,
    /// Marked `[P]`.
    pub parallel: bool,
    /// What is written out that it needs: indexes of other tasks.
    pub needs: BTreeSet<usize>,
}

/// For each task, the tasks that must be done directly before it.
pub(crate) fn direct(places: &[Place]) -> Vec<BTreeSet<usize>> {
    let order = sequence(places);
    let mut direct: Vec<BTreeSet<usize>> = places.iter().map(|p| p.needs.clone()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut group: Vec<usize> = Vec::new();
    let mut last: Option<(usize, bool)> = None;
    for (task, step) in order {
        let parallel = places[task].parallel;
        if last != Some((step, true)) || !parallel {
            before = std::mem::take(&mut group);
        }
        direct[task].extend(before.iter().copied().filter(|other| *other != task));
        group.push(task);
        last = Some((step, parallel));
    }
    direct
}

/// The order of the file, but what a task needs stands before it; with each task the step in which it is done.
fn sequence(places: &[Place]) -> Vec<(usize, usize)> {
    let mut order = Vec::with_capacity(places.len());
    let mut seen = vec![false; places.len()];
    for root in 0..places.len() {
        let step = places[root].step;
        // Not recursive: a chain may be as long as the file.
        let mut stack = vec![(root, false)];
        while let Some((task, ready)) = stack.pop() {
            if ready {
                order.push((task, step));
            } else if !std::mem::replace(&mut seen[task], true) {
                stack.push((task, true));
                stack.extend(places[task].needs.iter().rev().filter(|n| !seen[**n]).map(|n| (*n, false)));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(step: usize, parallel: bool, needs: &[usize]) -> Place {
        Place { step, parallel, needs: needs.iter().copied().collect() }
    }

    fn lists(places: &[Place]) -> Vec<Vec<usize>> {
        direct(places).into_iter().map(|set| set.into_iter().collect()).collect()
    }

    #[test]
    fn groups_of_parallel_tasks_stand_between_single_ones() {
        let phase = [
            place(0, false, &[]),
            place(0, true, &[]),
            place(0, true, &[]),
            place(0, false, &[]),
            place(1, true, &[]),
            place(1, true, &[]),
        ];
        assert_eq!(lists(&phase), vec![vec![], vec![0], vec![0], vec![1, 2], vec![3], vec![3]]);
    }

    #[test]
    fn a_step_parts_parallel_tasks() {
        let steps = [place(0, true, &[]), place(0, true, &[]), place(1, true, &[])];
        assert_eq!(lists(&steps), vec![vec![], vec![], vec![0, 1]]);
    }

    #[test]
    fn what_is_written_out_wins_over_the_order_of_the_file() {
        // The first needs the third: it is pulled up, and no circle comes of it.
        let pulled = [place(0, false, &[2]), place(0, false, &[]), place(1, false, &[])];
        assert_eq!(lists(&pulled), vec![vec![2], vec![0], vec![]]);
        let within_group = [place(0, true, &[1]), place(0, true, &[])];
        assert_eq!(lists(&within_group), vec![vec![1], vec![]]);
    }

    #[test]
    fn a_circle_that_is_written_out_stays_and_ends() {
        let circle = [place(0, false, &[1]), place(0, false, &[0])];
        assert_eq!(lists(&circle), vec![vec![1], vec![0]]);
    }
}
