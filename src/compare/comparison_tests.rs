use std::collections::BTreeMap;

use super::*;
use crate::compare::{Change, Difference};
use racker_store::{Content, Inode, Metadata, ObjectId, PathBytes, Time};

/// A tree by lines: `d path`, `f path bytes`, `l path target`, `h path existing`, with a mode behind.
fn tree(lines: &[&str]) -> Tree {
    let mut tree = Tree::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let path = words[1].as_bytes();
        let metadata = Metadata::new(0o755);
        let text = words.get(2).copied().unwrap_or_default();
        let content = match words[0] {
            "d" => {
                tree.insert_directory(path, metadata).unwrap();
                continue;
            }
            "h" => {
                tree.link(text.as_bytes(), path).unwrap();
                continue;
            }
            "f" => Content::File {
                object: (!text.is_empty()).then(|| ObjectId::of(text.as_bytes())),
                size: text.len() as u64,
            },
            "l" => Content::Symlink(text.as_bytes().into()),
            "c" => Content::CharDevice {
                major: 1,
                minor: text.parse().unwrap(),
            },
            other => panic!("{other}"),
        };
        tree.insert(path, Inode { metadata, content }).unwrap();
    }
    tree
}

fn of(before: &Tree, after: &Tree) -> Comparison {
    let installed = Installed::default();
    let side = |tree| Side {
        tree,
        installed: &installed,
    };
    compare(side(before), side(after))
}

/// Every change in a word, such as `~/a bytes,size`.
fn words(comparison: &Comparison) -> Vec<String> {
    let word = |file: &FileChange| {
        let sign = match file.change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        let differs: Vec<_> = file.differs.iter().map(|it| it.as_str()).collect();
        format!("{sign}{} {}", file.path, differs.join(","))
            .trim_end()
            .to_owned()
    };
    comparison.files.iter().map(word).collect()
}

#[test]
fn equal_trees_do_not_differ() {
    let one = tree(&["f a/b x", "h c a/b", "l d e"]);
    let found = of(&one, &one);
    assert!(found.is_empty());
    assert_eq!(found.totals, Totals::default());
}

#[test]
fn each_difference_has_its_word() {
    let before = tree(&[
        "f a one", "f b one", "l l x", "c n 1", "f k x", "f m x", "f h x",
    ]);
    let mut after = tree(&[
        "f a two",
        "f b longer",
        "l l y",
        "c n 2",
        "d k",
        "f m x",
        "f h x",
    ]);
    after.link(b"h", b"i").unwrap();
    let mut change = |path: &[u8], with: &dyn Fn(&mut Metadata)| {
        let Some(racker_store::NodeRef::Inode(id, _)) = after.get(path) else {
            panic!()
        };
        with(&mut after.inode_mut(id).metadata);
    };
    change(b"m", &|of| of.mode = 0o600);
    change(b"m", &|of| of.gid = 1);
    change(b"m", &|of| of.mtime = Time::seconds(9));
    change(b"m", &|of| {
        of.xattrs.insert((*b"user.x").into(), (*b"1").into());
    });
    let found = of(&before, &after);
    assert_eq!(
        words(&found),
        [
            "~/a bytes",
            "~/b bytes,size",
            "~/h links",
            "+/i",
            "~/k kind",
            "~/l target",
            "~/m mode,owner,mtime,xattrs",
            "~/n device",
        ]
    );
    assert_eq!(found.files[6].xattrs, ["user.x"]);
    assert!(found.files[0].differs.contains(&Difference::Bytes));
}

#[test]
fn what_is_below_a_lost_directory_is_listed() {
    let before = tree(&["f d/e/one x", "f d/two y", "f f x"]);
    let after = tree(&["l d f", "f f/in x"]);
    let lost = of(&before, &after);
    assert_eq!(
        words(&lost),
        [
            "~/d kind",
            "-/d/e",
            "-/d/e/one",
            "-/d/two",
            "~/f kind",
            "+/f/in"
        ]
    );
    let come = of(&after, &before);
    let swapped: Vec<_> = words(&lost)
        .iter()
        .map(|word| match word.split_at(1) {
            ("-", rest) => format!("+{rest}"),
            ("+", rest) => format!("-{rest}"),
            _ => word.clone(),
        })
        .collect();
    assert_eq!(words(&come), swapped);
}

#[test]
fn bytes_of_a_file_with_several_names_count_once() {
    let before = tree(&[]);
    let after = tree(&["f a 12345", "h b a", "f c 123"]);
    let added = of(&before, &after).totals.files.added;
    assert_eq!((added.number, added.before, added.after), (3, 0, 8));
}

/// Every path of the store's own difference is listed exactly once, and nothing else but what was
/// below a lost directory.
#[test]
fn the_paths_are_those_of_the_stores_difference() {
    let mut seed = 1_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for _ in 0..300 {
        let mut trees = [Tree::default(), Tree::default()];
        for tree in &mut trees {
            for _ in 0..next(12) {
                let names = ["a", "b", "a-b", "c"];
                let depth = 1 + next(3);
                let path: Vec<_> = (0..depth).map(|_| names[next(4) as usize]).collect();
                let path = path.join("/");
                let metadata = Metadata::new(0o600 + next(2) as u32);
                // What does not fit the tree so far is left out.
                let _ = match next(4) {
                    0 => tree.insert_directory(path.as_bytes(), metadata),
                    1 => tree.link(b"a", path.as_bytes()),
                    _ => {
                        let bytes = [b'x'; 2];
                        let size = next(3);
                        let object = (size > 0).then(|| ObjectId::of(&bytes[..size as usize]));
                        let content = Content::File { object, size };
                        tree.insert(path.as_bytes(), Inode { metadata, content })
                            .map(drop)
                    }
                };
            }
        }
        let [before, after] = &trees;
        let found = of(before, after);
        let mut listed: BTreeMap<PathBytes, usize> = BTreeMap::new();
        for file in &found.files {
            *listed
                .entry(file.path.as_bytes()[1..].to_vec())
                .or_default() += 1;
        }
        assert!(listed.values().all(|times| *times == 1), "{found:?}");
        for (path, _) in racker_store::diff(before, after).changes {
            assert_eq!(listed.remove(&path), Some(1), "{path:?} of {found:?}");
        }
        for path in listed.into_keys() {
            assert!(after.get(&path).is_none(), "{path:?} of {found:?}");
            let parent = path.rsplitn(2, |byte| *byte == b'/').nth(1).unwrap();
            let still = matches!(after.get(parent), Some(racker_store::NodeRef::Directory(_)));
            assert!(!still, "{path:?} of {found:?}");
        }
        assert_eq!(found.is_empty(), before == after);
    }
}
