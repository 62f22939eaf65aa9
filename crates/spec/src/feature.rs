//! Features with their tasks, from the files of a tree.

use crate::{
    Files,
    depend::{self, Edge},
    document::{Document, Item},
    limits::{TASKS_FILE_BYTES_MAX, TASKS_MAX},
    lines::lossy,
    order::{self, Place},
    problems, task_line,
};
use domain::{
    FeatureId, TaskId,
    task::{Feature, Task},
};
use std::collections::{BTreeMap, BTreeSet};

/// Every feature below `specs/`: each folder with a `spec.md`, `plan.md` or `tasks.md`. Never fails: what is wrong is said in
/// [`Feature::problems`].
pub fn features(files: &Files) -> Vec<Feature> {
    features_with_links(files, &[])
}

/// As [`features`], where these paths of the tree are links or submodules: no link is followed, and a feature whose files are
/// among them is listed and says so.
pub fn features_with_links(files: &Files, links: &[String]) -> Vec<Feature> {
    let link_of = |link: &String| id_of(link).or_else(|| folder_of(link));
    let ids: BTreeSet<FeatureId> = files.keys().filter_map(|path| id_of(path)).chain(links.iter().filter_map(link_of)).collect();
    let mut features: Vec<Feature> = ids.into_iter().map(|id| feature(files, id)).collect();
    for link in links {
        let id = link_of(link);
        if let Some(feature) = features.iter_mut().find(|f| id.as_ref() == Some(&f.id)) {
            feature.problems.push(format!("{link} is a link or a submodule, which is not read; put what it leads to in its place."));
        }
    }
    same_numbers(&mut features);
    features
}

/// The tasks that cannot start because of what their file says, with the reason: ids that stand there twice, unknown
/// dependencies, circles.
pub fn blocked(feature: &Feature) -> BTreeMap<TaskId, String> {
    let mut blocked = BTreeMap::new();
    let known: BTreeSet<&TaskId> = feature.tasks.iter().map(|t| &t.id).collect();
    let mut seen = BTreeSet::new();
    for task in &feature.tasks {
        if !seen.insert(&task.id) {
            blocked.insert(task.id.clone(), format!("{} stands more than once in tasks.md of {}.", task.id, feature.id));
        }
        if let Some(missing) = task.depends_on.iter().find(|id| !known.contains(id)) {
            blocked.entry(task.id.clone()).or_insert_with(|| format!("{} waits for {missing}, but there is no such task.", task.id));
        }
    }
    for id in in_circles(&feature.tasks) {
        blocked.entry(id.clone()).or_insert_with(|| format!("{id} stands in a circle of tasks that wait for each other."));
    }
    blocked
}

/// What is left when tasks that wait for none of the rest, or for which none of the rest waits, are taken away again and again.
fn in_circles(tasks: &[Task]) -> BTreeSet<TaskId> {
    let mut rest: BTreeMap<&TaskId, &[TaskId]> = tasks.iter().map(|t| (&t.id, t.depends_on.as_slice())).collect();
    loop {
        let needed: BTreeSet<&TaskId> = rest.values().flat_map(|needs| needs.iter()).collect();
        let stays = |id: &&TaskId| needed.contains(*id) && rest[*id].iter().any(|need| rest.contains_key(need));
        let kept: BTreeSet<&TaskId> = rest.keys().copied().filter(stays).collect();
        if kept.len() == rest.len() {
            return kept.into_iter().cloned().collect();
        }
        rest.retain(|id, _| kept.contains(id));
    }
}

/// The path of a feature's file.
pub(crate) fn path(feature: &FeatureId, file: &str) -> String {
    format!("specs/{feature}/{file}")
}

/// The feature that has this file.
fn id_of(path: &str) -> Option<FeatureId> {
    let (folder, file) = path.strip_prefix("specs/")?.split_once('/')?;
    matches!(file, "spec.md" | "plan.md" | "tasks.md").then(|| folder.parse().ok()).flatten()
}

/// The feature whose folder this is.
fn folder_of(path: &str) -> Option<FeatureId> {
    path.strip_prefix("specs/")?.parse().ok()
}

fn feature(files: &Files, id: FeatureId) -> Feature {
    let title = files.get(&path(&id, "spec.md")).and_then(|spec| title(spec)).unwrap_or_else(|| id.to_string());
    let at = path(&id, "tasks.md");
    let (tasks, problems) = match files.get(&at) {
        None => (Vec::new(), Vec::new()),
        Some(text) if text.len() > TASKS_FILE_BYTES_MAX => {
            (Vec::new(), vec![format!("{at} has {} bytes; at most {TASKS_FILE_BYTES_MAX} are read.", text.len())])
        }
        Some(text) => read(&at, text),
    };
    Feature { id, title, tasks, problems }
}

fn read(path: &str, text: &[u8]) -> (Vec<Task>, Vec<String>) {
    let mut document = Document::read(text);
    let too_many = document.items.len().saturating_sub(TASKS_MAX);
    document.items.truncate(TASKS_MAX);
    let edges = depend::written(&document);
    let tasks = tasks(&document, &edges);
    let mut told = problems::of(path, &document, &edges, &tasks);
    if too_many > 0 {
        told.push(format!("{path} has {too_many} tasks too many; the first {TASKS_MAX} are read. Split the feature."));
    }
    (tasks, told)
}

fn tasks(document: &Document, edges: &[Edge]) -> Vec<Task> {
    let phases = Phases::of(document);
    let mut tasks: Vec<Task> = document.items.iter().map(|item| task(item, &phases)).collect();
    let mut index: BTreeMap<&TaskId, usize> = BTreeMap::new();
    for (i, item) in document.items.iter().enumerate() {
        index.entry(&item.head.id).or_insert(i);
    }
    let mut places: Vec<Place> = Vec::with_capacity(tasks.len());
    for (task, item) in tasks.iter().zip(&document.items) {
        let step = item.section.map_or(0, |s| s + 1);
        places.push(Place { step, parallel: task.parallel, needs: BTreeSet::new() });
    }
    // What cannot be ordered: a task that needs itself, or one that is not there.
    let mut odd: BTreeMap<usize, BTreeSet<&TaskId>> = BTreeMap::new();
    for edge in edges {
        let Some(task) = index.get(&edge.task) else { continue };
        match index.get(&edge.needs) {
            Some(needs) if needs != task => drop(places[*task].needs.insert(*needs)),
            _ => drop(odd.entry(*task).or_default().insert(&edge.needs)),
        }
    }
    for (i, direct) in order::direct(&places).into_iter().enumerate() {
        // The other of two tasks with one id is not waited for by its namesake.
        let others = direct.into_iter().map(|d| &document.items[d].head.id).filter(|id| **id != tasks[i].id);
        let mut seen = BTreeSet::new();
        let ids: Vec<&TaskId> = others.chain(odd.remove(&i).unwrap_or_default()).filter(|id| seen.insert(*id)).collect();
        tasks[i].depends_on = ids.into_iter().cloned().collect();
    }
    tasks
}

fn task(item: &Item, phases: &Phases) -> Task {
    let (phase_index, phase) = phases.at(item.section);
    let mut tags = item.head.tags.clone();
    let parallel = take(&mut tags, |tag| tag.eq_ignore_ascii_case("p")).is_some();
    let story = tags.iter().find_map(|tag| task_line::story(tag));
    take(&mut tags, |tag| Some(tag.to_ascii_uppercase()) == story);
    Task {
        id: item.head.id.clone(),
        title: item.title.clone(),
        details: item.details.join("\n"),
        done: item.mark.done(),
        parallel,
        story: story.or_else(|| task_line::story_within(&item.title)),
        tags,
        phase,
        phase_index,
        depends_on: Vec::new(),
        line: item.at + 1,
    }
}

fn take(tags: &mut Vec<String>, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let at = tags.iter().position(|tag| wanted(tag))?;
    Some(tags.remove(at))
}

/// The phases of a file, found without knowing its language: of the headings above each task, the outermost that tells
/// tasks apart. The title of the file does not, as it stands above all of them.
pub(crate) struct Phases {
    /// The heading of each phase that has tasks; none for tasks before any.
    pub found: Vec<Option<usize>>,
    /// How many outer headings all tasks share.
    shared: usize,
    paths: BTreeMap<Option<usize>, Vec<usize>>,
    titles: Vec<String>,
}

impl Phases {
    pub(crate) fn of(document: &Document) -> Self {
        let titles: Vec<String> = document.sections.iter().map(|s| s.title.clone()).collect();
        let paths: BTreeMap<_, _> = document.items.iter().map(|i| (i.section, document.path(i.section))).collect();
        let mut phases = Self { found: Vec::new(), shared: shared(document, &paths), paths, titles };
        for item in &document.items {
            let heading = phases.heading(item.section);
            if !phases.found.contains(&heading) {
                phases.found.push(heading);
            }
        }
        phases
    }

    /// The phase's heading of a task that stands under this heading.
    pub(crate) fn heading(&self, section: Option<usize>) -> Option<usize> {
        let path = self.paths.get(&section)?;
        path.get(self.shared).or(path.last()).copied()
    }

    fn at(&self, section: Option<usize>) -> (usize, String) {
        let heading = self.heading(section);
        let index = self.found.iter().position(|h| *h == heading).unwrap_or(0);
        (index, heading.map(|h| self.titles[h].clone()).unwrap_or_default())
    }
}

fn shared(document: &Document, paths: &BTreeMap<Option<usize>, Vec<usize>>) -> usize {
    let longest = paths.values().map(Vec::len).max().unwrap_or(0);
    let mut shared = 0;
    while let Some(first) = paths.values().next().and_then(|p| p.get(shared)) {
        let all = paths.values().all(|p| p.get(shared) == Some(first));
        // The file's title, or a heading as “Task list”; “Phase 1” alone in its file is a phase.
        let section = &document.sections[*first];
        let wrapper = section.level == 1 || !section.title.contains(|c: char| c.is_numeric());
        if !all || !wrapper || shared + 1 >= longest {
            break;
        }
        shared += 1;
    }
    shared
}

/// A feature's title: the first heading of its `spec.md`, without the words that Spec-Kit puts before it.
fn title(spec: &[u8]) -> Option<String> {
    let document = Document::read(spec);
    let heading = &document.sections.first()?.title;
    let words = ["Feature Specification", "Feature Spec", "Specification", "Feature", "Spec"];
    let bare =
        words.iter().find_map(|word| heading.strip_prefix(word)?.trim_start().strip_prefix([':', '-', '—', '–'])).unwrap_or(heading).trim();
    let placeholder = bare.starts_with('[') && bare.ends_with(']');
    (!bare.is_empty() && !placeholder).then(|| bare.to_owned())
}

/// Spec-Kit numbers features; two with one number are told at both.
fn same_numbers(features: &mut [Feature]) {
    let mut numbers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, feature) in features.iter().enumerate() {
        if let Some(number) = number(feature.id.as_str()) {
            numbers.entry(number).or_default().push(i);
        }
    }
    for (number, same) in numbers.into_iter().filter(|(_, same)| same.len() > 1) {
        let names: Vec<String> = same.iter().map(|i| format!("specs/{}", features[*i].id)).collect();
        let said = format!("Features {} have the same number {number}; rename all but one.", names.join(" and "));
        for i in same {
            features[i].problems.push(said.clone());
        }
    }
}

/// The number before a feature's name, without leading zeros; a time stamp counts whole.
fn number(id: &str) -> Option<String> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(id);
    let rest = id[first..].strip_prefix('-')?;
    if first == 0 {
        return None;
    }
    let second = digits(rest);
    if first == 8 && second == 6 && rest[second..].starts_with('-') {
        return Some(id[..first + 1 + second].to_owned());
    }
    let short = id[..first].trim_start_matches('0');
    Some(format!("{short:0>3}"))
}

/// The text of one of a feature's files, read lossily; none where it is absent or blank.
pub(crate) fn text<'a>(files: &'a Files, path: &str) -> Option<std::borrow::Cow<'a, str>> {
    files.get(path).map(|bytes| lossy(bytes)).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_features() {
        let table = [
            ("003-login", Some("003")),
            ("3-login", Some("003")),
            ("1000-x", Some("1000")),
            ("20260102-030405-x", Some("20260102-030405")),
            ("login", None),
            ("003", None),
        ];
        for (id, expected) in table {
            assert_eq!(number(id).as_deref(), expected, "{id}");
        }
    }

    #[test]
    fn titles_come_from_the_spec() {
        let table = [
            ("# Feature Specification: Log in\n", Some("Log in")),
            ("---\na: b\n---\n# Spécification : Connexion\n", Some("Spécification : Connexion")),
            ("# Feature Specification: [FEATURE NAME]\n", None),
            ("no heading", None),
        ];
        for (spec, expected) in table {
            assert_eq!(title(spec.as_bytes()).as_deref(), expected, "{spec}");
        }
    }
}
