//! What is kept when a store is collected.

use std::time::Duration;

use racker_store::Policy;

use super::File;
use crate::amount;
use crate::failure::{Failure, USAGE};

/// What the settings say of all collections. The options of `racker store gc` go before.
#[derive(Debug, Clone)]
pub struct Collecting {
    /// Bytes: with less free on the store's file system, a bake or pull collects at its end.
    pub when_below: Option<u64>,
    /// Bytes that are to be free afterwards; never less than `when_below`.
    pub min_free: Option<u64>,
    /// Bytes that what is kept may take.
    pub max_size: Option<u64>,
    /// For how long something must have been of no use.
    pub older_than: Duration,
    /// Images that stay where images may go.
    pub keep: Vec<String>,
}

impl Collecting {
    pub(super) fn read(file: &File) -> Result<Self, Failure> {
        let when_below = read("gc-min-free", file.gc_min_free.as_ref(), amount::bytes)?;
        let max_free = read("gc-max-free", file.gc_max_free.as_ref(), amount::bytes)?;
        let older_than = read("gc-older-than", file.gc_older_than.as_ref(), amount::age)?;
        Ok(Self {
            when_below,
            min_free: when_below.max(max_free),
            max_size: read("gc-max-size", file.gc_max_size.as_ref(), amount::bytes)?,
            older_than: older_than.unwrap_or_else(|| Policy::default().older_than),
            keep: file.gc_keep.clone().unwrap_or_default(),
        })
    }

    /// The policy; `images` may go.
    pub fn policy(&self, images: Vec<String>) -> Policy {
        Policy {
            older_than: self.older_than,
            images,
            max_size: self.max_size,
            min_free: self.min_free,
        }
    }
}

fn read<T>(
    name: &str,
    text: Option<&String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    let wrong = |error| Failure::new(USAGE, format!("{name}: {error}"));
    text.map(|text| parse(text).map_err(wrong)).transpose()
}
