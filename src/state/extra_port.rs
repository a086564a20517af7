//! The ports that were asked for beside the web interface.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A port of a component that the forward serves too: `[LOCAL:]COMPONENT:PORT`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraPort {
    /// The port on 127.0.0.1.
    pub local: u16,
    /// The component, as its chart's names go: `database`.
    pub component: String,
    /// The port of the component's Service.
    pub port: u16,
}

impl FromStr for ExtraPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (local, component, port) = match parts[..] {
            [component, port] => (port, component, port),
            [local, component, port] => (local, component, port),
            _ => return Err("give a component and its port: `database:5432`, or `15432:database:5432`".to_owned()),
        };
        let number = |text: &str| match text.parse() {
            Ok(0) | Err(_) => Err(format!("`{text}` is no port: 1 to 65535")),
            Ok(number) => Ok(number),
        };
        Ok(Self { local: number(local)?, component: component.to_owned(), port: number(port)? })
    }
}

impl Display for ExtraPort {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        if self.local != self.port {
            write!(formatter, "{}:", self.local)?;
        }
        write!(formatter, "{}:{}", self.component, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(local: u16) -> ExtraPort {
        ExtraPort { local, component: "database".to_owned(), port: 5432 }
    }

    #[test]
    fn a_port_is_written_as_it_is_read() {
        for (text, expected) in [("database:5432", port(5432)), ("15432:database:5432", port(15432))] {
            assert_eq!(text.parse::<ExtraPort>().unwrap(), expected);
            assert_eq!(expected.to_string(), text);
        }
        for wrong in ["database", "5432:database", "0:database:5432", "database:70000", "1:2:3:4", ""] {
            assert!(wrong.parse::<ExtraPort>().is_err(), "{wrong}");
        }
    }
}
