//! The images as a table, for a person of 80 columns, and as events.

use std::time::Duration;

use crate::images::locate::Located;
use crate::images::size::size;
use crate::ui::Ui;
use crate::ui::event::Event;

/// Columns of role and name together.
const HEAD: usize = 44;
/// Columns of the role.
const ROLE: usize = 10;

/// Tells programs where an image is, or how long it took to get it.
pub(super) fn tell(located: &Located, ui: &Ui) {
    ui.event(&Event::Image {
        role: located.image.role.clone(),
        reference: located.image.reference.clone(),
        from: located.place.name().to_owned(),
        bytes: located.bytes,
        milliseconds: located.took.get().map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    });
}

/// Shows all of them, where any had to be got.
pub fn show(found: &[Located], ui: &Ui) {
    let brought: Vec<&Located> = found.iter().filter(|located| located.took.get().is_some()).collect();
    for located in &brought {
        tell(located, ui);
    }
    for line in found.iter().filter(|_| !brought.is_empty()).flat_map(lines) {
        ui.say(&format!("    {line}"));
    }
}

/// Role, name, place, size, seconds. A name that is too long has a line for itself.
#[must_use]
pub fn lines(located: &Located) -> Vec<String> {
    let head = format!("{:ROLE$}{}", located.image.role, located.image.reference);
    let bytes = located.bytes.map(size).unwrap_or_default();
    let took = located.took.get().map(seconds).unwrap_or_default();
    let tail = format!("{:16}{bytes:>8}{took:>8}", located.place.name());
    if head.len() < HEAD {
        vec![format!("{head:HEAD$}{tail}").trim_end().to_owned()]
    } else {
        vec![head, format!("{:HEAD$}{tail}", "").trim_end().to_owned()]
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1}s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Image;
    use crate::images::locate::Place;

    #[test]
    fn a_row_fits_into_80_columns() {
        let located = |role: &str, reference: &str, place| {
            let image = Image { role: role.to_owned(), reference: reference.to_owned(), id: None, archive: None };
            let located = Located::new(image, place, Some(522_013_184));
            located.took.set(Some(Duration::from_millis(12_340)));
            located
        };
        assert_eq!(
            lines(&located("airflow", "apache/airflow:3.3.2", Place::Registry("docker.io".to_owned()))),
            ["airflow   apache/airflow:3.3.2              docker.io         522 MB   12.3s"]
        );
        let long = lines(&located("statsd", "quay.io/prometheus/statsd-exporter:v0.30.0", Place::Engine));
        assert_eq!(long[0], "statsd    quay.io/prometheus/statsd-exporter:v0.30.0");
        assert_eq!(long[1], "                                            engine            522 MB   12.3s");
        assert!(long.iter().all(|line| line.len() + 4 <= 80));
    }
}
