//! stub
use crate::{Result, Store};
/// Something in the store that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the store.
    pub path: std::path::PathBuf,
    /// What is wrong with it.
    pub reason: String,
}
impl Store {
    /// Checks everything.
    pub fn verify(&self) -> Result<Vec<Damage>> { unimplemented!() }
}
