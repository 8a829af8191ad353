//! What differs between two trees: packages and files, and which package owns what differs.
//!
//! ```text
//! Side { tree, installed }  ─┐             packages   by name and architecture: versions
//!                            ├─> compare ─> files      by path: what differs, owner on either side
//! Side { tree, installed }  ─┘             totals     numbers and bytes
//! ```
//!
//! Pure: values in, a value out, which serialises as it is.
//!
//! - Exactly those paths are listed that [`racker_store::diff`] has, each once, and besides them
//!   everything below a directory that is gone: swapping the sides swaps `added` and `removed` and
//!   changes nothing else.
//! - Paths are in the order of a tree manifest, written by [`shown`](crate::shown).
//! - A file with several names is compared under each of them; its bytes are counted once.

mod comparison;
mod difference;
mod file;
mod package;
mod state;
mod totals;
mod walk;

pub use comparison::{Comparison, Side, compare};
pub use difference::Difference;
pub use file::{Change, FileChange};
pub use package::{PackageChange, PackageState};
pub use state::{Kind, State};
pub use totals::{Sum, Sums, Totals};
