//! The gates of a project's patches as they stand, before any merge is tried: to be shown and listed.

use super::{approvals, missing};
use crate::{
    gated, names,
    org::Org,
    provenance::{self, Author, Known},
    rights::Rights,
    rivals,
    tasks::Board,
};
use domain::{
    Did, Problem, TaskRef,
    gate::{self, Missing, PatchStanding},
    org::{Member, MemberKey},
    patch::{Patch, PatchState},
    project::Project,
    run::{CheckResult, Run},
};
use policy::Resource;
use std::cell::OnceCell;

/// The gates of one project's patches. What is the same for all of these is read once, when the first of them asks for it.
pub(crate) struct Gates<'a> {
    known: &'a Known<'a>,
    rights: &'a Rights,
    project: &'a Project,
    /// With the mistake in its settings, if there is one.
    board: OnceCell<Result<(Board, Option<Problem>), Problem>>,
}

/// The gate of a patch.
pub(crate) struct Gate {
    /// The task that the patch is for.
    pub(crate) task: Option<TaskRef>,
    /// What is missing.
    pub(crate) missing: Vec<Missing>,
    /// Its state in words, a sentence each; none for a patch that is not open.
    pub(crate) words: Vec<String>,
    /// Whose approvals of an open patch count: a key of each.
    pub(crate) approved_by: Vec<Did>,
    /// Where the patch stands by it.
    pub(crate) standing: PatchStanding,
}

/// What an open patch's gate is judged by, and what is missing.
struct Judged {
    /// The patch as its gate counts it.
    counted: Patch,
    approvals: u32,
    checks: Option<Vec<CheckResult>>,
    missing: Vec<Missing>,
}

impl<'a> Gates<'a> {
    /// Of a project; nothing is read yet.
    pub(crate) fn of(known: &'a Known<'a>, rights: &'a Rights, project: &'a Project) -> Self {
        Self { known, rights, project, board: OnceCell::new() }
    }

    /// The project's board, as [`Board::look`] gives it.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub(crate) fn look(&self) -> Result<&Board, Problem> {
        self.looked().map(|(board, _)| board)
    }

    /// Where a patch stands. Its gate is looked at only where the reviews alone could open it, for that reads the repository; where that
    /// cannot be read, or the settings have a mistake, nothing can be merged.
    pub(crate) fn standing(&self, patch: &Patch) -> PatchStanding {
        if patch.state != PatchState::Open {
            return gate::standing(patch, &[]);
        }
        self.by_reviews(patch)
            .and_then(|found| if found == PatchStanding::ToMerge { self.by_gate(patch) } else { Ok(found) })
            .unwrap_or_else(|problem| {
                tracing::warn!(%problem, patch = %patch.id, "a patch's gate cannot be read");
                PatchStanding::GateShut
            })
    }

    /// Where an open patch stands by its reviews alone. One accept is enough to look further: who must accept besides, the gate says.
    fn by_reviews(&self, patch: &Patch) -> Result<PatchStanding, Problem> {
        let counted = provenance::by_person(self.rights, patch.clone());
        let approvals = self.look()?.settings.approvals.min(1);
        Ok(gate::standing(&counted, &gate::missing(&counted, approvals, Some(&[]))))
    }

    /// Looks at a patch's gate. The checks are those on its own commit; a merge makes them again on its result.
    ///
    /// # Errors
    /// When the patch or the project's settings cannot be read.
    pub(crate) fn gate(&self, patch: &Patch) -> Result<Gate, Problem> {
        let (author, task) = self.origin(patch)?;
        if patch.state != PatchState::Open {
            return Ok(Gate { task, missing: vec![], words: vec![], approved_by: vec![], standing: gate::standing(patch, &[]) });
        }
        let Judged { counted, approvals, checks, missing } = self.judge(patch, &author, task.as_ref())?;
        let org = self.known.org;
        let mut words = match missing.is_empty() {
            true => {
                let met = gate::met(&counted, approvals, checks.as_deref());
                vec![format!("The gate is open: {met}."), who_merges(org, self.rights, self.project, patch)?]
            }
            false => std::iter::once("The gate is shut.".to_owned()).chain(missing.iter().map(Missing::text)).collect(),
        };
        for sentence in &mut words {
            *sentence = names::within(&self.rights.state, sentence);
        }
        words.extend(org.merging.state(&self.project.name, &patch.id));
        let (standing, approved_by) = (gate::standing(&counted, &missing), gate::approved_by(&counted).cloned().collect());
        Ok(Gate { task, missing, words, approved_by, standing })
    }

    fn by_gate(&self, patch: &Patch) -> Result<PatchStanding, Problem> {
        let (author, task) = self.origin(patch)?;
        let judged = self.judge(patch, &author, task.as_ref())?;
        Ok(gate::standing(&judged.counted, &judged.missing))
    }

    /// Who made a patch, and for which task.
    fn origin(&self, patch: &Patch) -> Result<(Author, Option<TaskRef>), Problem> {
        let author = Author::of(self.known, &self.rights.state, self.project, patch).unwrap_or_else(Author::Unread);
        let task = rivals::task_of(self.known, patch, &author)?;
        Ok((author, task))
    }

    fn judge(&self, patch: &Patch, author: &Author, task: Option<&TaskRef>) -> Result<Judged, Problem> {
        let (board, mistake) = self.looked()?;
        if let Some(mistake) = mistake {
            return Err(mistake.clone());
        }
        let checks = self.checked(board, patch, author.run())?;
        let approvals = approvals(self.known.org, self.project, board, patch)?;
        let counted = provenance::by_person(self.rights, patch.clone());
        let missing = missing(self.known, board, &counted, task, approvals, checks.as_deref().unwrap_or_default(), author)?;
        Ok(Judged { counted, approvals, checks, missing })
    }

    fn looked(&self) -> Result<&(Board, Option<Problem>), Problem> {
        self.board.get_or_init(|| Board::look(self.known.org, self.project)).as_ref().map_err(Clone::clone)
    }

    /// What the checks said of a patch's latest commit, by whichever journal tells of the run that made it: to be shown. None: nobody
    /// tells, of a project that has checks.
    fn checked(&self, board: &Board, patch: &Patch, own: Option<&Run>) -> Result<Option<Vec<CheckResult>>, Problem> {
        let made_by = match own {
            Some(run) => Some(run),
            None => self.known.seen()?.iter().map(|seen| &seen.run).find(|run| provenance::made(run, patch)),
        };
        let checks = made_by.map(|run| run.checks.clone()).unwrap_or_default();
        Ok(if checks.is_empty() && !board.checks(self.known.org)?.is_empty() { None } else { Some(checks) })
    }
}

/// Who merges a patch whose gate is open: the member here, or those who may. In a gated project a gate signs for whoever the policy lets;
/// in another Radicle lets its delegates alone, and nobody does where these could part the branch.
fn who_merges(org: &Org, rights: &Rights, project: &Project, patch: &Patch) -> Result<String, Problem> {
    if let Some(divided) = gated::divided(org, project)? {
        return Ok(divided.to_string());
    }
    let about = Resource::Patch(patch.id.to_string(), patch.project.to_string());
    let delegates = project.gate().is_none().then(|| org.forge.delegates(&project.rid)).transpose()?;
    let signs = |key: &Did| delegates.as_ref().is_none_or(|all| all.contains(key));
    let here = rights.state.member_of(&org.member).is_some_and(|member| rights.member_may(member, "patch.merge", &about));
    if here && (signs(&org.member) || signs(&org.device)) {
        return Ok(format!("meshwork patch merge {} merges it.", patch.id));
    }
    let of = |member: &Member| {
        let device = |key: &MemberKey| rights.state.device_of(&key.device).map(|device| format!("{} on {}", member.name, device.name));
        let keys = member.keys.iter().filter(|key| signs(&key.did));
        let named: Vec<String> = keys.filter_map(device).collect();
        if rights.member_may(member, "patch.merge", &about) { named } else { vec![] }
    };
    let able: Vec<String> = rights.state.members.values().flat_map(of).collect();
    Ok(match able.is_empty() {
        false => format!("It is not merged from here. Who may merge it: {}.", able.join(", ")),
        true => "No member may merge it: whom the policy lets is no delegate of the project. \
            An owner gates it (meshwork project gate), or the delegate lets a member take their place \
            (rad id update --delegate, --rescind)."
            .to_owned(),
    })
}
