//! Questions to name servers and their answers, as bytes. Source: RFC 1035; RFC 3596 for `AAAA`,
//! RFC 2782 for `SRV`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most names that one name may lead to.
const JUMPS: usize = 64;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    A = 1,
    Ns = 2,
    Cname = 5,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
}

impl Record {
    const ALL: [(&'static str, Self); 8] = [
        ("A", Self::A),
        ("AAAA", Self::Aaaa),
        ("CNAME", Self::Cname),
        ("MX", Self::Mx),
        ("NS", Self::Ns),
        ("PTR", Self::Ptr),
        ("SRV", Self::Srv),
        ("TXT", Self::Txt),
    ];

    /// The kind that is written so.
    pub(super) fn of(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(name, _)| *name == word);
        found.map(|(_, record)| *record)
    }
}

/// A server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Records of the kind that was asked for, as text; perhaps none.
    Records(Vec<String>),
    /// There is no such name.
    NoName,
    /// It was cut off; to be asked again over TCP.
    Truncated,
    /// The server cannot say; its code.
    Refused(u8),
}

/// A question; nothing where the name cannot be asked for.
pub(super) fn question(id: u16, name: &str, record: Record) -> Option<Vec<u8>> {
    let mut bytes = Vec::from(id.to_be_bytes());
    // One question; recursion is desired.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = match record {
        Record::Ptr => reverse(name).unwrap_or_else(|| name.to_owned()),
        _ => name.to_owned(),
    };
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len())
            .ok()
            .filter(|it| (1..64).contains(it))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend((record as u16).to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    (bytes.len() <= 12 + 255 + 4).then_some(bytes)
}

/// The name under which an address is asked for.
fn reverse(address: &str) -> Option<String> {
    Some(match address.parse().ok()? {
        IpAddr::V4(it) => {
            let [a, b, c, d] = it.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(it) => {
            let bytes = it.octets();
            let digits = bytes.iter().rev().flat_map(|it| [it & 15, it >> 4]);
            let digits: String = digits.map(|it| format!("{it:x}.")).collect();
            format!("{digits}ip6.arpa")
        }
    })
}

/// What a message answers to the question of this id; nothing where it does not.
pub(super) fn answer(message: &[u8], id: u16, record: Record) -> Option<Answer> {
    let word = |at: usize| {
        Some(u16::from_be_bytes([
            *message.get(at)?,
            *message.get(at + 1)?,
        ]))
    };
    let flags = word(2)?;
    if word(0)? != id || flags & 0x8000 == 0 {
        return None;
    }
    if flags & 0x0200 != 0 {
        return Some(Answer::Truncated);
    }
    match flags & 15 {
        0 => {}
        3 => return Some(Answer::NoName),
        code => return Some(Answer::Refused(code as u8)),
    }
    let mut at = 12;
    for _ in 0..word(4)? {
        at = name(message, at)?.1 + 4;
    }
    let mut records = Vec::new();
    for _ in 0..word(6)? {
        at = name(message, at)?.1;
        let (kind, length) = (word(at)?, usize::from(word(at + 8)?));
        at += 10;
        let data = message.get(at..at + length)?;
        if kind == record as u16 {
            records.push(text(message, at, data, record)?);
        }
        at += length;
    }
    records.sort();
    Some(Answer::Records(records))
}

/// A record's data in words; names end with a dot.
fn text(message: &[u8], at: usize, data: &[u8], record: Record) -> Option<String> {
    let number = |place: usize| {
        Some(u16::from_be_bytes([
            *data.get(place)?,
            *data.get(place + 1)?,
        ]))
    };
    Some(match record {
        Record::A => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
        Record::Aaaa => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
        Record::Ns | Record::Cname | Record::Ptr => name(message, at)?.0,
        Record::Mx => format!("{} {}", number(0)?, name(message, at + 2)?.0),
        Record::Srv => {
            let target = name(message, at + 6)?.0;
            format!("{} {} {} {target}", number(0)?, number(2)?, number(4)?)
        }
        Record::Txt => {
            let mut all = Vec::new();
            let mut rest = data;
            while let [length, tail @ ..] = rest {
                all.extend(tail.get(..usize::from(*length))?);
                rest = &tail[usize::from(*length)..];
            }
            String::from_utf8_lossy(&all).into_owned()
        }
    })
}

/// The name at a place, and the place behind it. A label may be where another place is pointed to.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut end = None;
    for _ in 0..JUMPS {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => {
                if text.is_empty() {
                    text.push('.');
                }
                return Some((text, end.unwrap_or(at + 1)));
            }
            1..64 => {
                let label = message.get(at + 1..at + 1 + length)?;
                text.push_str(&String::from_utf8_lossy(label));
                text.push('.');
                at += 1 + length;
            }
            192.. => {
                end.get_or_insert(at + 2);
                at = (length & 63) << 8 | usize::from(*message.get(at + 1)?);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to a question with these records: kind and data. Names in it point to the
    /// question's, which stands at 12.
    fn reply(question: &[u8], flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = question.to_vec();
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (kind, data) in records {
            bytes.extend([192, 12]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 60]);
            bytes.extend((data.len() as u16).to_be_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn questions_and_answers() {
        let asked = question(7, "a.example.", Record::A).unwrap();
        assert_eq!(&asked[12..], b"\x01a\x07example\0\0\x01\0\x01");
        let records: &[(u16, &[u8])] = &[(5, b"\x01b\xc0\x0e"), (1, &[127, 0, 0, 2])];
        let message = reply(&asked, 0x8180, records);
        let is = |record| answer(&message, 7, record).unwrap();
        assert_eq!(is(Record::A), Answer::Records(vec!["127.0.0.2".into()]));
        assert_eq!(
            is(Record::Cname),
            Answer::Records(vec!["b.example.".into()])
        );
        assert_eq!(is(Record::Aaaa), Answer::Records(Vec::new()));
        assert_eq!(answer(&message, 8, Record::A), None);
        for (flags, expected) in [
            (0x8183, Answer::NoName),
            (0x8380, Answer::Truncated),
            (0x8182, Answer::Refused(2)),
        ] {
            assert_eq!(
                answer(&reply(&asked, flags, &[]), 7, Record::A),
                Some(expected)
            );
        }
        // Cut anywhere, it is no answer, and never a panic.
        for length in 0..message.len() {
            assert_eq!(answer(&message[..length], 7, Record::A), None, "{length}");
        }
    }

    #[test]
    fn other_records() {
        let asked = question(1, "x.example", Record::Srv).unwrap();
        let records: &[(u16, &[u8])] = &[
            (33, b"\0\0\0\x05\x01\xbb\x01h\xc0\x0e"),
            (15, b"\0\x0a\xc0\x0c"),
            (16, b"\x02ab\x01c"),
        ];
        let message = reply(&asked, 0x8180, records);
        let is = |record| match answer(&message, 1, record).unwrap() {
            Answer::Records(all) => all.concat(),
            other => format!("{other:?}"),
        };
        assert_eq!(is(Record::Srv), "0 5 443 h.example.");
        assert_eq!(is(Record::Mx), "10 x.example.");
        assert_eq!(is(Record::Txt), "abc");
        // A name that points to itself ends.
        let mut circle = reply(&asked, 0x8180, &[(2, b"\xc0\xff")]);
        let at = circle.len() - 2;
        circle[at] = 192;
        circle[at + 1] = at as u8;
        assert_eq!(answer(&circle, 1, Record::Ns), None);
    }

    #[test]
    fn names_that_are_asked_for() {
        let v4 = question(1, "1.2.3.4", Record::Ptr).unwrap();
        assert!(v4[12..].starts_with(b"\x014\x013\x012\x011\x07in-addr\x04arpa\0"));
        assert!(reverse("::1").unwrap().starts_with("1.0.0.0.0."));
        assert_eq!(question(1, &"a".repeat(64), Record::A), None);
        assert_eq!(question(1, "a..b", Record::A), None);
        assert_eq!(question(1, &"abc.".repeat(70), Record::A), None);
    }
}
