//! What words mean here and now: names become things, or a problem that says what there is, or a question which is meant.

mod runs;
mod tasks;
mod thing;

pub(super) use thing::Thing;

use super::{
    answer::Choice,
    memory::Memory,
    pattern::{Fit, Piece, Slot},
    when,
    words::{Text, Word, near},
    world::World,
};
use domain::{AgentName, Did, FeatureId, Problem, ProjectName, Timestamp};
use jiff::Zoned;

/// Why a sentence cannot be made an action yet.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// It cannot be.
    Problem(Problem),
    /// Several things fit.
    Which(String, Vec<Choice>),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A sentence that fits a form, and all that is needed to understand it.
pub(super) struct Asked<'a> {
    pub(super) world: &'a World,
    pub(super) memory: &'a Memory,
    pub(super) text: &'a Text,
    pub(super) fit: &'a Fit,
    pub(super) now: &'a Zoned,
}

/// A project and one of its features.
pub(super) type InFeature = (ProjectName, FeatureId);

/// Where something is to be.
pub(super) enum Place {
    Device(Did),
    Tags(Vec<(String, String)>),
}

impl<'a> Asked<'a> {
    /// The words of a slot that say something.
    fn words(&self, slot: Slot) -> Option<(Piece, Vec<&'a Word>)> {
        let piece = self.fit.piece(slot)?;
        let words = self.text.words.get(piece.from..piece.to).unwrap_or_default().iter().filter(|w| !w.filler).collect();
        Some((piece, words))
    }

    /// The text of a slot, as it was written.
    pub(super) fn said(&self, slot: Slot) -> Option<&str> {
        self.fit.piece(slot).map(|p| self.text.between(p.from, p.to))
    }

    /// The free text: behind the colon, or in the sentence.
    pub(super) fn free_text(&self) -> Option<String> {
        let tail = self.fit.piece(Slot::Tail).and(self.text.tail.clone());
        tail.or_else(|| self.said(Slot::Text).map(str::to_owned)).filter(|t| !t.trim().is_empty())
    }

    /// The sentence with another text in the place of a slot.
    fn instead(&self, piece: Piece, new: &str) -> String {
        let words = &self.text.words;
        match (words.get(piece.from), piece.to.checked_sub(1).and_then(|i| words.get(i))) {
            (Some(first), Some(last)) => format!("{}{new}{}", &self.text.all[..first.from], &self.text.all[last.to..]),
            _ => format!("{} {new}", self.text.all),
        }
    }

    fn which<T>(&self, what: &str, piece: Piece, fitting: &[(String, String)]) -> Result<T, Trouble> {
        let choices = fitting
            .iter()
            .take(crate::limits::CHOICES_MAX)
            .map(|(new, label)| Choice { sentence: self.instead(piece, new), label: label.clone() });
        Err(Trouble::Which(format!("Which {what} is meant?"), choices.collect()))
    }

    /// Whether it is said that something failed.
    fn speaks_of_failure(&self) -> bool {
        // “waiting” is nearly “failing”.
        self.text.words.iter().any(|w| w.low == "failing" || near(&["fail", "failed"], &w.low).is_some())
    }

    pub(super) fn moment(&self) -> Option<Timestamp> {
        let piece = self.fit.piece(Slot::When)?;
        when::moment(&self.text.words[piece.from..piece.to], self.now)
    }

    pub(super) fn agent(&self) -> Result<Option<AgentName>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Agent) else { return Ok(None) };
        let word = words.last().map_or("", |w| w.low.as_str());
        let names: Vec<&AgentName> = self.world.agents.iter().collect();
        match fitting(&names, word, |a| a.as_str()).as_slice() {
            [one] => Ok(Some((**one).clone())),
            [] => Err(unknown("agent", word, &names.iter().map(|a| a.to_string()).collect::<Vec<_>>()).into()),
            several => self.which("agent", piece, &several.iter().map(|a| (a.to_string(), a.to_string())).collect::<Vec<_>>()),
        }
    }

    pub(super) fn feature(&self) -> Result<Option<InFeature>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Feature) else { return Ok(None) };
        self.feature_called(words.last().map_or("", |w| w.low.as_str()), piece).map(Some)
    }

    /// A feature by its name or number, by its project's name before it (`shop/001`), or by that of its project alone.
    fn feature_called(&self, word: &str, piece: Piece) -> Result<InFeature, Trouble> {
        let (within, word) = word.split_once('/').map_or((None, word), |(project, feature)| (Some(project), feature));
        let here = |f: &&(ProjectName, FeatureId, String)| within.is_none_or(|name| f.0.as_str().to_lowercase() == name);
        let all: Vec<_> = self.world.features.iter().filter(here).collect();
        let number = |text: &str| text.split('-').next().and_then(|n| n.parse::<u64>().ok());
        let exact = all.iter().filter(|(_, id, _)| id.as_str().to_lowercase() == word);
        let numbered = all.iter().filter(|(_, id, _)| word.parse::<u64>().is_ok_and(|n| number(id.as_str()) == Some(n)));
        let begins = all.iter().filter(|(_, id, _)| id.as_str().to_lowercase().starts_with(word));
        let holds = all.iter().filter(|(_, id, _)| word.len() >= 3 && id.as_str().to_lowercase().contains(word));
        let of_project = all.iter().filter(|(project, ..)| within.is_none() && project.as_str().to_lowercase() == word);
        let slips = all.iter().filter(|(_, id, _)| near(&[&id.as_str().to_lowercase()], word).is_some());
        let ways = [exact.collect(), numbered.collect(), of_project.collect(), begins.collect(), holds.collect(), slips.collect()];
        match first_some::<&&(ProjectName, FeatureId, String), 6>(ways).as_slice() {
            [(project, id, _)] => Ok((project.clone(), id.clone())),
            [] => {
                let names: Vec<_> = self.world.features.iter().map(|(project, id, _)| self.name_of(project, id)).collect();
                Err(unknown("feature", word, &names).into())
            }
            several => {
                let name =
                    |(project, id, title): &&&(ProjectName, FeatureId, String)| (self.name_of(project, id), format!("{project}: {title}"));
                self.which("feature", piece, &several.iter().map(name).collect::<Vec<_>>())
            }
        }
    }

    /// What names a feature: with its project, where another project has one of this name too.
    pub(super) fn name_of(&self, project: &ProjectName, feature: &FeatureId) -> String {
        self.world.feature_name(project, feature)
    }

    /// Where something is to be; none where nothing is said.
    pub(super) fn place(&self) -> Result<Option<Place>, Trouble> {
        let Some((_, words)) = self.words(Slot::Place) else { return Ok(None) };
        let machines = ["machine", "machines", "device", "devices", "computer", "computers"];
        let mut left = words.iter().filter(|w| !machines.contains(&w.low.as_str())).peekable();
        let first = left.peek().map_or("", |w| w.low.as_str());
        if ["this", "here", ""].contains(&first) {
            return Ok(self.world.here.clone().map(Place::Device));
        }
        if words.len() > 1 || first.contains(':') {
            let joins = ["with", "having", "that", "which", "tagged", "in", "and", "have"];
            let tags = left.filter(|w| !joins.contains(&w.low.as_str())).map(|w| match w.low.split_once(':') {
                Some((tag, value)) => (tag.to_owned(), value.to_owned()),
                None => (w.low.trim_end_matches('s').to_owned(), "true".to_owned()),
            });
            return Ok(Some(Place::Tags(tags.collect())));
        }
        let devices: Vec<_> = self.world.devices.iter().collect();
        match fitting(&devices, first, |d| d.name.as_str()).as_slice() {
            [one] => Ok(Some(Place::Device(one.did.clone()))),
            _ => Err(unknown("device", first, &devices.iter().map(|d| d.name.clone()).collect::<Vec<_>>()).into()),
        }
    }
}

fn nothing_before(what: &str) -> Trouble {
    Problem::invalid(format!("It is not clear which {what} is meant."))
        .because("None was spoken of before in this conversation.")
        .next("Name it by its id.")
        .into()
}

fn unknown(kind: &str, word: &str, names: &[String]) -> Problem {
    let some: Vec<String> = names.iter().take(crate::limits::CHOICES_MAX).cloned().collect();
    let next = if some.is_empty() { format!("There is no {kind} yet.") } else { format!("There are: {}.", some.join(", ")) };
    Problem::not_found(format!("There is no {kind} “{}”.", domain::shown(word))).next(next)
}

/// Those whose name is this; else those that begin with it; else those that are nearly it.
fn fitting<'t, T>(all: &[&'t T], word: &str, name: impl Fn(&'t T) -> &'t str) -> Vec<&'t T> {
    let by = |fits: &dyn Fn(&str) -> bool| all.iter().copied().filter(|t| fits(&name(t).to_lowercase())).collect::<Vec<_>>();
    first_some([by(&|n| n == word), by(&|n| n.starts_with(word)), by(&|n| near(&[n], word).is_some())])
}

/// Keeps only those that are so, where some are.
fn prefer<T>(found: &mut Vec<T>, so: impl Fn(&T) -> bool) {
    if found.iter().any(&so) {
        found.retain(so);
    }
}

fn first_some<T, const N: usize>(lists: [Vec<T>; N]) -> Vec<T> {
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}
