//! `recipe.lock` and `racker lock`, on a real apt in a real Debian, against an archive on loopback
//! that Debian's tools make and sign.

mod apt;
mod archive;
mod past;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod registry;
#[path = "../support/mod.rs"]
mod support;
mod tampered;

use std::fs;

use archive::{Archive, Deb};
use support::{Kitchen, Output, bench, repository, tool};

/// A recipe that takes its packages from an archive.
pub(crate) type Bench = bench::Bench<Archive>;

impl Bench {
    /// `app` needs `library`, and recommends `extra`; all have version 1.
    pub(crate) fn new() -> Self {
        let kitchen = Kitchen::with_quickstart();
        let archive = Archive::new();
        let bench = Self { kitchen, archive };
        bench.app("1");
        bench.library("1");
        bench.archive.add(&Deb {
            name: "extra",
            version: "1",
            ..Deb::default()
        });
        bench.archive.publish();
        bench.kitchen.write("key.asc", &bench.archive.key());
        bench.source(&bench.archive.source());
        bench
    }

    pub(crate) fn app(&self, version: &str) {
        self.archive.add(&Deb {
            name: "app",
            version,
            fields: "Depends: library\nRecommends: extra\n",
            postinst: "echo configured > /usr/share/app/state",
            ..Deb::default()
        });
    }

    pub(crate) fn library(&self, version: &str) {
        self.archive.add(&Deb {
            name: "library",
            version,
            ..Deb::default()
        });
    }

    /// Sets what the image has as `sources.list`.
    pub(crate) fn source(&self, line: &str) {
        self.kitchen.write("sources.list", line);
    }

    /// Writes `box.toml`: a Debian that knows the archive, and `steps`.
    pub(crate) fn recipe(&self, steps: &str) {
        let base = repository().join("recipes/quickstart.toml");
        self.kitchen.write(
            "box.toml",
            &format!(
                "from = \"{}\"\n\
                 [[step]]\ncopy = {{ from = \"key.asc\", to = \"/etc/apt/trusted.gpg.d/test.asc\" }}\n\
                 [[step]]\ncopy = {{ from = \"sources.list\", to = \"/etc/apt/sources.list\" }}\n{steps}",
                base.display()
            ),
        );
        if !self.kitchen.path("box.lock").exists() {
            // What quickstart is made of is known already.
            fs::copy(support::shared_lock(), self.kitchen.path("box.lock")).unwrap();
        }
    }
}

/// Runs racker under a trace of the sockets that it and everything it starts, guests too, ask for.
pub(crate) fn traced(bench: &Bench, arguments: &[&str]) -> (Output, String) {
    let trace = bench.kitchen.path("trace");
    let mut command = bench.kitchen.racker.surround(tool("strace", "strace"));
    command.args(["--follow-forks", "--seccomp-bpf", "--trace=socket", "-o"]);
    command.arg(&trace).arg(env!("CARGO_BIN_EXE_racker"));
    command.args(arguments);
    let output = bench.kitchen.racker.finish(command);
    (output, fs::read_to_string(trace).unwrap())
}
