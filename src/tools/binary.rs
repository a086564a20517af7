//! What platform a program is built for, told by its first bytes.

use std::io::Read;
use std::path::Path;

/// The platform of this process, as Go and Docker name it: `linux/amd64`.
#[must_use]
pub fn platform_here() -> String {
    let system = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    format!("{system}/{}", processor(std::env::consts::ARCH))
}

/// A processor as Go and Docker name it.
#[must_use]
pub fn processor(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The platform of a program's file; `None` where it cannot be read or is no program of these kinds.
#[must_use]
pub fn platform_of_file(path: &Path) -> Option<String> {
    let mut header = [0; 20];
    std::fs::File::open(path).ok()?.read_exact(&mut header).ok()?;
    platform_of(&header).map(str::to_owned)
}

/// Reads an ELF header (elf(5): the machine is the half-word at 18) or a 64-bit Mach-O one (mach-o/loader.h: the processor is the
/// word at 4).
fn platform_of(header: &[u8; 20]) -> Option<&'static str> {
    const MACH_O: [u8; 4] = [0xcf, 0xfa, 0xed, 0xfe];
    if header.starts_with(b"\x7fELF") {
        let is_little = header[5] == 1;
        let machine = [header[18], header[19]];
        return match if is_little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) } {
            0x03 => Some("linux/386"),
            0x15 => Some("linux/ppc64le"),
            0x16 => Some("linux/s390x"),
            0x28 => Some("linux/arm"),
            0x3e => Some("linux/amd64"),
            0xb7 => Some("linux/arm64"),
            0xf3 => Some("linux/riscv64"),
            _ => None,
        };
    }
    if header.starts_with(&MACH_O) {
        return match header[4..8] {
            [0x07, 0, 0, 0x01] => Some("darwin/amd64"),
            [0x0c, 0, 0, 0x01] => Some("darwin/arm64"),
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_tells_its_platform() {
        let elf = |machine: u8| {
            let mut header = [0; 20];
            header[..6].copy_from_slice(b"\x7fELF\x02\x01");
            header[18] = machine;
            header
        };
        let mach = |processor: u8| {
            let mut header = [0; 20];
            header[..8].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe, processor, 0, 0, 1]);
            header
        };
        for (header, platform) in [
            (elf(0x3e), Some("linux/amd64")),
            (elf(0xb7), Some("linux/arm64")),
            (elf(0xff), None),
            (mach(0x07), Some("darwin/amd64")),
            (mach(0x0c), Some("darwin/arm64")),
            (*b"#!/bin/sh\nexec kind\n", None),
        ] {
            assert_eq!(platform_of(&header), platform);
        }
        let own = std::env::current_exe().unwrap();
        assert_eq!(platform_of_file(&own), Some(platform_here()));
    }
}
