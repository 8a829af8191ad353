//! What a container changed: docker's `diff` and `commit`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use racker_store::{
    CaptureOptions, Content, Image, ImageLayer, LayerId, NodeRef, Store, Tree, TreeId,
};
use rustix::fs::FileType;
use serde_json::{Value, json};
use walkdir::WalkDir;

use super::Error;
use super::kept::Kept;
use super::state::Status;

/// What is racker's in every container, and no change of it.
const OWN: [&str; 5] = [
    "dev",
    "etc/hosts",
    "etc/resolv.conf",
    "etc/systemd/system-generators",
    "run",
];

/// How something differs from the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Added,
    /// It is not as it was.
    Changed,
    /// It is gone.
    Deleted,
}

impl Kind {
    /// Docker's letter for it.
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Deleted => 'D',
        }
    }
}

/// Bytes of what a container wrote, and of that with its image.
pub fn sizes(store: &Store, kept: &Kept) -> Result<(u64, u64), Error> {
    let files = WalkDir::new(kept.path("upper")).into_iter().flatten();
    let written = files
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|it| it.len())
        .sum();
    let tree = store.tree(kept.config.tree)?;
    let mut seen = BTreeSet::new();
    let mut whole = written;
    for (_, node) in tree.entries() {
        if let NodeRef::Inode(id, inode) = node
            && let Content::File { size, .. } = inode.content
            && seen.insert(id)
        {
            whole += size;
        }
    }
    Ok((written, whole))
}

/// Every path that differs from the image, in their order, as it was when it was looked at.
pub fn changes(store: &Store, kept: &Kept) -> Result<Vec<(Kind, String)>, Error> {
    let upper = kept.path("upper");
    let before = store.tree(kept.config.tree)?;
    let mut all = Vec::new();
    if !upper.exists() {
        return Ok(all);
    }
    let read = || format!("read {}", upper.display());
    for entry in WalkDir::new(&upper).min_depth(1).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            // The container goes on.
            Err(error)
                if error
                    .io_error()
                    .is_some_and(|it| it.kind() == io::ErrorKind::NotFound) =>
            {
                continue;
            }
            Err(error) => {
                return Err(Error::Io {
                    action: read(),
                    source: error.into(),
                });
            }
        };
        let Ok(path) = entry.path().strip_prefix(&upper) else {
            continue;
        };
        if OWN.iter().any(|own| path.starts_with(own)) {
            continue;
        }
        let bytes = path.as_os_str().as_bytes();
        let known = before.get(bytes).is_some();
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let whiteout = FileType::from_raw_mode(found.mode()).is_char_device() && found.rdev() == 0;
        let shown = crate::shown::shown_path(bytes);
        let kind = match (whiteout, known) {
            (true, _) => Kind::Deleted,
            (false, true) => Kind::Changed,
            (false, false) => Kind::Added,
        };
        all.push((kind, shown));
        if found.is_dir() && known && is_opaque(entry.path()) {
            all.extend(hidden(&before, bytes, entry.path()));
        }
    }
    Ok(all)
}

/// Whether a directory hides what lies below it. Source: overlayfs.rst, "whiteouts and opaque
/// directories".
fn is_opaque(path: &std::path::Path) -> bool {
    let mut value = Vec::with_capacity(8);
    let read = rustix::fs::lgetxattr(
        path,
        "trusted.overlay.opaque",
        rustix::buffer::spare_capacity(&mut value),
    );
    read.is_ok() && value == b"y"
}

/// What an opaque directory hides and has nothing in the place of.
fn hidden(before: &Tree, bytes: &[u8], at: &std::path::Path) -> Vec<(Kind, String)> {
    let mut prefix = bytes.to_vec();
    prefix.push(b'/');
    before
        .entries()
        .filter_map(|(path, _)| {
            let rest = path.strip_prefix(&prefix[..])?;
            let direct = !rest.contains(&b'/');
            let name = std::ffi::OsStr::from_bytes(rest);
            (direct && fs::symlink_metadata(at.join(name)).is_err())
                .then(|| (Kind::Deleted, crate::shown::shown_path(&path)))
        })
        .collect()
}

/// What `commit` says of the image beside what the container's has.
#[derive(Debug, Default)]
pub struct Commit<'a> {
    /// Its name, in full.
    pub name: String,
    /// Who made it.
    pub author: Option<&'a str>,
    /// Why.
    pub message: Option<&'a str>,
    /// What else its configuration has, in docker's words.
    pub config: serde_json::Map<String, Value>,
    /// Whether a container that runs goes on meanwhile.
    pub keep_running: bool,
}

/// The tree of a container as it is now, frozen meanwhile.
pub fn tree(store: &Store, kept: &Kept) -> Result<TreeId, Error> {
    frozen(store, kept, true).map(|(tree, ..)| tree)
}

/// [`capture`], with the container frozen if that is asked for and it runs.
fn frozen(store: &Store, kept: &Kept, freeze: bool) -> Result<(TreeId, LayerId, u64), Error> {
    let (status, state) = kept.status()?;
    let freeze = freeze && status == Status::Running;
    let group = kept.cgroup().map_err(Error::io("freeze the container"))?;
    if freeze {
        group
            .write("cgroup.freeze", "1")
            .map_err(Error::io("freeze the container"))?;
    }
    let made = capture(store, kept, state.base);
    if freeze {
        group
            .write("cgroup.freeze", "0")
            .map_err(Error::io("let the container go on"))?;
    }
    made
}

/// Makes an image of a container, frozen meanwhile.
pub fn commit(store: &Store, kept: &Kept, commit: &Commit<'_>) -> Result<Image, Error> {
    let (tree, layer, size) = frozen(store, kept, !commit.keep_running)?;
    let now = super::state::now() / 1_000_000_000;
    let (mut config, mut layers) = base(store, kept)?;
    // The tree may have had a layer on top that makes it boot.
    if kept.config.tree != kept.config.image_id {
        let layer = store.base(kept.config.tree)?.map(|(_, layer)| layer);
        layers.push(ImageLayer::new(kept.config.tree, layer, "systemd"));
    }
    let created_by = commit
        .message
        .map_or_else(|| kept.config.argv.join(" "), str::to_owned);
    layers.push(ImageLayer {
        size,
        impure: true,
        ..ImageLayer::new(tree, Some(layer), created_by)
    });
    if !config["config"].is_object() {
        config["config"] = json!({});
    }
    for (key, value) in &commit.config {
        merge(&mut config["config"][key], value);
    }
    if let Some(author) = commit.author {
        config["author"] = json!(author);
    }
    let stamp =
        jiff::Timestamp::from_second(now).map_or_else(|_| String::new(), |it| it.to_string());
    config["created"] = json!(stamp);
    let entry = json!({
        "created": stamp,
        "created_by": kept.config.argv.join(" "),
        "comment": commit.message.unwrap_or_default(),
    });
    match config["history"].as_array_mut() {
        Some(history) => history.push(entry),
        None => config["history"] = json!([entry]),
    }
    let image = Image {
        config,
        created: now,
        layers,
        ..Image::new(commit.name.clone(), tree)
    };
    store.put_image(&image)?;
    Ok(image)
}

/// The configuration and the layers of the image that a container was made from.
fn base(store: &Store, kept: &Kept) -> Result<(Value, Vec<ImageLayer>), Error> {
    let tree = kept.config.image_id;
    let source = match kept.image()? {
        Some(image) => Some(image),
        None => store.images()?.into_iter().find(|it| it.tree == tree),
    };
    let (mut config, layers) = source.map_or_else(
        || (json!({ "os": "linux" }), Vec::new()),
        |image| (image.config, image.layers),
    );
    let there = |it: &ImageLayer| it.layer.is_none_or(|layer| store.has_layer(layer));
    if layers.last().is_some_and(|it| it.tree == tree) && layers.iter().all(there) {
        return Ok((config, layers));
    }
    // The image is gone and what it was made of as well: all of it is one layer.
    let nothing = Tree::default();
    let (_, layer) = store.put_successor(nothing.id(), &nothing, &store.tree(tree)?)?;
    let whole = ImageLayer {
        impure: true,
        ..ImageLayer::new(tree, Some(layer), kept.config.image.clone())
    };
    if let Some(config) = config.as_object_mut() {
        // It told of layers that are no more.
        config.remove("history");
    }
    Ok((config, vec![whole]))
}

/// Lists and maps grow; anything else is replaced.
fn merge(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        (old @ Value::Array(_), Value::Array(new))
            if !new.is_empty() && new.iter().all(is_variable) =>
        {
            if let Value::Array(old) = old {
                old.extend(new.iter().cloned());
            }
        }
        (old, new) => *old = new.clone(),
    }
}

fn is_variable(value: &Value) -> bool {
    let name = value.as_str().and_then(|it| it.split_once('='));
    name.is_some_and(|(name, _)| !name.is_empty() && !name.contains(['/', ' ', '-']))
}

fn capture(store: &Store, kept: &Kept, base: u32) -> Result<(TreeId, LayerId, u64), Error> {
    let parent = kept.config.tree;
    let before = store.tree(parent)?;
    let upper = kept.path("upper");
    let after = if upper.exists() {
        let options = CaptureOptions {
            id_base: base,
            id_count: if base == 0 { 0 } else { 65536 },
            move_files: false,
            exclude: OWN.iter().map(|path| path.as_bytes().to_vec()).collect(),
            clamp: None,
        };
        store.capture(&upper, &options)?.apply(&before)?
    } else {
        before.clone()
    };
    let (tree, layer) = store.put_successor(parent, &before, &after)?;
    store.put_base(tree, Some(parent), layer)?;
    let size = store
        .layer(layer)?
        .changes
        .iter()
        .filter_map(|(_, change)| match change {
            racker_store::Change::Inode(inode) => match &inode.content {
                racker_store::Content::File { size, .. } => Some(*size),
                _ => None,
            },
            _ => None,
        })
        .sum();
    Ok((tree, layer, size))
}
