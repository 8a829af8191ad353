//! Images on their way out.
//!
//! ```text
//! layer in the store --tar--> pack --encode--> blob --.
//! image's configuration ----> document --> config -----+--> sink: a layout directory,
//!                                      --> manifest ---'        a registry
//! ```
//!
//! An image that came from elsewhere goes out as it came where the bytes allow that (`original`).
//! Otherwise the same image gives the same bytes everywhere: a layer that came from an archive goes out as that
//! archive, one that was baked as the one archive that its manifest determines; the encoder does not
//! depend on the machine ([`Encoding`]); documents are canonical JSON.

mod docker_archive;
mod document;
mod encode;
mod layout;
mod oci_archive;
mod original;
mod pack;
mod registry;
mod send;
mod sink;

pub use docker_archive::save_docker_archive;
pub use encode::Encoding;
pub use layout::save;
pub use oci_archive::save_oci_archive;
pub(crate) use pack::Hashing;
pub use registry::push;
