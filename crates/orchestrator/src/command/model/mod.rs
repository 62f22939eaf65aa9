//! The model behind the command bar: any OpenAI-compatible or Anthropic address, asked through the gateway like the models
//! of runs. It reads by the caller's rights, and can propose; it cannot act.

mod line;
mod settings;
mod talk;
mod tools;
mod wire;

pub(crate) use settings::{Shown, set, settings, shown};
pub(super) use talk::talk;

use domain::Problem;

/// What is told where the model is asked for and there is none.
pub(crate) fn none_set() -> Problem {
    Problem::conflict("The command bar has no model.")
        .next("Set one: meshwork call command.model, see the guide; or say it in one of the forms that “help” lists.")
}
