//! `racker save`

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use racker_store::{Digest, Image, Store};

use super::Context;
use super::destination::Destination;
use super::output::into_file;
use crate::failure::{Failure, USAGE};
use crate::image;
use crate::oci::Reference;
use crate::oci::outgoing::{self, Encoding};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images; last may be where one goes: oci:DIR[:TAG], oci-archive:FILE[:TAG] or
    /// docker-archive:FILE[:NAME:TAG]
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Write a file that docker load reads; - is standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How layers are compressed: gzip, zstd or none [default: as they came, else gzip]
    #[arg(long, value_name = "ENCODING")]
    compression: Option<Encoding>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let usage = |message: &str| Failure::new(USAGE, message);
    let (names, last) = match args.images.split_last() {
        Some((last, names)) if !names.is_empty() => match Destination::local(last) {
            Some(read) => (names, Some(read.map_err(|message| usage(&message))?)),
            None => (&args.images[..], None),
        },
        _ => (&args.images[..], None),
    };
    if last.is_some() && (args.output.is_some() || names.len() > 1) {
        return Err(usage("one image goes to one destination")
            .hint("several images go into one file with -o FILE"));
    }
    let (store, registries) = (context.store()?, context.registries()?);
    let images = names
        .iter()
        .map(|name| image::need(&store, &registries, name))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(destination) = last else {
        if args.compression.is_some() {
            return Err(usage("layers of such an archive are not compressed")
                .hint("--compression is for oci: and oci-archive:"));
        }
        let output = args.output.as_deref();
        let file = output.filter(|path| *path != Path::new("-"));
        return docker_archive(context, &store, images, file);
    };
    let [image] = &images[..] else {
        return Err(usage("no image is named"));
    };
    if let Some(digest) = save(context, &store, image, &destination, args.compression)? {
        context.ui.data(digest.to_string())?;
    }
    Ok(0)
}

/// Writes an image to a place that is no registry; the digest of its manifest, if it has one there.
pub(super) fn save(
    context: &Context,
    store: &Store,
    image: &Image,
    destination: &Destination,
    encoding: Option<Encoding>,
) -> Result<Option<Digest>, Failure> {
    let bars = Bars::new(context.ui);
    let own = |tag: &Option<String>| tag.clone().unwrap_or_else(|| own_tag(&image.name));
    match destination {
        Destination::Layout { path, tag } => {
            let digest = outgoing::save(store, image, path, &own(tag), encoding, &bars)?;
            Ok(Some(digest))
        }
        Destination::OciArchive { path, tag } => {
            let digest = into_file(path, |out| {
                Ok(outgoing::save_oci_archive(
                    store,
                    image,
                    &own(tag),
                    encoding,
                    out,
                    &bars,
                )?)
            })?;
            Ok(Some(digest))
        }
        Destination::DockerArchive { path, name } => {
            let name = name.clone().or_else(|| own_name(image));
            let images = [(image.clone(), name)];
            into_file(path, |out| {
                Ok(outgoing::save_docker_archive(store, &images, out, &bars)?)
            })?;
            Ok(None)
        }
        Destination::Registry(reference) => {
            Err(Failure::new(USAGE, format!("{reference} is in a registry"))
                .hint("racker push writes there"))
        }
    }
}

fn docker_archive(
    context: &Context,
    store: &Store,
    images: Vec<Image>,
    output: Option<&Path>,
) -> Result<u8, Failure> {
    let bars = Bars::new(context.ui);
    let named: Vec<_> = images
        .into_iter()
        .map(|image| {
            let name = own_name(&image);
            (image, name)
        })
        .collect();
    let write = |out: &mut dyn Write| Ok(outgoing::save_docker_archive(store, &named, out, &bars)?);
    match output {
        Some(path) => into_file(path, write)?,
        None if io::stdout().is_terminal() => {
            return Err(Failure::new(USAGE, "an archive does not go to a terminal")
                .hint("write -o FILE, or send the output elsewhere"));
        }
        None => write(&mut BufWriter::with_capacity(1 << 20, io::stdout().lock()))?,
    }
    Ok(0)
}

/// The name that an image goes by elsewhere.
fn own_name(image: &Image) -> Option<Reference> {
    let reference = Reference::parse(&image.name).ok()?;
    reference.digest().is_none().then_some(reference)
}

/// The tag that an image has in its name.
fn own_tag(name: &str) -> String {
    match Reference::parse(name) {
        Ok(reference) => reference.tag().unwrap_or("latest").to_owned(),
        Err(_) => "latest".to_owned(),
    }
}
