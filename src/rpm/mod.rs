//! Headers of rpm packages, as databases keep them and package files carry them.

mod header;
mod package_file;
pub(crate) mod tag;

pub(crate) use header::Header;
#[cfg(test)]
pub(crate) use header::tests::{Value, build};
pub(crate) use package_file::PackageFile;
#[cfg(test)]
pub(crate) use package_file::tests::file;
