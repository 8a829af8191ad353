//! What goes in comes out: manifests, layers, archives.

mod support;

use proptest::prelude::*;
use racker_store::{Content, Layer, Tree, diff};
use support::{Edit, edit, edits};

/// Edits with the things an archive can hold.
fn sayable(mut edits: Vec<Edit>) -> Vec<Edit> {
    for edit in &mut edits {
        if let Edit::Insert(_, metadata, _) | Edit::Directory(_, metadata) = edit {
            metadata.xattrs.retain(|name, _| !name.contains(&b'='));
        }
        if let Edit::Insert(_, _, content) = edit {
            match content {
                Content::Socket => *content = Content::Fifo,
                Content::File { size: 2.., .. } => *content = Content::EMPTY,
                _ => {}
            }
        }
    }
    edits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn manifests(steps in edits(25)) {
        let mut tree = Tree::default();
        edit(&mut tree, &steps);
        let text = tree.encode();
        let again = Tree::decode(&text).unwrap();
        prop_assert_eq!(again.encode(), text);
    }

    #[test]
    fn layers(before in edits(20), after in edits(12)) {
        let mut base = Tree::default();
        edit(&mut base, &before);
        let mut result = base.clone();
        edit(&mut result, &after);
        for (base, result) in [(&base, &result), (&result, &base)] {
            let layer = diff(base, result);
            let layer = Layer::decode(&layer.encode()).unwrap();
            prop_assert_eq!(&layer.apply(base).unwrap(), result);
        }
        prop_assert!(diff(&result, &result).changes.is_empty());
    }

    #[test]
    fn layers_as_archives(before in edits(20), after in edits(12)) {
        let (_directory, store) = support::store();
        for byte in 0..=255 {
            store.put_bytes(&[byte]).unwrap();
        }
        let mut base = Tree::default();
        edit(&mut base, &sayable(before));
        let mut result = base.clone();
        edit(&mut result, &sayable(after));
        for (base, result) in [(&base, &result), (&result, &base)] {
            let layer = store.put_layer(&diff(base, result)).unwrap();
            let mut archive = Vec::new();
            store.write_layer_tar(layer, &mut archive).unwrap();
            prop_assert_eq!(&support::over(&store, base, &archive).unwrap(), result);
        }
    }

    #[test]
    fn bad_manifests_do_no_harm(steps in edits(6), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut tree = Tree::default();
        edit(&mut tree, &steps);
        let mut text = tree.encode();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(tree) = Tree::decode(&text) {
            prop_assert_eq!(tree.encode(), text);
        }
    }

    #[test]
    fn archives(
        entries in proptest::collection::vec(
            (proptest::sample::select(&b"0125637"[..]), "[a-c]{1,2}(/[a-c]){0,2}", "[a-c]{1,2}", 0_usize..1500),
            0..12,
        ),
        rest in proptest::collection::vec(any::<u8>(), 0..700),
    ) {
        let (_directory, store) = support::store();
        let body = vec![7; 1500];
        let entries: Vec<_> = entries
            .iter()
            .map(|(kind, path, link, size)| {
                let size = if matches!(kind, b'0' | b'7') { *size } else { 0 };
                support::entry(*kind, path, link, &body[..size])
            })
            .collect();
        let mut archive = support::archive(&entries);
        archive.extend(rest);
        // Devices 0:0 and links to nothing are refused; whatever is taken comes back.
        let _ = support::over(&store, &Tree::default(), &archive);
        prop_assert!(store.verify().unwrap().is_empty());
    }
}
