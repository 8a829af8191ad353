//! One block of 512 bytes: the header of an entry, in any of the old formats.

use crate::tree::Time;

pub(crate) const BLOCK: usize = 512;

/// A header block with a valid checksum.
#[derive(Debug, Clone)]
pub(crate) struct Header(pub(crate) [u8; BLOCK]);

type Parsed<T> = Result<T, &'static str>;

/// Offset and length of a piece of a file with holes.
pub(crate) type Piece = (u64, u64);

impl Header {
    /// Checks the sum of the block; old writers summed up signed bytes.
    pub(crate) fn new(block: &[u8; BLOCK]) -> Parsed<Self> {
        let bytes = || {
            block.iter().enumerate().map(|(at, byte)| {
                if (148..156).contains(&at) {
                    b' '
                } else {
                    *byte
                }
            })
        };
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        let sum = number(&block[148..156])?;
        if sum != unsigned && sum != signed {
            return Err("the header has a wrong checksum");
        }
        Ok(Self(*block))
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0[156]
    }

    fn is_gnu(&self) -> bool {
        self.0[257..265] == *b"ustar  \0"
    }

    fn is_ustar(&self) -> bool {
        self.0[257..263] == *b"ustar\0"
    }

    pub(crate) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = if self.is_ustar() {
            text(&self.0[345..500])
        } else {
            b""
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    pub(crate) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(crate) fn mode(&self) -> Parsed<u32> {
        Ok((number(&self.0[100..108])? & 0o7777) as u32)
    }

    pub(crate) fn uid(&self) -> Parsed<i64> {
        number(&self.0[108..116])
    }

    pub(crate) fn gid(&self) -> Parsed<i64> {
        number(&self.0[116..124])
    }

    pub(crate) fn size(&self) -> Parsed<u64> {
        number(&self.0[124..136])?
            .try_into()
            .map_err(|_| "the size is negative")
    }

    pub(crate) fn mtime(&self) -> Parsed<Time> {
        Ok(Time::seconds(number(&self.0[136..148])?))
    }

    pub(crate) fn device(&self) -> Parsed<(u32, u32)> {
        if !self.is_ustar() && !self.is_gnu() {
            return Err("a device in a format without device numbers");
        }
        let major = number(&self.0[329..337])?.try_into();
        let minor = number(&self.0[337..345])?.try_into();
        match (major, minor) {
            (Ok(major @ 0..=0xfff), Ok(minor @ 0..=0xf_ffff)) => Ok((major, minor)),
            _ => Err("the device number is out of range"),
        }
    }

    /// Map of an old GNU sparse file: the pairs in the header, whether blocks with more of them
    /// follow, and the size of the file.
    pub(crate) fn sparse(&self) -> Parsed<(Vec<Piece>, bool, u64)> {
        let mut map = Vec::new();
        sparse_pairs(&self.0[386..482], &mut map)?;
        let size = number(&self.0[483..495])?
            .try_into()
            .map_err(|_| "the size is negative")?;
        Ok((map, self.0[482] != 0, size))
    }
}

/// Pairs of offset and length, as far as they are filled in.
pub(crate) fn sparse_pairs(fields: &[u8], map: &mut Vec<Piece>) -> Parsed<()> {
    for pair in fields.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let field = |field| {
            number(field)?
                .try_into()
                .map_err(|_| "a sparse map has a negative number")
        };
        map.push((field(&pair[..12])?, field(&pair[12..])?));
    }
    Ok(())
}

/// A field of text, up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    &field[..field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len())]
}

/// A field of octal digits, or of base 256 where the first bit is set.
fn number(field: &[u8]) -> Parsed<i64> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (at, byte) in field.iter().enumerate() {
            let byte = if at == 0 && !negative {
                byte & 0x7f
            } else {
                *byte
            };
            value = value << 8 | i128::from(byte);
            if at > 0 && i64::try_from(value).is_err() {
                return Err("a number is out of range");
            }
        }
        return i64::try_from(value).map_err(|_| "a number is out of range");
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => Ok(value << 3 | i64::from(digit - b'0')),
        _ => Err("a number is no octal number"),
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"  644 \0\0"), Ok(0o644));
        assert_eq!(number(&[0; 8]), Ok(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0x20, 0, 1]), Ok(0x20_0001));
        assert_eq!(
            number(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]),
            Ok(-2)
        );
        assert!(number(b"12x\0").is_err());
        assert!(number(&[0xbf, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
    }
}
