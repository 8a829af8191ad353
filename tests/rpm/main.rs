//! Package steps with dnf and zypper: the real programs, in a Debian that has them, against a
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
use support::{Kitchen, Output, bake_on_quickstart, scratch, shared, temporary, tool};

/// Runs a test with each package manager.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod dnf { $( #[test] fn $name() { super::$name("dnf") } )* }
        mod zypper { $( #[test] fn $name() { super::$name("zypper") } )* }
    };
}
pub(crate) use both;

/// Debian's own rpm has its database elsewhere.
const GUEST: &str = "[[step]]\napt = [\"dnf\", \"zypper\", \"rpm\", \"gnupg\"]\n\
    [[step]]\nrun = \"mkdir -p /etc/rpm; echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros.test\"\n";

/// A guest with dnf and zypper, as an OCI layout that is made once per machine.
fn guest() -> &'static Path {
    static GUEST_LAYOUT: OnceLock<PathBuf> = OnceLock::new();
    GUEST_LAYOUT.get_or_init(|| {
        bake_on_quickstart("rpm-guest", GUEST);
        let inspected = shared().run(&["inspect", "rpm-guest"]).success().json();
        let tree = inspected[0]["tree_id"].as_str().unwrap();
        let layout = scratch().join(format!("rpm-guest-{}", &tree[..16]));
        let _turn = support::once("rpm-guest");
        if !layout.exists() {
            let unfinished = temporary();
            let target = format!("oci:{}", unfinished.path().join("layout").display());
            let save = ["save", "rpm-guest", &target, "--compression=none"];
            shared().run(&save).success();
            fs::rename(unfinished.path().join("layout"), &layout).unwrap();
        }
        // Whoever has a copy of the shared store has read it already.
        let directory = temporary();
        let recipe = directory.path().join("rpm-base.toml");
        fs::write(&recipe, format!("from = \"oci:{}\"\n", layout.display())).unwrap();
        shared().run(&["bake", recipe.to_str().unwrap()]).success();
        layout
    })
}

/// A recipe's directory and a repository that the recipe takes its packages from.
pub(crate) struct Bench {
    pub(crate) kitchen: Kitchen,
    pub(crate) archive: Archive,
    /// `dnf` or `zypper`.
    pub(crate) manager: &'static str,
}

impl Bench {
    /// `app` needs `library`, and recommends `extra`; all have version 1.
    pub(crate) fn new(manager: &'static str) -> Self {
        guest();
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
        let place = match self.manager {
            "dnf" => "/etc/yum.repos.d/test.repo",
            _ => "/etc/zypp/repos.d/test.repo",
        };
        let steps = steps.replace("PM", self.manager);
        self.kitchen.write(
            "box.toml",
            &format!(
                "from = \"oci:{}\"\n\
                 [[step]]\ncopy = {{ from = \"key.asc\", to = \"/etc/pki/test.asc\" }}\n\
                 [[step]]\ncopy = {{ from = \"test.repo\", to = \"{place}\" }}\n{steps}",
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
            "dnf" => {
                let asked = self.sh("dnf -C history userinstalled");
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
