//! A machine in the machine: a Debian that systemd booted, with control groups of version 2 alone,
//! a system bus, machined, a network of its own, and racker in it.
//!
//! It is a privileged container of racker's. Its Debian is this machine's, so that the racker under
//! test finds its libraries there.

use std::fs;
use std::process::Command;

use super::{Output, Racker, once, scratch, shared, temporary};

/// The image's name.
const IMAGE: &str = "test-host";

/// A machine that runs; it ends with this.
pub(crate) struct Host {
    name: String,
    store: String,
}

impl Host {
    /// Boots one whose store is that of `racker`.
    #[track_caller]
    pub(crate) fn boot(name: &str, racker: &Racker) -> Self {
        image();
        let name = format!("host-{name}-{}", std::process::id());
        let store = racker.store().to_str().unwrap().to_owned();
        let binary = env!("CARGO_BIN_EXE_racker");
        let (store_volume, binary_volume) = (
            format!("{store}:{store}"),
            format!("{binary}:/usr/local/bin/racker:ro"),
        );
        let arguments = [
            &["run", "-d", "--name", &name, "--privileged"][..],
            &["--network=none", "--wait=boot"],
            &["-v", &store_volume, "-v", &binary_volume, IMAGE, "init"],
        ];
        shared().run(&arguments.concat()).success().silent();
        let host = Self { name, store };
        let state = host.run(&["systemctl", "is-system-running", "--wait"]);
        assert_eq!(state.text(), "running\n", "{}", state.report());
        host
    }

    /// Runs a command there to its end.
    pub(crate) fn run(&self, command: &[&str]) -> Output {
        let store = format!("RACKER_STORE={}", self.store);
        let head = ["exec", "-e", &store, &self.name];
        shared().run(&[&head, command].concat())
    }

    /// Runs a script there, which must succeed; what it wrote.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        self.run(&["sh", "-ec", script]).success().into_text()
    }

    /// Runs its racker to the end.
    pub(crate) fn racker(&self, arguments: &[&str]) -> Output {
        self.run(&[&["racker"], arguments].concat())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        shared().run(&["rm", "-f", &self.name]);
    }
}

/// Bakes the image, once per machine.
fn image() {
    let _turn = once(IMAGE);
    let script = ". /etc/os-release; printf %s $VERSION_CODENAME";
    let suite = super::execute(Command::new("sh").args(["-c", script]));
    let suite = String::from_utf8(suite).unwrap();
    let directory = temporary();
    let recipe = directory.path().join(format!("{IMAGE}.toml"));
    let text = format!(
        "[from]\nbootstrap = \"debian\"\nsuite = \"{suite}\"\n\
         include = [\"systemd-sysv\", \"dbus\", \"systemd-container\", \"iproute2\", \"nftables\", \"procps\"]\n"
    );
    fs::write(&recipe, text).unwrap();
    let lock = scratch().join(format!("{IMAGE}-{suite}.lock"));
    let (recipe, lock) = (recipe.to_str().unwrap(), lock.to_str().unwrap());
    shared().run(&["bake", recipe, "--lock", lock]).success();
}
