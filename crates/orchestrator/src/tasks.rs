//! Where every task of a project is: its files on the default branch, put together with claims and runs.

use crate::{
    org::Org,
    picture::{self, Claims},
    rivals,
};
use domain::{
    FeatureId, Oid, Problem, ProjectName, TaskId, TaskRef,
    event::kind,
    picture::{ClaimIn, Rival},
    project::{Project, Settings},
    run::{Run, RunState},
    task::{self, Claim, Feature, TaskState, TaskView},
};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of our own files in a project.
const OURS: &str = ".meshwork/";

/// A project as it stands on its default branch.
#[derive(Clone, Debug)]
pub struct Board {
    /// The project.
    pub project: Project,
    /// The canonical head.
    pub head: Oid,
    /// Specification and settings files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Its settings.
    pub settings: Settings,
    /// Its features.
    pub features: Vec<Feature>,
    /// Its tasks, in the order of their files.
    pub tasks: Vec<TaskView>,
}

impl Board {
    /// Reads a project.
    ///
    /// # Errors
    /// When the repository or its settings cannot be read.
    pub fn read(org: &Org, project: &Project) -> Result<Self, Problem> {
        Self::read_at(org, project, org.forge.head(&project.rid)?)
    }

    /// Reads a project as its files stood at a commit of the canonical branch.
    ///
    /// # Errors
    /// When the repository or its settings cannot be read.
    pub fn read_at(org: &Org, project: &Project, head: Oid) -> Result<Self, Problem> {
        let (board, mistake) = Self::look_at(org, project, head, None)?;
        mistake.map_or(Ok(board), Err)
    }

    /// Reads a project as it is shown: with what other devices claimed and did. Nothing is decided by that.
    ///
    /// # Errors
    /// As [`Board::read`].
    pub fn seen(org: &Org, project: &Project) -> Result<Self, Problem> {
        let (mut board, mistake) = Self::look_at(org, project, org.forge.head(&project.rid)?, Some(&Claims::read(org)))?;
        rivals::look(org, project, board.tasks.iter_mut().flat_map(|view| view.rivals.iter_mut()));
        mistake.map_or(Ok(board), Err)
    }

    /// Looks at a project also where its settings have a mistake: then it comes without them, and with the mistake. To be shown,
    /// and nothing else.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn look(org: &Org, project: &Project) -> Result<(Self, Option<Problem>), Problem> {
        Self::look_at(org, project, org.forge.head(&project.rid)?, None)
    }

    /// `others`: what other devices claimed, where that counts.
    fn look_at(org: &Org, project: &Project, head: Oid, others: Option<&Claims>) -> Result<(Self, Option<Problem>), Problem> {
        let files = org.forge.files(&project.rid, &head, &roots())?;
        let (settings, mistake) = match settings(&files) {
            Ok(settings) => (settings, None),
            Err(problem) => (Settings::default(), Some(problem)),
        };
        let features = spec::features_with_links(&files, &org.forge.links(&project.rid, &head, &["specs/"])?);
        let mut tasks = Vec::new();
        for feature in &features {
            tasks.extend(views(org, project, feature, settings.stack, others)?);
        }
        Ok((Self { project: project.clone(), head, files, settings, features, tasks }, mistake))
    }

    /// A feature.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn feature(&self, id: &FeatureId) -> Result<&Feature, Problem> {
        self.features.iter().find(|f| f.id == *id).ok_or_else(|| {
            let names: Vec<_> = self.features.iter().map(|f| f.id.as_str()).collect();
            Problem::not_found(format!("The project {} has no feature “{id}”.", self.project.name)).next(no_features(&names))
        })
    }

    /// The feature that a person named: by its whole name, its number alone (`1` or `001` for `001-login`), or its name
    /// without the number.
    ///
    /// # Errors
    /// When there is none, or several fit.
    pub fn named_feature(&self, text: &FeatureId) -> Result<&Feature, Problem> {
        let short = |f: &&Feature| {
            let (number, name) = f.id.as_str().split_once('-').unwrap_or((f.id.as_str(), ""));
            name == text.as_str() || matches!((number.parse::<u64>(), text.as_str().parse::<u64>()), (Ok(a), Ok(b)) if a == b)
        };
        let exact = self.features.iter().find(|f| f.id == *text);
        match (exact, self.features.iter().filter(short).collect::<Vec<_>>().as_slice()) {
            (Some(feature), _) => Ok(feature),
            (None, [one]) => Ok(one),
            (None, []) => self.feature(text),
            (None, several) => {
                let names: Vec<_> = several.iter().map(|f| f.id.as_str()).collect();
                Err(Problem::invalid(format!("Several features fit “{text}”.")).next(format!("Say which: {}.", names.join(", "))))
            }
        }
    }

    /// A task by its id, in this feature or, where it is the only one of that id, in any.
    ///
    /// # Errors
    /// When there is none, or it is not clear which is meant.
    pub fn task(&self, feature: Option<&FeatureId>, id: &TaskId) -> Result<&TaskView, Problem> {
        let found: Vec<&TaskView> = self.tasks.iter().filter(|t| t.at.task == *id && feature.is_none_or(|f| t.at.feature == *f)).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let names: Vec<_> = self.features.iter().map(|f| f.id.as_str()).collect();
                let next = if names.is_empty() { no_features(&names) } else { "meshwork task list shows what there is.".into() };
                Err(Problem::not_found(format!("The project {} has no task {id}.", self.project.name)).next(next))
            }
            several if several.iter().all(|t| t.at.feature == several[0].at.feature) => {
                Err(Problem::conflict(format!("Two tasks of {} are called {id}.", several[0].at.feature))
                    .next("Give each its own id in tasks.md."))
            }
            several => {
                let names: Vec<_> = several.iter().map(|t| t.at.feature.as_str()).collect();
                Err(Problem::invalid(format!("Several features have a task {id}: {}.", names.join(", "))).next("Say which with --feature."))
            }
        }
    }

    /// The states of one feature's tasks.
    pub fn states(&self, feature: &FeatureId) -> BTreeMap<TaskId, TaskState> {
        self.tasks.iter().filter(|t| t.at.feature == *feature).map(|t| (t.at.task.clone(), t.state.clone())).collect()
    }

    /// What a task waits for, with what a person can do about it; none where no other task holds it.
    pub fn waits(&self, view: &TaskView) -> Option<Waits> {
        let states = self.states(&view.at.feature);
        let on = task::waits_for(&view.task, &states, self.settings.stack);
        let reviewed = |id: &&TaskId| matches!(states.get(*id), Some(TaskState::InReview { .. }));
        let reviewed: Vec<TaskId> = on.iter().filter(reviewed).cloned().collect();
        let next = match (reviewed.first(), self.settings.stack) {
            (Some(first), _) => format!(" A person must review and merge {}: meshwork patch show {first}.", task::named(&reviewed)),
            (None, true) => String::new(),
            (None, false) => " It starts once a person has merged that.".to_owned(),
        };
        (!on.is_empty()).then(|| Waits { why: format!("It waits for {}.{next}", task::named(&on)), for_a_person: !reviewed.is_empty() })
    }

    /// The checks of the project: those of its settings, else guessed from the files at its root.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn checks(&self, org: &Org) -> Result<Vec<domain::project::Check>, Problem> {
        match &self.settings.checks {
            Some(checks) => Ok(checks.clone()),
            None => Ok(domain::project::guess_checks(&org.forge.list_root(&self.project.rid, &self.head)?)),
        }
    }
}

/// That a task waits for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For which, and what a person can do about it.
    pub why: String,
    /// Whether a person must review and merge one of them.
    pub for_a_person: bool,
}

/// The projects to list something of: the named one, else all that are on this device, since one that is not there yet hides nothing of the
/// others. Where none is there, all, so that whoever reads them says it.
///
/// # Errors
/// As [`Org::projects`].
pub(crate) fn to_list(org: &Org, name: Option<&ProjectName>) -> Result<Vec<Project>, Problem> {
    let here = if name.is_none() { projects_here(org)? } else { vec![] };
    if here.is_empty() { org.projects(name) } else { Ok(here) }
}

/// What is read of each of these projects. One that cannot be read hides nothing of the others; which that is and why, `project.list` says.
///
/// # Errors
/// When none of them can be read.
pub(crate) fn of_each<T>(projects: &[Project], read: impl FnMut(&Project) -> Result<Vec<T>, Problem>) -> Result<Vec<T>, Problem> {
    let (read, unread): (Vec<_>, Vec<_>) = projects.iter().map(read).partition(Result::is_ok);
    match unread.into_iter().find_map(Result::err) {
        Some(problem) if read.is_empty() => Err(problem),
        _ => Ok(read.into_iter().flatten().flatten().collect()),
    }
}

/// The projects to search for something: the named one, else all that are on this device and can be read.
///
/// # Errors
/// As [`Org::project`].
pub(crate) fn to_search(org: &Org, name: Option<&ProjectName>) -> Result<Vec<Project>, Problem> {
    match name {
        Some(_) => Ok(vec![org.project(name)?]),
        None => Ok(projects_here(org)?.into_iter().filter(|project| opens(org, project)).collect()),
    }
}

/// Whether a project's repository can be read at all.
fn opens(org: &Org, project: &Project) -> bool {
    org.forge.delegates(&project.rid).is_ok()
}

/// The projects whose repositories are on this device.
///
/// # Errors
/// When the org repository cannot be read.
pub(crate) fn projects_here(org: &Org) -> Result<Vec<Project>, Problem> {
    Ok(org.state()?.projects.into_values().filter(|project| org.forge.has(&project.rid)).collect())
}

/// Why something may not be found that was looked for in all projects: those that are not on this device yet, or cannot be read, were not
/// searched. None: the project was named, or all were.
///
/// # Errors
/// When the org repository cannot be read.
pub(crate) fn not_searched(org: &Org, name: Option<&ProjectName>) -> Result<Option<String>, Problem> {
    if name.is_some() {
        return Ok(None);
    }
    let left = org.state()?.projects.into_values().filter(|project| !opens(org, project));
    let (unread, away): (Vec<Project>, Vec<Project>) = left.partition(|project| org.forge.has(&project.rid));
    let why = |what: &str, of: Vec<Project>| {
        let names: Vec<&str> = of.iter().map(|project| project.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{what}, and so not searched: {}.", names.join(", ")))
    };
    let whys: Vec<String> = [why("Not on this device yet", away), why("Not readable", unread)].into_iter().flatten().collect();
    Ok((!whys.is_empty()).then(|| whys.join(" ")))
}

fn no_features(names: &[&str]) -> String {
    if names.is_empty() {
        "Its default branch has no Spec-Kit features: meshwork feature new makes one, or `specify init` there.".into()
    } else {
        format!("There are: {}.", names.join(", "))
    }
}

/// The settings on the canonical branch.
///
/// # Errors
/// When `.meshwork/project.toml` is not in order.
pub fn settings(files: &BTreeMap<String, Vec<u8>>) -> Result<Settings, Problem> {
    let Some(bytes) = files.get(".meshwork/project.toml") else { return Ok(Settings::default()) };
    let text = String::from_utf8_lossy(bytes);
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Problem::invalid("The file .meshwork/project.toml is not in order.")
            .because(format!("Line {}: {}.", before.matches('\n').count() + 1, domain::shown_at_length(message.trim_end_matches('.'))))
            .next("Mend it in a working copy, commit it, and take it in: meshwork project pull.")
    })
}

/// What is read of a project: its specifications, and our own files.
pub(crate) fn roots() -> Vec<&'static str> {
    spec::roots().chain([OURS]).collect()
}

fn views(org: &Org, project: &Project, feature: &Feature, stack: bool, others: Option<&Claims>) -> Result<Vec<TaskView>, Problem> {
    let (mut states, mut queued, mut elsewhere) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    let mut several = BTreeMap::new();
    for task in &feature.tasks {
        let at = TaskRef { project: project.name.clone(), feature: feature.id.clone(), task: task.id.clone() };
        let (found, rivals) = claimed(org, &at, others)?;
        several.insert(task.id.clone(), rivals);
        let (claim, latest) = found.map_or((None, None), |found| {
            elsewhere.extend(picture::whose(org, &found.journal).map(|whose| (task.id.clone(), whose)));
            (Some(found.claim), found.latest)
        });
        queued.extend(latest.iter().filter(|r| r.state == RunState::Queued).map(|r| r.id.clone()));
        states.insert(task.id.clone(), task::state(task, claim.as_ref(), latest.as_ref()));
    }
    let mut view = |task: &task::Task| {
        let at = TaskRef { project: project.name.clone(), feature: feature.id.clone(), task: task.id.clone() };
        let on = task::waits_for(task, &states, stack);
        let state = match states.get(&task.id) {
            Some(TaskState::Ready) if !on.is_empty() => TaskState::Waiting { on },
            // Queued, and not its turn yet.
            Some(TaskState::Running { run, .. }) if !on.is_empty() && queued.contains(run) => TaskState::Waiting { on },
            Some(state) => state.clone(),
            None => TaskState::Ready,
        };
        let rivals = several.remove(&task.id).unwrap_or_default();
        TaskView { at, task: task.clone(), state, whose: elsewhere.remove(&task.id), rivals }
    };
    Ok(feature.tasks.iter().map(&mut view).collect())
}

/// The claim on a task, with its latest run: this device's own, or where others count, the one that is shown, and its rivals.
fn claimed(org: &Org, at: &TaskRef, others: Option<&Claims>) -> Result<(Option<ClaimIn>, Vec<Rival>), Problem> {
    if let Some(others) = others {
        let all = others.all(org, at)?;
        return Ok((domain::picture::claim_at(&org.device, &all).cloned(), rivals::of(org, &all)));
    }
    let Some(claim) = org.store.get::<Claim>(kind::CLAIM, &at.to_string())? else { return Ok((None, vec![])) };
    let latest = claim.runs.last().map(|run| org.store.get::<Run>(kind::RUN, run.as_str())).transpose()?.flatten();
    Ok((Some(ClaimIn { journal: org.device.clone(), claim, latest, saved: false, removed: false }), vec![]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mistake_in_the_settings_is_one_sentence_with_its_line() {
        let of = |text: &str| settings(&BTreeMap::from([(".meshwork/project.toml".to_owned(), text.as_bytes().to_vec())]));
        assert!(of("stack = true\n").unwrap().stack);
        let problem = of("stack = true\napprovals = many\n").unwrap_err();
        let why = problem.why.unwrap();
        assert!(why.starts_with("Line 2: ") && why.ends_with('.') && !why.contains(['|', '\n']), "{why}");
    }
}
