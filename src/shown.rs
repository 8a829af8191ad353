//! Paths and other bytes of a tree as text: one line, no control character, nothing lost.
//!
//! UTF-8 stays as it is, a backslash is doubled, control characters and bytes that are no UTF-8 are
//! written `\xNN`. Two different paths never look the same.

use std::fmt::Write;

/// Writes bytes as text.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                text.push_str("\\\\");
            } else if c.is_control() {
                let mut utf8 = [0; 4];
                escape(&mut text, c.encode_utf8(&mut utf8).as_bytes());
            } else {
                text.push(c);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// Writes a path of a tree with the slash that it is kept without.
pub fn shown_path(path: &[u8]) -> String {
    format!("/{}", shown(path))
}

/// Text of somebody else's without its control characters, which could say something else on a terminal.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let mut utf8 = [0; 4];
            escape(&mut plain, c.encode_utf8(&mut utf8).as_bytes());
        } else {
            plain.push(c);
        }
    }
    plain
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_nothing_lost() {
        assert_eq!(shown_path("usr/ä b".as_bytes()), "/usr/ä b");
        assert_eq!(shown(b"a\n\x1b[1m\\x0a\xff"), "a\\x0a\\x1b[1m\\\\x0a\\xff");
        assert_eq!(shown("\u{85}".as_bytes()), "\\xc2\\x85");
        assert_eq!(shown_path(b""), "/");
        assert_eq!(plain("a\\b\n\x1b[1mc"), "a\\b\\x0a\\x1b[1mc");
    }
}
