//! Hexadecimal numbers, quickly: a manifest holds tens of thousands of them.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends the lower-case digits of `bytes`.
pub(crate) fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// The digits of 32 bytes as text.
pub(crate) fn encode(bytes: &[u8; 32]) -> String {
    let mut out = Vec::with_capacity(64);
    push(&mut out, bytes);
    out.into_iter().map(char::from).collect()
}

/// Reads exactly 64 lower-case digits.
pub(crate) fn decode(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 64] = text.try_into().ok()?;
    let mut values = [0; 64];
    let mut wrong = false;
    // Without a branch for each digit, so that the compiler takes many at once.
    for (value, digit) in values.iter_mut().zip(text) {
        let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
        *value = if number < 10 {
            number
        } else {
            letter.wrapping_add(10)
        };
        wrong |= number >= 10 && letter >= 6;
    }
    if wrong {
        return None;
    }
    let mut out = [0; 32];
    for (byte, [high, low]) in out.iter_mut().zip(values.as_chunks().0) {
        *byte = high << 4 | low;
    }
    Some(out)
}

/// Value of one lower-case digit.
pub(crate) fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
