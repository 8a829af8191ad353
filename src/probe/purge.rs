//! What packages leave behind when they are removed.

use racker_store::{NodeRef, PathBytes, Tree};

use super::Evidence;
use crate::container::Process;
use crate::failure::Failure;
use crate::shown::shown_path;

/// Paths that are listed.
const SHOWN: usize = 200;

/// What package managers, and any boot, write. What packages leave in there is theirs to say.
const EXPECTED: [&str; 29] = [
    "etc/.pwd.lock",
    "etc/.updated",
    "etc/hostname",
    "etc/ld.so.cache",
    "etc/machine-id",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subgid-",
    "etc/subuid-",
    "lib/apk",
    "run",
    "tmp",
    "usr/lib/apk",
    "usr/lib/sysimage",
    "var/.updated",
    "var/cache",
    "var/lib/apt",
    "var/lib/dnf",
    "var/lib/dpkg",
    "var/lib/pacman",
    "var/lib/rpm",
    "var/lib/systemd",
    "var/lib/ucf",
    "var/lib/zypp",
    "var/log/journal",
    "var/run",
    "var/tmp",
];

/// The logs of package managers and of logins.
const LOGS: [&str; 14] = [
    "alternatives.log",
    "apt",
    "btmp",
    "dnf.librepo.log",
    "dnf.log",
    "dnf.rpm.log",
    "dnf5.log",
    "dpkg.log",
    "faillog",
    "hawkey.log",
    "lastlog",
    "pacman.log",
    "wtmp",
    "zypp",
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
}

/// What is left in a tree, and whether that is nothing.
pub(super) fn verdict(purge: &Purge<'_>, after: &Tree) -> (String, Vec<Evidence>) {
    let left = left(purge.before, after);
    if left.is_empty() {
        return ("nothing is left".into(), Vec::new());
    }
    let message = match left.len() {
        1 => "one path is left".to_owned(),
        count => format!("{count} paths are left"),
    };
    let mut lines: Vec<String> = left.iter().take(SHOWN).map(|it| shown_path(it)).collect();
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

/// The paths of `after` that `before` has not, but for directories that something is left in.
fn left(before: &Tree, after: &Tree) -> Vec<PathBytes> {
    let new = after.entries().filter(|(path, node)| {
        let bare = match node {
            NodeRef::Directory(directory) => directory.entries.is_empty(),
            NodeRef::Inode(..) => true,
        };
        bare && !is_expected(path) && before.get(path).is_none()
    });
    new.map(|(path, _)| path).collect()
}

fn is_expected(path: &[u8]) -> bool {
    let below = |path: &[u8], top: &str| {
        path.strip_prefix(top.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    };
    let log = path.strip_prefix(b"var/log/");
    path.is_empty()
        || EXPECTED.iter().any(|top| below(path, top))
        || log.is_some_and(|path| LOGS.iter().any(|top| below(path, top)))
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
            "var/log/mine/log",
        ]);
        after
            .insert_directory(b"srv/empty", Metadata::new(0o755))
            .unwrap();
        let left: Vec<String> = left(&before, &after)
            .iter()
            .map(|it| shown_path(it))
            .collect();
        let expected = [
            "/etc/mine/one",
            "/srv/empty",
            "/var/lib/dpkgs",
            "/var/log/mine/log",
        ];
        assert_eq!(left, expected);
    }
}
