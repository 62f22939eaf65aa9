//! Who may read a private project besides who could before.

use crate::{actions::Done, gated, org::Org, table::Context};
use domain::{Did, Problem, ProjectName};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    /// The project.
    #[serde(default)]
    project: Option<ProjectName>,
    /// Keys of the nodes that may read it.
    with: Vec<Did>,
}

pub(super) async fn share(context: Context, input: Share) -> Result<Done, Problem> {
    let share = move |org: &Arc<Org>| {
        let project = org.project(input.project.as_ref())?;
        gated::alone(org, &project)?;
        let before = org.forge.readers(&project.rid, &input.with)?;
        org.forge.allow(&project.rid, &input.with)?;
        Ok(Done::new(shared(&project.name, &input.with, before.as_ref())))
    };
    context.org()?.blocking(share).await
}

/// What is said of a project that is shared with these, of whom some could read it before; none: everybody could.
fn shared(name: &ProjectName, with: &[Did], before: Option<&BTreeSet<Did>>) -> String {
    let Some(before) = before else { return format!("{name} is public: everybody may read it; nothing was changed.") };
    let with: BTreeSet<&Did> = with.iter().collect();
    let more = with.iter().filter(|did| !before.contains(**did)).count();
    match (more, with.len() - more) {
        (0, _) => format!("{name} could be read by all of them before; nothing was changed."),
        (more, 0) => format!("{name} may be read by {more} more."),
        (more, known) => format!("{name} may be read by {more} more; {known} could read it before."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_could_read_a_project_before_is_not_counted_as_new() {
        let (name, did) = ("demo".parse().unwrap(), crate::fixtures::did);
        let said = |with: &[char], before: &[char]| {
            let with: Vec<_> = with.iter().copied().map(did).collect();
            shared(&name, &with, Some(&before.iter().copied().map(did).collect()))
        };
        assert_eq!(said(&['a', 'b', 'b'], &[]), "demo may be read by 2 more.");
        assert_eq!(said(&['a', 'b'], &['a']), "demo may be read by 1 more; 1 could read it before.");
        assert!(said(&['a'], &['a']).ends_with("nothing was changed."));
        assert!(shared(&name, &[did('a')], None).contains("public"));
    }
}
