//! Numbers of the EROFS format, and its two fixed structures.

use crate::tree::Metadata;

pub(super) const BLOCK: usize = 4096;
pub(super) const BLOCK_BITS: u8 = 12;
/// Where the superblock stands.
pub(super) const SUPERBLOCK: usize = 1024;
/// Where the first inode stands: right behind the superblock.
pub(super) const FIRST_INODE: usize = SUPERBLOCK + 128;
/// Inodes are addressed in units of this size.
pub(super) const SLOT: usize = 32;
/// Size of an extended inode.
pub(super) const INODE: usize = 64;

const MAGIC: u32 = 0xE0F5_E1E2;
/// Times are those of modification.
const COMPATIBLE_MTIME: u32 = 0x2;
/// There are files made of chunks.
const INCOMPATIBLE_CHUNKED: u32 = 0x4;

/// How the data of an inode is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// In whole blocks.
    Plain = 0,
    /// The last part right behind the inode.
    Inline = 2,
    /// In chunks, here always one hole.
    Chunks = 4,
}

/// Chunks as large as the format allows: 2^31 blocks.
pub(super) const CHUNK_BITS: u32 = 31;

/// Kinds of file as directories tell them.
pub(super) mod kind {
    pub(crate) const FILE: u8 = 1;
    pub(crate) const DIRECTORY: u8 = 2;
    pub(crate) const CHARACTER: u8 = 3;
    pub(crate) const BLOCK: u8 = 4;
    pub(crate) const FIFO: u8 = 5;
    pub(crate) const SOCKET: u8 = 6;
    pub(crate) const SYMLINK: u8 = 7;

    /// The type bits of a mode.
    pub(crate) fn mode(kind: u8) -> u32 {
        match kind {
            FILE => 0o100_000,
            DIRECTORY => 0o040_000,
            CHARACTER => 0o020_000,
            BLOCK => 0o060_000,
            FIFO => 0o010_000,
            SOCKET => 0o140_000,
            _ => 0o120_000,
        }
    }
}

/// What goes into an inode.
pub(super) struct RawInode<'a> {
    pub(super) layout: Layout,
    pub(super) kind: u8,
    pub(super) metadata: &'a Metadata,
    pub(super) size: u64,
    /// Block, device or chunk format.
    pub(super) unit: u32,
    pub(super) number: u32,
    pub(super) links: u32,
    pub(super) xattr_length: usize,
}

impl RawInode<'_> {
    pub(super) fn encode(&self) -> [u8; INODE] {
        let mut out = Fields([0; INODE], 0);
        // The lowest bit says that the inode is an extended one.
        out.u16(1 | (self.layout as u16) << 1);
        // A count of four-byte units in which the twelve bytes of the head are one.
        out.u16(if self.xattr_length == 0 {
            0
        } else {
            ((self.xattr_length - 12) / 4 + 1) as u16
        });
        out.u16((kind::mode(self.kind) | self.metadata.mode) as u16);
        out.u16(0);
        out.u64(self.size);
        out.u32(self.unit);
        out.u32(self.number);
        out.u32(self.metadata.uid);
        out.u32(self.metadata.gid);
        out.u64(self.metadata.mtime.seconds.cast_unsigned());
        out.u32(self.metadata.mtime.nanoseconds);
        out.u32(self.links);
        out.0
    }
}

pub(super) fn superblock(root: usize, inodes: u64, blocks: u32, chunked: bool) -> [u8; 128] {
    let mut out = Fields([0; 128], 0);
    out.u32(MAGIC);
    out.u32(0); // checksum, not used
    out.u32(COMPATIBLE_MTIME);
    out.u8(BLOCK_BITS);
    out.u8(0);
    out.u16((root / SLOT) as u16);
    out.u64(inodes);
    out.u64(0); // build time
    out.u32(0);
    out.u32(blocks);
    out.u32(0); // block of the inodes
    out.u32(0); // block of shared attributes
    out.1 += 32; // identifier and volume name
    out.u32(if chunked { INCOMPATIBLE_CHUNKED } else { 0 });
    out.0
}

/// Little-endian fields, one behind the other.
struct Fields<const N: usize>([u8; N], usize);

impl<const N: usize> Fields<N> {
    fn put(&mut self, bytes: &[u8]) {
        self.0[self.1..self.1 + bytes.len()].copy_from_slice(bytes);
        self.1 += bytes.len();
    }

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }
}
