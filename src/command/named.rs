//! What `network` and `volume` do alike: things with names are listed, shown and removed.

use serde_json::Value;

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::ui::{Column, Wish};

/// How they are listed.
#[derive(Debug, clap::Args)]
pub(super) struct Listing {
    /// Show names alone
    #[arg(short, long = "names")]
    quiet: bool,
    /// Show by a Go template, `table TEMPLATE`, or `json`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

impl Listing {
    /// Shows these.
    pub(super) fn show(
        &self,
        context: &Context,
        rows: &[Value],
        columns: &[Column],
    ) -> Result<(), Failure> {
        let wish = Wish {
            only: self.quiet.then_some("Name"),
            format: self.format.as_deref(),
        };
        context.ui.listing(rows, columns, wish)
    }
}

/// Some of them.
#[derive(Debug, clap::Args)]
pub(super) struct Names {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
}

impl Names {
    /// Shows everything about each.
    pub(super) fn inspect(
        &self,
        context: &Context,
        document: impl Fn(&str) -> Result<Value, Failure>,
    ) -> Result<(), Failure> {
        let all = self.names.iter().map(|name| document(name));
        context.ui.json(&all.collect::<Result<Vec<_>, _>>()?)
    }

    /// Does something to each, and prints its name.
    pub(super) fn each(
        &self,
        context: &Context,
        work: impl Fn(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for name in &self.names {
            work(name)?;
            context.ui.data(name)?;
        }
        Ok(())
    }
}

/// The one that was found.
pub(super) fn need<T>(found: Option<T>, missing: impl FnOnce() -> String) -> Result<T, Failure> {
    found.ok_or_else(|| Failure::new(FAILED, missing()))
}
