//! Numbers as they are typed.

use std::str::FromStr;

/// A whole number of 0 or more; of what else is typed, also of one below 0, it is said that such a number is wanted.
pub(crate) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| match text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        true => "it is too large".to_owned(),
        false => "a whole number is wanted, 0 or more".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Cli;
    use clap::Parser;

    #[test]
    fn of_a_number_that_cannot_be_it_is_said_what_is_wanted() {
        let said = |args: &[&str]| Cli::try_parse_from([&["meshwork"][..], args].concat()).unwrap_err().to_string();
        for args in [["evict", "--grace", "-1"], ["lend", "--slots", "-3"], ["lend", "--grace", "soon"]] {
            let told = said(&args);
            assert!(told.contains("a whole number is wanted, 0 or more"), "{args:?}: {told}");
        }
        assert!(said(&["lend", "--slots", "99999999999"]).contains("it is too large"));
        assert!(said(&["up", "--slots", "-1"]).contains("1..=1024"));
    }
}
