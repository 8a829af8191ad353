//! Images into a tar file that `docker load` and `podman load` read.
//!
//! ```text
//! <diff id>.tar  <config digest>.json  manifest.json
//! ```
//!
//! Layers are not compressed, each is there once. The same images give the same bytes: members have
//! no time and no owner. Source: docker image specification 1.2, "Combined image JSON".

use std::collections::BTreeSet;
use std::io::{self, Write};

use racker_store::{Digest, Image, ImageLayer, Store};
use serde_json::json;

use super::document::{self, Document};
use super::pack::{self, Hashing, Packed};
use super::send::item;
use crate::canonical::canonical;
use crate::oci::error::{Error, Result};
use crate::oci::manifest::{Blob, sha256};
use crate::oci::{Progress, Reference};

/// Writes images, each under its own name.
pub fn save_docker_archive(
    store: &Store,
    images: &[(Image, Option<Reference>)],
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<()> {
    let mut tar = Members {
        out,
        written: BTreeSet::new(),
    };
    let mut entries = Vec::new();
    for (image, name) in images {
        let mut packed = Vec::new();
        for layer in image.layers.iter().filter(|layer| !layer.empty) {
            packed.push(tar.layer(store, layer, progress)?);
        }
        let Document { bytes, .. } = document::config(store, image, &packed)?;
        let config = format!("{}.json", sha256(&bytes).hex());
        tar.file(&config, &bytes)?;
        let layers = packed.iter().map(|it| layer_name(&it.diff_id));
        let tags: Vec<String> = name.iter().map(Reference::familiar).collect();
        entries.push(json!({
            "Config": config,
            "RepoTags": tags,
            "Layers": layers.collect::<Vec<_>>(),
        }));
    }
    tar.file("manifest.json", canonical(&json!(entries)).as_bytes())?;
    tar.finish()
}

fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

struct Members<'a> {
    out: &'a mut dyn Write,
    written: BTreeSet<String>,
}

impl Members<'_> {
    /// Writes a layer, unless it is there. The header comes first and has the size in it, so a layer
    /// that was baked is put together twice.
    fn layer(
        &mut self,
        store: &Store,
        layer: &ImageLayer,
        progress: &dyn Progress,
    ) -> Result<Packed> {
        let item = item(layer);
        let blob = match &layer.diff_id {
            Some(diff_id) => {
                let tar = store.export_tar(diff_id);
                let size = tar.map_err(|error| Error::store(diff_id, error))?.size();
                Blob {
                    digest: *diff_id,
                    size,
                }
            }
            None => written(store, layer, io::sink())?,
        };
        let packed = Packed {
            diff_id: blob.digest,
            blob,
        };
        let name = layer_name(&packed.diff_id);
        if !self.written.insert(name.clone()) {
            progress.present(&item);
            return Ok(packed);
        }
        progress.started(&item, Some(blob.size));
        self.header(&name, blob.size)?;
        let actual = written(store, layer, &mut *self.out)?;
        if actual != blob {
            return Err(Error::DigestMismatch {
                what: format!("layer {item}"),
                expected: blob.digest,
                actual: actual.digest,
            });
        }
        self.pad(blob.size)?;
        progress.finished(&item);
        Ok(packed)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        self.header(name, bytes.len() as u64)?;
        self.out.write_all(bytes).map_err(failed)?;
        self.pad(bytes.len() as u64)
    }

    fn header(&mut self, name: &str, size: u64) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).map_err(failed)?;
        header.set_mode(0o444);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        self.out.write_all(header.as_bytes()).map_err(failed)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let rest = (512 - size % 512) % 512;
        self.out
            .write_all(&[0; 512][..rest as usize])
            .map_err(failed)
    }

    /// Two empty blocks.
    fn finish(self) -> Result<()> {
        self.out.write_all(&[0; 1024]).map_err(failed)?;
        self.out.flush().map_err(failed)
    }
}

/// Writes a layer's plain archive; its digest and size.
fn written(store: &Store, layer: &ImageLayer, out: impl Write) -> Result<Blob> {
    let mut plain = Hashing::new(out);
    pack::archive(store, layer, &mut plain)?;
    let (digest, size, _) = plain.finish();
    Ok(Blob { digest, size })
}

fn failed(error: io::Error) -> Error {
    Error::io("the archive", error)
}
