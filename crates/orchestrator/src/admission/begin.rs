//! A run as it begins.

use domain::{
    Did, ProjectName, RunId, Timestamp,
    manifest::{Class, Manifest, Priority, Work},
    run::{Run, RunState},
    usage::Usage,
};
use std::collections::BTreeMap;

/// A run that was just queued.
pub fn new_run(id: RunId, class: Class, project: ProjectName, member: Did, requester: Did, queued_at: Timestamp) -> Run {
    Run {
        id,
        class,
        project,
        task: None,
        agent: None,
        member,
        requester,
        on: None,
        tags: BTreeMap::new(),
        priority: Priority::Normal,
        gave_way: 0,
        apart: None,
        asked: None,
        refused: vec![],
        told: None,
        device: None,
        manifest: None,
        envelope: None,
        state: RunState::Queued,
        reason: None,
        paused: false,
        paused_by: None,
        base: None,
        spec_hash: None,
        continues: None,
        from: None,
        left: None,
        rebase: false,
        subject: None,
        attempt: 0,
        lease: None,
        lease_until: None,
        reserved: None,
        ending: None,
        tries: 0,
        recovered: 0,
        notes: vec![],
        kept: None,
        messages: vec![],
        messages_more: 0,
        questions_more: 0,
        violations_more: 0,
        key: None,
        delegation: None,
        checkpoint: None,
        held: None,
        goes: None,
        commit: None,
        patch: None,
        revision: None,
        checks: vec![],
        checked: None,
        usage: Usage::default(),
        questions: vec![],
        violations: vec![],
        phases: vec![],
        queued_at,
        started_at: None,
        ended_at: None,
    }
}

/// A run that another device asked for, as far as its manifest tells.
pub(crate) fn foreign(manifest: &Manifest, now: Timestamp) -> Run {
    let mut run = new_run(
        manifest.run.clone(),
        manifest.class,
        manifest.work.project().clone(),
        manifest.member.clone(),
        manifest.requester.clone(),
        now,
    );
    (run.priority, run.gave_way) = (manifest.priority, manifest.gave_way);
    run.apart.clone_from(&manifest.apart);
    match &manifest.work {
        Work::Task { task, agent, base, continues, patch, rebase, spec_hash, .. } => {
            run.task = Some(task.clone());
            run.agent = Some(agent.clone());
            run.base = Some(base.clone());
            run.spec_hash = Some(spec_hash.clone());
            run.continues.clone_from(continues);
            run.patch.clone_from(patch);
            run.rebase = *rebase;
        }
        Work::Checks { commit, subject, .. } => {
            run.base = Some(commit.clone());
            run.subject.clone_from(subject);
        }
    }
    run
}
