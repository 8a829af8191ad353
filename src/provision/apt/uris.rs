//! Reading `apt-get install --print-uris`.
//!
//! A line is `'URL' NAME_VERSION_ARCH.deb SIZE SHA256:HEX`; in the file's name `_`, `:` and `%` of
//! a part are written `%5f`, `%3a`, `%25`.

use crate::provision::{Error, Found, Identity, Result};

/// All packages that the output names, sorted.
pub(crate) fn parse(output: &str) -> Result<Vec<Found>> {
    let mut packages = output
        .lines()
        .filter(|line| line.starts_with('\''))
        .map(|line| package(line).ok_or_else(|| unclear(line)))
        .collect::<Result<Vec<_>>>()?;
    packages.sort();
    packages.dedup();
    Ok(packages)
}

fn unclear(line: &str) -> Error {
    Error::Output {
        tool: "apt-get",
        line: line.to_owned(),
    }
}

fn package(line: &str) -> Option<Found> {
    let (url, rest) = line.strip_prefix('\'')?.split_once('\'')?;
    let mut words = rest.split_ascii_whitespace();
    let (file, size, hash) = (words.next()?, words.next()?, words.next()?);
    let mut parts = file.strip_suffix(".deb")?.split('_').map(unquote);
    let (name, version, arch) = (parts.next()??, parts.next()??, parts.next()??);
    Some(Found {
        name,
        version,
        arch,
        url: url.to_owned(),
        size: size.parse().ok()?,
        identity: Identity::Sha256(
            format!("sha256:{}", hash.strip_prefix("SHA256:")?)
                .parse()
                .ok()?,
        ),
        signed: false,
    })
}

/// Undoes percent quoting.
fn unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (code, tail) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The addresses are shortened, the rest is as apt 2.2 printed it.
    const OUTPUT: &str = "\
'http://mirror.test/debian/pool/main/libx/libxcrypt/libcrypt1_4.4.18-4_amd64.deb' libcrypt1_1%3a4.4.18-4_amd64.deb 87504 SHA256:f617952df0c57b4ee039448e3941bccd3f97bfff71e9b0f87ca6dae15cb3f5ef
'http://mirror.test/debian-security/pool/updates/main/g/glibc/libc6_2.31-13%2bdeb11u14_amd64.deb' libc6_2.31-13+deb11u14_amd64.deb 2819984 SHA256:718e3ed8c92207caf5b541e7332affad4f62501cbab3f0cffbe9e6db0b89eae9
";

    #[test]
    fn versions_are_unquoted_and_lines_sorted() {
        let packages = parse(OUTPUT).unwrap();
        assert_eq!(packages.len(), 2);
        assert_eq!(packages[0].name, "libc6");
        assert_eq!(packages[0].version, "2.31-13+deb11u14");
        assert_eq!(packages[0].size, 2_819_984);
        assert_eq!(packages[1].version, "1:4.4.18-4");
        assert_eq!(packages[1].arch, "amd64");
        let digest = "sha256:f617952df0c57b4ee039448e3941bccd3f97bfff71e9b0f87ca6dae15cb3f5ef";
        let identity = Identity::Sha256(digest.parse().unwrap());
        assert_eq!(packages[1].identity, identity);
    }

    #[test]
    fn weak_or_missing_hashes_are_refused() {
        let weak = "'http://m.test/a.deb' a_1_all.deb 1 MD5Sum:8e7e741807b1e1939df8f58323affdcb";
        assert!(matches!(parse(weak), Err(Error::Output { .. })));
        assert!(parse("'http://m.test/a.deb' a_1_all.deb 1").is_err());
        assert!(parse("'http://m.test/a.deb' a_1%3_all.deb 1 SHA256:00").is_err());
        assert!(parse("Reading package lists...\n").unwrap().is_empty());
    }
}
