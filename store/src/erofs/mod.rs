//! A tree as an EROFS image, for the store one that holds metadata alone.
//!
//! ```text
//! 0      1024          1152                          4096 * n
//! | zero | superblock  | inodes, each with its       | directory blocks and overlong
//! |      |             | attributes and inline tail  | symbolic links
//! ```
//!
//! Mounted as the lower layer of an overlay with the store's `objects/` as data-only layer
//! (`lowerdir=<image>::<objects>`) it *is* the tree: a file that is not empty has the attributes
//! `trusted.overlay.metacopy` (empty) and `trusted.overlay.redirect` = `/ab/cdef...`, its size, and
//! one chunk that is a hole.
//!
//! Such an image is of use to this store alone. [`whole`] makes one that has the bodies of its files as
//! well, behind everything else, and can be mounted anywhere.
//!
//! The writer is our own, because the `composefs` crate keeps whole seconds only (a tree would then
//! differ between the two ways to mount it), names objects by their fs-verity digests where ours
//! are BLAKE3, and brings an async runtime. What is needed here is small: extended inodes, inline
//! attributes, sorted directories, no compression.
//!
//! The bytes are a function of the tree: no identifier, no build time. Inodes stand in the order of
//! the tree's manifest, so whoever walks the tree reads the image from front to back.

mod directory;
mod format;
mod image;
mod xattr;

pub(crate) use image::{image, whole};
