//! Ticks: one character, and nothing else.

use crate::document::Document;
use domain::{Kind, Problem, TaskId};
use std::collections::BTreeSet;

/// Marks a task as done: changes the one character in its box. A task that is done already stays as it is.
///
/// # Errors
/// The task is not there, or stands there more than once.
pub fn tick(text: &[u8], id: &TaskId) -> Result<Vec<u8>, Problem> {
    let document = Document::read(text);
    let mut out = text.to_vec();
    put(&document, &mut out, id)?;
    Ok(out)
}

/// The tasks that are done in `after` and were not in `before`, in the order of the file. A task that is new and done
/// counts too.
pub fn ticked(before: &[u8], after: &[u8]) -> Vec<TaskId> {
    let was = done(&Document::read(before));
    let mut seen = BTreeSet::new();
    let after = Document::read(after);
    let fresh = after.items.iter().filter(|item| item.mark.done() && !was.contains(&item.head.id));
    fresh.map(|item| item.head.id.clone()).filter(|id| seen.insert(id.clone())).collect()
}

/// Ticks applied anew to a file that went on in the meantime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reapplied {
    /// The file with the ticks.
    pub text: Vec<u8>,
    /// Tasks that could not be ticked: they are not there any more, or stand there more than once.
    pub missing: Vec<TaskId>,
}

/// Ticks these tasks in the current file; those that cannot be are answered, not an error.
pub fn reapply(current: &[u8], ids: &[TaskId]) -> Reapplied {
    let document = Document::read(current);
    let mut text = current.to_vec();
    let missing = ids.iter().filter(|id| put(&document, &mut text, id).is_err()).cloned().collect();
    Reapplied { text, missing }
}

fn done(document: &Document) -> BTreeSet<TaskId> {
    document.items.iter().filter(|item| item.mark.done()).map(|item| item.head.id.clone()).collect()
}

/// Every tick has one byte, as has what it replaces, so that places stay right after it.
fn put(document: &Document, out: &mut [u8], id: &TaskId) -> Result<(), Problem> {
    let item = one(document, id)?;
    if !item.mark.done() {
        out[item.mark.at] = style(document);
    }
    Ok(())
}

/// The task with this id, if there is exactly one.
pub(crate) fn one<'a>(document: &'a Document, id: &TaskId) -> Result<&'a crate::document::Item, Problem> {
    match document.named(id).as_slice() {
        [item] => Ok(item),
        [] => {
            Err(Problem::not_found(format!("There is no task {id} in this tasks.md.")).next("See what there is with `meshwork task list`."))
        }
        [first, second, ..] => Err(Problem::new(Kind::Conflict, format!("The task {id} stands more than once in this tasks.md."))
            .because(format!("It is on the lines {} and {}.", first.at + 1, second.at + 1))
            .next("Give each task its own id.")),
    }
}

/// As the file's other ticks; Spec-Kit itself writes a large X.
fn style(document: &Document) -> u8 {
    let has = |sign| document.items.iter().any(|item| item.mark.sign == sign);
    if has('x') && !has('X') { b'x' } else { b'X' }
}
