//! Files that let systemd or launchd run the forward whenever somebody is logged in. Pure.

use std::path::Path;

use crate::error::{Failure, Kind};

/// What starts programs when somebody logs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Starter {
    /// systemd's user manager.
    Systemd,
    /// macOS' launchd.
    Launchd,
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The environment's name: lower-case letters, digits and `-`.
    pub name: &'a str,
    /// The port of the web interface.
    pub port: u16,
    /// This program.
    pub program: &'a Path,
    /// The folder of windtunnel's state: programs started at login have not the variables of a shell.
    pub state: &'a Path,
    /// Where the log goes: the forward keeps it bounded.
    pub log: &'a Path,
}

impl Unit<'_> {
    /// The file's text, with comments that say how to install it.
    ///
    /// # Errors
    /// A path is not text, or has a line break in it.
    pub fn text(&self, starter: Starter) -> Result<String, Failure> {
        match starter {
            Starter::Systemd => self.systemd(),
            Starter::Launchd => self.launchd(),
        }
    }

    /// See `systemd.service(5)` and `systemd.syntax(7)`. The exit codes are those of an environment that is gone and of another
    /// forward that runs: neither goes away by trying again.
    fn systemd(&self) -> Result<String, Failure> {
        let Unit { name, port, .. } = self;
        let program = text(self.program)?;
        if program.contains(['"', '\'', '\\']) {
            return Err(Failure::usage(format!(
                "systemd runs no program with a quote or backslash in its path: {program}"
            ))
            .hint("move windtunnel into another folder"));
        }
        // In the path of the program, other than in its arguments, `$` stands for itself.
        let program = quoted(program);
        let state = quoted(&format!("WINDTUNNEL_STATE={}", text(self.state)?));
        // What follows `append:` is a path as it is, but for specifiers.
        let log = text(self.log)?.replace('%', "%%");
        let (gone, locked) = (Kind::NoEnvironment.exit_code(), Kind::Locked.exit_code());
        Ok(format!(
            r"# windtunnel keeps http://127.0.0.1:{port} open for the environment {name}. To install it:
#   mkdir -p ~/.config/systemd/user
#   windtunnel forward unit --for systemd --name {name} > ~/.config/systemd/user/windtunnel-{name}.service
#   windtunnel forward stop --name {name}
#   systemctl --user daemon-reload
#   systemctl --user enable --now windtunnel-{name}
# To have it while you are not logged in: loginctl enable-linger
# To remove it: systemctl --user disable --now windtunnel-{name}

[Unit]
Description=The way to Airflow of the environment {name}, by windtunnel
StartLimitIntervalSec=0

[Service]
ExecStart={program} --name {name} forward run
Environment={state}
StandardError=append:{log}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={gone} {locked}

[Install]
WantedBy=default.target
"
        ))
    }

    /// See `launchd.plist(5)`. A comment may not hold two hyphens, so it shows no option and no name.
    fn launchd(&self) -> Result<String, Failure> {
        let Unit { name, port, .. } = self;
        let (program, state, log) = (xml(text(self.program)?), xml(text(self.state)?), xml(text(self.log)?));
        Ok(format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!--
windtunnel keeps http://127.0.0.1:{port} open. To install it, put this file into ~/Library/LaunchAgents, stop
the forward that runs (windtunnel forward stop), and: launchctl bootstrap gui/$(id -u) FILE
To remove it: launchctl bootout gui/$(id -u) FILE
-->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>dev.windtunnel.{name}</string>
  <key>ProgramArguments</key>
  <array>
    <string>{program}</string>
    <string>--name</string>
    <string>{name}</string>
    <string>forward</string>
    <string>run</string>
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>WINDTUNNEL_STATE</key>
    <string>{state}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>StandardErrorPath</key>
  <string>{log}</string>
</dict>
</plist>
"#
        ))
    }
}

/// A path as text that stays on one line.
fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().filter(|text| !text.contains(char::is_control)).ok_or_else(|| {
        Failure::usage(format!("no unit can be written for {}: a path in it must be plain text", path.display()))
    })
}

/// A word of a systemd unit.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%"))
}

/// Text of an XML element.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(folder: &str, starter: Starter) -> Result<String, Failure> {
        let folder = Path::new(folder);
        let (program, log) = (folder.join("windtunnel"), folder.join("forward.log"));
        Unit { name: "demo", port: 7070, program: &program, state: folder, log: &log }.text(starter)
    }

    #[test]
    fn an_unusual_path_is_written_so_that_it_is_read_as_it_is() {
        let systemd = unit("/home/a b/100%/$HOME", Starter::Systemd).unwrap();
        for line in [
            r#"ExecStart="/home/a b/100%%/$HOME/windtunnel" --name demo forward run"#,
            r#"Environment="WINDTUNNEL_STATE=/home/a b/100%%/$HOME""#,
            "StandardError=append:/home/a b/100%%/$HOME/forward.log",
        ] {
            assert!(systemd.lines().any(|found| found == line), "{line}\n{systemd}");
        }
        assert_eq!(quoted(r#"a "b" c\d"#), r#""a \"b\" c\\d""#);
        let folder = r#"/home/a "b"/100%/$HOME/c\d/<e>&f"#;
        let failure = unit(folder, Starter::Systemd).unwrap_err();
        assert!(failure.message.starts_with("systemd runs no program with a quote"), "{}", failure.message);
        let launchd = unit(folder, Starter::Launchd).unwrap();
        let program = r#"    <string>/home/a "b"/100%/$HOME/c\d/&lt;e&gt;&amp;f/windtunnel</string>"#;
        assert!(launchd.lines().any(|line| line == program), "{launchd}");
    }

    #[test]
    fn a_path_of_two_lines_is_refused() {
        for starter in [Starter::Systemd, Starter::Launchd] {
            let failure = unit("/home/a\nb", starter).unwrap_err();
            assert!(failure.message.starts_with("no unit can be written for "), "{}", failure.message);
        }
    }

    #[test]
    fn a_comment_in_xml_has_no_two_hyphens() {
        let launchd = unit("/home/demo", Starter::Launchd).unwrap();
        let comment = launchd.split_once("<!--").unwrap().1.split_once("-->").unwrap().0;
        assert!(!comment.contains("--"), "{comment}");
    }
}
