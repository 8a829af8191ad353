//! Stanzas of `Field: value` lines, as dpkg and apk write their databases.
//!
//! A blank line ends a stanza, a line that starts with a blank goes on with the field before. Of a
//! field with several lines the first is kept: no other is asked for.

use super::text::lines;

/// The fields of one stanza.
#[derive(Debug)]
pub(super) struct Stanza<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Stanza<'a> {
    /// The first line of a field; case does not matter.
    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }
}

/// Goes through the stanzas of a text. Lines that are no field are passed over.
pub(super) fn stanzas(text: &[u8]) -> impl Iterator<Item = Stanza<'_>> {
    let mut lines = lines(text);
    std::iter::from_fn(move || {
        let mut fields = Vec::new();
        for line in lines.by_ref() {
            if line.trim_ascii().is_empty() {
                if fields.is_empty() {
                    continue;
                }
                break;
            }
            if let Some(field) = field(line) {
                fields.push(field);
            }
        }
        (!fields.is_empty()).then_some(Stanza(fields))
    })
}

/// Splits `Field: value`; nothing for a line that goes on with the field before.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if matches!(line.first(), None | Some(b' ' | b'\t')) {
        return None;
    }
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_end_at_blank_lines() {
        let text = b"\n\nA: 1\nB: first\n second\n .\n\n \nA: 2\nno field\nb:x";
        let all: Vec<_> = stanzas(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("A"), Some(&b"1"[..]));
        assert_eq!(all[0].get("b"), Some(&b"first"[..]));
        assert_eq!(all[1].get("A"), Some(&b"2"[..]));
        assert_eq!(all[1].get("B"), Some(&b"x"[..]));
        assert_eq!(all[1].get("C"), None);
    }

    #[test]
    fn no_text_has_no_stanza() {
        assert_eq!(stanzas(b"").count(), 0);
        assert_eq!(stanzas(b"\n \n\n").count(), 0);
    }
}
