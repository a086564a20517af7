//! The word that was meant, for one that is not known.

/// The known word that is nearest to what was written, if any is near.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let closest = known.into_iter().map(|word| (distance(written, word), word)).min()?;
    (closest.0 <= 1 + written.chars().count() / 3).then_some(closest.1)
}

/// The key or name that serde's complaint is about, and the one that is nearest to it among those that it lists:
/// ``unknown field `stak`, expected one of `description`, `stack` at line 2``.
pub(super) fn in_complaint(complaint: &str) -> Option<(&str, &str)> {
    let (_, rest) = complaint.split_once("unknown field ").or_else(|| complaint.split_once("unknown variant "))?;
    let mut words = rest.split('`').skip(1).step_by(2);
    let written = words.next()?;
    Some((written, nearest(written, words)?))
}

/// How many characters must be put in, taken out or changed (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, from) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to) in other.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, expected) in
            [("", "abc", 3), ("stak", "stack", 1), ("kitten", "sitting", 3), ("same", "same", 0)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_what_is_near_is_meant() {
        assert_eq!(nearest("databse", ["node", "airflow", "database"]), Some("database"));
        assert_eq!(nearest("zebra", ["node", "airflow", "database"]), None);
    }

    #[test]
    fn serdes_complaint_is_understood() {
        let complaint =
            "images: unknown field `databse`, expected one of `node`, `airflow`, `database` at line 9 column 3";
        assert_eq!(in_complaint(complaint), Some(("databse", "database")));
        assert_eq!(in_complaint("missing field `stack`"), None);
    }
}
