//! Bytes for a person.

/// With powers of 1000, as docker writes them: `145 MB`, `1.2 GB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_has_two_or_three_digits_and_its_unit() {
        assert_eq!([size(7), size(1_500), size(145_206_784), size(1_161_828_352)], ["7 B", "1 kB", "145 MB", "1.1 GB"]);
    }
}
