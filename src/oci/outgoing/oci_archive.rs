//! An OCI layout in one tar file (`oci-archive:FILE`).

use std::io::Write;
use std::path::{Path, PathBuf};

use racker_store::{Digest, Image, Store};

use super::encode::Encoding;
use super::layout::save;
use crate::oci::Progress;
use crate::oci::error::{Error, Result};

/// Writes an image as a layout in a tar file. Returns the digest of its manifest.
pub fn save_oci_archive(
    store: &Store,
    image: &Image,
    tag: &str,
    encoding: Option<Encoding>,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<Digest> {
    let stage = store.stage();
    let stage = stage.map_err(|error| Error::store(&image.name, error))?;
    // The staging directory itself is locked, as a layout is while its index changes.
    let layout = stage.path().join("layout");
    let digest = save(store, image, &layout, tag, encoding, progress)?;
    let failed = |error| Error::io("the archive", error);
    let mut tar = tar::Builder::new(out);
    tar.mode(tar::HeaderMode::Deterministic);
    for path in files(&layout)? {
        let name = path.strip_prefix(&layout).unwrap_or(&path);
        tar.append_path_with_name(&path, name).map_err(failed)?;
    }
    tar.into_inner().and_then(Write::flush).map_err(failed)?;
    Ok(digest)
}

/// All files below a directory, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let all = walkdir::WalkDir::new(directory).sort_by_file_name();
    let all = all.into_iter().map(|entry| {
        let entry = entry.map_err(|error| Error::io(directory.display(), error.into()))?;
        Ok(entry.file_type().is_file().then(|| entry.into_path()))
    });
    let all: Result<Vec<Option<PathBuf>>> = all.collect();
    Ok(all?.into_iter().flatten().collect())
}
