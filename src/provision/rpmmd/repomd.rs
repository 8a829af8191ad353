//! `repomd.xml`: what a repository consists of.

use super::xml::{Seen, attribute, walk};

/// A `repomd.xml`, as far as it is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Repomd {
    /// The file that lists the packages.
    pub(super) primary: Primary,
    /// The newest time of a file, in seconds since 1970; the revision where files have none.
    pub(super) date: i64,
}

/// What is said of `primary.xml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Primary {
    /// Its path from the repository's root.
    pub(super) href: String,
    /// The kind of its checksum, such as `sha256`.
    pub(super) kind: String,
    /// Its checksum as it lies there, compressed; in hexadecimal.
    pub(super) checksum: String,
}

impl Repomd {
    /// Reads the file's text.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut repomd = Self::default();
        let (mut data, mut kind) = (None, String::new());
        let (mut revision, mut newest) = (None, None);
        walk(text, |seen| {
            match seen {
                Seen::Start(it) => match it.name().as_ref() {
                    "data" => data = attribute(it, "type")?,
                    "checksum" => kind = attribute(it, "type")?.unwrap_or_default(),
                    "location" if data.as_deref() == Some("primary") => {
                        repomd.primary.href = attribute(it, "href")?.unwrap_or_default();
                    }
                    _ => {}
                },
                Seen::End("data", _) => data = None,
                Seen::End("checksum", text) if data.as_deref() == Some("primary") => {
                    repomd.primary.kind = std::mem::take(&mut kind);
                    text.trim().clone_into(&mut repomd.primary.checksum);
                }
                Seen::End("revision", text) => revision = text.trim().parse().ok(),
                Seen::End("timestamp", text) => {
                    // Some repositories have them with a fraction.
                    let text = text.trim().split('.').next().unwrap_or_default();
                    newest = newest.max(text.parse().ok());
                }
                Seen::End(..) => {}
            }
            Ok(())
        })?;
        let href = &repomd.primary.href;
        if href.is_empty() || href.split('/').any(|part| part == "..") || href.starts_with('/') {
            return Err("it names no list of packages".to_owned());
        }
        repomd.date = newest.or(revision).unwrap_or_default();
        Ok(repomd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_packages_and_the_date() {
        let text = "<?xml version='1.0'?><repomd xmlns='x'><revision>9.3</revision>\
            <data type='filelists'><checksum type='sha'>00</checksum><location href='f'/>\
            <timestamp>1700000001.25</timestamp></data>\
            <data type='primary'><checksum type='sha256'>0a\n</checksum><open-checksum type='sha512'>\
            11</open-checksum><location href='repodata/p.xml.gz'/><timestamp>1700000000</timestamp>\
            </data></repomd>";
        let repomd = Repomd::parse(text.as_bytes()).unwrap();
        assert_eq!(repomd.date, 1_700_000_001);
        assert_eq!(repomd.primary.href, "repodata/p.xml.gz");
        assert_eq!(
            (&*repomd.primary.kind, &*repomd.primary.checksum),
            ("sha256", "0a")
        );
        let other = text.replace("primary", "other");
        assert!(Repomd::parse(other.as_bytes()).is_err());
        let outside = text.replace("repodata/p", "../p");
        assert!(Repomd::parse(outside.as_bytes()).is_err());
    }
}
