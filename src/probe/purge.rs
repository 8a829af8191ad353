//! What packages leave behind when they are removed.

use std::time::Duration;

use racker_store::{NodeRef, Tree};

use super::{Evidence, Outcome};
use crate::container::Process;
use crate::failure::Failure;
use crate::shown::shown_path;

/// Paths that are listed.
const SHOWN: usize = 200;

/// What package managers write of their own. What packages leave in there is theirs to say.
const EXPECTED: [&str; 34] = [
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/ld.so.cache",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "lib/apk",
    "run",
    "tmp",
    "usr/lib/apk",
    "usr/lib/sysimage",
    "var/cache",
    "var/lib/apt",
    "var/lib/dnf",
    "var/lib/dpkg",
    "var/lib/pacman",
    "var/lib/rpm",
    "var/lib/systemd",
    "var/lib/ucf",
    "var/lib/zypp",
    "var/log/alternatives.log",
    "var/log/apt",
    "var/log/dnf.librepo.log",
    "var/log/dnf.log",
    "var/log/dnf.rpm.log",
    "var/log/dnf5.log",
    "var/log/dpkg.log",
    "var/log/hawkey.log",
    "var/log/pacman.log",
    "var/log/zypp",
    "var/log/zypper.log",
    "var/tmp",
];

/// A removal of packages.
#[derive(Debug)]
pub struct Purge<'a> {
    /// What is removed.
    pub names: Vec<String>,
    /// The command that removes it.
    pub process: Process,
    /// The tree that never had it.
    pub before: &'a Tree,
    /// The paths that a boot of that tree makes.
    pub boot: &'a [String],
}

impl Purge<'_> {
    pub(super) fn outcome(
        &self,
        took: Duration,
        message: String,
        evidence: Vec<Evidence>,
    ) -> Outcome {
        Outcome {
            kind: "purge",
            check: self.names.join(" "),
            ok: evidence.is_empty(),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            message,
            evidence,
        }
    }
}

/// What is left in a tree, and whether that is nothing.
pub(super) fn verdict(purge: &Purge<'_>, after: &Tree) -> (String, Vec<Evidence>) {
    let mut left = written(purge.before, after);
    left.retain(|path| !purge.boot.contains(path));
    if left.is_empty() {
        return ("nothing is left".into(), Vec::new());
    }
    let message = match left.len() {
        1 => "one path is left".to_owned(),
        count => format!("{count} paths are left"),
    };
    let mut lines: Vec<String> = left.iter().take(SHOWN).cloned().collect();
    if left.len() > SHOWN {
        lines.push(format!("and {} more", left.len() - SHOWN));
    }
    let title = "left after the purge".to_owned();
    (message, vec![Evidence { title, lines }])
}

/// The verdict on packages that cannot be removed.
pub(super) fn failed(failure: &Failure) -> (String, Vec<Evidence>) {
    let title = "what the package manager said".to_owned();
    let mut lines = failure.output.clone();
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    (failure.message.clone(), vec![Evidence { title, lines }])
}

/// The paths of `after` that `before` has not, but for directories that have something in them, and
/// what package managers write.
pub(super) fn written(before: &Tree, after: &Tree) -> Vec<String> {
    let new = after.entries().filter(|(path, node)| {
        let bare = match node {
            NodeRef::Directory(directory) => directory.entries.is_empty(),
            NodeRef::Inode(..) => true,
        };
        bare && !is_expected(path) && before.get(path).is_none()
    });
    new.map(|(path, _)| shown_path(&path)).collect()
}

fn is_expected(path: &[u8]) -> bool {
    let below = |top: &str| {
        path.strip_prefix(top.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    };
    path.is_empty() || EXPECTED.iter().any(|top| below(top))
}

#[cfg(test)]
mod tests {
    use super::*;
    use racker_store::{Content, Inode, Metadata};

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for path in paths {
            let inode = Inode {
                metadata: Metadata::new(0o644),
                content: Content::Fifo,
            };
            tree.insert(path.as_bytes(), inode).unwrap();
        }
        tree
    }

    #[test]
    fn what_is_left() {
        let before = tree(&["etc/passwd", "var/log/old"]);
        let mut after = tree(&[
            "etc/passwd",
            "etc/mine/one",
            "var/lib/dpkg/info/x",
            "var/lib/dpkgs",
            "var/log/dpkg.log",
            "var/log/hawkey.log",
            "var/log/mine/log",
        ]);
        after
            .insert_directory(b"srv/empty", Metadata::new(0o755))
            .unwrap();
        let left = written(&before, &after);
        let expected = [
            "/etc/mine/one",
            "/srv/empty",
            "/var/lib/dpkgs",
            "/var/log/mine/log",
        ];
        assert_eq!(left, expected);
    }
}
