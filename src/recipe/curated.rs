//! Recipes shipped in the program.
//!
//! A curated recipe has no directory, so it copies nothing; a test holds it to that.

/// Label, text.
const TABLE: [(&str, &str); 3] = [
    (
        "debian-bookworm",
        include_str!("../../recipes/debian-bookworm.toml"),
    ),
    (
        "debian-bullseye",
        include_str!("../../recipes/debian-bullseye.toml"),
    ),
    (
        "debian-trixie",
        include_str!("../../recipes/debian-trixie.toml"),
    ),
];

/// A second name of a curated recipe, made of the release's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The second name.
    pub alias: &'static str,
    /// What it stands for.
    pub label: &'static str,
}

const ALIASES: [Alias; 3] = [
    Alias {
        alias: "debian-11",
        label: "debian-bullseye",
    },
    Alias {
        alias: "debian-12",
        label: "debian-bookworm",
    },
    Alias {
        alias: "debian-13",
        label: "debian-trixie",
    },
];

/// Returns the text of a curated recipe, by label or alias.
pub fn curated(name: &str) -> Option<&'static str> {
    let label = resolve(name)?;
    TABLE
        .iter()
        .find(|(known, _)| *known == label)
        .map(|(_, text)| *text)
}

/// Returns the label that a label or an alias stands for.
pub fn resolve(name: &str) -> Option<&'static str> {
    let alias = ALIASES
        .iter()
        .find(|alias| alias.alias == name)
        .map(|alias| alias.label);
    alias.or_else(|| labels().find(|label| *label == name))
}

/// Goes through the labels, sorted.
pub fn labels() -> impl Iterator<Item = &'static str> + Clone {
    TABLE.iter().map(|(label, _)| *label)
}

/// Returns the aliases.
pub fn aliases() -> &'static [Alias] {
    &ALIASES
}
