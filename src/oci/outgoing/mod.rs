//! Images on their way out.
//!
//! ```text
//! layer in the store --tar--> pack --encode--> blob --.
//! image's configuration ----> document --> config -----+--> sink: a layout directory
//!                                      --> manifest ---'
//! ```
//!
//! The same image gives the same bytes everywhere: a layer that came from an archive goes out as that
//! archive, one that was baked as the one archive that its manifest determines; the encoder does not
//! depend on the machine ([`Encoding`]); documents are canonical JSON.

mod document;
mod encode;
mod layout;
mod pack;
mod send;
mod sink;

pub use encode::Encoding;
pub use layout::save;
