//! Recipes shipped in the program.
//!
//! A curated recipe has no directory, so it copies nothing; a test holds it to that.

/// A recipe shipped in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curated {
    /// Its name: the system's, and that of the release.
    pub label: &'static str,
    /// A second name, made of the release's number, where the label has none.
    pub alias: Option<&'static str>,
    /// The recipe.
    pub text: &'static str,
}

macro_rules! curated {
    ($label:literal) => {
        curated!($label, None)
    };
    ($label:literal or $alias:literal) => {
        curated!($label, Some($alias))
    };
    ($label:literal, $alias:expr) => {
        Curated {
            label: $label,
            alias: $alias,
            text: include_str!(concat!("../../recipes/", $label, ".toml")),
        }
    };
}

/// The images that `postroj list-images` has, in its order. Scripts go by it: others go below.
const LISTED: [Curated; 31] = [
    curated!("debian-stretch" or "debian-9"),
    curated!("debian-buster" or "debian-10"),
    curated!("debian-bullseye" or "debian-11"),
    curated!("debian-bookworm" or "debian-12"),
    curated!("debian-trixie" or "debian-13"),
    curated!("debian-sid" or "debian-unstable"),
    curated!("ubuntu-focal" or "ubuntu-20"),
    curated!("ubuntu-jammy" or "ubuntu-22"),
    curated!("ubuntu-noble" or "ubuntu-24"),
    curated!("fedora-35"),
    curated!("fedora-36"),
    curated!("fedora-37"),
    curated!("fedora-44"),
    curated!("fedora-45"),
    curated!("rhel-8"),
    curated!("rhel-9"),
    curated!("rhel-10"),
    curated!("opensuse-leap15" or "opensuse-15"),
    curated!("opensuse-leap16" or "opensuse-16"),
    curated!("opensuse-tumbleweed" or "opensuse-latest"),
    curated!("sles-15"),
    curated!("sles-bci" or "sles-latest"),
    curated!("centos-7"),
    curated!("centos-8"),
    curated!("centos-9"),
    curated!("centos-10"),
    curated!("rockylinux-8"),
    curated!("rockylinux-9"),
    curated!("amazonlinux-2023"),
    curated!("oraclelinux-10"),
    curated!("archlinux-20220501"),
];

const OTHERS: [Curated; 9] = [
    curated!("debian-forky" or "debian-14"),
    curated!("ubuntu-resolute" or "ubuntu-26"),
    curated!("fedora-43"),
    curated!("almalinux-8"),
    curated!("almalinux-9"),
    curated!("almalinux-10"),
    curated!("alpine-3.24" or "alpine-3"),
    curated!("alpine-edge" or "alpine-latest"),
    curated!("archlinux-rolling" or "archlinux-latest"),
];

/// Returns a curated recipe, by label or alias.
pub fn curated(name: &str) -> Option<&'static Curated> {
    all().find(|it| it.label == name || it.alias == Some(name))
}

/// Goes through all curated recipes.
pub fn all() -> impl Iterator<Item = &'static Curated> + Clone {
    LISTED.iter().chain(&OTHERS)
}

/// Returns the curated recipes that `postroj` lists, in its order.
pub fn listed() -> &'static [Curated] {
    &LISTED
}
