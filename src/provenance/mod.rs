//! How an image came about, as a statement that can be signed and checked.
//!
//! ```text
//! Statement
//!   subject      the image: name, tree id, digest of its manifest where it has one
//!   predicate
//!     buildDefinition
//!       externalParameters     recipe, steps: what was asked          from the key documents
//!       internalParameters     platform, epoch; per step its trees, implementation, normaliser
//!       resolvedDependencies   base, package files, fetched and copied files, by digest
//!     runDetails               the builder
//! ```
//!
//! Sources: in-toto Statement v1, SLSA Provenance v1.
//!
//! - Only what is on record is said, so that the same image gives the same statement wherever it is
//!   made: neither times nor the machine are in it. The lock and the recipe need not be there any
//!   more.
//! - An image that was pulled was built by somebody else, who alone can say how: it is an error. So is
//!   one whose steps are not on record any more.
//! - The types are named by URNs, which name no host: [`BUILD_TYPE`], [`BUILDER`].

mod base;
mod dependency;
mod error;
mod parameters;
mod statement;

pub use dependency::Dependency;
pub use error::Error;
pub use statement::{BUILD_TYPE, BUILDER, Statement};
