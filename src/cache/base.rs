//! Images that recipes start from, for machines that cannot or need not ask where they are from.
//!
//! An image that is packed anew has another manifest. So a signed statement says which image of the
//! cache is the one that a lock names; the rest follows from that image's own digest.

use racker_store::{Digest, Image, Store};

use super::claim::BaseClaim;
use super::place::Place;
use super::signed::{Signed, Verdict};
use super::{Cache, STATEMENT, SecretKey, Trouble, read_statement};
use crate::oci::outgoing::{self, Encoding};
use crate::oci::{Artifact, Error, Options, Part, Progress, Reference, Result, deposit, pull_copy};

const KIND: &str = "application/vnd.racker.base.v1";

fn tag(manifest: &Digest) -> String {
    format!("base-{}", manifest.hex())
}

impl Cache<'_> {
    /// Looks for the image that `pinned` names by its digest; has it in the store under that name.
    pub fn base(
        &self,
        store: &Store,
        pinned: &Reference,
        options: &Options<'_>,
    ) -> Result<Option<(Image, &str)>> {
        let Some(manifest) = pinned.digest() else {
            return Ok(None);
        };
        let what = pinned.familiar();
        self.first(&what, options.progress, |place| {
            let Some(artifact) = Artifact::get(&place.repository, &tag(manifest))? else {
                return Ok(None);
            };
            let signed = self.statement(place, &artifact)?;
            let claim = BaseClaim::parse(&signed.claim).filter(|claim| claim.manifest == *manifest);
            let Some(claim) = claim else {
                return Err(Trouble::Wrong(
                    "its statement is about something else".into(),
                ));
            };
            let image = pull_copy(store, &place.repository, &claim.copy, pinned, options)?;
            Ok(Some(image))
        })
    }

    /// Puts an image that came from another registry where results are put, unless it is there; says
    /// whether it did.
    pub fn put_base(
        &self,
        store: &Store,
        image: &Image,
        pinned: &Reference,
        options: &Options<'_>,
    ) -> bool {
        let Some(manifest) = pinned.digest() else {
            return false;
        };
        let what = pinned.familiar();
        let put = self.with_target(&what, options.progress, |place, key| {
            self.put_copy(store, place, key, image, *manifest, options)
        });
        put == Some(true)
    }

    fn put_copy(
        &self,
        store: &Store,
        place: &Place<'_>,
        key: &SecretKey,
        image: &Image,
        manifest: Digest,
        options: &Options<'_>,
    ) -> Result<bool, Trouble> {
        let tag = tag(&manifest);
        let there = Artifact::get(&place.repository, &tag)?;
        let known = there.and_then(|there| read_statement(place, &there).ok());
        let trusted = |known: &Signed| known.verdict(&self.trusted) == Verdict::Trusted;
        if known.as_ref().is_some_and(trusted) {
            return Ok(false);
        }
        let target = place.reference.with_tag(&format!("{tag}-image"))?;
        let options = &Options {
            client: place.repository.client(),
            ..options.clone()
        };
        let copy = outgoing::push(store, image, &target, Some(Encoding::Zstd), options)?;
        let mut signed = Signed::new(BaseClaim { manifest, copy }.text());
        signed.sign(key);
        let statement = put_text(place, &signed.text(), options.progress)?;
        let artifact = Artifact {
            kind: KIND.to_owned(),
            parts: vec![statement],
        };
        artifact.put(&place.repository, &tag)?;
        Ok(true)
    }
}

fn put_text(place: &Place<'_>, text: &str, progress: &dyn Progress) -> Result<Part> {
    let (blob, _) = deposit(&place.repository, None, progress, STATEMENT, |out| {
        let written = out.write_all(text.as_bytes());
        written.map_err(|error| Error::io(STATEMENT, error))
    })?;
    Ok(Part {
        media_type: STATEMENT.to_owned(),
        blob,
        annotations: std::collections::BTreeMap::new(),
    })
}
