//! The operating system of a tree, as `etc/os-release` or `usr/lib/os-release` names it.
//!
//! Source: os-release(5). Values may stand in quotes, with a backslash before `"`, `$`, `` ` `` and
//! itself; nothing is expanded.

use racker_store::{Store, Tree};

use super::Error;
use super::files::Files;
use super::text::{lines, optional};

/// An operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Os {
    /// Such as `debian`.
    pub id: String,
    /// Such as `Debian GNU/Linux`.
    pub name: Option<String>,
    /// Such as `12`; a rolling distribution has none.
    pub version_id: Option<String>,
    /// Such as `Debian GNU/Linux 12 (bookworm)`.
    pub pretty_name: Option<String>,
    /// Its home page.
    pub home_url: Option<String>,
}

impl Os {
    /// Reads what the tree says about itself; nothing where it says nothing.
    pub fn read(store: &Store, tree: &Tree) -> Result<Option<Self>, Error> {
        let files = Files::new(store, tree);
        for path in ["etc/os-release", "usr/lib/os-release"] {
            if let Some(text) = files.read(path)? {
                return Ok(Self::parse(&text));
            }
        }
        Ok(None)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let get = |key: &str| {
            lines(text)
                .filter_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
                .next_back()
                .and_then(|value| optional(&unquote(value.trim_ascii())))
        };
        // What these two may be made of; they become parts of identifiers.
        let plain = |text: &String| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            text.chars().all(fits)
        };
        Some(Self {
            id: get("ID").filter(plain)?,
            name: get("NAME"),
            version_id: get("VERSION_ID").filter(plain),
            pretty_name: get("PRETTY_NAME"),
            home_url: get("HOME_URL"),
        })
    }

    /// The system and its version in one word, such as `debian-12`.
    pub fn word(&self) -> String {
        match &self.version_id {
            Some(version) => format!("{}-{version}", self.id),
            None => self.id.clone(),
        }
    }
}

fn unquote(value: &[u8]) -> Vec<u8> {
    let inner = match value {
        [b'"', inner @ .., b'"'] => inner,
        [b'\'', inner @ .., b'\''] => return inner.to_vec(),
        _ => value,
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => *bytes.next().unwrap_or(byte),
            _ => *byte,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lose_their_quotes() {
        let text =
            b"# comment\nNAME=\"A \\\"B\\\" \\$C\"\nID='a_b'\nVERSION_ID=12\nVERSION_ID=13\n";
        let os = Os::parse(text).unwrap();
        assert_eq!(os.name.as_deref(), Some("A \"B\" $C"));
        assert_eq!(os.word(), "a_b-13");
        let unquoted = |text: &[u8]| String::from_utf8(unquote(text)).unwrap();
        assert_eq!(unquoted(b"\""), "\"");
        assert_eq!(unquoted(b"a\\"), "a\\");
    }

    #[test]
    fn odd_text_is_no_system() {
        assert_eq!(Os::parse(b""), None);
        assert_eq!(Os::parse(b"ID=\nVERSION_ID=\"1"), None);
        assert_eq!(Os::parse(b"ID=\"odd id/\""), None);
        assert_eq!(Os::parse(b"ID=a\nVERSION_ID=#1").unwrap().word(), "a");
    }
}
