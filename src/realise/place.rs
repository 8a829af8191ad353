//! Where a path of a recipe lies in a tree.

use racker_store::{Content, NodeRef, Tree};

/// Links followed before a path counts as endless.
const LINKS: usize = 40;

/// Resolves the links in the directories that lead to `path` (`/lib/x` is `usr/lib/x` where `/lib`
/// is a link); its last component is left as it is. What does not exist needs no resolving.
///
/// Errors: more than 40 links.
pub(super) fn resolve(tree: &Tree, path: &str) -> Result<Vec<u8>, String> {
    let mut left: Vec<Vec<u8>> = components(path.as_bytes());
    left.reverse();
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == b".." {
            done.pop();
            continue;
        }
        done.push(name);
        if left.is_empty() {
            break;
        }
        let Some(NodeRef::Inode(_, inode)) = tree.get(&done.join(&b'/')) else {
            continue;
        };
        let Content::Symlink(target) = &inode.content else {
            continue;
        };
        links += 1;
        if links > LINKS {
            return Err(format!("too many symbolic links on the way to {path}"));
        }
        done.pop();
        if target.first() == Some(&b'/') {
            done.clear();
        }
        left.extend(components(target).into_iter().rev());
    }
    Ok(done.join(&b'/'))
}

fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use racker_store::{Inode, Metadata, Time};

    fn tree(links: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        let metadata = Metadata {
            mode: 0o777,
            uid: 0,
            gid: 0,
            mtime: Time {
                seconds: 0,
                nanoseconds: 0,
            },
            xattrs: racker_store::Xattrs::default(),
        };
        for (path, target) in links {
            let content = Content::Symlink(target.as_bytes().into());
            tree.insert(
                path.as_bytes(),
                Inode {
                    metadata: metadata.clone(),
                    content,
                },
            )
            .unwrap();
        }
        tree
    }

    #[test]
    fn links_in_directories_are_followed_inside_the_tree() {
        let tree = tree(&[
            ("lib", "usr/lib"),
            ("a", "/b/../lib"),
            ("x/up", "../../../etc"),
        ]);
        let place = |path| String::from_utf8(resolve(&tree, path).unwrap()).unwrap();
        assert_eq!(place("/lib/systemd/x"), "usr/lib/systemd/x");
        assert_eq!(place("/a/y"), "usr/lib/y");
        assert_eq!(place("/x/up/passwd"), "etc/passwd");
        assert_eq!(place("/lib"), "lib");
        assert_eq!(place("/new/dir/file"), "new/dir/file");
    }

    #[test]
    fn endless_links_are_an_error() {
        assert!(resolve(&tree(&[("a", "b"), ("b", "a")]), "/a/x").is_err());
    }
}
