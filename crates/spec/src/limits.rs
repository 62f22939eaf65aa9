//! The named limits of this crate. Reaching one is told, never silent.

/// The largest `tasks.md` that is read, in bytes.
pub const TASKS_FILE_BYTES_MAX: usize = 1024 * 1024;
/// The longest line that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// How many tasks one feature may have.
pub const TASKS_MAX: usize = 1_000;
/// How many dependencies may be written out in one feature, ranges counted one by one.
pub const EXPLICIT_DEPENDENCIES_MAX: usize = 20_000;
/// How many problems are told of one feature; the last one then says how many more there are.
pub const PROBLEMS_MAX: usize = 100;
/// How many lines one sentence names.
pub const LINES_NAMED_MAX: usize = 8;
/// How many lines front matter may have; otherwise the dashes are a rule.
pub const FRONT_MATTER_LINES_MAX: usize = 200;
/// The longest title that a new or changed task may get, in characters.
pub const TITLE_CHARS_MAX: usize = 2_000;
/// The longest tag in brackets, in characters.
pub const TAG_CHARS_MAX: usize = 60;
/// How many words may stand between a task and its verb (“T003 can only be started after T001”).
pub const FILLER_WORDS_MAX: usize = 8;
/// How long `specify` may take, in seconds.
pub const SPECIFY_S: u64 = 120;
/// How long a script of Spec-Kit may take, in seconds.
pub const SCRIPT_S: u64 = 60;
/// How much output of a program is kept, in bytes; the rest is dropped.
pub const OUTPUT_BYTES_MAX: u64 = 256 * 1024;
/// How long the end of a program's output is waited for after the program itself ended, in seconds.
pub const PIPE_S: u64 = 5;
/// The longest description of a new feature, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 8_000;
/// The longest short name of a new feature, in characters.
pub const NAME_CHARS_MAX: usize = 100;
