//! After a power cut: what was on its way in is looked at before anybody relies on it.
//!
//! Whoever finds a file where he was to put one takes it for whole. A file that was never synced may be there
//! after a power cut and be empty, cut off, or full of zeros. Nothing refers to it, for that is written after a
//! sync, but somebody may find it. He who put it in has left his lease, with the start of the machine in its
//! name. The first who wants a lease afterwards reads everything that is as young as that one, and takes
//! away what is not what its name says.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rayon::prelude::*;
use rustix::fs::{FlockOperation, flock, fstat, lstat, syncfs};

use crate::erofs;
use crate::error::{At as _, Result};
use crate::id::{Digest, ObjectId, TreeId};
use crate::lease::{Boot, Moment, changed, modified};
use crate::store::{Store, list, retry};
use crate::verify::{blob, expect};

impl Store {
    /// Takes away what did not arrive whole before the power failed, if it did.
    pub(crate) fn recover(&self) -> Result<()> {
        if self.left_leases(Boot::Another)?.is_empty() {
            return Ok(());
        }
        // One does it, and the others wait for him.
        let locks = self.locks();
        let turn = File::open(&locks).at("open", &locks)?;
        retry(|| flock(&turn, FlockOperation::LockExclusive)).at("lock", &locks)?;
        let left = self.left_leases(Boot::Another)?;
        // When it began: the change of the inode may be that of a copy.
        let began = left
            .iter()
            .filter_map(|(_, file)| Some(modified(&fstat(file).ok()?)));
        let Some(since) = began.min() else {
            return Ok(());
        };
        self.sift(since)?;
        syncfs(&turn).at("sync", self.root())?;
        for (path, _locked) in left {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Takes away what is younger than `since` and not whole: bodies first, since archives are made of them.
    fn sift(&self, since: Moment) -> Result<()> {
        self.sift_files("objects", since, object)?;
        self.sift_files("trees", since, |path| self.beside_tree(path))?;
        self.sift_files("layers", since, |path| self.layer_or_archive(path))?;
        self.sift_files("blobs/sha256", since, |path| blob(path).ok())?;
        self.sift_files("metadata", since, |path| {
            let mut archive = zstd::Decoder::new(File::open(path).ok()?).ok()?;
            io::copy(&mut archive, &mut io::sink()).ok().map(drop)
        })
    }

    /// Takes away the young files in a directory, or in those in it, of which `whole` has nothing good to say.
    fn sift_files(
        &self,
        directory: &str,
        since: Moment,
        whole: impl Fn(&Path) -> Option<()> + Sync,
    ) -> Result<()> {
        let shards = list(&self.root().join(directory))?;
        shards.into_par_iter().try_for_each(|path| {
            let files = if path.is_dir() {
                list(&path)?
            } else {
                vec![path]
            };
            files.into_par_iter().try_for_each(|path| {
                let young = lstat(&path).is_ok_and(|stat| changed(&stat) >= since);
                if !young || whole(&path).is_some() {
                    return Ok(());
                }
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    result => result.at("remove", &path),
                }
            })
        })
    }

    fn beside_tree(&self, path: &Path) -> Option<()> {
        let name = path.file_name()?.to_str()?;
        let (id, kind) = name.split_once('.')?;
        let id: TreeId = id.parse().ok()?;
        match kind {
            "tree" => self.tree(id).ok().map(drop),
            "base" => self.base(id).ok().map(drop),
            "erofs" => {
                let image = erofs::image(&self.tree(id).ok()?).ok()?;
                if fs::read(path).is_ok_and(|bytes| bytes == image) {
                    return Some(());
                }
                // A tree that was there before needs it.
                self.write_beside(path, &image).ok()
            }
            _ => matches!(&*fs::read(path).ok()?, b"yes\n" | b"no\n").then_some(()),
        }
    }

    fn layer_or_archive(&self, path: &Path) -> Option<()> {
        let name = path.file_name()?.to_str()?;
        if let Some(id) = name.strip_suffix(".layer") {
            return self.layer(id.parse().ok()?).ok().map(drop);
        }
        let diff_id: Digest = name
            .strip_suffix(".split")?
            .replace('-', ":")
            .parse()
            .ok()?;
        self.changeset(&diff_id).ok()??;
        expect(&diff_id, self.export_tar(&diff_id).ok()?).ok()
    }
}

fn object(path: &Path) -> Option<()> {
    let shard = path.parent()?.file_name()?.to_str()?;
    let id: ObjectId = format!("{shard}{}", path.file_name()?.to_str()?)
        .parse()
        .ok()?;
    let mut hash = blake3::Hasher::new();
    hash.update_reader(File::open(path).ok()?).ok()?;
    (hash.finalize().as_bytes() == id.as_bytes()).then_some(())
}
