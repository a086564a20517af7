//! One environment in a line, and all of them as a table.

use jiff::Timestamp;
use serde::Serialize;

use crate::images::size::size;
use crate::profile::StackName;
use crate::state::Record;

/// What is told of one environment; `null` where it is not known.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) provider: Option<&'static str>,
    /// `running`, `stopped`, `absent`, `unreachable`, or `damaged` where this machine's own record is.
    pub(super) state: &'static str,
    pub(super) stack: Option<StackName>,
    pub(super) airflow: Option<semver::Version>,
    pub(super) made: Option<Timestamp>,
    pub(super) port: Option<u16>,
    /// What its node takes in the engine.
    pub(super) disk_bytes: Option<u64>,
    /// Why it is as it is, where that needs a word.
    pub(super) problem: Option<String>,
}

impl Row {
    /// What the record tells.
    pub(super) fn of(name: &str, record: Option<&Record>) -> Self {
        Self {
            name: name.to_owned(),
            provider: record.map(|record| record.cluster.provider().name()),
            state: "absent",
            stack: record.map(|record| record.stack),
            airflow: record.map(|record| record.airflow.clone()),
            made: record.and_then(|record| record.made),
            port: record.map(|record| record.port),
            disk_bytes: None,
            problem: None,
        }
    }

    fn cells(&self, now: Timestamp) -> [String; 9] {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        [
            self.name.clone(),
            text(self.provider.map(str::to_owned)),
            self.state.to_owned(),
            text(self.stack.map(|stack| stack.to_string())),
            text(self.airflow.as_ref().map(ToString::to_string)),
            text(self.made.map(|made| age(now.duration_since(made).as_secs()))),
            text(self.port.map(|port| port.to_string())),
            text(self.disk_bytes.map(size)),
            self.problem.clone().unwrap_or_default(),
        ]
    }
}

/// Columns as wide as what is in them.
pub(super) fn table(rows: &[Row], now: Timestamp) -> String {
    let mut lines =
        vec![["NAME", "PROVIDER", "STATE", "STACK", "AIRFLOW", "AGE", "PORT", "DISK", ""].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| row.cells(now)));
    let widths: [usize; 9] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default());
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `8 s`, `12 min`, `5 h`, `3 d`: the largest unit that there is one of. A clock that went back makes nothing older.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        assert_eq!([-5, 59, 61, 7_300, 90_000].map(age), ["0 s", "59 s", "1 min", "2 h", "1 d"]);
    }

    #[test]
    fn what_is_not_known_is_a_dash_and_the_reason_stands_in_the_row() {
        let known = Row { port: Some(7070), state: "running", ..Row::of("a", None) };
        let damaged = Row { state: "damaged", problem: Some("x is damaged".to_owned()), ..Row::of("longer", None) };
        let table = table(&[known, damaged], Timestamp::UNIX_EPOCH);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "NAME    PROVIDER  STATE    STACK  AIRFLOW  AGE  PORT  DISK");
        assert_eq!(lines[1], "a       -         running  -      -        -    7070  -");
        assert_eq!(lines[2], "longer  -         damaged  -      -        -    -     -     x is damaged");
    }
}
