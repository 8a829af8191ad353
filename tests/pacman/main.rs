//! Package steps with a real pacman, of Debian, against a repository on loopback that the programs
//! of pacman make and gpg signs.

mod install;
mod keyring;
mod lock;
mod mirror;
mod probed;
mod seven;
#[path = "../support/mod.rs"]
mod support;
mod tampered;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mirror::{Mirror, Pkg};
use support::{Kitchen, bench, saved, tool};

/// What the guest has besides quickstart. Keys and archives of Debian's are none of pacman's.
const GUEST: &str = "[[step]]\napt = [\"pacman-package-manager\", \"gnupg\"]\n\
                     [[step]]\nrun = \"rm -r /usr/share/keyrings/* /etc/apt/sources.list*\"\n";

/// Where the keys are that packages bring, below a recipe's directory.
pub(crate) const KEYS: &str = "root/usr/share/keyrings";

/// An OCI layout with the guest, whose tree the shared store has: no step of it is ever made again.
fn guest() -> &'static Path {
    static LAYOUT: OnceLock<PathBuf> = OnceLock::new();
    LAYOUT.get_or_init(|| {
        saved("pacman-guest", || {
            support::bake_on_quickstart("pacman-guest", GUEST);
        })
    })
}

fn app(version: &str) -> Pkg<'_> {
    Pkg {
        name: "app",
        version,
        fields: "depend = library\ngroup = tools\noptdepend = extra: more of it\n",
        install: "post_install() {\n  echo configured > /usr/share/app/state\n}\n",
        ..Pkg::default()
    }
}

fn library(version: &str) -> Pkg<'_> {
    Pkg {
        name: "library",
        version,
        ..Pkg::default()
    }
}

/// A recipe that takes its packages from a repository.
pub(crate) type Bench = bench::Bench<Mirror>;

impl Bench {
    /// `app` needs `library` and is in the group `tools` with `extra`; all have version 1.
    pub(crate) fn new() -> Self {
        Self::with(Mirror::new())
    }

    /// The same with an empty repository that is there already.
    pub(crate) fn with(mirror: Mirror) -> Self {
        guest();
        let kitchen = Kitchen::with_quickstart();
        let bench = Self {
            kitchen,
            archive: mirror,
        };
        Self::fill(&bench.archive);
        // Debian has what pacman-key is written with in a package of many more dependencies.
        let util = tool("makepkg", "makepkg").with_file_name("../share/makepkg/util");
        for name in support::names(&util) {
            let text = fs::read_to_string(util.join(&name)).unwrap();
            bench
                .kitchen
                .write(&format!("root/usr/share/makepkg/util/{name}"), &text);
        }
        bench.archive.keyring(&bench.kitchen.path(KEYS), "test");
        bench.configure(
            "SigLevel = Required DatabaseOptional",
            &bench.archive.section(),
        );
        bench
    }

    /// Puts the three packages into a repository.
    pub(crate) fn fill(mirror: &Mirror) {
        mirror.add(&app("1"));
        mirror.add(&library("1"));
        mirror.add(&Pkg {
            name: "extra",
            version: "1",
            fields: "group = tools\n",
            ..Pkg::default()
        });
        mirror.publish();
    }

    pub(crate) fn app(&self, version: &str) {
        self.archive.add(&app(version));
    }

    pub(crate) fn library(&self, version: &str) {
        self.archive.add(&library(version));
    }

    /// Sets what the image has as `pacman.conf`.
    pub(crate) fn configure(&self, options: &str, sections: &str) {
        let text = format!("[options]\nArchitecture = auto\n{options}\n{sections}");
        self.kitchen.write("root/etc/pacman.conf", &text);
    }

    /// Writes `box.toml`: a Debian with pacman that knows the repository, and `steps`.
    pub(crate) fn recipe(&self, steps: &str) {
        self.kitchen.write(
            "box.toml",
            &format!(
                "from = \"oci:{}\"\n\
                 [[step]]\ncopy = {{ from = \"root\", to = \"/\" }}\n{steps}",
                guest().display()
            ),
        );
    }
}
