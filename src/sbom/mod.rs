//! What an image is made of, as a bill of materials in the two forms that the world reads.
//!
//! ```text
//! image, its tree ──> installed, os ──┐
//! key documents of its steps ─────────┴─> Bill ─┬─> spdx        SPDX 2.3, JSON
//!                                               └─> cyclonedx   CycloneDX 1.6, JSON
//! ```
//!
//! - Packages are those of the image's own databases, not those that were asked for. Where a record
//!   of a step has the package file of just this version, its sha256 is added.
//! - Files are those that `copy` and `fetch` steps put there, as they are in the image now; a file
//!   that a later step changed says so, one that is gone is left out.
//! - Nothing is guessed: what no database says is `NOASSERTION` in SPDX and left out in CycloneDX.
//! - The same image and racker give the same bytes: times are the image's, identifiers are digests
//!   of what they name.

mod bill;
mod contact;
mod cyclonedx;
mod cyclonedx_component;
mod error;
mod files;
mod identity;
mod licence;
mod spdx;
mod spdx_package;

pub use bill::Bill;
pub use cyclonedx::CycloneDx;
pub use error::Error;
pub use spdx::Spdx;
