//! What a pull tells about itself while it runs; terminals are somebody else's business.

/// Receives what happens during a transfer, from several threads.
///
/// `item` names one layer or file: a short digest or a file name, unique within one operation.
pub trait Progress: Sync {
    /// A layer or file begins; `total` bytes will come if that is known.
    fn started(&self, item: &str, total: Option<u64>) {
        let _ = (item, total);
    }

    /// `bytes` more have come.
    fn advanced(&self, item: &str, bytes: u64) {
        let _ = (item, bytes);
    }

    /// All of it is verified and stored.
    fn finished(&self, item: &str) {
        let _ = item;
    }

    /// It need not be transferred, the store has it.
    fn present(&self, item: &str) {
        let _ = item;
    }

    /// Something worth a line.
    fn message(&self, text: &str) {
        let _ = text;
    }
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
