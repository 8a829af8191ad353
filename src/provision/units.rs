//! Enabling, disabling and masking systemd units in an image that is not running.

use racker_store::Tree;

use super::job::{environment, shell};
use super::{Error, Job, Network, Result};

/// Whether a tree has systemd as its init.
pub fn has_systemd(tree: &Tree) -> bool {
    ["usr/lib/systemd/systemd", "lib/systemd/systemd"]
        .iter()
        .any(|path| tree.lookup(path.as_bytes()).is_ok())
}

/// What a units step asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// To be started with the image.
    pub enable: Vec<String>,
    /// Not to be started with the image.
    pub disable: Vec<String>,
    /// Not to be started at all.
    pub mask: Vec<String>,
}

/// Each list is preceded by its verb and how many there are.
const SCRIPT: &str = "\
while [ $# -gt 0 ]; do
    verb=$1 count=$2
    shift 2
    while [ \"$count\" -gt 0 ]; do
        systemctl \"$verb\" -- \"$1\"
        shift
        count=$((count - 1))
    done
done
";

impl Units {
    /// The job; `exists` is asked for paths relative to the tree's root, links followed inside of it.
    ///
    /// Disabling comes first and masking last, so that a unit in two lists ends as the later one.
    pub fn job(&self, epoch: i64, exists: impl Fn(&str) -> bool) -> Result<Job> {
        if !exists("usr/bin/systemctl") && !exists("bin/systemctl") {
            return Err(Error::NoSystemctl);
        }
        let mut parameters = Vec::new();
        for (verb, units) in [
            ("disable", &self.disable),
            ("enable", &self.enable),
            ("mask", &self.mask),
        ] {
            if !units.is_empty() {
                parameters.extend([verb.to_owned(), units.len().to_string()]);
                parameters.extend(units.iter().cloned());
            }
        }
        Ok(Job {
            argv: shell(SCRIPT, parameters),
            env: environment(Some(epoch), &[("SYSTEMD_OFFLINE", "1")]),
            binds: Vec::new(),
            network: Network::None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_ordered_and_systemctl_is_needed() {
        let units = Units {
            enable: vec!["nginx".to_owned(), "ssh".to_owned()],
            disable: Vec::new(),
            mask: vec!["apt-daily.timer".to_owned()],
        };
        let job = units.job(0, |path| path == "usr/bin/systemctl").unwrap();
        assert_eq!(
            job.argv[5..],
            [
                "enable",
                "2",
                "nginx",
                "ssh",
                "mask",
                "1",
                "apt-daily.timer"
            ]
        );
        assert!(matches!(units.job(0, |_| false), Err(Error::NoSystemctl)));
    }
}
