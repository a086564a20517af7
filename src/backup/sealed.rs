//! Encryption by a passphrase, in the format of age (C2SP, `age.md`, version 1), so that `age --decrypt` opens a backup too.
//!
//! Of that format this is the part with a passphrase, over ring's ChaCha20-Poly1305, HKDF and HMAC and `RustCrypto`'s scrypt. The crate `age`
//! has all of it, and brings eighty crates for key files and translations, ten of them in a second version.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use secrecy::{ExposeSecret, SecretString};

const VERSION: &str = "age-encryption.org/v1";
const SCRYPT: &str = "-> scrypt ";
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
/// Bytes of plain text in each chunk but the last.
const CHUNK: usize = 64 * 1024;
/// What authentication adds to a chunk.
const TAG: usize = 16;
/// Bytes of the salt of a passphrase.
const SALT: usize = 16;
/// Bytes of the key that the chunks' own comes from.
const FILE_KEY: usize = 16;
/// What a guess at the passphrase costs: two to the power of this, times 1 KiB of memory. 256 MiB, and a second, as age has it.
const WORK: u8 = 18;
/// What a file of somebody else's may ask for: 1 GiB.
const MOST_WORK: u8 = 20;
/// The longest line that a header may have.
const LINE: u64 = 256;

/// Why a sealed file cannot be opened; to be read after its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Trouble {
    /// It does not begin as one.
    #[error("is no backup: it does not begin as a file of age's")]
    NotSealed,
    /// It was made by age for a key.
    #[error("was not encrypted with a passphrase")]
    NoPassphrase,
    /// Its header is for another passphrase.
    #[error("does not open with this passphrase")]
    WrongPassphrase,
    /// It would take more memory than is given to it.
    #[error("asks for more memory to be opened than a backup does")]
    TooMuchWork,
    /// It ends too early.
    #[error("is cut short")]
    CutShort,
    /// A part of it is not what was written.
    #[error("is damaged")]
    Damaged,
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::new(ErrorKind::InvalidData, trouble)
    }
}

/// Encrypts what is written to it. Without [`Sealer::finish`] what came of it is cut short.
pub(super) struct Sealer<W> {
    inner: W,
    chunks: Chunks,
    plain: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// `inner` cannot be written, or there is no randomness.
    pub(super) fn new(inner: W, passphrase: &SecretString) -> Result<Self> {
        Self::with_work(inner, passphrase, WORK)
    }

    fn with_work(mut inner: W, passphrase: &SecretString, work: u8) -> Result<Self> {
        let (file_key, salt, nonce) = (random()?, random()?, random()?);
        let mut body = file_key.to_vec();
        let key = wrapping_key(passphrase, &salt, work)?;
        key.seal_in_place_append_tag(zero(), Aad::empty(), &mut body).map_err(|_| Trouble::Damaged)?;
        let [salt, body] = [&salt[..], &body].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let header = format!("{VERSION}\n{SCRYPT}{salt} {work}\n{body}\n---");
        let mac = hmac::sign(&header_key(&file_key)?, header.as_bytes());
        writeln!(inner, "{header} {}", STANDARD_NO_PAD.encode(mac))?;
        inner.write_all(&nonce)?;
        Ok(Self { inner, chunks: Chunks::new(&file_key, &nonce)?, plain: Vec::with_capacity(CHUNK + TAG) })
    }

    fn write_chunk(&mut self, is_last: bool) -> Result<()> {
        let nonce = self.chunks.next(is_last);
        let sealed = self.chunks.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.plain);
        sealed.map_err(|_| Trouble::Damaged)?;
        self.inner.write_all(&self.plain)?;
        self.plain.clear();
        Ok(())
    }

    /// Writes the end.
    ///
    /// # Errors
    /// `inner` cannot be written.
    pub(super) fn finish(mut self) -> Result<W> {
        self.write_chunk(true)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        // A full chunk is kept until there is more: it may be the last one.
        if self.plain.len() == CHUNK && !bytes.is_empty() {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}

/// Decrypts the whole of `sealed`.
///
/// # Errors
/// What `sealed` says when it is read; of its content a [`Trouble`].
pub(super) fn open(sealed: impl Read, passphrase: &SecretString) -> Result<Vec<u8>> {
    let mut sealed = BufReader::new(sealed);
    if line(&mut sealed)?.as_deref() != Some(VERSION) {
        return Err(Trouble::NotSealed.into());
    }
    let stanza = line(&mut sealed)?.ok_or(Trouble::CutShort)?;
    let (salt, work) =
        stanza.strip_prefix(SCRYPT).and_then(|rest| rest.split_once(' ')).ok_or(Trouble::NoPassphrase)?;
    let body = line(&mut sealed)?.ok_or(Trouble::CutShort)?;
    let last = line(&mut sealed)?.ok_or(Trouble::CutShort)?;
    let mac = last.strip_prefix("--- ").ok_or(Trouble::Damaged)?;
    let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| Trouble::Damaged);
    let work: u8 = work.parse().map_err(|_| Trouble::Damaged)?;
    if work > MOST_WORK {
        return Err(Trouble::TooMuchWork.into());
    }
    let (salt, mut wrapped) = (decode(salt)?, decode(&body)?);
    // The specification demands both before a key is tried: a longer body might open with more than one passphrase.
    if salt.len() != SALT || wrapped.len() != FILE_KEY + TAG {
        return Err(Trouble::Damaged.into());
    }
    let key = wrapping_key(passphrase, &salt, work)?;
    let file_key = key.open_in_place(zero(), Aad::empty(), &mut wrapped).map_err(|_| Trouble::WrongPassphrase)?;
    let header = format!("{VERSION}\n{stanza}\n{body}\n---");
    hmac::verify(&header_key(file_key)?, header.as_bytes(), &decode(mac)?).map_err(|_| Trouble::Damaged)?;
    let mut nonce = [0; 16];
    sealed.read_exact(&mut nonce).map_err(|_| Trouble::CutShort)?;
    open_chunks(sealed, Chunks::new(file_key, &nonce)?)
}

fn open_chunks(mut sealed: impl Read, mut chunks: Chunks) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    let mut chunk = Vec::with_capacity(CHUNK + TAG + 1);
    loop {
        // One byte more than a chunk has tells whether there is another.
        let missing = CHUNK + TAG + 1 - chunk.len();
        sealed.by_ref().take(missing as u64).read_to_end(&mut chunk)?;
        let is_last = chunk.len() <= CHUNK + TAG;
        let rest = chunk.split_off(chunk.len().min(CHUNK + TAG));
        let nonces = (chunks.next(is_last), chunks.again(false));
        let mut opened = chunk.clone();
        let Ok(opened) = chunks.key.open_in_place(nonces.0, Aad::empty(), &mut opened) else {
            // Cut short are one that is whole, but not the last one, and one of which there is next to nothing.
            let is_whole = chunks.key.open_in_place(nonces.1, Aad::empty(), &mut chunk).is_ok();
            let is_short = is_last && (is_whole || chunk.len() < TAG);
            return Err(if is_short { Trouble::CutShort } else { Trouble::Damaged }.into());
        };
        // An end of its own belongs to nothing but an empty file.
        if opened.is_empty() && !plain.is_empty() {
            return Err(Trouble::Damaged.into());
        }
        plain.extend_from_slice(opened);
        if is_last {
            return Ok(plain);
        }
        chunk = rest;
    }
}

/// One line of a header; `None` where it has no end.
fn line(sealed: &mut impl BufRead) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    sealed.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
    Ok(bytes.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()).map(str::to_owned))
}

/// The key of all chunks, and the number of the next one.
struct Chunks {
    key: LessSafeKey,
    number: u64,
}

impl Chunks {
    fn new(file_key: &[u8], nonce: &[u8]) -> Result<Self> {
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, nonce).extract(file_key);
        let key = derived.expand(&[b"payload"], &CHACHA20_POLY1305).map_err(|_| Trouble::Damaged)?.into();
        Ok(Self { key: LessSafeKey::new(key), number: 0 })
    }

    /// The nonce of the next chunk.
    fn next(&mut self, is_last: bool) -> Nonce {
        self.number += 1;
        self.again(is_last)
    }

    /// The nonce of the chunk that was the next one: its number in 11 bytes, and whether it is the last.
    fn again(&self, is_last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&(self.number - 1).to_be_bytes());
        nonce[11] = u8::from(is_last);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn wrapping_key(passphrase: &SecretString, salt: &[u8], work: u8) -> Result<LessSafeKey> {
    let parameters = scrypt::Params::new(work, 8, 1).map_err(Error::other)?;
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.expose_secret().as_bytes(), &[SALT_LABEL, salt].concat(), &parameters, &mut key)
        .map_err(Error::other)?;
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| Trouble::Damaged)?))
}

fn header_key(file_key: &[u8]) -> Result<hmac::Key> {
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(file_key);
    Ok(derived.expand(&[b"header"], hmac::HMAC_SHA256).map_err(|_| Trouble::Damaged)?.into())
}

/// Every wrapping key is used once.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
