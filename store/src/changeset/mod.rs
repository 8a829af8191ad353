//! What a tar layer or the upper of an overlay says, independent of what lies below.
//!
//! A changeset is a tree with holes: directories that are only passed through, whiteouts,
//! directories that hide what lies below them, and hard links to files that lie below. It is
//! built entry by entry in the order of the source (`build`) and says
//! the same for every order of unrelated entries:
//!
//! - a whiteout and an opaque mark speak of *lower layers* alone, wherever in the layer they stand;
//!   what the layer itself has under such a name stays;
//! - the last entry of a name wins, except that a directory entry over a directory changes its
//!   metadata only;
//! - a hard link shares the file its target is at that moment; with no such file in the layer it
//!   means the one below, resolved when the changeset is applied;
//! - the directory part of a path may lead through symbolic links of the layer itself.

mod apply;
mod build;
mod text;
mod types;

pub use types::Changeset;
