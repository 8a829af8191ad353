//! Blocks of a directory: entries of twelve bytes from the front, the names behind them.
//!
//! Entries are sorted by the bytes of their names over all blocks, `.` and `..` among them. A name
//! ends where the next one begins, the last one of a block at a zero byte or the block's end.

use super::format::BLOCK;

const ENTRY: usize = 12;

/// A name, the place of its inode in the list of inodes, and the kind of file.
pub(super) type Child<'a> = (&'a [u8], usize, u8);

/// Numbers of the children at which blocks end, and the length of the last block.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    pub(super) ends: Vec<usize>,
    pub(super) tail: usize,
}

impl Blocks {
    /// Divides sorted children into blocks.
    pub(super) fn divide(children: &[Child<'_>]) -> Self {
        let mut ends = Vec::new();
        let mut used = 0;
        for (at, (name, ..)) in children.iter().enumerate() {
            let length = ENTRY + name.len();
            if used + length > BLOCK {
                ends.push(at);
                used = 0;
            }
            used += length;
        }
        ends.push(children.len());
        Self { ends, tail: used }
    }

    /// Bytes of the directory.
    pub(super) fn size(&self) -> usize {
        (self.ends.len() - 1) * BLOCK + self.tail
    }

    /// Bytes of all blocks; `slot` gives an inode's number.
    pub(super) fn encode(&self, children: &[Child<'_>], slot: impl Fn(usize) -> u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        let mut start = 0;
        for &end in &self.ends {
            out.resize(out.len().next_multiple_of(BLOCK), 0);
            let block = &children[start..end];
            let mut name_at = block.len() * ENTRY;
            for (name, inode, kind) in block {
                out.extend_from_slice(&slot(*inode).to_le_bytes());
                out.extend_from_slice(&(name_at as u16).to_le_bytes());
                out.extend_from_slice(&[*kind, 0]);
                name_at += name.len();
            }
            for (name, ..) in block {
                out.extend_from_slice(name);
            }
            start = end;
        }
        out
    }
}
