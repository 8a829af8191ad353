//! One header of a package, in a database or in a package file: a table of tags and the data they
//! point into.
//!
//! ```text
//! u32 number of entries, u32 bytes of data        all numbers big-endian
//! entry: u32 tag, u32 type, u32 offset in the data, u32 count       16 bytes each
//! data
//! ```
//!
//! Source: "Package file format, v4" of rpm's documentation, header structure; in the database the
//! header stands without the magic number that it has in a file.
//!
//! The crate `rpm` reads package files. It keeps its parser of single headers to itself, wants the
//! magic number, makes room for as many values as an entry claims to have, and brings some thirty
//! crates. What is needed here is a table, so it is read here. No number of a header is believed: an
//! offset or a count that leads out of the data is an error, and nothing is set aside for values
//! that were not seen.

/// Most entries of a header, as rpm itself has it.
const MAX_ENTRIES: u32 = 0xffff;

/// A header whose table fits its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    entries: &'a [[u8; 16]],
    data: &'a [u8],
}

/// What a tag has, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Char,
    Int16,
    Int32,
    Int64,
    /// One string, many, or one in several languages: strings that end with a NUL, all of them.
    Strings,
    Other,
}

/// An entry of the table and the data from its offset to the end.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    kind: Kind,
    count: usize,
    data: &'a [u8],
}

type Parsed<T> = Result<T, String>;

impl<'a> Header<'a> {
    /// Looks at the table of a header.
    pub(crate) fn parse(blob: &'a [u8]) -> Parsed<Self> {
        let (count, rest) = number(blob).ok_or("the header has no length")?;
        let (length, rest) = number(rest).ok_or("the header has no length")?;
        if count > MAX_ENTRIES {
            return Err(format!("the header claims to have {count} entries"));
        }
        let (entries, _) = rest.as_chunks::<16>();
        let entries = entries
            .get(..count as usize)
            .ok_or("the header's table is cut off")?;
        let data = &rest[entries.len() * 16..];
        if data.len() != length as usize {
            return Err("the header's data has another length than it claims".into());
        }
        Ok(Self { entries, data })
    }

    /// Whether there is such a tag.
    pub(crate) fn has(&self, tag: u32) -> bool {
        self.entries.iter().any(|it| it[..4] == tag.to_be_bytes())
    }

    /// The first string of a tag.
    pub(crate) fn string(&self, tag: u32) -> Parsed<Option<&'a [u8]>> {
        match self.strings(tag)? {
            Some(mut all) => all.next().transpose(),
            None => Ok(None),
        }
    }

    /// The strings of a tag, each looked for as it is asked for.
    pub(crate) fn strings(
        &self,
        tag: u32,
    ) -> Parsed<Option<impl Iterator<Item = Parsed<&'a [u8]>> + use<'a>>> {
        let Some(Entry { kind, count, data }) = self.entry(tag)? else {
            return Ok(None);
        };
        if kind != Kind::Strings {
            return Err(format!("tag {tag} has no strings"));
        }
        let mut rest = data;
        let mut broken = false;
        Ok(Some((0..count).map_while(move |_| {
            if broken {
                return None;
            }
            let end = rest.iter().position(|byte| *byte == 0);
            broken = end.is_none();
            Some(match end {
                Some(end) => {
                    let string = &rest[..end];
                    rest = &rest[end + 1..];
                    Ok(string)
                }
                None => Err(format!("tag {tag} has fewer strings than it claims")),
            })
        })))
    }

    /// The 32-bit numbers of a tag.
    pub(crate) fn numbers(&self, tag: u32) -> Parsed<Option<&'a [[u8; 4]]>> {
        self.fixed(tag, Kind::Int32)
    }

    /// The 16-bit numbers of a tag.
    pub(crate) fn shorts(&self, tag: u32) -> Parsed<Option<&'a [[u8; 2]]>> {
        self.fixed(tag, Kind::Int16)
    }

    /// The first 32-bit number of a tag.
    pub(crate) fn number(&self, tag: u32) -> Parsed<Option<u32>> {
        let all = self.numbers(tag)?.unwrap_or_default();
        Ok(all.first().map(|bytes| u32::from_be_bytes(*bytes)))
    }

    /// Where, in bytes from the header's start, the first 32-bit number of a tag is.
    pub(crate) fn place(&self, tag: u32) -> Parsed<Option<usize>> {
        let Some(Entry { kind, data, .. }) = self.entry(tag)? else {
            return Ok(None);
        };
        if kind != Kind::Int32 || data.len() < 4 {
            return Err(format!("tag {tag} has no number"));
        }
        Ok(Some(
            8 + self.entries.len() * 16 + self.data.len() - data.len(),
        ))
    }

    /// The first 64-bit number of a tag.
    pub(crate) fn long(&self, tag: u32) -> Parsed<Option<u64>> {
        let all = self.fixed::<8>(tag, Kind::Int64)?.unwrap_or_default();
        Ok(all.first().map(|bytes| u64::from_be_bytes(*bytes)))
    }

    /// The bytes of a tag of single characters.
    pub(crate) fn bytes(&self, tag: u32) -> Parsed<Option<&'a [[u8; 1]]>> {
        self.fixed(tag, Kind::Char)
    }

    fn fixed<const N: usize>(&self, tag: u32, wanted: Kind) -> Parsed<Option<&'a [[u8; N]]>> {
        let Some(Entry { kind, count, data }) = self.entry(tag)? else {
            return Ok(None);
        };
        if kind != wanted {
            return Err(format!("tag {tag} has another type"));
        }
        let (all, _) = data.as_chunks::<N>();
        let all = all.get(..count);
        Ok(Some(all.ok_or(format!("tag {tag} leads out of the data"))?))
    }

    fn entry(&self, tag: u32) -> Parsed<Option<Entry<'a>>> {
        let Some(entry) = self.entries.iter().find(|it| it[..4] == tag.to_be_bytes()) else {
            return Ok(None);
        };
        let [kind, offset, count] = [4, 8, 12].map(|at| number(&entry[at..]).map_or(0, |n| n.0));
        let data = self.data.get(offset as usize..);
        Ok(Some(Entry {
            kind: match kind {
                1 | 2 | 7 => Kind::Char,
                3 => Kind::Int16,
                4 => Kind::Int32,
                5 => Kind::Int64,
                6 | 8 | 9 => Kind::Strings,
                _ => Kind::Other,
            },
            count: count as usize,
            data: data.ok_or(format!("tag {tag} leads out of the data"))?,
        }))
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*first), rest))
}

#[cfg(test)]
#[path = "header_tests.rs"]
pub(crate) mod tests;
