//! What `windtunnel doctor --fix` does about a finding: one step each, after its command was shown.

use std::path::Path;
use std::time::Duration;

use super::Context;
use super::prerequisites::Repair;
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::tools::download::{self, Source};
use crate::tools::process::Command;
use crate::tools::release::{self, File, Release};

/// How long a command may take: `down` removes a cluster.
const COMMAND: Duration = Duration::from_mins(5);

/// What will be done, as a person could do it by hand: a command, or an address and where its file goes.
///
/// # Errors
/// There is no such download for this machine.
pub fn describe(repair: &Repair, mirror: Option<&str>, context: Context<'_>) -> Result<String, Failure> {
    match repair {
        Repair::Download(tool) => {
            let (release, file) = file_of(tool)?;
            let target = release.own_path(&context.surroundings.cache);
            Ok(format!("download {} to {}, sha256 {}", release.address(file, mirror), target.display(), file.sha256))
        }
        other => Ok(command(other, &context.surroundings.program, context.surroundings.user)?.line()),
    }
}

/// Does it.
///
/// # Errors
/// The download fails or is another file, or the command fails.
pub async fn repair(repair: &Repair, mirror: Option<&str>, context: Context<'_>) -> Result<(), Failure> {
    let Context { surroundings, ui, .. } = context;
    if let Repair::Download(tool) = repair {
        let (release, file) = file_of(tool)?;
        let step = ui.step("download_tool", format!("Downloading {tool} {}", release.version));
        let target = release.own_path(&surroundings.cache);
        let address = release.address(file, mirror);
        let source = Source { address: &address, sha256: file.sha256, member: file.member };
        let downloaded = download::install(source, &target, &surroundings.proxies, &step).await;
        downloaded.map_err(|failure| match mirror {
            Some(_) => failure.hint(format!("the mirror is a folder that holds the file {}", file.name)),
            None => failure.hint("where the internet is not reached, name a folder that has the file: `windtunnel doctor --fix --tools-mirror URL`"),
        })?;
        step.done(target.display().to_string());
        return Ok(());
    }
    let command = command(repair, &surroundings.program, surroundings.user)?;
    let step = ui.step("repair", "Repairing");
    command.run(Kind::Prerequisite, ui).await?;
    step.done(command.line());
    Ok(())
}

fn file_of(tool: &str) -> Result<(&'static Release, &'static File), Failure> {
    let release = release::of(tool).ok_or_else(|| Failure::bug(format!("no release of {tool} is known")))?;
    let file = release.here().ok_or_else(|| {
        Failure::new(Kind::Prerequisite, format!("no {tool} {} is known for this platform", release.version))
            .code(Code::ToolDownload)
    })?;
    Ok((release, file))
}

/// `program` is windtunnel itself, `user` who runs it.
fn command(repair: &Repair, program: &Path, user: u32) -> Result<Command, Failure> {
    let command = match repair {
        Repair::Download(tool) => return Err(Failure::bug(format!("{tool} is downloaded by no command"))),
        Repair::Raise(parameters) => {
            // Root needs no sudo, and may not have it.
            let command = if user == 0 { Command::new("sysctl") } else { Command::new("sudo").arg("sysctl") };
            command.arg("-w").args(parameters.iter().map(|(name, value)| format!("{name}={value}")))
        }
        Repair::Windtunnel(words) => Command::new(program).args(words),
    };
    Ok(command.deadline(COMMAND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_raised_with_sudo_unless_root_does_it() {
        let limits = Repair::Raise(vec![("fs.a".to_owned(), 1), ("fs.b".to_owned(), 2)]);
        let line = |user| command(&limits, Path::new("/bin/windtunnel"), user).unwrap().line();
        assert_eq!(line(1000), "sudo sysctl -w 'fs.a=1' 'fs.b=2'");
        assert_eq!(line(0), "sysctl -w 'fs.a=1' 'fs.b=2'");
        let own = Repair::Windtunnel(vec!["down".to_owned(), "--yes".to_owned()]);
        assert_eq!(command(&own, Path::new("/bin/windtunnel"), 0).unwrap().line(), "/bin/windtunnel down --yes");
        assert!(command(&Repair::Download("kind"), Path::new("/bin/windtunnel"), 0).is_err());
    }
}
