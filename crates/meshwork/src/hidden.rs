//! Typing that is not shown, for secrets.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Shows typing again when dropped.
pub(crate) struct Hidden(Option<Termios>);

/// Hides what is typed.
pub(crate) fn hide() -> Hidden {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).ok();
    if let Some(mut modes) = before.clone() {
        modes.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Flush, &modes);
    }
    Hidden(before)
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, before);
        }
    }
}
