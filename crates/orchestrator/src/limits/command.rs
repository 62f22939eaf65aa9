//! Of the command bar and its model.

use std::time::Duration;

/// The longest sentence of the command bar, in bytes.
pub const SENTENCE_BYTES_MAX: usize = 4_000;
/// How many steps comparing a sentence with one form may take.
pub const MATCH_STEPS_MAX: usize = 20_000;
/// How many things a person is given to choose from.
pub const CHOICES_MAX: usize = 12;
/// How many examples are shown to somebody who was not understood.
pub const EXAMPLES_MAX: usize = 4;
/// How many completions are shown.
pub const COMPLETIONS_MAX: usize = 12;
/// How many things an answer tells line by line.
pub const LINES_TOLD_MAX: usize = 20;
/// How many changes one sentence can propose.
pub const PROPOSALS_MAX: usize = 100;
/// How many proposals a conversation holds.
pub const PROPOSALS_HELD_MAX: usize = 400;
/// How long a yes to a proposal counts, in milliseconds.
pub const PROPOSAL_VALID_MS: u64 = 10 * 60 * 1000;
/// How long a conversation in which nothing is said is held, in milliseconds.
pub const CONVERSATION_KEPT_MS: u64 = 60 * 60 * 1000;
/// How many conversations one caller has at most; the oldest is forgotten.
pub const CONVERSATIONS_OF_ONE_MAX: usize = 32;
/// How many conversations there are at most.
pub const CONVERSATIONS_MAX: usize = 512;
/// How many turns of a conversation the model is told.
pub const TURNS_KEPT_MAX: usize = 12;
/// How long what there is is kept for the next key press, in milliseconds.
pub const WORLD_KEPT_MS: u64 = 2_000;
/// How many runs, the newest first, sentences can be about.
pub const RUNS_SPOKEN_OF_MAX: usize = 2_000;
/// How often the command bar's model may look before it answers.
pub const MODEL_ROUNDS_MAX: usize = 8;
/// How many tools it may call at once.
pub const MODEL_CALLS_MAX: usize = 16;
/// How much of what a tool tells is handed to it, in characters.
pub const MODEL_TOOL_CHARS_MAX: usize = 24_000;
/// The longest answer of it that is shown, in characters.
pub const MODEL_TEXT_CHARS_MAX: usize = 4_000;
/// The largest answer of it that is read, in bytes.
pub const MODEL_ANSWER_BYTES_MAX: usize = 1 << 20;
/// How many tokens it may write in one answer, where its wire form wants a number.
pub const MODEL_TOKENS_MAX: u64 = 4_096;
/// How long it may take for one answer.
pub const MODEL_ANSWER_WAIT: Duration = Duration::from_secs(60);
/// How long it may take for one sentence.
pub const MODEL_TALK_WAIT: Duration = Duration::from_secs(150);
