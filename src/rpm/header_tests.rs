use super::*;

/// One value of a header.
pub(crate) enum Value<'a> {
    Strings(&'a [&'a str]),
    Int32(&'a [u32]),
    Chars(&'a [u8]),
}

/// Writes a header as rpm keeps it.
pub(crate) fn build(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut table = Vec::new();
    let mut data = Vec::new();
    for (tag, value) in fields {
        let offset = data.len();
        let (kind, count) = match value {
            Value::Strings(all) => {
                for string in *all {
                    data.extend_from_slice(string.as_bytes());
                    data.push(0);
                }
                (8, all.len())
            }
            Value::Int32(all) => {
                data.extend(all.iter().flat_map(|number| number.to_be_bytes()));
                (4, all.len())
            }
            Value::Chars(all) => {
                data.extend_from_slice(all);
                (1, all.len())
            }
        };
        for number in [*tag, kind, offset as u32, count as u32] {
            table.extend(number.to_be_bytes());
        }
    }
    let mut blob = (fields.len() as u32).to_be_bytes().to_vec();
    blob.extend((data.len() as u32).to_be_bytes());
    blob.extend(table);
    blob.extend(data);
    blob
}

/// A header with one entry that claims all of this.
fn claiming(kind: u32, offset: u32, count: u32, data: &[u8]) -> Vec<u8> {
    let mut blob = [1, data.len() as u32].map(u32::to_be_bytes).concat();
    blob.extend([7, kind, offset, count].map(u32::to_be_bytes).concat());
    blob.extend_from_slice(data);
    blob
}

#[test]
fn values_come_back() {
    let blob = build(&[
        (1, Value::Strings(&["one", "", "three"])),
        (2, Value::Int32(&[1, u32::MAX])),
        (3, Value::Chars(b"ab")),
    ]);
    let header = Header::parse(&blob).unwrap();
    let strings: Result<Vec<_>, _> = header.strings(1).unwrap().unwrap().collect();
    assert_eq!(strings.unwrap(), [&b"one"[..], b"", b"three"]);
    assert_eq!(header.string(1).unwrap(), Some(&b"one"[..]));
    assert_eq!(header.number(2).unwrap(), Some(1));
    assert_eq!(header.numbers(2).unwrap().unwrap().len(), 2);
    assert_eq!(header.bytes(3).unwrap(), Some(&[[b'a'], [b'b']][..]));
    assert_eq!(header.string(9).unwrap(), None);
    assert!(header.number(1).is_err());
    assert!(header.string(2).is_err());
}

#[test]
fn every_cut_is_an_error() {
    let blob = build(&[(1, Value::Strings(&["one"])), (2, Value::Int32(&[1]))]);
    assert!(Header::parse(&blob).is_ok());
    for length in 0..blob.len() {
        assert!(Header::parse(&blob[..length]).is_err(), "cut at {length}");
    }
    let longer = [&blob[..], b"x"].concat();
    assert!(Header::parse(&longer).is_err());
}

#[test]
fn absurd_counts_are_errors_and_take_no_memory() {
    for (count, length) in [
        (u32::MAX, 0),
        (MAX_ENTRIES + 1, 0),
        (MAX_ENTRIES, 0),
        (0, u32::MAX),
    ] {
        let blob = [count, length].map(u32::to_be_bytes).concat();
        assert!(Header::parse(&blob).is_err(), "{count} {length}");
    }
    for (kind, offset, count) in [
        (4, 0, u32::MAX),
        (4, u32::MAX, 1),
        (4, 8, 1),
        (5, 0, 2),
        (1, 0, u32::MAX),
    ] {
        let blob = claiming(kind, offset, count, b"12345678");
        let header = Header::parse(&blob).unwrap();
        let failed = header.number(7).is_err() && header.long(7).is_err();
        assert!(
            failed && header.bytes(7).is_err(),
            "{kind} {offset} {count}"
        );
    }
}

#[test]
fn strings_without_an_end_are_errors() {
    let blob = claiming(8, 0, u32::MAX, b"a\0b\0c");
    let header = Header::parse(&blob).unwrap();
    let all: Vec<_> = header.strings(7).unwrap().unwrap().collect();
    assert_eq!(all.len(), 3);
    assert!(all[0].is_ok() && all[1].is_ok() && all[2].is_err());
    assert!(
        Header::parse(&claiming(6, 9, 1, b"a\0"))
            .unwrap()
            .string(7)
            .is_err()
    );
}

#[test]
fn no_single_byte_makes_it_panic() {
    let blob = build(&[
        (1, Value::Strings(&["one", "two"])),
        (2, Value::Int32(&[1, 2])),
    ]);
    for at in 0..blob.len() {
        for byte in [0, 1, 4, 8, 0x7f, 0xff] {
            let mut blob = blob.clone();
            blob[at] = byte;
            if let Ok(header) = Header::parse(&blob) {
                let _ = header.string(1);
                let _ = header.strings(1).map(|all| all.map(Iterator::count));
                let _ = header.number(2);
                let _ = header.long(2);
            }
        }
    }
}
