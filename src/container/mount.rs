//! Mounting a tree: the two methods, the skeleton, and the overlay on top.
//!
//! *erofs*: the tree's metadata image (mounted from its file, through a loop device where the kernel
//! asks for one), id-mapped, with the store's objects as data-only layer below: no byte is copied. *checkout*: one directory per
//! layer, each id-mapped. Either way the container's block of ids owns the files, while the store
//! keeps the tree's own. The upper is plain and owned by the block: an id-mapped upper fails.
//!
//! No `metacopy` or `redirect_dir` option is given, so a change of a lower file copies its data up
//! and renaming a lower directory fails with EXDEV: an upper is always complete in itself.
//! Source: overlayfs.rst, "Data-only lower layers", "Volatile mount".

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use racker_store::{Store, TreeId};
use rustix::fs::{CWD, FileType, fstat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::{Error, hosts};
use crate::sys::{self, IdMap, loop_device, user_namespace};

/// How a tree is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// The first of the others that this kernel can do.
    #[default]
    Auto,
    /// EROFS metadata image over data-only objects.
    Erofs,
    /// A directory per layer.
    Checkout,
}

impl Method {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Erofs => "erofs",
            Self::Checkout => "checkout",
        }
    }

    /// The one of this name.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Auto, Self::Erofs, Self::Checkout];
        all.into_iter().find(|it| it.name() == name)
    }
}

/// Where things lie during a mount; all inside the private mount namespace.
#[derive(Debug)]
pub struct Layout<'a> {
    /// A directory on a tmpfs of this mount namespace.
    pub directory: &'a Path,
    /// Holds `upper` and `work`, which are made there.
    pub writable: &'a Path,
    /// Whether the writable directory lies on a disk, where syncing it would cost.
    pub volatile: bool,
    /// The container's ids.
    pub ids: IdMap,
}

/// Mounts `tree` with an empty upper; returns the root.
pub fn tree(
    store: &Store,
    tree: TreeId,
    method: Method,
    layout: &Layout<'_>,
) -> Result<PathBuf, Error> {
    let namespace = map_of(layout.ids).map_err(Error::io("make a user namespace"))?;
    let lowers = match method {
        Method::Checkout => checkout(store, tree, layout.directory, &namespace)?,
        Method::Erofs => erofs(store, tree, layout.directory, &namespace)
            .map_err(Error::io("mount the tree's erofs image"))?,
        Method::Auto => match erofs(store, tree, layout.directory, &namespace) {
            Ok(lowers) => lowers,
            Err(_) => return self::tree(store, tree, Method::Checkout, layout),
        },
    };
    match overlay(&lowers, layout) {
        Err(_) if method == Method::Auto && lowers.objects.is_some() => {
            let lowers = checkout(store, tree, layout.directory, &namespace)?;
            overlay(&lowers, layout)
        }
        other => other,
    }
    .map_err(Error::io("mount the overlay"))
}

/// A user namespace that has the container's map; none where ids are the host's.
type Map = Option<OwnedFd>;

fn map_of(ids: IdMap) -> io::Result<Map> {
    (!ids.is_identity())
        .then(|| user_namespace(ids))
        .transpose()
}

fn mapped(mount: OwnedFd, map: &Map) -> io::Result<OwnedFd> {
    match map {
        Some(namespace) => sys::with_id_map(mount, namespace.as_fd()),
        None => Ok(mount),
    }
}

/// The read-only layers, topmost first, and where the bodies of their files lie.
struct Lowers {
    layers: Vec<PathBuf>,
    objects: Option<PathBuf>,
}

fn erofs(store: &Store, tree: TreeId, dir: &Path, namespace: &Map) -> io::Result<Lowers> {
    let image = store.erofs(tree).map_err(io::Error::other)?;
    let mount = match mount_image(&image) {
        // Before Linux 6.12, and for images on a tmpfs, it takes a block device.
        Err(error) if error.raw_os_error() == Some(libc::ENOTBLK) => {
            let (_device, path) = loop_device(&fs::File::open(&image)?)?;
            mount_image(&path)
        }
        other => other,
    }?;
    let lower = place(mapped(mount, namespace)?, dir.join("tree"))?;
    let objects = place(clone_mount(&store.objects())?, dir.join("objects"))?;
    Ok(Lowers {
        layers: vec![lower],
        objects: Some(objects),
    })
}

fn mount_image(source: &Path) -> io::Result<OwnedFd> {
    let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", source)?;
    fsconfig_set_flag(&context, "ro")?;
    fsconfig_create(&context)?;
    Ok(fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_RDONLY,
    )?)
}

fn checkout(store: &Store, tree: TreeId, dir: &Path, ns: &Map) -> Result<Lowers, Error> {
    let mut layers = Vec::new();
    for (number, path) in store.checkout(tree)?.iter().enumerate() {
        let mapped = clone_mount(path)
            .and_then(|mount| mapped(mount, ns))
            .and_then(|mount| place(mount, dir.join(format!("layer{number}"))))
            .map_err(Error::io(format!("mount {}", path.display())))?;
        layers.push(mapped);
    }
    Ok(Lowers {
        layers,
        objects: None,
    })
}

/// Shows a directory of the host at `at`, with the owners that the container's ids make of its own.
pub fn show(source: &Path, at: PathBuf, ids: IdMap) -> io::Result<PathBuf> {
    let namespace = map_of(ids)?;
    place(mapped(clone_mount(source)?, &namespace)?, at)
}

fn clone_mount(path: &Path) -> io::Result<OwnedFd> {
    Ok(open_tree(
        CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )?)
}

/// Attaches a detached mount at a new directory, or at a new file where it is one of a file.
fn place(mount: OwnedFd, at: PathBuf) -> io::Result<PathBuf> {
    if FileType::from_raw_mode(fstat(&mount)?.st_mode).is_dir() {
        fs::create_dir_all(&at)?;
    } else {
        fs::File::create_new(&at)?;
    }
    move_mount(
        &mount,
        "",
        CWD,
        &at,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?;
    Ok(at)
}

fn overlay(lowers: &Lowers, layout: &Layout<'_>) -> io::Result<PathBuf> {
    let (upper, work) = (layout.writable.join("upper"), layout.writable.join("work"));
    let again = upper.exists();
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    if again {
        // Nothing was lost of what was not synced: the machine has not been down since.
        let _ = fs::remove_dir_all(work.join("work/incompat"));
    } else {
        // The root of an overlay has its upper's owner, mode and times.
        let topmost = fs::metadata(&lowers.layers[0])?;
        chown(&upper, Some(topmost.uid()), Some(topmost.gid()))?;
        fs::set_permissions(&upper, fs::Permissions::from_mode(topmost.mode() & 0o7777))?;
        let times = fs::FileTimes::new().set_modified(topmost.modified()?);
        fs::File::open(&upper)?.set_times(times)?;
    }

    let mut lowerdir: Vec<String> = lowers
        .layers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if let Some(skeleton) = skeleton(&lowers.layers, layout)? {
        // On top, because the kernel follows a file's redirect from the last layer alone. No file of
        // it is in another layer, so the order shows nowhere.
        lowerdir.insert(0, skeleton.display().to_string());
    }
    let mut joined = lowerdir.join(":");
    if let Some(objects) = &lowers.objects {
        joined.push_str(&format!("::{}", objects.display()));
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", "racker")?;
    if joined.len() <= VALUE_LIMIT {
        fsconfig_set_string(&context, "lowerdir", &joined)?;
    } else {
        // One by one, as kernels from 6.8 on take them.
        for layer in &lowerdir {
            fsconfig_set_string(&context, "lowerdir+", layer)?;
        }
        if let Some(objects) = &lowers.objects {
            fsconfig_set_string(&context, "datadir+", objects.as_path())?;
        }
    }
    fsconfig_set_string(&context, "upperdir", &upper)?;
    fsconfig_set_string(&context, "workdir", &work)?;
    if layout.volatile {
        fsconfig_set_flag(&context, "volatile")?;
    }
    fsconfig_create(&context)?;
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )?;
    place(mount, layout.directory.join("root"))
}

/// Bytes of a value that `fsconfig(2)` takes.
const VALUE_LIMIT: usize = 255;

/// What nspawn wants in a root: it refuses one without `/usr`, and would make the others itself,
/// in the upper.
const SKELETON: [(&str, Option<&str>); 13] = [
    ("usr", None),
    ("bin", Some("usr/bin")),
    ("sbin", Some("usr/sbin")),
    ("lib", Some("usr/lib")),
    ("lib64", Some("usr/lib64")),
    ("etc", None),
    ("var", None),
    ("root", None),
    ("proc", None),
    ("sys", None),
    ("dev", None),
    ("run", None),
    ("tmp", None),
];

/// A layer with the entries of [`SKELETON`] that no layer has, and `/etc/hosts`; `None` where all are
/// there.
fn skeleton(layers: &[PathBuf], layout: &Layout<'_>) -> io::Result<Option<PathBuf>> {
    let missing: Vec<_> = SKELETON
        .iter()
        .filter(|(name, _)| {
            !layers
                .iter()
                .any(|l| l.join(name).symlink_metadata().is_ok())
        })
        .collect();
    let etc = etc_without_hosts(layers)?;
    if missing.is_empty() && etc.is_none() {
        return Ok(None);
    }
    let directory = layout.directory.join("skeleton");
    match fs::remove_dir_all(&directory) {
        // There is one where an overlay was tried that this kernel cannot do.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir(&directory)?,
    }
    let owner = Some(layout.ids.base);
    for (name, target) in missing {
        let path = directory.join(name);
        match target {
            Some(target) => symlink(target, &path)?,
            None => fs::create_dir(&path)?,
        }
        lchown(&path, owner, owner)?;
    }
    if let Some(found) = etc {
        let etc = directory.join("etc");
        fs::create_dir(&etc)?;
        let file = etc.join("hosts");
        fs::write(&file, hosts::LOCAL)?;
        chown(&file, owner, owner)?;
        // It is the one that shows.
        chown(&etc, Some(found.uid()), Some(found.gid()))?;
        fs::set_permissions(&etc, fs::Permissions::from_mode(found.mode() & 0o7777))?;
        let times = fs::FileTimes::new().set_modified(found.modified()?);
        fs::File::open(&etc)?.set_times(times)?;
    }
    chown(&directory, owner, owner)?;
    Ok(Some(directory))
}

/// The topmost `/etc` where no layer has `/etc/hosts`. One with extended attributes is left alone.
fn etc_without_hosts(layers: &[PathBuf]) -> io::Result<Option<fs::Metadata>> {
    let mut topmost = None;
    for layer in layers {
        let etc = layer.join("etc");
        let Ok(found) = etc.symlink_metadata() else {
            continue;
        };
        if !found.is_dir() || etc.join("hosts").symlink_metadata().is_ok() {
            return Ok(None);
        }
        if topmost.is_none() {
            let mut names = Vec::with_capacity(4096);
            rustix::fs::llistxattr(&etc, rustix::buffer::spare_capacity(&mut names))?;
            let mut names = names.split(|byte| *byte == 0);
            if names.any(|name| !name.is_empty() && !name.starts_with(b"trusted.overlay.")) {
                return Ok(None);
            }
            topmost = Some(found);
        }
    }
    Ok(topmost)
}
