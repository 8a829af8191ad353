//! Java's store of certificates, in the format JKS.
//!
//! ```text
//! FEEDFEED, version 2, count, count x (tag 2, alias, date, type, certificate), SHA-1
//! ```
//!
//! Numbers are big-endian, texts and certificates have their length before them. The SHA-1 is of the
//! password in UTF-16, the words "Mighty Aphrodite", and everything before it. Source: OpenJDK's
//! `sun.security.provider.JavaKeyStore`, whose format is fixed for thirty years.

use sha1::{Digest, Sha1};

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
/// An entry that is a certificate and no key.
const CERTIFICATE: u32 = 2;
/// The password of every store of certificates that everybody may read.
const PASSWORD: &str = "changeit";

/// The same store with its entries in order and of this date, in milliseconds since 1970; none where
/// it is no such store, holds keys, or has another password.
pub(super) fn rewrite(store: &[u8], date: u64) -> Option<Vec<u8>> {
    let (content, digest) = store.split_at_checked(store.len().checked_sub(20)?)?;
    if seal(content) != digest {
        return None;
    }
    let mut rest = content;
    if number(&mut rest)? != MAGIC || number(&mut rest)? != VERSION {
        return None;
    }
    let count = number(&mut rest)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        if number(&mut rest)? != CERTIFICATE {
            return None;
        }
        let alias = short(&mut rest)?;
        take(&mut rest, 8)?;
        let start = rest;
        short(&mut rest)?;
        let length = number(&mut rest)?;
        take(&mut rest, usize::try_from(length).ok()?)?;
        entries.push((alias, &start[..start.len() - rest.len()]));
    }
    if !rest.is_empty() {
        return None;
    }
    entries.sort_unstable();
    let mut out = content[..12].to_vec();
    for (alias, certificate) in entries {
        out.extend(CERTIFICATE.to_be_bytes());
        out.extend(u16::try_from(alias.len()).ok()?.to_be_bytes());
        out.extend(alias);
        out.extend(date.to_be_bytes());
        out.extend(certificate);
    }
    let digest = seal(&out);
    out.extend(digest);
    Some(out)
}

fn seal(content: &[u8]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    for unit in PASSWORD.encode_utf16() {
        hasher.update(unit.to_be_bytes());
    }
    hasher.update(b"Mighty Aphrodite");
    hasher.update(content);
    hasher.finalize().into()
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(take(rest, 4)?.try_into().ok()?))
}

/// A text with two bytes of length before it.
fn short<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    take(rest, usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(entries: &[(&str, u64, &[u8])]) -> Vec<u8> {
        let mut out = [MAGIC, VERSION, entries.len() as u32]
            .iter()
            .flat_map(|it| it.to_be_bytes())
            .collect::<Vec<u8>>();
        for (alias, date, certificate) in entries {
            out.extend(CERTIFICATE.to_be_bytes());
            out.extend((alias.len() as u16).to_be_bytes());
            out.extend(alias.as_bytes());
            out.extend(date.to_be_bytes());
            out.extend([0, 5]);
            out.extend(b"X.509");
            out.extend((certificate.len() as u32).to_be_bytes());
            out.extend(*certificate);
        }
        let digest = seal(&out);
        out.extend(digest);
        out
    }

    #[test]
    fn order_and_dates_are_taken_out() {
        let one = store(&[("b", 7, b"BB"), ("a", 9, b"A")]);
        let other = store(&[("a", 1, b"A"), ("b", 2, b"BB")]);
        let expected = store(&[("a", 5000, b"A"), ("b", 5000, b"BB")]);
        assert_eq!(rewrite(&one, 5000).unwrap(), expected);
        assert_eq!(rewrite(&other, 5000).unwrap(), expected);
    }

    #[test]
    fn other_files_are_left_alone() {
        let good = store(&[("a", 1, b"A")]);
        assert!(rewrite(&good[..good.len() - 1], 0).is_none());
        assert!(rewrite(b"", 0).is_none());
        let mut key = good[..good.len() - 20].to_vec();
        key[15] = 1;
        let digest = seal(&key);
        key.extend(digest);
        assert!(rewrite(&key, 0).is_none());
        let mut long = good[..good.len() - 20].to_vec();
        long.push(0);
        let digest = seal(&long);
        long.extend(digest);
        assert!(rewrite(&long, 0).is_none());
    }
}
