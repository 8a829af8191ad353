//! A walk through an XML file of a repository, with limits.

use std::cell::Cell;
use std::io::{self, BufReader, Read};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Bytes that one element's tag or text may have at most.
const MAX_PIECE: u64 = 16 << 20;
/// Elements in elements.
const MAX_DEPTH: usize = 64;

/// What a walk comes by.
pub(in super::super) enum Seen<'a> {
    /// An element begins.
    Start(&'a BytesStart<'a>),
    /// An element ends; with the text since the last one began.
    End(&'a str, &'a str),
}

/// Walks through a file.
pub(in super::super) fn walk(
    reader: impl Read,
    mut see: impl FnMut(Seen<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let left = Cell::new(0);
    let bounded = Bounded {
        inner: reader,
        left: &left,
    };
    let mut reader = Reader::from_reader(BufReader::with_capacity(128 << 10, bounded));
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut text, mut depth) = (Vec::new(), String::new(), 0_usize);
    loop {
        left.set(MAX_PIECE);
        buffer.clear();
        let event = reader.read_event_into(&mut buffer);
        match event.map_err(|error| error.to_string())? {
            Event::Start(start) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err("elements in too many elements".to_owned());
                }
                text.clear();
                see(Seen::Start(&start))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                see(Seen::End(end.name().as_ref(), &text))?;
                text.clear();
            }
            Event::Text(piece) => text.push_str(&piece.xml10_content()),
            Event::CData(piece) => text.push_str(&piece.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|e| e.to_string())?;
                match character {
                    Some(character) => text.push(character),
                    None => text.push_str(&named(&reference)?),
                }
            }
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err("it is cut off".to_owned()),
            _ => {}
        }
        if text.len() as u64 > MAX_PIECE {
            return Err("a text that is too long".to_owned());
        }
    }
}

fn named(name: &str) -> Result<String, String> {
    quick_xml::escape::resolve_predefined_entity(name)
        .map(str::to_owned)
        .ok_or_else(|| format!("an unknown entity `{name}`"))
}

/// The value of an attribute.
pub(in super::super) fn attribute(
    element: &BytesStart<'_>,
    name: &str,
) -> Result<Option<String>, String> {
    let found = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    found
        .map(|it| {
            let value = it.normalized_value(XmlVersion::Implicit1_0);
            value.map(String::from).map_err(|error| error.to_string())
        })
        .transpose()
}

/// Fails when more is read than is left.
struct Bounded<'a, R> {
    inner: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a piece that is too long"));
        }
        let count = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..count])?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_texts() {
        let mut said = Vec::new();
        let text = "<a x='1 &amp; 2'><b>c &lt; d&#33;</b><e/></a>";
        walk(text.as_bytes(), |seen| {
            said.push(match seen {
                Seen::Start(it) => format!("{:?}", attribute(it, "x").unwrap()),
                Seen::End(name, text) => format!("{name}={text}"),
            });
            Ok(())
        })
        .unwrap();
        assert_eq!(
            said,
            ["Some(\"1 & 2\")", "None", "b=c < d!", "None", "e=", "a="]
        );
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let walk = |reader: &mut dyn Read| walk(reader, |_| Ok(())).unwrap_err();
        assert!(walk(&mut &b"<a><b></b>"[..]).contains("cut off"));
        assert!(walk(&mut &b"<a>&nosuch;</a>"[..]).contains("nosuch"));
        assert!(walk(&mut "<a>".repeat(100).as_bytes()).contains("too many"));
        assert!(walk(&mut (&b"<a>"[..]).chain(io::repeat(b'x'))).contains("too long"));
        assert!(walk(&mut (&b"<a x='"[..]).chain(io::repeat(b'x'))).contains("too long"));
    }
}
