//! A layer as a tar archive, in the one way in which this crate writes it.
//!
//! Entries are in the order of the layer's manifest: ustar headers, with PAX records before them for
//! what a header cannot hold and for times with fractions and attributes. What a layer removes is a
//! whiteout, an empty file whose name begins with `.wh.`. The same layer gives the same bytes
//! everywhere. Sources: pax(1) of POSIX.1-2017, "ustar Interchange Format" and "pax Extended
//! Header"; OCI image-spec, layer.md.

mod entry;
mod layer;

pub(crate) use layer::check;
