//! Text of a database as it may be shown: what is not UTF-8 and every control character replaced, so
//! that no image writes to somebody's terminal.

/// The longest text that is kept of one field, in bytes.
const MAX: usize = 16 << 10;

/// Makes text of a field.
pub(super) fn text(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX)];
    String::from_utf8_lossy(bytes.trim_ascii())
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Makes text of a field that may be empty or a word for nothing.
pub(super) fn optional(bytes: &[u8]) -> Option<String> {
    let text = text(bytes);
    (!text.is_empty() && text != "(none)").then_some(text)
}

/// Reads a whole number.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes.trim_ascii()).ok()?.parse().ok()
}

/// Goes through the lines, without their ends.
pub(super) fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_stays() {
        assert_eq!(text(b" a\x1b[31mb\xff "), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(text("\u{9b}x".as_bytes()), "\u{fffd}x");
    }

    #[test]
    fn words_for_nothing_are_nothing() {
        assert_eq!(optional(b"  "), None);
        assert_eq!(optional(b"(none)"), None);
        assert_eq!(number(b" 12\n"), Some(12));
        assert_eq!(number(b"-1"), None);
    }
}
