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
use support::{Kitchen, Output, temporary, tool};

/// What the guest has besides quickstart. Keys and archives of Debian's are none of pacman's.
const GUEST: &str = "[[step]]\napt = [\"pacman-package-manager\", \"gnupg\"]\n\
                     [[step]]\nrun = \"rm -r /usr/share/keyrings/* /etc/apt/sources.list*\"\n";

/// Where the keys are that packages bring, below a recipe's directory.
pub(crate) const KEYS: &str = "root/usr/share/keyrings";

/// An OCI layout with the guest, whose tree the shared store has: no step of it is ever made again.
fn guest() -> &'static Path {
    static LAYOUT: OnceLock<PathBuf> = OnceLock::new();
    LAYOUT.get_or_init(|| {
        support::bake_on_quickstart("pacman-guest", GUEST);
        let racker = support::shared();
        let image = racker.run(&["inspect", "pacman-guest"]).success().json();
        let tree = image[0]["tree_id"].as_str().unwrap();
        let layout = support::scratch().join(format!("pacman-guest-{tree}"));
        if !layout.exists() {
            let unfinished = temporary();
            let target = format!("oci:{}", unfinished.path().display());
            let save = ["save", "pacman-guest", &target, "--compression", "none"];
            racker.run(&save).success();
            fs::rename(unfinished.keep(), &layout).unwrap();
        }
        let directory = temporary();
        let recipe = directory.path().join("pacman-base.toml");
        fs::write(&recipe, format!("from = \"oci:{}\"\n", layout.display())).unwrap();
        racker.run(&["bake", recipe.to_str().unwrap()]).success();
        layout
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

/// A recipe's directory and a repository that the recipe takes its packages from.
pub(crate) struct Bench {
    pub(crate) kitchen: Kitchen,
    pub(crate) mirror: Mirror,
}

impl Bench {
    /// `app` needs `library` and is in the group `tools` with `extra`; all have version 1.
    pub(crate) fn new() -> Self {
        Self::with(Mirror::new())
    }

    /// The same with an empty repository that is there already.
    pub(crate) fn with(mirror: Mirror) -> Self {
        guest();
        let kitchen = Kitchen::with_quickstart();
        let bench = Self { kitchen, mirror };
        Self::fill(&bench.mirror);
        // Debian has what pacman-key is written with in a package of many more dependencies.
        let util = tool("makepkg", "makepkg").with_file_name("../share/makepkg/util");
        for name in support::names(&util) {
            let text = fs::read_to_string(util.join(&name)).unwrap();
            bench
                .kitchen
                .write(&format!("root/usr/share/makepkg/util/{name}"), &text);
        }
        bench.mirror.keyring(&bench.kitchen.path(KEYS), "test");
        bench.configure(
            "SigLevel = Required DatabaseOptional",
            &bench.mirror.section(),
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
        self.mirror.add(&app(version));
    }

    pub(crate) fn library(&self, version: &str) {
        self.mirror.add(&library(version));
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

    pub(crate) fn bake(&self) -> Output {
        self.kitchen.bake("box.toml")
    }

    pub(crate) fn racker(&self, arguments: &[&str]) -> Output {
        self.kitchen.racker.run(arguments)
    }

    pub(crate) fn lock(&self) -> String {
        fs::read_to_string(self.kitchen.path("box.lock")).unwrap()
    }

    /// Output of a shell script in the baked image.
    pub(crate) fn sh(&self, script: &str) -> String {
        let arguments = ["run", "--systemd=false", "box", "sh", "-c", script];
        self.racker(&arguments).success().text().to_owned()
    }

    pub(crate) fn tree(&self) -> String {
        let all = self.racker(&["inspect", "box"]).success().json();
        all[0]["tree_id"].as_str().unwrap().to_owned()
    }

    /// Runs the command line in an empty network namespace.
    pub(crate) fn without_network(&self, arguments: &[&str]) -> Output {
        let racker = &self.kitchen.racker;
        let mut command = racker.surround(tool("unshare", "util-linux"));
        command.args(["--net", "--"]);
        command.arg(env!("CARGO_BIN_EXE_racker")).args(arguments);
        racker.finish(command)
    }
}
