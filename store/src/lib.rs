//! The content-addressed store of operating-system trees.
//!
//! ```text
//! <store>/meta.toml      format version and feature flags        (meta)
//!         lock           shared by every user that may write     (store)
//!         index.db       SQLite, a cache over the files          (index)
//!         objects/       file bodies by BLAKE3                   (object)
//!         trees/         manifest, EROFS image and base of trees (trees, erofs)
//!         layers/        tree differences; imported tar layers   (layers, split)
//!         realisations/  step key -> tree                        (realisation)
//!         blobs/sha256/  fetched files                           (blob)
//!         metadata/      what package repositories said           (kept)
//!         checkouts/     overlay lower directories               (checkout)
//!         roots/images/  named trees                             (image)
//!         containers/    what is kept of containers, a tree named in each
//!         volumes/       data that outlives containers
//!         logs/ locks/ stage/ trash/
//! ```
//!
//! Invariants:
//!
//! - An object, a manifest and a layer are named by the digest of their bytes; nothing is ever
//!   changed in place, and finding the name taken counts as success.
//! - Objects hold bytes alone. Owners, modes, times, attributes and hard links live in a [`Tree`].
//! - No path that comes from an archive or a tree is resolved on the host.
//! - The files are the truth. Whatever `index.db` says can be found again by [`Store::reindex`].
//! - Whoever puts something in keeps the collector from taking it away (lease, gc).
//! - A crash at any point leaves a valid store and at most garbage in `stage/`; after a power cut the next who
//!   puts something in looks at what was not synced (recover).
//!
//! `FORMAT.md` beside this crate is the reference of everything on disk.

mod apply;
mod blob;
mod capture;
mod changeset;
mod checkout;
mod diff;
mod digest_hash;
mod entry;
mod erofs;
mod error;
mod export_tar;
mod export_tree;
mod gc;
mod hex;
mod id;
mod ids;
mod image;
mod import_dir;
mod import_tar;
mod index;
mod kept;
mod layer;
mod layers;
mod lease;
mod log;
mod lookup;
mod manifest;
mod materialise;
mod meta;
mod object;
mod packed;
mod partial;
mod path;
mod realisation;
mod recover;
mod scan;
mod split;
mod stage;
mod stats;
mod store;
mod tree;
mod trees;
mod unnamed;
mod verify;
mod xattr;

pub use blob::BlobWriter;
pub use capture::CaptureOptions;
pub use changeset::Changeset;
pub use diff::diff;
pub use error::{Error, Result};
pub use gc::{Collected, Policy, Sum};
pub use id::{Digest, LayerId, ObjectId, ParseIdError, StepKey, TreeId};
pub use image::{Image, ImageLayer};
pub use import_dir::ImportOptions;
pub use import_tar::{ImportedTar, Limits};
pub use layer::{Change, Layer};
pub use log::LogWriter;
pub use lookup::LookupError;
pub use packed::PackedLayer;
pub use partial::Partial;
pub use realisation::Realisation;
pub use split::TarReader;
pub use stage::StageDir;
pub use stats::{ImageStats, Stats};
pub use store::{Access, Store};
pub use tree::{
    Content, Directory, Inode, InodeId, Metadata, Node, NodeRef, PathBytes, Time, Tree, Xattrs,
};
pub use unnamed::{link_open, unnamed};
pub use verify::{Damage, Repaired};
