//! What is tried with bytes of anybody's making: nothing may panic, and whatever is taken has to mean
//! the same when it comes out again.

use std::io::Read as _;
use std::sync::OnceLock;

use racker::oci;
use racker::recipe::{self, Context, Origin, Source};
use racker_store::{Access, Limits, Store, Tree, diff};
use tempfile::TempDir;

/// Bytes that an archive may have here.
const ARCHIVE: u64 = 1 << 20;

/// A store for all tries of this process.
fn store() -> &'static Store {
    static STORE: OnceLock<(TempDir, Store)> = OnceLock::new();
    let (_, store) = STORE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("store");
        let store = Store::open(&path, Access::ReadWrite).expect("a new store");
        (directory, store)
    });
    store
}

/// An archive that is taken comes back byte for byte, and what it does to a tree is a layer that
/// leads from the one to the other.
pub(crate) fn tar(bytes: &[u8]) {
    let limits = Limits {
        entries: 1000,
        bytes: ARCHIVE,
    };
    let Ok(imported) = store().import_tar(bytes, &limits) else {
        return;
    };
    let mut back = Vec::new();
    let mut archive = store()
        .export_tar(&imported.diff_id)
        .expect("it was taken in");
    archive.read_to_end(&mut back).expect("it is whole");
    assert!(back == bytes, "the archive came back changed");
    let base = Tree::default();
    if let Ok(tree) = imported.changeset.apply(&base) {
        let text = tree.encode();
        let again = Tree::decode(&text).expect("its own text");
        assert!(again.encode() == text, "the tree came back changed");
        let layer = diff(&base, &tree);
        assert!(
            layer.apply(&base).expect("its own layer") == tree,
            "the layer leads elsewhere"
        );
    }
}

/// A manifest is an image, an index, or refused in one line.
pub(crate) fn manifest(bytes: &[u8]) {
    if let Err(error) = oci::check_manifest(bytes) {
        let message = error.to_string();
        assert!(
            !message.is_empty() && !message.contains('\n'),
            "{message:?}"
        );
    }
    let _ = oci::check_config(bytes);
}

/// A recipe is read, or refused with a picture of it.
pub(crate) fn recipe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let source = Source::new("recipe.toml", text);
    let context = Context {
        origin: Origin::Path("recipe.toml".into()),
        directory: "/nowhere".into(),
        default_name: "recipe",
        sets: &[],
    };
    match recipe::parse(&source, context) {
        Ok(recipe) => drop(format!("{recipe:?}")),
        Err(diagnostics) => assert!(!diagnostics.render(false).is_empty()),
    }
}
