//! Whether the lid is closed: `/proc/acpi/button/lid/<name>/state` of the kernel's ACPI button driver, as `state:      open`.

use super::{entries, text};
use std::path::Path;

/// None where there is no lid, or it does not tell.
pub(super) fn closed(root: &Path) -> Option<bool> {
    let lids = entries(&root.join("proc/acpi/button/lid"))?;
    let states: Vec<bool> = lids.iter().filter_map(|lid| read(&text(&lid.join("state"))?)).collect();
    (!states.is_empty()).then(|| states.contains(&true))
}

fn read(text: &str) -> Option<bool> {
    match text.strip_prefix("state:")?.trim() {
        "open" => Some(false),
        "closed" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::root, *};

    #[test]
    fn a_lid_is_open_closed_or_not_known() {
        let table = [("state:      open\n", Some(false)), ("state:      closed\n", Some(true)), ("state: unsupported\n", None), ("", None)];
        for (state, expected) in table {
            assert_eq!(closed(root(&[("proc/acpi/button/lid/LID0/state", state)]).path()), expected, "{state}");
        }
        assert_eq!(closed(root(&[]).path()), None);
    }
}
