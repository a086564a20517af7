//! How this system starts its services: what to do about an engine or a clock is said in its own words.

use std::path::Path;

/// The system, as far as its commands differ.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Host {
    /// macOS: the engine is in a virtual machine.
    MacOs,
    /// Linux with systemd, in WSL too.
    Systemd,
    /// WSL without systemd.
    Wsl,
    /// Another Linux.
    #[default]
    Other,
}

impl Host {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let kernel = std::fs::read_to_string("/proc/version").unwrap_or_default();
        // sd_booted(3) looks for the same folder.
        Self::of(std::env::consts::OS, &kernel, Path::new("/run/systemd/system").is_dir())
    }

    fn of(system: &str, kernel: &str, has_systemd: bool) -> Self {
        match (system, has_systemd) {
            ("macos", _) => Self::MacOs,
            (_, true) => Self::Systemd,
            _ if kernel.to_lowercase().contains("microsoft") => Self::Wsl,
            _ => Self::Other,
        }
    }

    /// How the engine is started.
    #[must_use]
    pub const fn start_engine(self) -> &'static str {
        match self {
            Self::MacOs => "start it: open Docker Desktop or OrbStack, or `colima start`",
            Self::Systemd => "start it: `sudo systemctl start docker`, or open Docker Desktop",
            Self::Wsl => {
                "start it: `sudo service docker start`, or open Docker Desktop on Windows, with its WSL integration for this distribution"
            }
            Self::Other => "start it: `sudo service docker start`",
        }
    }

    /// How the engine is started anew.
    #[must_use]
    pub const fn restart_engine(self) -> &'static str {
        match self {
            Self::MacOs => "restart Docker Desktop, OrbStack or Colima",
            Self::Systemd => "`sudo systemctl restart docker`",
            Self::Wsl | Self::Other => "`sudo service docker restart`",
        }
    }

    /// Where the engine's settings are.
    #[must_use]
    pub const fn engine_settings(self) -> &'static str {
        match self {
            Self::MacOs => "the engine's settings (Docker Desktop: Settings, Docker Engine)",
            Self::Systemd | Self::Wsl | Self::Other => "/etc/docker/daemon.json",
        }
    }

    /// How the machine's clock is set by those of others.
    #[must_use]
    pub const fn set_clock(self) -> &'static str {
        match self {
            Self::MacOs => "`sudo sntp -sS time.apple.com`",
            Self::Systemd => "`sudo timedatectl set-ntp true`",
            Self::Wsl => "`sudo hwclock --hctosys`",
            Self::Other => "`sudo ntpd -q`, or whichever time service this system has",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_told_apart() {
        const WSL: &str = "Linux version 5.15.167.4-microsoft-standard-WSL2";
        for (system, kernel, has_systemd, expected) in [
            ("macos", "", false, Host::MacOs),
            ("linux", "Linux version 6.8", true, Host::Systemd),
            ("linux", WSL, true, Host::Systemd),
            ("linux", WSL, false, Host::Wsl),
            ("linux", "Linux version 6.8", false, Host::Other),
        ] {
            assert_eq!(Host::of(system, kernel, has_systemd), expected, "{system} {kernel}");
        }
    }
}
