//! `doctor --fix`: a missing tool is downloaded, or nothing is left behind.

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use windtunnel::codes::Code;
use windtunnel::error::Failure;
use windtunnel::surroundings::Proxies;
use windtunnel::tools::download::{Source, install};
use windtunnel::tools::hexadecimal;
use windtunnel::ui::{Manner, Ui};

use crate::context::{Run, TestContext};
use crate::file_server::{FileServer, Reply};

const PROGRAM: &[u8] = b"#!/bin/sh\necho kind v0.30.0\n";

/// Downloads what a server gives, and tells what then is in the folder.
fn download(reply: Reply, sha256: &str, member: Option<&str>) -> (Result<(), Failure>, Vec<String>) {
    let server = FileServer::start(reply);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("tools/kind-v0.30.0/kind");
    let ui = Ui::new(Manner::default());
    let step = ui.step("download_tool", "Downloading");
    let address = format!("{}/kind-linux-amd64", server.url);
    let source = Source { address: &address, sha256, member };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let installed = runtime.block_on(install(source, &target, &Proxies::default(), &step));
    (installed, files(folder.path()))
}

/// All that is below a folder.
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.file_name().into_string().unwrap());
        found.extend(files(&entry.path()));
    }
    found
}

fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

#[test]
fn the_right_file_is_kept_and_can_be_run() {
    let (installed, files) = download(Reply::File(PROGRAM.to_vec()), &digest(PROGRAM), None);
    installed.unwrap();
    assert_eq!(files, ["tools", "kind-v0.30.0", "kind"]);
}

#[test]
fn a_program_in_an_archive_is_taken_out() {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(PROGRAM.len() as u64);
    builder.append_data(&mut header, "linux-amd64/kind", PROGRAM).unwrap();
    let archive = builder.into_inner().unwrap().finish().unwrap();
    let (installed, files) = download(Reply::File(archive.clone()), &digest(&archive), Some("linux-amd64/kind"));
    installed.unwrap();
    assert_eq!(files, ["tools", "kind-v0.30.0", "kind"]);
    let (installed, files) = download(Reply::File(archive.clone()), &digest(&archive), Some("../kind"));
    assert_eq!((installed.unwrap_err().code, files), (Some(Code::ToolDownload), Vec::new()));
}

#[test]
fn whatever_is_wrong_leaves_nothing_behind() {
    let right = digest(PROGRAM);
    for (reply, code, words) in [
        (Reply::File(b"another".to_vec()), Code::ToolDigest, "has the wrong digest"),
        (Reply::Half(PROGRAM.to_vec()), Code::ToolDownload, "was cut short: 14 of 28 bytes came"),
        (Reply::Absent, Code::ToolDownload, "cannot be downloaded"),
        (Reply::Redirect("http://127.0.0.1:1/x".to_owned()), Code::ToolDownload, "redirects to plain http"),
        (Reply::Redirect("/again".to_owned()), Code::ToolDownload, "is redirected more than 5 times"),
    ] {
        let (installed, files) = download(reply, &right, None);
        let failure = installed.unwrap_err();
        assert!(failure.message.contains(words), "{}", failure.message);
        assert_eq!((failure.code, files), (Some(code), Vec::new()), "{words}");
    }
}

/// `doctor --fix` where kind is missing and the mirror is this server.
fn fix(server: &FileServer, trusted: Option<&str>) -> (Run, Vec<String>) {
    let context = TestContext::new();
    context.for_doctor();
    context.without("kind");
    let certificates = context.path("ca.pem").display().to_string();
    context.write_file("ca.pem", trusted.unwrap_or_default());
    let variables = trusted.map(|_| ("SSL_CERT_FILE", certificates.as_str()));
    let arguments = ["doctor", "--fix", "--yes", "--tools-mirror", &server.url];
    let run = context.run_with(&arguments, variables.as_slice());
    (run, files(&context.path("cache/windtunnel/tools")))
}

#[test]
fn a_mirror_with_another_file_is_refused() {
    let (run, files) = fix(&FileServer::start(Reply::File(PROGRAM.to_vec())), None);
    assert!(run.code == 3 && run.stderr.contains("error[WT123]") && files.is_empty(), "{run}");
    assert!(run.stderr.contains("WT107 `kind` is not on PATH\n  download http://127.0.0.1:"), "{run}");
}

#[test]
fn tls_is_spoken_with_those_who_are_trusted() {
    let server = FileServer::start_with_tls(Reply::File(PROGRAM.to_vec()));
    let (run, _) = fix(&server, Some(&server.certificate));
    assert!(run.code == 3 && run.stderr.contains("has the wrong digest"), "{run}");
    let (run, files) = fix(&server, None);
    assert!(run.code == 3 && run.stderr.contains("error[WT122]") && files.is_empty(), "{run}");
    assert!(!run.stderr.contains("digest\n"), "{run}");
}

#[test]
fn tls_that_redirects_to_plain_http_is_refused() {
    let server = FileServer::start_with_tls(Reply::Redirect("http://localhost:1/kind".to_owned()));
    let (run, files) = fix(&server, Some(&server.certificate));
    assert!(run.code == 3 && run.stderr.contains("redirects to plain http, which is refused"), "{run}");
    assert!(files.is_empty(), "{run}");
}
