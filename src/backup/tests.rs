use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

const PASSPHRASE: &str = "correct horse battery";

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        windtunnel: "0.1.0".to_owned(),
        environment: "a".to_owned(),
        stack: StackName::Lite,
        airflow: Version::new(3, 3, 2),
        time: Timestamp::UNIX_EPOCH,
        database: 170_012,
        content: Content { runs: 1, connections: 0, variables: 2 },
        sha256: String::new(),
    }
}

fn keys() -> Keys {
    Keys { fernet_key: "the-fernet-key".into(), admin_password: "the-password".into() }
}

/// An archive with these entries, as it is before it is sealed.
fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn file(name: &'static str, bytes: &'static [u8]) -> (&'static str, tar::EntryType, &'static [u8]) {
    (name, tar::EntryType::Regular, bytes)
}

fn refused(archive: Vec<u8>) -> String {
    match Backup::of_archive(archive) {
        Err(Bad::Content(why)) => why,
        Err(Bad::Newer(format)) => format!("newer: {format}"),
        Ok(_) => "it was taken".to_owned(),
    }
}

#[test]
fn what_was_written_is_read_by_its_passphrase_alone_and_replaced_only_if_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    let dump = vec![42; 200_000];
    write(&path, false, &PASSPHRASE.into(), manifest(), &keys(), &dump).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let backup = Backup::read(&path, &PASSPHRASE.into()).unwrap();
    assert!(backup.dump() == dump);
    assert_eq!(backup.manifest.content.to_string(), "1 DAG run, 0 connections, 2 variables");
    assert_eq!(backup.keys.fernet_key.expose_secret(), "the-fernet-key");
    let sealed = std::fs::read(&path).unwrap();
    assert!(!sealed.windows(8).any(|window| window == b"the-pass"));

    let again = |replace| write(&path, replace, &PASSPHRASE.into(), manifest(), &keys(), &dump);
    assert_eq!(again(false).unwrap_err().kind, Kind::Usage);
    assert!(std::fs::read(&path).unwrap() == sealed, "it was replaced");
    again(true).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was left beside it");

    let wrong = Backup::read(&path, &"another passphrase".into()).map(drop).unwrap_err();
    assert!(wrong.message.ends_with("a.backup does not open with this passphrase"), "{wrong:?}");
    std::fs::write(&path, &sealed[..sealed.len() - 70_000]).unwrap();
    let short = Backup::read(&path, &PASSPHRASE.into()).map(drop).unwrap_err();
    assert!(short.message.ends_with("is damaged") || short.message.ends_with("is cut short"), "{short:?}");
}

#[test]
fn only_what_a_backup_has_may_be_in_it() {
    assert_eq!(refused(archive(&[file("../../etc/passwd", b"x")])), "it holds `../../etc/passwd`, which no backup has");
    assert_eq!(refused(archive(&[file("/etc/passwd", b"x")])), "it holds `/etc/passwd`, which no backup has");
    let link = (DUMP, tar::EntryType::Symlink, &b""[..]);
    assert_eq!(refused(archive(&[link])), "it holds `database.dump`, which no backup has");
    assert_eq!(refused(archive(&[file(DUMP, b"x"), file(DUMP, b"y")])), "it holds database.dump twice");
    assert_eq!(refused(archive(&[file(DUMP, b"x")])), "there is no backup.json in it");
}

#[test]
fn a_size_that_is_not_true_is_no_reason_to_take_memory() {
    let mut bomb = archive(&[file(DUMP, b"x")]);
    let mut header = tar::Header::new_old();
    header.as_old_mut().name[..DUMP.len()].copy_from_slice(DUMP.as_bytes());
    header.set_size(1 << 32);
    header.set_cksum();
    bomb[..512].copy_from_slice(header.as_bytes());
    assert_eq!(refused(bomb), "its database.dump says that it has 4294967296 bytes");
    assert!(refused(vec![7; 1024]).starts_with("its archive is broken"));
}

#[test]
fn a_newer_format_and_another_dump_are_refused() {
    let newer: &[u8] = br#"{"format": 2, "and": "more"}"#;
    let entries = |manifest| [file(DUMP, b"x"), file(KEYS, b"{}"), (MANIFEST, tar::EntryType::Regular, manifest)];
    assert_eq!(refused(archive(&entries(newer))), "newer: 2");
    let manifest = serde_json::to_vec(&manifest()).unwrap();
    let keys = json!({"fernet_key": "a", "admin_password": "b"}).to_string();
    let other = [
        file(DUMP, b"x"),
        (KEYS, tar::EntryType::Regular, keys.as_bytes()),
        (MANIFEST, tar::EntryType::Regular, &manifest),
    ];
    assert_eq!(refused(archive(&other)), "database.dump is not the one that backup.json is about");
    assert_eq!(refused(archive(&entries(&manifest))), "its keys.json is damaged");
}
