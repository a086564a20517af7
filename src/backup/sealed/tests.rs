use super::*;

const PASSPHRASE: &str = "correct horse battery";

/// What age itself (FiloSottile/age 1.2.1) made of `hello from age\n` with [`PASSPHRASE`].
const OF_AGE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBWNHVTWVZ5b1lsOU5YdldXR2k2RjZRIDEwCm9FdFR0eXpBZVlrWnhFa1J5cWFBVmFQUmRQ\
    Y1FRNWVicVdWbU14M2JsRk0KLS0tIGZ2T3JaWktDR2FJbGRrUm01SVh4ZllVdldRY2tsNHE0STliTEc3VithZVUK0QsR+GGjaRc4n2aaSnk9VsurJCLkJaAlCWTuddzDslFPV9qFSAVgS7KZUP0V9zA";

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::with_work(Vec::new(), &PASSPHRASE.into(), 4).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn trouble(sealed: &[u8]) -> Trouble {
    let error = open(sealed, &PASSPHRASE.into()).unwrap_err();
    *error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error}"))
}

/// Where the chunks begin.
fn payload(sealed: &[u8]) -> usize {
    let mac = sealed.windows(4).position(|window| window == b"--- ").unwrap();
    mac + sealed[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1 + 16
}

#[test]
fn what_age_sealed_is_opened() {
    let sealed = STANDARD_NO_PAD.decode(OF_AGE).unwrap();
    assert_eq!(open(&*sealed, &PASSPHRASE.into()).unwrap(), b"hello from age\n");
}

#[test]
fn what_was_sealed_is_opened_whatever_its_length() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let plain: Vec<u8> = (0..=250).cycle().take(length).collect();
        let sealed = sealed(&plain);
        assert!(open(&*sealed, &PASSPHRASE.into()).unwrap() == plain, "{length}");
        assert!(!sealed.windows(16).any(|window| length > 16 && window == &plain[..16]), "{length}");
    }
}

#[test]
fn another_passphrase_opens_nothing() {
    let error = open(&*sealed(b"secret"), &"correct horse batterz".into()).unwrap_err();
    assert_eq!(error.to_string(), Trouble::WrongPassphrase.to_string());
}

#[test]
fn a_file_that_ends_early_is_cut_short_wherever_it_ends() {
    let sealed = sealed(&vec![7; 2 * CHUNK + 5]);
    let payload = payload(&sealed);
    for end in [payload - 40, payload - 3, payload, payload + 5, payload + CHUNK + TAG, payload + 2 * (CHUNK + TAG)] {
        assert_eq!(trouble(&sealed[..end]), Trouble::CutShort, "{end}");
    }
    // In the middle of a chunk nobody can tell.
    assert_eq!(trouble(&sealed[..sealed.len() - 1]), Trouble::Damaged);
    assert_eq!(trouble(&sealed[..5]), Trouble::NotSealed);
}

#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let good = sealed(&vec![7; CHUNK + 5]);
    let payload = payload(&good);
    for at in [payload - 20, payload - 10, payload, payload + CHUNK + TAG, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(matches!(trouble(&bad), Trouble::Damaged | Trouble::CutShort), "{at}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(trouble(&longer), Trouble::Damaged);
}

#[test]
fn what_the_format_forbids_is_damaged_though_it_would_open() {
    let mut sealer = Sealer::with_work(Vec::new(), &PASSPHRASE.into(), 4).unwrap();
    sealer.write_all(&vec![7; CHUNK]).unwrap();
    sealer.write_chunk(false).unwrap();
    assert_eq!(trouble(&sealer.finish().unwrap()), Trouble::Damaged, "an end without a byte");

    let good = sealed(b"secret");
    let text = String::from_utf8_lossy(&good);
    let lines: Vec<&str> = text.lines().take(3).collect();
    for (of, longer) in [(lines[1].split(' ').nth(2).unwrap(), 17), (lines[2], 33)] {
        let mut bytes = STANDARD_NO_PAD.decode(of).unwrap();
        bytes.resize(longer, 0);
        let header = format!("{}\n", lines.join("\n")).replace(of, &STANDARD_NO_PAD.encode(bytes));
        let changed = [header.as_bytes(), &good[lines.join("\n").len() + 1..]].concat();
        assert_eq!(trouble(&changed), Trouble::Damaged, "{longer} bytes");
    }
}

#[test]
fn what_is_not_for_a_passphrase_and_what_asks_for_too_much_is_refused_at_once() {
    assert_eq!(trouble(b"PK\x03\x04 and more\n"), Trouble::NotSealed);
    let of_key = format!("{VERSION}\n-> X25519 abc\nabc\n--- abc\n");
    assert_eq!(trouble(of_key.as_bytes()), Trouble::NoPassphrase);
    let text = String::from_utf8_lossy(&STANDARD_NO_PAD.decode(OF_AGE).unwrap()).replace(" 10\n", " 40\n");
    assert_eq!(trouble(text.as_bytes()), Trouble::TooMuchWork);
}
