//! Identifiers and times that depend on nothing but what they belong to.

use serde::Serialize;

const CONTEXT: &str = "racker 2026 bill of materials v1";

/// A UUID of the document, which has an empty one while it is digested: version 8 of RFC 9562, the
/// bits those of a BLAKE3.
pub(super) fn uuid(document: &impl Serialize) -> String {
    // A document of strings and numbers can always be written.
    let bytes = serde_json::to_vec(document).unwrap_or_default();
    let id = crate::uuid::from_digest(&blake3::derive_key(CONTEXT, &bytes));
    format!("urn:uuid:{id}")
}

/// A few digits that tell texts apart.
pub(super) fn digits(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

/// A time in UTC to the second; 1970 for one beyond the calendar.
pub(super) fn timestamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_its_document() {
        let one = uuid(&"x");
        assert_eq!(one, uuid(&"x"));
        assert_ne!(one, uuid(&"y"));
        assert_eq!(one.len(), "urn:uuid:".len() + 36);
        assert_eq!(one.as_bytes()["urn:uuid:".len() + 14], b'8');
    }

    #[test]
    fn times_are_to_the_second() {
        assert_eq!(timestamp(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(i64::MAX), "1970-01-01T00:00:00Z");
    }
}
