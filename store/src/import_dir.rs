//! stub
use crate::{Tree, PathBytes, Result, Store};
use std::path::Path;
/// How a directory is taken in.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Modification times after this become this.
    pub clamp: Option<i64>,
    /// Paths that are left out, with everything below them.
    pub exclude: Vec<PathBytes>,
}
impl Store {
    /// Takes in a directory.
    pub fn import_dir(&self, _path: &Path, _options: &ImportOptions) -> Result<Tree> { unimplemented!() }
}
