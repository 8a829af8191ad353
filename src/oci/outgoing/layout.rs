//! An image into an OCI layout directory. Source: OCI image-spec, image-layout.md.
//!
//! What is there stays: other images, other tags. Blobs appear under their names when they are
//! complete, `index.json` is replaced in one piece and last, and several at once take turns with it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use racker_store::{Digest, Image, Store};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::document::descriptor;
use super::encode::Encoding;
use super::send::send;
use super::sink::{Sink, WriteBlob};
use crate::canonical::canonical;
use crate::oci::error::{Error, Result};
use crate::oci::layout::{FULL_NAME, REF_NAME};
use crate::oci::manifest::{Blob, MANIFEST_MAX, OCI_INDEX};
use crate::oci::{Progress, Reference};

/// Writes an image into the layout at `directory`, which is made where there is none, under a tag.
/// Returns the digest of its manifest.
pub fn save(
    store: &Store,
    image: &Image,
    directory: &Path,
    tag: &str,
    encoding: Option<Encoding>,
    progress: &dyn Progress,
) -> Result<Digest> {
    let layout = Layout::open(directory)?;
    let sent = send(store, image, encoding, &layout, progress)?;
    layout.put_bytes(&sent.manifest)?;
    let mut entry = descriptor(&sent.media_type, sent.blob);
    entry["annotations"] = json!({ REF_NAME: tag });
    if let Ok(name) = Reference::parse(&image.name)
        && name.digest().is_none()
    {
        entry["annotations"][FULL_NAME] = json!(name.to_string());
    }
    let mut platform = json!({});
    for key in ["architecture", "os", "variant"] {
        if let Some(value) = sent.config.get(key) {
            platform[key] = value.clone();
        }
    }
    entry["platform"] = platform;
    layout.enter(tag, entry)?;
    Ok(sent.blob.digest)
}

struct Layout {
    directory: PathBuf,
}

impl Layout {
    /// Opens a layout, or makes an empty one in a directory that has nothing in it.
    fn open(directory: &Path) -> Result<Self> {
        let layout = Self {
            directory: directory.to_owned(),
        };
        let blobs = layout.blobs();
        let header = directory.join("oci-layout");
        if !header.exists() {
            let mut names = match fs::read_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                names => Some(names.map_err(at(directory))?),
            };
            if names.as_mut().is_some_and(|it| it.next().is_some()) {
                return Err(Error::Archive {
                    path: directory.to_owned(),
                    reason: "it is neither empty nor an OCI layout".into(),
                });
            }
        }
        fs::create_dir_all(&blobs).map_err(at(&blobs))?;
        if !header.exists() {
            layout.replace("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(layout)
    }

    fn blobs(&self) -> PathBuf {
        self.directory.join("blobs/sha256")
    }

    /// Puts an image into the index, in place of one with the same tag.
    fn enter(&self, tag: &str, entry: Value) -> Result<()> {
        let path = self.directory.join("index.json");
        let failed = at(&self.directory);
        let turn = File::open(&self.directory).map_err(&failed)?;
        rustix::io::retry_on_intr(|| flock(&turn, FlockOperation::LockExclusive))
            .map_err(|error| failed(error.into()))?;
        let mut index = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] })
            }
            bytes => parse(&path, &bytes.map_err(at(&path))?)?,
        };
        let Some(entries) = index["manifests"].as_array_mut() else {
            return Err(Error::Archive {
                path,
                reason: "it is not an index".into(),
            });
        };
        entries.retain(|it| it["annotations"][REF_NAME] != tag);
        entries.push(entry);
        self.replace("index.json", canonical(&index).as_bytes())
    }

    /// Writes a file of the directory in one piece.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.directory.join(name);
        let mut file = self.unfinished()?;
        let written = file.write_all(bytes);
        written.map_err(at(&path))?;
        keep(file, &path)
    }

    fn unfinished(&self) -> Result<NamedTempFile> {
        let file = tempfile::Builder::new()
            .prefix(".unfinished-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&self.directory);
        file.map_err(at(&self.directory))
    }
}

impl Sink for Layout {
    fn has(&self, blob: &Blob) -> Result<bool> {
        let path = self.blobs().join(blob.digest.hex());
        Ok(fs::metadata(path).is_ok_and(|stat| stat.len() == blob.size))
    }

    fn put(&self, _: &str, write: WriteBlob<'_>) -> Result<()> {
        let file = self.unfinished()?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let blob = write(&mut out)?;
        let path = self.blobs().join(blob.digest.hex());
        let file = out.into_inner();
        keep(file.map_err(|error| at(&path)(error.into_error()))?, &path)
    }
}

/// Gives a finished file its name; its bytes are on the disk first.
fn keep(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_data().map_err(at(path))?;
    let kept = file.persist(path);
    kept.map(drop).map_err(|error| at(path)(error.error))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Value> {
    if bytes.len() as u64 > MANIFEST_MAX {
        return Err(Error::TooLarge {
            what: path.display().to_string(),
            limit: MANIFEST_MAX,
        });
    }
    serde_json::from_slice(bytes).map_err(|error| Error::Archive {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::io(path.display(), error)
}
