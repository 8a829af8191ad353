//! The store that all test binaries share, and copies of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Racker, once, repository, scratch, temporary};

/// racker with the shared store, in which `quickstart` is baked.
pub(crate) fn shared() -> &'static Racker {
    static SHARED: OnceLock<Racker> = OnceLock::new();
    SHARED.get_or_init(|| {
        let racker = Racker::new(&scratch().join("store"));
        let _turn = once("store");
        let recipe = repository().join("recipes/quickstart.toml");
        let lock = shared_lock();
        racker
            .run(&[
                "bake",
                recipe.to_str().unwrap(),
                "--lock",
                lock.to_str().unwrap(),
            ])
            .success();
        racker
    })
}

/// quickstart's lock in the shared store.
pub(crate) fn shared_lock() -> PathBuf {
    scratch().join("quickstart.lock")
}

/// Bakes a recipe on top of quickstart into the shared store; `name` must be its alone. Gives the
/// path of its lock.
#[track_caller]
pub(crate) fn bake_on_quickstart(name: &str, rest: &str) -> PathBuf {
    let base = repository().join("recipes/quickstart.toml");
    fs::copy(shared_lock(), scratch().join(format!("{name}.lock"))).unwrap();
    bake_shared(name, &format!("from = \"{}\"\n{rest}", base.display()))
}

/// Bakes a recipe into the shared store; `name` must be its alone. Gives the path of its lock.
#[track_caller]
pub(crate) fn bake_shared(name: &str, recipe: &str) -> PathBuf {
    let directory = temporary();
    let file = directory.path().join(format!("{name}.toml"));
    let lock = scratch().join(format!("{name}.lock"));
    fs::write(&file, recipe).unwrap();
    let (recipe, at) = (file.to_str().unwrap(), lock.to_str().unwrap());
    shared().run(&["bake", recipe, "--lock", at]).success();
    lock
}

/// An image of the shared store as an OCI layout, made once per machine; `bake` makes the image of
/// this name, which must be its alone. Whoever has a copy of the shared store makes no step of it.
pub(crate) fn saved(name: &str, bake: impl FnOnce()) -> PathBuf {
    let _turn = once(name);
    bake();
    let tree = shared().tree(name);
    let layout = scratch().join(format!("{name}-{}", &tree[..16]));
    if !layout.exists() {
        let unfinished = temporary();
        let target = format!("oci:{}", unfinished.path().join("layout").display());
        let save = ["save", name, &target, "--compression=none"];
        shared().run(&save).success();
        fs::rename(unfinished.path().join("layout"), &layout).unwrap();
    }
    let directory = temporary();
    let recipe = directory.path().join(format!("{name}-base.toml"));
    fs::write(&recipe, format!("from = \"oci:{}\"\n", layout.display())).unwrap();
    shared().run(&["bake", recipe.to_str().unwrap()]).success();
    layout
}

/// Copies a store; what never changes is linked.
pub(super) fn copy_store(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = match entry {
            Ok(entry) => entry,
            // Somebody else's unfinished work, done by now.
            Err(error) if error.io_error().is_some_and(is_missing) => continue,
            Err(error) => panic!("{error}"),
        };
        let path = entry.path().strip_prefix(from).unwrap();
        let first = path.iter().next().unwrap_or_default().to_str().unwrap();
        let target = to.join(path);
        let result = match first {
            // Containers are those of other tests.
            "stage" | "trash" | "checkouts" | "locks" | "containers" | "volumes"
                if path.iter().count() > 1 =>
            {
                Ok(())
            }
            _ if entry.file_type().is_dir() => fs::create_dir(&target),
            "objects" | "blobs" | "trees" | "layers" => fs::hard_link(entry.path(), &target),
            _ => fs::copy(entry.path(), &target).map(drop),
        };
        match result {
            Err(error) if !is_missing(&error) => panic!("{}: {error}", target.display()),
            _ => {}
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    // A cache of the realisations; that of a store in use may be torn.
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(to.join(name));
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}
