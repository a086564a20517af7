//! Names that Kubernetes, Helm and Docker all take.

use crate::error::Failure;

/// Helm allows 53 characters for a release and Docker's host names 63; the longest suffix of ours and kind's must fit.
const LONGEST: usize = 40;

/// Checks a name: a DNS label (RFC 1123), short enough for everything that is named after it.
///
/// # Errors
/// Usage, saying which character or length is wrong. `what` names the thing.
pub fn check(what: &str, name: &str) -> Result<(), Failure> {
    let wrong = |why: String| {
        Err(Failure::usage(format!("the {what} `{name}` cannot be used: {why}"))
            .hint("a name has lower-case letters, digits and `-`, begins with a letter, ends with a letter or digit: `airflow-cluster`"))
    };
    if name.is_empty() {
        return wrong("it is empty".to_owned());
    }
    if let Some(character) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return wrong(format!("`{character}` is not allowed"));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return wrong("it does not begin with a letter".to_owned());
    }
    if name.ends_with('-') {
        return wrong("it ends with `-`".to_owned());
    }
    if name.len() > LONGEST {
        return wrong(format!("it has {} characters, {LONGEST} are allowed", name.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names() {
        for name in ["a", "airflow-cluster", "a1", &"x".repeat(40)] {
            check("name", name).unwrap();
        }
    }

    #[test]
    fn bad_names_say_why() {
        for (name, why) in [
            ("", "empty"),
            ("Airflow", "`A` is not allowed"),
            ("a_b", "`_` is not allowed"),
            ("1a", "begin with a letter"),
            ("-a", "begin with a letter"),
            ("a-", "ends with `-`"),
            ("ä", "`ä` is not allowed"),
            (&"x".repeat(41), "41 characters"),
        ] {
            let failure = check("name", name).unwrap_err();
            assert!(failure.message.contains(why), "{name}: {}", failure.message);
        }
    }
}
