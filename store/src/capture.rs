//! stub
use crate::{Changeset, PathBytes, Result, Store};
use std::path::Path;
/// How the written layer of an overlay is taken in.
#[derive(Debug, Clone, Default)]
pub struct CaptureOptions {
    /// First host id of the container's map; 0 where there is none.
    pub id_base: u32,
    /// Number of ids in the map; 0 means all.
    pub id_count: u32,
    /// Whether the upper's own files may become objects.
    pub move_files: bool,
    /// Paths that are left out, with everything below them.
    pub exclude: Vec<PathBytes>,
    /// Modification times after this become this.
    pub clamp: Option<i64>,
}
impl Store {
    /// Takes in an overlay's upper directory.
    pub fn capture(&self, _upper: &Path, _options: &CaptureOptions) -> Result<Changeset> { unimplemented!() }
}
