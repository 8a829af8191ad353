//! One check.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Address, Expected, Kind, Seen};

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Check {
    /// This unit can be enabled and started, becomes active, stays so, and is not started again.
    Unit(String),
    /// This address answers.
    Network(Address),
    /// This holds of something.
    Claim(Claim),
}

impl Check {
    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unit(_) => "unit",
            Self::Network(_) => "network",
            Self::Claim(claim) => claim.kind.word(),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) => f.write_str(name),
            Self::Network(address) => address.fmt(f),
            Self::Claim(claim) => f.write_str(&claim.name),
        }
    }
}

/// A thing of the guest, and what must hold of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// What it is.
    pub kind: Kind,
    /// What it is called in reports.
    pub name: String,
    /// How it is looked at, by the names of [`Kind::settings`].
    pub settings: BTreeMap<&'static str, Vec<String>>,
    /// Its properties, each of [`Kind::properties`], and what they must be.
    pub expected: Vec<(&'static str, Expected)>,
}

impl Claim {
    /// The claim that it is there, works, or ends well: what [`Kind::main`] says.
    pub fn plain(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            settings: BTreeMap::new(),
            expected: vec![kind.default()],
        }
    }

    /// The same with this said of how it is looked at.
    #[must_use]
    pub fn with(mut self, setting: &'static str, value: impl Into<String>) -> Self {
        self.settings.insert(setting, vec![value.into()]);
        self
    }

    /// What is looked at: the setting that says so, else the name.
    pub fn subject(&self) -> &str {
        self.text(self.kind.subject()).unwrap_or(&self.name)
    }

    /// A setting of one word.
    pub fn text(&self, setting: &str) -> Option<&str> {
        self.settings.get(setting)?.first().map(String::as_str)
    }

    /// A setting of several words.
    pub fn texts(&self, setting: &str) -> &[String] {
        self.settings.get(setting).map_or(&[], Vec::as_slice)
    }

    /// A setting that is on or off; off where nothing is said.
    pub fn flag(&self, setting: &str) -> bool {
        self.text(setting) == Some("true")
    }

    /// The time it may take, where something is said.
    pub fn timeout(&self) -> Option<Duration> {
        let milliseconds = self.text("timeout")?.parse().ok()?;
        Some(Duration::from_millis(milliseconds))
    }

    /// Whether it says that the thing is not there.
    pub fn denies(&self) -> bool {
        let no = Seen::Text("false".into());
        let main = self.kind.main().name;
        let mut all = self.expected.iter();
        all.any(|(name, expected)| *name == main && expected.holds(&no))
    }
}

/// A unit's name with its kind, `.service` where none is given. Source: `systemctl(1)`.
pub fn unit_name(text: &str) -> String {
    const KINDS: [&str; 11] = [
        "service",
        "socket",
        "device",
        "mount",
        "automount",
        "swap",
        "target",
        "path",
        "timer",
        "slice",
        "scope",
    ];
    match text.rsplit_once('.') {
        Some((_, kind)) if KINDS.contains(&kind) => text.to_owned(),
        _ => format!("{text}.service"),
    }
}

/// Whether a unit can have this name. Source: `systemd.unit(5)`.
pub fn is_unit(name: &str) -> bool {
    let clean = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    name.bytes().all(clean)
        && !name.is_empty()
        && !name.starts_with(['-', '.', '@'])
        && name.len() < 256
}

/// Accepts the name of a unit that can be looked at in a guest.
///
/// Errors: no unit can have it, or it is a template, of which only instances are started.
pub fn concrete_unit(text: &str) -> Result<String, String> {
    let name = unit_name(text);
    if !is_unit(&name) {
        return Err(format!("`{text}` cannot be the name of a unit"));
    }
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    if stem.find('@').is_some_and(|at| at + 1 == stem.len()) {
        return Err(format!(
            "`{text}` is a template: name an instance, such as `{stem}1`"
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_can_be_started() {
        for good in [
            "a",
            "getty@tty1",
            "dbus-org.x.service",
            "dev-a\\x2db.swap",
            "a@b@c",
        ] {
            assert!(concrete_unit(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "ü",
            "a/b",
            "-a",
            "@a",
            "a.b@",
            "a@.timer",
            &"a".repeat(250),
        ] {
            assert!(concrete_unit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_units() {
        assert_eq!(unit_name("webfs"), "webfs.service");
        assert_eq!(unit_name("a.b"), "a.b.service");
        assert_eq!(unit_name("cups.socket"), "cups.socket");
    }

    #[test]
    fn plain_claims() {
        let claim = Claim::plain(Kind::Port, "80").with("timeout", "250");
        assert_eq!(claim.subject(), "80");
        assert_eq!(claim.timeout(), Some(Duration::from_millis(250)));
        assert!(!claim.denies());
        let claim = claim.with("port", "tcp:81");
        assert_eq!((claim.subject(), &*claim.name), ("tcp:81", "80"));
    }
}
