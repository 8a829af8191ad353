//! Package steps with dnf 4, dnf 5 and zypper: the real programs, in a Debian that has them, against a
//! repository on loopback that rpm's tools make and sign.

mod archive;
mod lock;
mod probed;
#[path = "../support/mod.rs"]
mod support;
mod tampered;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use archive::{Archive, Key, Rpm, public};
use support::{Kitchen, Output, bake_on_quickstart, bake_shared, scratch, shared, temporary, tool};

/// Runs a test with each package manager.
macro_rules! each {
    ($($name:ident),* $(,)?) => {
        mod dnf { $( #[test] fn $name() { super::$name("dnf") } )* }
        mod dnf5 { $( #[test] fn $name() { super::$name("dnf5") } )* }
        mod zypper { $( #[test] fn $name() { super::$name("zypper") } )* }
    };
}
pub(crate) use each;

/// Debian's own rpm has its database elsewhere.
const DATABASE: &str =
    "[[step]]\nrun = \"mkdir -p /etc/rpm; echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros.test\"\n";

/// A guest with the package manager, as an OCI layout that is made once per machine.
fn guest(manager: &str) -> &'static Path {
    static OLD: OnceLock<PathBuf> = OnceLock::new();
    static NEW: OnceLock<PathBuf> = OnceLock::new();
    match manager {
        "dnf5" => NEW.get_or_init(|| {
            saved("rpm-guest-new", || {
                let steps = "[[step]]\napt = [\"dnf5\", \"rpm\", \"gnupg\"]\n";
                let recipe = format!("from = \"debian-forky\"\n{steps}{DATABASE}");
                bake_shared("rpm-guest-new", &recipe);
            })
        }),
        _ => OLD.get_or_init(|| {
            saved("rpm-guest", || {
                let steps = "[[step]]\napt = [\"dnf\", \"zypper\", \"rpm\", \"gnupg\"]\n";
                bake_on_quickstart("rpm-guest", &format!("{steps}{DATABASE}"));
            })
        }),
    }
}

/// An image of the shared store as an OCI layout.
fn saved(name: &str, bake: impl FnOnce()) -> PathBuf {
    let _turn = support::once(name);
    bake();
    let inspected = shared().run(&["inspect", name]).success().json();
    let tree = inspected[0]["tree_id"].as_str().unwrap();
    let layout = scratch().join(format!("{name}-{}", &tree[..16]));
    if !layout.exists() {
        let unfinished = temporary();
        let target = format!("oci:{}", unfinished.path().join("layout").display());
        let save = ["save", name, &target, "--compression=none"];
        shared().run(&save).success();
        fs::rename(unfinished.path().join("layout"), &layout).unwrap();
    }
    // Whoever has a copy of the shared store has read it already.
    let directory = temporary();
    let recipe = directory.path().join(format!("{name}-base.toml"));
    fs::write(&recipe, format!("from = \"oci:{}\"\n", layout.display())).unwrap();
    shared().run(&["bake", recipe.to_str().unwrap()]).success();
    layout
}

/// A recipe's directory and a repository that the recipe takes its packages from.
pub(crate) struct Bench {
    pub(crate) kitchen: Kitchen,
    pub(crate) archive: Archive,
    /// `dnf`, `dnf5` or `zypper`.
    pub(crate) manager: &'static str,
}

impl Bench {
    /// `app` needs `library`, and recommends `extra`; all have version 1.
    pub(crate) fn new(manager: &'static str) -> Self {
        guest(manager);
        let kitchen = Kitchen::with_quickstart();
        let archive = Archive::new();
        let bench = Self {
            kitchen,
            archive,
            manager,
        };
        bench.archive.add(&Rpm {
            fields: "Provides: /bin/sh",
            ..Rpm::new("shell", "1")
        });
        bench.app("1");
        bench.archive.add(&Rpm::new("library", "1"));
        bench.archive.add(&Rpm::new("extra", "1"));
        bench.archive.publish(Key::Own, &[]);
        bench.kitchen.write("key.asc", &public(Key::Own));
        bench.source("gpgcheck=1\nrepo_gpgcheck=1\n");
        bench
    }

    pub(crate) fn app(&self, version: &str) {
        self.archive.add(&Rpm {
            fields: "Requires: library\nRecommends: extra",
            post: "echo configured >/usr/share/app/state",
            ..Rpm::new("app", version)
        });
    }

    /// Both of them, newer.
    pub(crate) fn move_on(&self) {
        self.app("2");
        self.archive.add(&Rpm::new("library", "2"));
        self.archive.publish(Key::Own, &[]);
    }

    /// Sets what the image has as its repository.
    pub(crate) fn source(&self, checks: &str) {
        let url = &self.archive.files.url;
        self.kitchen.write(
            "test.repo",
            &format!(
                "[test]\nname=test\nbaseurl={url}\nenabled=1\n{checks}\
                 gpgkey=file:///etc/pki/test.asc\n"
            ),
        );
    }

    /// Writes `box.toml`: a guest that knows the repository, and `steps`, in which `PM` is the
    /// package manager.
    pub(crate) fn recipe(&self, steps: &str) {
        let (key, place) = match self.manager {
            "zypper" => ("zypper", "/etc/zypp/repos.d/test.repo"),
            _ => ("dnf", "/etc/yum.repos.d/test.repo"),
        };
        let steps = steps.replace("PM", key);
        self.kitchen.write(
            "box.toml",
            &format!(
                "from = \"oci:{}\"\n\
                 [[step]]\ncopy = {{ from = \"key.asc\", to = \"/etc/pki/test.asc\" }}\n\
                 [[step]]\ncopy = {{ from = \"test.repo\", to = \"{place}\" }}\n{steps}",
                guest(self.manager).display()
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

    /// The lock's lines of the packages of a step.
    pub(crate) fn locked(&self, step: &str) -> String {
        let lock = self.lock();
        let mut sections = lock.split("[[section]]");
        let section = sections.find(|it| it.contains(&format!("step = \"{step}\"")));
        section.unwrap_or_default().to_owned()
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

    /// Names of the packages that came along without being asked for.
    pub(crate) fn automatic(&self) -> String {
        match self.manager {
            "dnf" | "dnf5" => {
                let asked = self.sh(match self.manager {
                    "dnf" => "dnf -C history userinstalled",
                    _ => "dnf5 -C repoquery --userinstalled",
                });
                let all = self.sh("rpm -qa --qf '%{name}\\n' | grep -v gpg-pubkey | sort");
                let automatic = all
                    .lines()
                    .filter(|name| !asked.lines().any(|it| it.starts_with(&format!("{name}-"))));
                automatic.collect::<Vec<_>>().join(" ")
            }
            _ => self
                .sh("grep -v '^#' /var/lib/zypp/AutoInstalled | xargs")
                .trim()
                .to_owned(),
        }
    }
}

/// Runs the command line in an empty network namespace.
pub(crate) fn without_network(bench: &Bench, arguments: &[&str]) -> Output {
    let mut command = bench.kitchen.racker.surround(tool("unshare", "util-linux"));
    command.args(["--net", "--"]);
    command.arg(env!("CARGO_BIN_EXE_racker")).args(arguments);
    bench.kitchen.racker.finish(command)
}
