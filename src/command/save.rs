//! `racker save`

use std::path::PathBuf;
use std::str::FromStr;

use super::Context;
use crate::failure::Failure;
use crate::image;
use crate::oci::outgoing::{self, Encoding};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image
    image: String,
    /// Where to: oci:DIR or oci:DIR:TAG
    #[arg(value_name = "TARGET")]
    target: Target,
    /// How layers are compressed: gzip, zstd or none
    #[arg(long, value_name = "ENCODING", default_value = "gzip")]
    compression: Encoding,
}

/// Where an image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    directory: PathBuf,
    tag: Option<String>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("oci:") else {
            return Err("write oci:DIR or oci:DIR:TAG".into());
        };
        let (directory, tag) = match rest.split_once(':') {
            Some((directory, tag)) => (directory, Some(tag)),
            None => (rest, None),
        };
        if directory.is_empty() {
            return Err("it names no directory".into());
        }
        if tag.is_some_and(|tag| !is_name(tag)) {
            return Err(
                "a tag has letters, digits and single characters of -._:@/+ between".into(),
            );
        }
        Ok(Self {
            directory: directory.into(),
            tag: tag.map(str::to_owned),
        })
    }
}

/// The grammar of `org.opencontainers.image.ref.name`. Source: OCI image-spec, annotations.md.
fn is_name(text: &str) -> bool {
    text.split('/').all(|component| {
        let single = component.replace("--", "-");
        single
            .split(['-', '.', '_', ':', '@', '+'])
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    })
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let image = image::need(&store, &args.image)?;
    let Target { directory, tag } = &args.target;
    let tag = tag.clone().unwrap_or_else(|| own_tag(&image.name));
    let bars = Bars::new(context.ui);
    let digest = outgoing::save(&store, &image, directory, &tag, args.compression, &bars)?;
    context.ui.data(digest.to_string())?;
    Ok(0)
}

/// The tag that an image has in its name.
fn own_tag(name: &str) -> String {
    match crate::oci::Reference::parse(name) {
        Ok(reference) => reference.tag().unwrap_or("latest").to_owned(),
        Err(_) => "latest".to_owned(),
    }
}
