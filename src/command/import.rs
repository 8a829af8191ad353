//! `racker import`

use std::fs::File;
use std::io::{self, Read};

use super::Context;
use crate::failure::Failure;
use crate::image;
use crate::oci::{Error, Platform, rootfs};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A root filesystem as a tar archive, compressed or not; - is standard input
    file: String,
    /// The image's name [default: the beginning of its id]
    name: Option<String>,
    /// Platform that it is for, such as linux/arm64/v8 [default: this machine's]
    #[arg(long)]
    platform: Option<Platform>,
}

/// The name of an image that has none yet.
const UNNAMED: &str = "localhost/import:unnamed";

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let name = args.name.as_deref().map(image::full_name).transpose()?;
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let mut options = shop.oci_options();
        options.platform = args.platform;
        let (reader, what): (Box<dyn Read + Send>, _) = if args.file == "-" {
            (Box::new(io::stdin()), "standard input")
        } else {
            let file = File::open(&args.file);
            let file = file.map_err(|source| Error::Io {
                what: args.file.clone(),
                source,
            })?;
            (Box::new(file), args.file.as_str())
        };
        let first = name.as_deref().unwrap_or(UNNAMED);
        let mut image = rootfs::import(shop.store, what, reader, first, &options)?;
        if name.is_none() {
            image.name = format!("localhost/{}:latest", &image.tree.to_string()[..12]);
            shop.store.put_image(&image)?;
            shop.store.remove_image(UNNAMED)?;
        }
        context.ui.data(image::short(&image.name))?;
        Ok(0)
    })
}
