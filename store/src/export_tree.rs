//! Trees for others: a directory, a file system image. The archive is [`Store::write_tree_tar`].

use std::io::{self, Write};
use std::path::Path;

use crate::erofs;
use crate::error::{Error, Result};
use crate::materialise::materialise;
use crate::store::Store;
use crate::tree::Tree;

/// What an image is made of, in bytes.
const BLOCK: u64 = 4096;

impl Store {
    /// Writes a tree as a directory, which must not exist. Owners and devices want root.
    pub fn write_tree(&self, tree: &Tree, root: &Path) -> Result<()> {
        materialise(self, tree, &[], root)
    }

    /// Writes a tree as an EROFS image with all its files, not compressed, equal bodies once. The bytes are
    /// a function of the tree.
    pub fn write_erofs(&self, tree: &Tree, out: &mut impl Write) -> Result<()> {
        let failed = |source| Error::Output {
            what: "an EROFS image",
            source,
        };
        let image = erofs::whole(tree)?;
        out.write_all(&image.head).map_err(failed)?;
        for (object, size) in image.objects {
            let mut file = self.open_object(object)?;
            let copied = io::copy(&mut file, out).map_err(failed)?;
            if copied != size {
                return Err(Error::damaged("object", object, "it has another size"));
            }
            let rest = size.next_multiple_of(BLOCK) - size;
            out.write_all(&vec![0; rest as usize]).map_err(failed)?;
        }
        Ok(())
    }
}
