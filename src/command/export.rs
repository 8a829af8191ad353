//! `racker export`

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use racker_store::{NodeRef, Store, Time, Tree, TreeId};

use super::output::{into_file, into_place};
use super::{Context, failed};
use crate::failure::{Failure, USAGE};
use crate::lifecycle::{self, Yard, changes};
use crate::oci::Registries;
use crate::shown::shown_path;
use crate::{subject, sysext};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container, image, tree id, or step as `plan` names it
    name: String,
    /// Where to write; for dir a directory that is not there yet [default: standard output]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Tar)]
    format: Format,
    /// For sysext: what is extended, an image or a tree as above
    #[arg(long, value_name = "IMAGE", required_if_eq("format", "sysext"))]
    base: Option<String>,
}

/// How a tree goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An archive
    Tar,
    /// A directory
    Dir,
    /// A file system image, compressed
    Squashfs,
    /// A file system image, not compressed
    Erofs,
    /// A system extension: what is added to --base below /usr and /opt
    Sysext,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    if args.base.is_some() && args.format != Format::Sysext {
        return Err(Failure::new(USAGE, "--base is for --format=sysext"));
    }
    let output = args.output.as_deref();
    let place = || {
        let failure = Failure::new(USAGE, "this needs a place").hint("write -o PATH");
        output.ok_or(failure)
    };
    // A mistake on the command line is told before the work.
    if matches!(args.format, Format::Dir | Format::Sysext) {
        place()?;
    }
    let (store, registries) = (context.store()?, context.registries()?);
    let tree = store.tree(find(&store, &registries, &args.name)?)?;
    match args.format {
        Format::Tar => to(output, |mut out| Ok(store.write_tree_tar(&tree, &mut out)?))?,
        Format::Erofs => to(output, |mut out| Ok(store.write_erofs(&tree, &mut out)?))?,
        Format::Dir => directory(&store, &tree, place()?)?,
        Format::Squashfs => to(output, |out| squashfs(&store, &tree, out))?,
        Format::Sysext => {
            let base = args.base.as_deref().unwrap_or_default();
            let base = store.tree(find(&store, &registries, base)?)?;
            let tree = extension(context, &store, (&base, &tree), place()?)?;
            to(output, |out| squashfs(&store, &tree, out))?;
        }
    }
    Ok(0)
}

/// A container as it is now, or what the name stands for otherwise.
fn find(store: &Store, registries: &Registries, name: &str) -> Result<TreeId, Failure> {
    match Yard::of(store).find(name) {
        Ok(kept) => Ok(changes::tree(store, &kept)?),
        Err(lifecycle::Error::NoSuch(_)) => {
            let tree = subject::find(store, registries, name)?.tree;
            store.hold(tree)?;
            Ok(tree)
        }
        Err(error) => Err(error.into()),
    }
}

fn to(
    output: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match output {
        Some(path) => into_file(path, write),
        None if io::stdout().is_terminal() => {
            let failure = Failure::new(USAGE, "a file system does not go to a terminal");
            Err(failure.hint("write -o FILE, or send the output elsewhere"))
        }
        None => {
            let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
            write(&mut out)?;
            out.flush()
                .map_err(|error| failed(format!("write to standard output: {error}")))
        }
    }
}

/// Writes a directory.
fn directory(store: &Store, tree: &Tree, path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        let failure = failed(format!("{} is there already", path.display()));
        return Err(failure.hint("name a directory that is not"));
    }
    into_place(path, |made| Ok(store.write_tree(tree, made)?))
}

/// Writes a squashfs image by `mksquashfs`, which gives the same bytes on any number of processors,
/// and writes to a file only: to one that goes out as any other format does.
fn squashfs(store: &Store, tree: &Tree, out: &mut dyn Write) -> Result<(), Failure> {
    let stage = store.stage()?;
    let (root, image) = (stage.path().join("root"), stage.path().join("image"));
    store.write_tree(&in_squashfs(tree), &root)?;
    let mut command = Command::new("mksquashfs");
    command.arg(&root).arg(&image);
    command.args(["-noappend", "-quiet", "-no-progress", "-mkfs-time", "0"]);
    command.args(["-comp", "zstd", "-Xcompression-level", "9", "-xattrs"]);
    // It would be a second word about the time.
    command.env_remove("SOURCE_DATE_EPOCH");
    command.stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        let failure = failed(format!("run mksquashfs: {error}"));
        failure.hint("on Debian it is in squashfs-tools; --format=erofs needs no tool")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(format!("mksquashfs: {said}")));
    }
    let written = File::open(&image).and_then(|mut image| io::copy(&mut image, out));
    written.map_err(|error| failed(format!("write a squashfs image: {error}")))?;
    Ok(())
}

/// A tree with the times that squashfs has: seconds in 32 bits without a sign, out of which
/// `mksquashfs` would make others for what is before 1970 or after 2106.
fn in_squashfs(tree: &Tree) -> Tree {
    let mut fit = tree.clone();
    for (path, node) in tree.entries() {
        let metadata = match node {
            NodeRef::Directory(_) => fit.directory_mut(&path).map(|it| &mut it.metadata),
            NodeRef::Inode(id, _) => Some(&mut fit.inode_mut(id).metadata),
        };
        if let Some(metadata) = metadata {
            let seconds = metadata.mtime.seconds.clamp(0, u32::MAX.into());
            metadata.mtime = Time::seconds(seconds);
        }
    }
    fit
}

/// What one tree adds to another, named as the file is, which `systemd-sysext` insists on.
fn extension(
    context: &Context,
    store: &Store,
    (base, whole): (&Tree, &Tree),
    path: &Path,
) -> Result<Tree, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let raw = path.extension().is_some_and(|it| it == "raw");
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !raw || !stem.chars().all(plain) {
        let failure = Failure::new(USAGE, "the file of a system extension is called NAME.raw");
        return Err(failure.hint("NAME has letters, digits and any of ._-"));
    }
    let found =
        sysext::extension(store, base, whole, &stem).map_err(|error| failed(error.to_string()))?;
    for (paths, what) in [
        (&found.left_out, "not below /usr or /opt, and left out"),
        (&found.not_removed, "still there: an extension only adds"),
    ] {
        if let Some(first) = paths.first() {
            let first = shown_path(first);
            let more = match paths.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            context.ui.say(format!("{first}{more}: {what}"));
        }
    }
    Ok(found.tree)
}
