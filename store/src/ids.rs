//! From the ids of a container's user namespace on disk back to those inside.

/// The map of a container: `count` ids from `base` on; everything as it is where `count` is 0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Map {
    pub(crate) base: u32,
    pub(crate) count: u32,
}

const CAPABILITY: &[u8] = b"security.capability";
const ACLS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

impl Map {
    /// The id inside; none if it is outside the map.
    pub(crate) fn inside(self, id: u32) -> Option<u32> {
        if self.count == 0 {
            return id.checked_sub(self.base);
        }
        id.checked_sub(self.base).filter(|id| *id < self.count)
    }

    /// The attribute as it looks inside.
    pub(crate) fn xattr(self, name: &[u8], value: Vec<u8>) -> Result<Vec<u8>, &'static str> {
        if name == CAPABILITY {
            self.capability(value)
        } else if ACLS.contains(&name) && self.base != 0 {
            self.acl(value)
        } else {
            Ok(value)
        }
    }

    /// Version 3 of a file capability names the root of a namespace; inside, that is version 2.
    fn capability(self, value: Vec<u8>) -> Result<Vec<u8>, &'static str> {
        if value.len() != 24 || value[3] != 3 {
            return Ok(value);
        }
        let root = u32::from_le_bytes([value[20], value[21], value[22], value[23]]);
        if root != self.base {
            return Err("its capability belongs to the root of another namespace");
        }
        let mut value = value;
        value.truncate(20);
        value[3] = 2;
        Ok(value)
    }

    /// A version of four bytes, then entries of tag, permission and id.
    fn acl(self, mut value: Vec<u8>) -> Result<Vec<u8>, &'static str> {
        const USER: u16 = 0x02;
        const GROUP: u16 = 0x08;
        let Some(entries) = value.get_mut(4..) else {
            return Err("its access control list is cut off");
        };
        for entry in entries.chunks_exact_mut(8) {
            let tag = u16::from_le_bytes([entry[0], entry[1]]);
            if tag == USER || tag == GROUP {
                let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
                let id = self
                    .inside(id)
                    .ok_or("its access control list has an owner outside the map of ids")?;
                entry[4..].copy_from_slice(&id.to_le_bytes());
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Map = Map {
        base: 100_000,
        count: 65536,
    };

    #[test]
    fn ids_outside_the_map_are_none() {
        assert_eq!(MAP.inside(100_000), Some(0));
        assert_eq!(MAP.inside(165_535), Some(65535));
        assert_eq!(MAP.inside(165_536), None);
        assert_eq!(MAP.inside(0), None);
        assert_eq!(Map::default().inside(7), Some(7));
    }

    #[test]
    fn capabilities_lose_the_namespace() {
        let mut value = vec![1, 0, 0, 3];
        value.extend([0xff; 16]);
        value.extend(100_000_u32.to_le_bytes());
        let inside = MAP.xattr(CAPABILITY, value.clone()).unwrap();
        assert_eq!((inside.len(), &inside[..4]), (20, &[1, 0, 0, 2][..]));
        assert!(Map { base: 1, count: 2 }.xattr(CAPABILITY, value).is_err());
    }

    #[test]
    fn access_control_lists_lose_the_base() {
        let mut value = 2_u32.to_le_bytes().to_vec();
        for (tag, id) in [(1_u16, u32::MAX), (2, 100_033), (8, 100_004)] {
            value.extend(tag.to_le_bytes());
            value.extend([7, 0]);
            value.extend(id.to_le_bytes());
        }
        let inside = MAP.xattr(ACLS[0], value).unwrap();
        assert_eq!(inside[8..12], u32::MAX.to_le_bytes());
        assert_eq!(inside[16..20], 33_u32.to_le_bytes());
        assert_eq!(inside[24..28], 4_u32.to_le_bytes());
    }
}
