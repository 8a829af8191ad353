//! Package steps with dnf 4, dnf 5 and zypper: the real programs, in a Debian that has them, against a
//! repository on loopback that rpm's tools make and sign.

mod archive;
mod lock;
mod probed;
#[path = "../support/mod.rs"]
mod support;
mod tampered;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use archive::{Archive, Key, Rpm, public};
use support::{Kitchen, bake_on_quickstart, bake_shared, bench, saved};

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

/// A recipe that takes its packages from a repository.
pub(crate) type Bench = bench::Bench<Archive>;

impl Bench {
    /// `app` needs `library`, and recommends `extra`; all have version 1.
    pub(crate) fn new(manager: &'static str) -> Self {
        guest(manager);
        let kitchen = Kitchen::with_quickstart();
        let archive = Archive::new(manager);
        let bench = Self { kitchen, archive };
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
        let (key, place) = match self.archive.manager {
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
                guest(self.archive.manager).display()
            ),
        );
    }

    /// Names of the packages that came along without being asked for.
    pub(crate) fn automatic(&self) -> String {
        match self.archive.manager {
            "dnf" | "dnf5" => {
                let asked = self.sh(match self.archive.manager {
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
