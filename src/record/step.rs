//! The steps of an image, each with its document.

use racker_store::{Image, ImageLayer, Store};

use super::Error;
use crate::plan::KeyDocument;

/// A layer that a step made.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Its place among all layers of the image, from one.
    pub number: usize,
    /// The layer.
    pub layer: &'a ImageLayer,
    /// Everything that went into the step; none where the store has no record of it (any more).
    pub document: Option<KeyDocument>,
}

/// The steps of an image, in order; layers that were pulled or imported are none.
pub fn steps<'a>(store: &Store, image: &'a Image) -> Result<Vec<Step<'a>>, Error> {
    let mut all = Vec::new();
    for (index, layer) in image.layers.iter().enumerate() {
        let Some(key) = layer.step_key else {
            continue;
        };
        // Whatever trees a key led to, its document is one.
        let record = store.realisations(key)?.into_iter().next();
        let document = match record {
            Some(record) => Some(
                KeyDocument::from_value(&record.document)
                    .filter(|document| document.key() == key)
                    .ok_or(Error::Changed(key))?,
            ),
            None => None,
        };
        all.push(Step {
            number: index + 1,
            layer,
            document,
        });
    }
    Ok(all)
}
