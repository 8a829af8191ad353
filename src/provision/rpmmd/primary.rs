//! `primary.xml`: the packages of a repository.

use std::io::Read;

use super::xml::{Seen, attribute, walk};
use crate::provision::{Found, Identity};

/// More packages than any repository has.
const MAX_PACKAGES: usize = 4 << 20;

/// Hands every package to `take`; its address is a path from the repository's root, unless the
/// repository names another root for it.
pub(super) fn packages(reader: impl Read, mut take: impl FnMut(Found)) -> Result<(), String> {
    let mut package = None;
    let mut kind = String::new();
    let mut count = 0;
    walk(reader, |seen| {
        match (seen, &mut package) {
            (Seen::Start(it), None) if it.name().as_ref() == "package" => {
                count += 1;
                if count > MAX_PACKAGES {
                    return Err("too many packages".to_owned());
                }
                package = Some(Draft::default());
            }
            (Seen::Start(it), Some(package)) => match it.name().as_ref() {
                "version" => {
                    let get = |name| Ok::<_, String>(attribute(it, name)?.unwrap_or_default());
                    package.version = evr(&get("epoch")?, &get("ver")?, &get("rel")?);
                }
                "checksum" => kind = attribute(it, "type")?.unwrap_or_default(),
                "size" => package.size = attribute(it, "package")?.and_then(|it| it.parse().ok()),
                "location" => {
                    package.href = attribute(it, "href")?.unwrap_or_default();
                    package.base = attribute(it, "xml:base")?;
                }
                _ => {}
            },
            (Seen::End("name", text), Some(package)) if package.name.is_empty() => {
                text.trim().clone_into(&mut package.name);
            }
            (Seen::End("arch", text), Some(package)) => text.trim().clone_into(&mut package.arch),
            (Seen::End("checksum", text), Some(package)) => {
                package.identity = identity(&kind, text.trim());
            }
            (Seen::End("package", _), Some(_)) => {
                let found = package.take().and_then(Draft::finish);
                take(found.ok_or("a package without name, version, size, checksum or place")?);
            }
            _ => {}
        }
        Ok(())
    })
}

/// A version as package managers write it: an epoch of 0 is left out.
pub(super) fn evr(epoch: &str, version: &str, release: &str) -> String {
    match epoch {
        "" | "0" => format!("{version}-{release}"),
        epoch => format!("{epoch}:{version}-{release}"),
    }
}

/// How a checksum tells what a file is.
fn identity(kind: &str, hex: &str) -> Option<Identity> {
    let good = !hex.is_empty() && hex.len() <= 128 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    match kind {
        "sha256" => Some(Identity::Sha256(format!("sha256:{hex}").parse().ok()?)),
        "sha512" if good => Some(Identity::Own(format!("{kind}:{}", hex.to_lowercase()))),
        _ => None,
    }
}

#[derive(Default)]
struct Draft {
    name: String,
    version: String,
    arch: String,
    href: String,
    base: Option<String>,
    size: Option<u64>,
    identity: Option<Identity>,
}

impl Draft {
    fn finish(self) -> Option<Found> {
        let url = match self.base {
            Some(base) => format!("{}/{}", base.trim_end_matches('/'), self.href),
            None => self.href,
        };
        let whole = ![&self.name, &self.version, &self.arch, &url]
            .iter()
            .any(|it| it.is_empty());
        whole.then_some(Found {
            name: self.name,
            version: self.version,
            arch: self.arch,
            url,
            size: self.size?,
            identity: self.identity?,
            signed: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Found>, String> {
        let mut found = Vec::new();
        packages(text.as_bytes(), |it| found.push(it)).map(|()| found)
    }

    fn package(checksum: &str) -> String {
        format!(
            "<metadata><package type='rpm'><name>a</name><arch>noarch</arch>\
             <version epoch='0' ver='1' rel='2'/>{checksum}<size package='3' installed='4'/>\
             <location href='p/a.rpm'/><format><rpm:entry name='x'/></format></package></metadata>"
        )
    }

    #[test]
    fn packages_with_their_identity() {
        let hex = "ab".repeat(32);
        let sha256 = format!("<checksum type='sha256' pkgid='YES'>{hex}</checksum>");
        let found = read(&package(&sha256)).unwrap();
        assert_eq!(found.len(), 1);
        let a = &found[0];
        assert_eq!((&*a.name, &*a.version, &*a.arch), ("a", "1-2", "noarch"));
        assert_eq!((&*a.url, a.size), ("p/a.rpm", 3));
        let digest = format!("sha256:{hex}").parse().unwrap();
        assert_eq!(a.identity, Identity::Sha256(digest));
        let long = "AB".repeat(64);
        let sha512 = package(&format!("<checksum type='sha512'>{long}</checksum>"));
        let found = read(&sha512.replace("epoch='0'", "epoch='7'")).unwrap();
        assert_eq!(found[0].version, "7:1-2");
        let own = Identity::Own(format!("sha512:{}", long.to_lowercase()));
        assert_eq!(found[0].identity, own);
    }

    #[test]
    fn weak_checksums_are_refused() {
        for checksum in [
            "",
            "<checksum type='sha'>00</checksum>",
            "<checksum type='md5'>00</checksum>",
            "<checksum type='sha256'>00</checksum>",
        ] {
            assert!(read(&package(checksum)).is_err(), "{checksum}");
        }
    }
}
