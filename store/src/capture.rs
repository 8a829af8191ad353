//! The written layer of an overlay to a changeset.
//!
//! A character device 0:0 is a whiteout; the attribute `overlay.opaque` hides what lies below. A
//! file whose data or path lies elsewhere (metacopy, redirect) is an error: the overlay was mounted
//! with options under which a copy of the upper alone is not the change. Owners and the ids in
//! access control lists lose the base of the container's map, file capabilities their namespace,
//! so that the same change made under two maps is the same changeset.

use std::path::Path;

use crate::changeset::Changeset;
use crate::error::Result;
use crate::ids;
use crate::scan::{Rules, scan};
use crate::store::Store;
use crate::tree::PathBytes;

/// How the written layer of an overlay is taken in.
#[derive(Debug, Clone, Default)]
pub struct CaptureOptions {
    /// First id of the container's map; 0 where there is none.
    pub id_base: u32,
    /// Number of ids in the map; 0 means that there is no limit.
    pub id_count: u32,
    /// Whether the upper's own files may become objects: then they lose owner, mode and
    /// attributes, and the upper is of no more use afterwards, even if this fails.
    pub move_files: bool,
    /// Paths that are left out, with everything below them.
    pub exclude: Vec<PathBytes>,
    /// Modification times after this (seconds since 1970) become this.
    pub clamp: Option<i64>,
}

impl Store {
    /// Takes in the upper directory of an overlay that is not mounted any more.
    pub fn capture(&self, upper: &Path, options: &CaptureOptions) -> Result<Changeset> {
        let rules = Rules {
            overlay: true,
            ids: ids::Map {
                base: options.id_base,
                count: options.id_count,
            },
            move_files: options.move_files,
            exclude: &options.exclude,
            clamp: options.clamp,
        };
        scan(self, upper, &rules)
    }
}
