//! What every part of realising works with.

use racker_store::{Digest, Store};

use super::{Error, Reporter};
use crate::cache::Cache;
use crate::container::Upper;
use crate::oci::{self, Download};
use crate::settings::Settings;

/// The tools at hand.
#[derive(Clone, Copy)]
pub struct Workshop<'a> {
    /// Where everything is kept.
    pub store: &'a Store,
    /// What the user set.
    pub settings: &'a Settings,
    /// The way to the network.
    pub client: &'a oci::Client,
    /// Which servers stand for which names.
    pub registries: &'a oci::Registries,
    /// Where other machines put what steps led to.
    pub cache: &'a Cache<'a>,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
    /// Whether changes are kept on the disk, however much memory there is.
    pub on_disk: bool,
}

impl std::fmt::Debug for Workshop<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop")
            .field("store", self.store)
            .finish_non_exhaustive()
    }
}

impl<'a> Workshop<'a> {
    /// The same tools, with changes kept on the disk.
    #[must_use]
    pub(super) fn elsewhere(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// How images are had.
    pub fn oci_options(&self) -> oci::Options<'a> {
        let mut options = oci::Options::new(self.client, self.registries);
        options.progress = self.reporter.progress();
        options.offline = self.settings.offline;
        options
    }

    /// Makes sure that the store has these files.
    pub fn fetch(&self, list: &[Download]) -> Result<Vec<Digest>, Error> {
        if self.settings.offline
            && let Some(first) = list.first()
        {
            return Err(Error::Offline(first.url.clone()));
        }
        self.fetch_all(list).map_err(|(_, error)| error.into())
    }

    /// Makes sure that the store has these files; an error comes with the place of its file.
    pub(super) fn fetch_all(&self, list: &[Download]) -> Result<Vec<Digest>, (usize, oci::Error)> {
        let jobs = self.settings.jobs.max(8);
        let progress = self.reporter.progress();
        loop {
            let done = self.client.download_all(self.store, list, jobs, progress);
            match done {
                // What is nowhere else may be in a cache; then the rest is fetched as before.
                Err((place, error)) => {
                    let found = self.cached(&list[place]);
                    if !found.map_err(|error| (place, error))? {
                        return Err((place, error));
                    }
                }
                done => return done,
            }
        }
    }

    /// Whether the store has a file now that a shared cache had.
    fn cached(&self, download: &Download) -> oci::Result<bool> {
        let Some(digest) = &download.digest else {
            return Ok(false);
        };
        let name = download.url.rsplit('/').next().unwrap_or_default();
        let progress = self.reporter.progress();
        self.cache.file(self.store, digest, name, progress)
    }

    /// Where a step's changes are kept: in memory where there is plenty, for half of what there
    /// is. A package manager that syncs its files is three times faster there.
    pub fn upper(&self) -> Upper {
        const PLENTY: u64 = 2 << 30;
        match available_memory() {
            Some(bytes) if bytes / 2 >= PLENTY && !self.on_disk => Upper::Memory(bytes / 2),
            _ => Upper::Disk,
        }
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes. Source: `proc_meminfo(5)`.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
