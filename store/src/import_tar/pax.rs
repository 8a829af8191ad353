//! PAX extended headers: `LENGTH KEY=VALUE\n`, the length deciding where a record ends.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::tree::{Time, Xattrs};
use crate::xattr;

type Parsed<T> = std::result::Result<T, &'static str>;

/// The records of one or more headers; later ones win, an empty value takes a key away.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pax {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Pairs of the oldest PAX sparse format, the only keys that come more than once.
    pub(crate) sparse: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Pax {
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Parsed<()> {
        while !bytes.is_empty() {
            if bytes.iter().all(|byte| *byte == 0) {
                break;
            }
            let blank = bytes
                .iter()
                .take(20)
                .position(|byte| *byte == b' ')
                .ok_or("a PAX record has no length")?;
            let length: usize = decimal(&bytes[..blank])?
                .try_into()
                .map_err(|_| "a PAX record is too long")?;
            if length <= blank + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
                return Err("a PAX record has a wrong length");
            }
            let record = &bytes[blank + 1..length - 1];
            let equals = record
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or("a PAX record has no value")?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            if matches!(key, b"GNU.sparse.offset" | b"GNU.sparse.numbytes") {
                self.sparse.push((key.into(), value.into()));
            } else if value.is_empty() && !key.starts_with(b"SCHILY.xattr.") {
                self.records.remove(key);
            } else {
                self.records.insert(key.into(), value.into());
            }
            bytes = &bytes[length..];
        }
        Ok(())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.records.get(key.as_bytes()).map(Vec::as_slice)
    }

    pub(crate) fn number(&self, key: &str) -> Parsed<Option<u64>> {
        self.get(key).map(decimal).transpose()
    }

    pub(crate) fn time(&self, key: &str) -> Parsed<Option<Time>> {
        self.get(key).map(time).transpose()
    }

    /// Attributes in either of the two usual spellings.
    pub(crate) fn xattrs(&self, xattrs: &mut Xattrs) -> Result<()> {
        for (key, value) in &self.records {
            if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.")
                && let (Some(name), Some(value)) = (percent(name), base64(value))
            {
                xattr::add(xattrs, &name, &value)?;
            }
        }
        for (key, value) in &self.records {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                xattr::add(xattrs, name, value)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn decimal(text: &[u8]) -> Parsed<u64> {
    if text.is_empty() {
        return Err("a decimal number is empty");
    }
    text.iter()
        .try_fold(0_u64, |value, digit| {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            if digit > 9 {
                None
            } else {
                value.checked_mul(10)?.checked_add(digit)
            }
        })
        .ok_or("a decimal number is malformed")
}

/// Seconds with a fraction; what is below a nanosecond is cut off, towards the past.
fn time(text: &[u8]) -> Parsed<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let dot = text
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(text.len());
    let seconds = i64::try_from(decimal(&text[..dot])?).map_err(|_| "a time is out of range")?;
    let fraction = text.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err("a time is malformed");
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let mut nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    let mut seconds = if negative { -seconds } else { seconds };
    if negative {
        let more = fraction.iter().skip(9).any(|digit| *digit != b'0');
        nanoseconds += u32::from(more);
        if nanoseconds > 0 {
            seconds -= 1;
            nanoseconds = 1_000_000_000 - nanoseconds;
        }
    }
    Ok(Time {
        seconds,
        nanoseconds,
    })
}

fn percent(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let mut digit = || crate::hex::digit(rest.next()?.to_ascii_lowercase());
            out.push(digit()? << 4 | digit()?);
        } else {
            out.push(*byte);
        }
    }
    Some(out)
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.iter().take_while(|character| **character != b'=') {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(
            time(b"12.5"),
            Ok(Time {
                seconds: 12,
                nanoseconds: 500_000_000
            })
        );
        assert_eq!(
            time(b"-1.25"),
            Ok(Time {
                seconds: -2,
                nanoseconds: 750_000_000
            })
        );
        assert_eq!(time(b"7"), Ok(Time::seconds(7)));
        assert_eq!(
            time(b"1.0000000019"),
            Ok(Time {
                seconds: 1,
                nanoseconds: 1
            })
        );
        assert!(time(b"x").is_err());
    }

    #[test]
    fn binary_values_survive() {
        let mut pax = Pax::default();
        pax.read(
            b"26 SCHILY.xattr.user.a=\n=\n\x0023 LIBARCHIVE.xattr.user.b=\n"
                .get(..26)
                .unwrap(),
        )
        .unwrap();
        assert_eq!(pax.get("SCHILY.xattr.user.a"), Some(&b"\n="[..]));
        assert_eq!(base64(b"AQID"), Some(vec![1, 2, 3]));
        assert_eq!(base64(b"AQI="), Some(vec![1, 2]));
        assert_eq!(percent(b"user.a%3db"), Some(b"user.a=b".to_vec()));
    }
}
