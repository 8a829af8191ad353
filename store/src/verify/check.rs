//! Every file of a store, one by one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::digest_hash::BuildDigestHasher;
use crate::erofs;
use crate::error::{At as _, Error, Result};
use crate::id::{Digest, LayerId, ObjectId, TreeId};
use crate::layer::Change;
use crate::object::SMALL;
use crate::realisation;
use crate::store::{Store, list};
use crate::tree::{Content, Inode};

/// Why something that is no plain file is wrong: what reads it may follow it elsewhere, and nobody keeps
/// what is there.
const NO_FILE: &str = "it is no plain file";

/// What is wrong with one file.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The bytes of an object are wrong.
    Object(ObjectId),
    /// An object's owner or mode is wrong.
    Access,
    /// A tree's manifest is wrong, or objects are missing.
    Tree(TreeId),
    /// A tree's EROFS image is wrong or missing.
    Erofs(TreeId),
    /// What is noted beside a tree.
    Beside,
    Layer(LayerId),
    Archive(Digest),
    Blob,
    Image,
    Realisation,
    Index,
}

/// What was found, by file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) files: BTreeMap<PathBuf, Vec<Finding>>,
    /// Objects that are wrong or missing, by the trees that need them.
    pub(super) lacking: HashMap<TreeId, HashSet<ObjectId>>,
}

/// Sizes of the objects that are whole.
type Objects = HashMap<ObjectId, u64, BuildDigestHasher>;

pub(super) fn check(store: &Store) -> Result<Findings> {
    let findings = Mutex::new(Findings::default());
    let check = Check {
        store,
        objects: objects(store, &findings)?,
        findings,
    };
    check
        .plain(list(&store.root().join("trees"))?, tree_kind)
        .par_iter()
        .for_each(|path| check.tree_file(path));
    check
        .plain(list(&store.root().join("layers"))?, layer_kind)
        .par_iter()
        .for_each(|path| check.layer_file(path));
    for shard in list(&store.root().join("blobs/sha256"))? {
        let blobs = check.plain(list(&shard)?, |_| Kind::Blob);
        blobs.par_iter().for_each(|path| {
            check.note(path, Kind::Blob, blob(path));
        });
    }
    for path in check.plain(list(&store.root().join("roots/images"))?, |_| Kind::Image) {
        check.note(&path, Kind::Image, check.image(&path));
    }
    for path in check.plain(store.realisation_paths()?, |_| Kind::Realisation) {
        check.note(&path, Kind::Realisation, check.realisation(&path));
    }
    if !store.index_is_true() {
        let error = Error::damaged("index", "index.db", "it is not what the files say");
        check.note(&store.root().join("index.db"), Kind::Index, Err(error));
    }
    Ok(check
        .findings
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Reads all objects.
fn objects(store: &Store, findings: &Mutex<Findings>) -> Result<Objects> {
    let owner = std::fs::metadata(store.objects()).map_or(0, |it| it.uid());
    let mut names = Vec::new();
    for shard in list(&store.objects())? {
        let start = name(&shard);
        // In any order: sorting a million paths takes seconds.
        for entry in std::fs::read_dir(&shard).at("list", &shard)? {
            let entry = entry.at("list", &shard)?;
            let name = format!("{start}{}", entry.file_name().to_string_lossy());
            let Ok(id) = name.parse::<ObjectId>() else {
                continue;
            };
            if entry.file_type().is_ok_and(|it| it.is_file()) {
                names.push(id);
            } else {
                note(
                    store,
                    findings,
                    &entry.path(),
                    Kind::Object(id),
                    NO_FILE.to_owned(),
                );
            }
        }
    }
    let whole = |bytes: &mut Vec<u8>, id: ObjectId| match whole(store, id, owner, bytes) {
        Ok(size) => size.map(|size| (id, size)),
        Err((kind, reason, size)) => {
            note(store, findings, &store.object_path(id), kind, reason);
            size.map(|size| (id, size))
        }
    };
    let sizes = names.into_par_iter().map_init(Vec::new, whole);
    Ok(sizes.flatten_iter().collect())
}

/// The size of an object that is whole; none if it was collected meanwhile. With what is wrong
/// comes the size, too, if the bytes are right.
fn whole(
    store: &Store,
    id: ObjectId,
    owner: u32,
    bytes: &mut Vec<u8>,
) -> std::result::Result<Option<u64>, (Kind, String, Option<u64>)> {
    let lost = |error: io::Error| (Kind::Object(id), error.to_string(), None);
    let file = match File::open(store.object_path(id)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(lost)?,
    };
    let stat = file.metadata().map_err(lost)?;
    let (digest, size) = digest(file, stat.len(), bytes).map_err(lost)?;
    if digest.as_bytes() != id.as_bytes() {
        let reason = "its bytes have another digest".to_owned();
        return Err((Kind::Object(id), reason, None));
    }
    let reason = if stat.mode() & 0o7777 != 0o444 {
        format!("its mode is {:04o}", stat.mode() & 0o7777)
    } else if stat.uid() != owner {
        format!("its owner is {}", stat.uid())
    } else {
        return Ok(Some(size));
    };
    Err((Kind::Access, reason, Some(size)))
}

/// The digest of all bytes of a file and their number; `bytes` is used again for the next one.
fn digest(mut file: File, size: u64, bytes: &mut Vec<u8>) -> io::Result<(blake3::Hash, u64)> {
    if size > SMALL as u64 {
        let mut hash = blake3::Hasher::new();
        hash.update_reader(file)?;
        return Ok((hash.finalize(), hash.count()));
    }
    bytes.clear();
    file.read_to_end(bytes)?;
    Ok((blake3::hash(bytes), bytes.len() as u64))
}

fn note(store: &Store, findings: &Mutex<Findings>, path: &Path, kind: Kind, reason: String) {
    let path = path.strip_prefix(store.root()).unwrap_or(path).to_owned();
    let mut findings = findings
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let finding = Finding { kind, reason };
    findings.files.entry(path).or_default().push(finding);
}

struct Check<'a> {
    store: &'a Store,
    findings: Mutex<Findings>,
    objects: Objects,
}

impl Check<'_> {
    fn note(&self, path: &Path, kind: Kind, result: Result<()>) {
        if let Err(error) = result {
            note(self.store, &self.findings, path, kind, error.to_string());
        }
    }

    /// Those of the files that are files; `kind` says what another is noted as.
    fn plain(&self, mut paths: Vec<PathBuf>, kind: impl Fn(&str) -> Kind) -> Vec<PathBuf> {
        paths.retain(|path| {
            // What is gone was collected meanwhile.
            let Ok(found) = path.symlink_metadata() else {
                return false;
            };
            if !found.is_file() {
                let (kind, reason) = (kind(&name(path)), NO_FILE.to_owned());
                note(self.store, &self.findings, path, kind, reason);
            }
            found.is_file()
        });
        paths
    }

    fn tree_file(&self, path: &Path) {
        let name = name(path);
        let (id, kind) = name.split_once('.').unwrap_or((&name, ""));
        let Ok(id) = id.parse::<TreeId>() else {
            let error = Error::damaged("tree", path.display(), "its name is none of a tree");
            return self.note(path, Kind::Beside, Err(error));
        };
        match kind {
            "tree" => self.tree(id, path),
            "base" => self.note(path, Kind::Beside, self.store.base(id).map(drop)),
            // Without a manifest it has no meaning.
            "erofs" => {}
            _ => {
                let known = std::fs::read(path).unwrap_or_default();
                if known != b"yes\n" && known != b"no\n" {
                    let error = Error::damaged("note on tree", id, "it is neither yes nor no");
                    self.note(path, Kind::Beside, Err(error));
                }
            }
        }
    }

    fn tree(&self, id: TreeId, path: &Path) {
        let tree = match self.store.tree(id) {
            Err(Error::Missing { .. }) => return,
            Err(error) => return self.note(path, Kind::Tree(id), Err(error)),
            Ok(tree) => tree,
        };
        let lacking: Vec<_> = tree
            .inodes
            .iter()
            .filter_map(|inode| self.object(inode).err())
            .collect();
        if let Some((_, error)) = lacking.first() {
            let more = match lacking.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more are not whole"),
            };
            let reason = format!("{error}{more}");
            note(self.store, &self.findings, path, Kind::Tree(id), reason);
            let mut findings = self
                .findings
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let ids = lacking.into_iter().map(|(id, _)| id).collect();
            findings.lacking.insert(id, ids);
        }
        let path = self.store.tree_path(id, "erofs");
        let image = || {
            let bytes =
                std::fs::read(&path).map_err(|error| Error::damaged("image of tree", id, error))?;
            if bytes != erofs::image(&tree)? {
                let reason = "it is not what the tree says";
                return Err(Error::damaged("image of tree", id, reason));
            }
            Ok(())
        };
        self.note(&path, Kind::Erofs(id), image());
    }

    /// The object of an inode that has one is whole.
    fn object(&self, inode: &Inode) -> std::result::Result<(), (ObjectId, Error)> {
        let Content::File {
            object: Some(object),
            size,
        } = inode.content
        else {
            return Ok(());
        };
        match self.size(object) {
            Some(whole) if whole == size => Ok(()),
            Some(_) => Err((
                object,
                Error::damaged("object", object, "it has another size"),
            )),
            None => Err((object, Error::missing("whole object", object))),
        }
    }

    /// The size of an object that is whole; one that came meanwhile is read now.
    fn size(&self, id: ObjectId) -> Option<u64> {
        self.objects.get(&id).copied().or_else(|| {
            let path = self.store.object_path(id);
            if !path.symlink_metadata().ok()?.is_file() {
                return None;
            }
            let mut hash = blake3::Hasher::new();
            hash.update_reader(self.store.open_object(id).ok()?).ok()?;
            (hash.finalize().as_bytes() == id.as_bytes()).then(|| hash.count())
        })
    }

    fn layer_file(&self, path: &Path) {
        let kind = layer_kind(&name(path));
        let result = match &kind {
            Kind::Archive(diff_id) => self.archive(diff_id),
            Kind::Layer(id) => self.layer(*id),
            _ => Err(Error::damaged(
                "layer",
                path.display(),
                "its name is none of a layer",
            )),
        };
        self.note(path, kind, result);
    }

    fn layer(&self, id: LayerId) -> Result<()> {
        let layer = match self.store.layer(id) {
            Err(Error::Missing { .. }) => return Ok(()),
            result => result?,
        };
        for (_, change) in layer.changes {
            if let Change::Inode(inode) = change {
                self.object(&inode).map_err(|(_, error)| error)?;
            }
        }
        Ok(())
    }

    fn archive(&self, diff_id: &Digest) -> Result<()> {
        if self.store.changeset(diff_id)?.is_none() {
            return Ok(());
        }
        for object in self.store.split_bodies(diff_id)? {
            if self.size(object).is_none() {
                return Err(Error::missing("whole object", object));
            }
        }
        expect(diff_id, self.store.export_tar(diff_id)?)
    }

    fn image(&self, path: &Path) -> Result<()> {
        let Some(bytes) = crate::store::read_optional(path)? else {
            return Ok(());
        };
        let image: crate::Image = serde_json::from_slice(&bytes)
            .map_err(|error| Error::damaged("image", path.display(), error))?;
        if self.store.image_path(&image.name)? != path {
            return Err(Error::damaged(
                "image",
                path.display(),
                "it has another name",
            ));
        }
        self.known_tree(image.tree)?;
        for layer in image.layers {
            self.known_tree(layer.tree)?;
            layer
                .layer
                .map_or(Ok(()), |layer| self.known_layer(layer))?;
        }
        Ok(())
    }

    fn realisation(&self, path: &Path) -> Result<()> {
        let Some(found) = realisation::read(path.to_owned())? else {
            if path.exists() {
                return Err(Error::damaged("realisation", path.display(), "it is empty"));
            }
            return Ok(());
        };
        if self.store.realisation_path(&found) != path {
            let reason = "it is not that of its name";
            return Err(Error::damaged("realisation", path.display(), reason));
        }
        self.known_tree(found.tree)?;
        found.layer.map_or(Ok(()), |layer| self.known_layer(layer))
    }

    fn known_tree(&self, id: TreeId) -> Result<()> {
        if crate::store::present(&self.store.tree_path(id, "tree")) {
            Ok(())
        } else {
            Err(Error::missing("tree", id))
        }
    }

    fn known_layer(&self, id: LayerId) -> Result<()> {
        if self.store.has_layer(id) {
            Ok(())
        } else {
            Err(Error::missing("layer", id))
        }
    }
}

/// What a file of `trees/` is by its name.
fn tree_kind(name: &str) -> Kind {
    match name.split_once('.').map(|(id, kind)| (id.parse(), kind)) {
        Some((Ok(id), "tree")) => Kind::Tree(id),
        Some((Ok(id), "erofs")) => Kind::Erofs(id),
        _ => Kind::Beside,
    }
}

/// What a file of `layers/` is by its name.
fn layer_kind(name: &str) -> Kind {
    if let Some(Ok(id)) = name.strip_suffix(".layer").map(str::parse) {
        return Kind::Layer(id);
    }
    let diff_id = name
        .strip_suffix(".split")
        .map(|id| id.replace('-', ":").parse());
    diff_id
        .and_then(std::result::Result::ok)
        .map_or(Kind::Beside, Kind::Archive)
}

/// Holds a blob against its name.
pub(crate) fn blob(path: &Path) -> Result<()> {
    let shard = path.parent().map(name).unwrap_or_default();
    let digest = format!("sha256:{shard}{}", name(path));
    let digest: Digest = digest
        .parse()
        .map_err(|error| Error::damaged("blob", digest, error))?;
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::damaged("blob", digest, error)),
        Ok(file) => expect(&digest, file),
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Reads to the end and compares the digest.
pub(crate) fn expect(digest: &Digest, mut reader: impl io::Read) -> Result<()> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) => return Err(Error::damaged("bytes", digest, error)),
        }
    }
    let actual = Digest::from_bytes(hash.finalize().into());
    if actual == *digest {
        Ok(())
    } else {
        Err(Error::DigestMismatch {
            expected: *digest,
            actual,
        })
    }
}
