//! The packages of a probe: had, looked for, removed.

use racker_store::{Image, Tree, TreeId};

use super::installed;
use super::job::{Job, Options};
use crate::addition;
use crate::command::failed;
use crate::failure::Failure;
use crate::installed::Installed;
use crate::probe::{Privileged, Purge, privileged};
use crate::provision::{self, Tested};
use crate::realise::{self, Addition, Ready, Workshop};

/// What a tree was found to have.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) installed: Vec<(String, String)>,
    pub(super) privileged: Vec<Privileged>,
}

/// The packages of a probe.
#[derive(Debug)]
pub(super) struct Packages {
    /// What is booted.
    pub(super) tree: TreeId,
    /// What the files among them say they are.
    pub(super) tested: Vec<Tested>,
    /// What is installed after the boot.
    pub(super) ready: Option<Ready>,
}

impl Packages {
    /// Makes the layer, or fetches what is to be installed.
    pub(super) fn obtain(
        shop: Workshop<'_>,
        image: &Image,
        job: &Job,
        options: &Options,
    ) -> Result<Self, Failure> {
        if job.packages.is_empty() {
            return Ok(Self {
                tree: image.tree,
                tested: Vec::new(),
                ready: None,
            });
        }
        let addition = Addition {
            name: "probe",
            packages: &job.packages,
            recommends: None,
        };
        if options.live {
            let ready = addition::ready(shop, image, &addition, options.update)?;
            return Ok(Self {
                tree: image.tree,
                tested: ready.tested.clone(),
                ready: Some(ready),
            });
        }
        let added = addition::added(shop, image, &addition, options.update)?;
        Ok(Self {
            tree: added.tree,
            tested: added.tested,
            ready: None,
        })
    }

    /// Looks which packages a tree has, and that they are those that are tested.
    pub(super) fn look(
        &self,
        shop: Workshop<'_>,
        job: &Job,
        base: &Tree,
        live: Option<&Tree>,
    ) -> Result<Looked, Failure> {
        if job.packages.is_empty() {
            return Ok(Looked::default());
        }
        let made;
        let tree = match live {
            Some(tree) => tree,
            None => {
                made = shop.store.tree(self.tree)?;
                &made
            }
        };
        let all = Installed::read(shop.store, tree)?;
        Ok(Looked {
            installed: installed::installed(all.packages(), &job.packages, &self.tested)?,
            privileged: privileged(base, tree),
        })
    }

    /// How they are removed again.
    pub(super) fn purge<'a>(
        &self,
        base: &'a Tree,
        boot: &'a [String],
        job: &Job,
    ) -> Result<Purge<'a>, Failure> {
        let manager =
            provision::manager_of(base, None).map_err(|error| failed(error.to_string()))?;
        let is_name = |it: &&String| !realise::is_file(it);
        let bare = |it: &String| it.split('=').next().unwrap_or_default().to_owned();
        let names = job.packages.iter().filter(is_name).map(bare);
        let names: Vec<String> = names
            .chain(self.tested.iter().map(|it| it.name.clone()))
            .collect();
        Ok(Purge {
            process: realise::process(&provision::removal(manager, &names)),
            names,
            before: base,
            boot,
        })
    }
}
