//! D-Bus messages from bytes.

use zbus::Message;
use zbus::wire::LE;
use zbus::wire::serialized::{Context, Data};

/// The message that `bytes` are, in little-endian encoding.
///
/// Errors: the header is malformed. The body's values are checked when they are read.
pub fn message(bytes: Vec<u8>) -> zbus::Result<Message> {
    let data = Data::new(bytes, Context::new(LE, 0));
    // SAFETY: the function is marked unsafe because the bytes may be wrongly encoded; zbus checks
    // the header here and each value of the body, strings included, when it is deserialised.
    #[expect(unsafe_code)]
    unsafe {
        Message::from_bytes(data)
    }
}
