//! A root filesystem in one tar stream (`.tar`, `.gz`, `.xz`, `.zst`, told apart by content).

use std::io::Read;

use racker_store::{Digest, Image, ImportedTar, Store, Tree};

use super::assemble::{self, Origin};
use super::config::Config;
use super::error::{Error, Result};
use super::layers::{self, Source};
use super::options::Options;

/// Reads a tarball into the store's objects and gives its tree, with the digest of the plain tar.
pub fn read(
    store: &Store,
    what: &str,
    reader: impl Read + Send,
    options: &Options<'_>,
) -> Result<(Tree, Digest)> {
    let tar = read_tar(store, what, reader, options)?;
    let tree = tar
        .changeset
        .apply(&Tree::default())
        .map_err(|error| Error::store(what, error))?;
    Ok((tree, tar.diff_id))
}

/// Imports a tarball as an image with one layer, under `name`; `what` says where it came from.
pub fn import(
    store: &Store,
    what: &str,
    reader: impl Read + Send,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let tar = read_tar(store, what, reader, options)?;
    let config = Config::bare(&options.platform(), tar.diff_id, &format!("import {what}"));
    let origin = Origin {
        name: name.to_owned(),
        source: Some(what.to_owned()),
        manifest: None,
        index: None,
    };
    // The layer is in the store now, so that nothing will be read again.
    let wanted = [assemble::wanted(None, tar.diff_id, Some(what.to_owned()))];
    assemble::from_layers(store, origin, &config, &wanted, &Nothing, options)
}

fn read_tar(
    store: &Store,
    what: &str,
    reader: impl Read + Send,
    options: &Options<'_>,
) -> Result<ImportedTar> {
    let open = || Ok(Box::new(reader) as Box<dyn Read + Send + '_>);
    let tar = layers::import_one(store, what, None, open, options.progress)?;
    options.progress.finished(what);
    if tar.size == 0 {
        // Where a tree should come from, this is a download that failed, not an empty archive.
        return Err(Error::Decompress {
            what: what.to_owned(),
            reason: "it is empty".into(),
        });
    }
    Ok(tar)
}

struct Nothing;

impl Source for Nothing {
    fn open<'s>(
        &'s self,
        _: usize,
        _: &'s std::sync::atomic::AtomicBool,
    ) -> Result<Box<dyn Read + Send + 's>> {
        Err(Error::Cancelled)
    }
}
