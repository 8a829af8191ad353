//! `racker diff`

use racker_store::{Store, Tree};
use serde::Serialize;

use super::Context;
use crate::compare::{FileChange, PackageChange, Side, Totals, compare};
use crate::failure::{DIFFERENT, Failure};
use crate::installed::Installed;
use crate::lifecycle::{Yard, changes};
use crate::subject::{self, Subject};
use crate::ui::{Table, file_line, package_row, total_line};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image, tree id, or step as `plan` names it; a container where it stands alone
    #[arg(value_name = "A")]
    before: String,
    /// What to compare it with
    #[arg(value_name = "B")]
    after: Option<String>,
    /// Show packages alone
    #[arg(long, conflicts_with = "files")]
    packages: bool,
    /// Show files alone
    #[arg(long)]
    files: bool,
    /// Give exit code 1 if anything differs
    #[arg(long)]
    exit_code: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A side in JSON.
#[derive(Serialize)]
struct Named {
    name: String,
    tree_id: racker_store::TreeId,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document {
    before: Named,
    after: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<Vec<PackageChange>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<FileChange>>,
    totals: Totals,
}

/// What a container changed, as docker shows it.
fn of_container(context: &Context, store: &Store, name: &str) -> Result<u8, Failure> {
    let kept = Yard::of(store).find(name)?;
    for (kind, path) in changes::changes(store, &kept)? {
        context.ui.data(format!("{} {path}", kind.letter()))?;
    }
    Ok(0)
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let Some(after) = &args.after else {
        return of_container(context, &store, &args.before);
    };
    let registries = context.registries()?;
    let before = subject::find(&store, &registries, &args.before)?;
    let after = subject::find(&store, &registries, after)?;
    let trees = (store.tree(before.tree)?, store.tree(after.tree)?);
    let installed = (
        installed(context, &store, &trees.0, &before, args.packages)?,
        installed(context, &store, &trees.1, &after, args.packages)?,
    );
    context.phase("trees and packages read");
    let found = compare(side(&trees.0, &installed.0), side(&trees.1, &installed.1));
    context.phase("compared");
    let different = if args.packages {
        !found.packages.is_empty()
    } else {
        !found.is_empty()
    };
    let document = Document {
        before: before.into(),
        after: after.into(),
        packages: (!args.files).then_some(found.packages),
        files: (!args.packages).then_some(found.files),
        totals: found.totals,
    };
    if args.json {
        context.ui.json(&document)?;
    } else if different {
        show(context, &document)?;
    } else {
        context.ui.say("no difference");
    }
    let code = if args.exit_code && different {
        DIFFERENT
    } else {
        0
    };
    Ok(code)
}

fn side<'a>(tree: &'a Tree, installed: &'a Installed) -> Side<'a> {
    Side { tree, installed }
}

/// The packages of a tree. Files are compared without them where they cannot be read.
fn installed(
    context: &Context,
    store: &Store,
    tree: &Tree,
    subject: &Subject,
    needed: bool,
) -> Result<Installed, Failure> {
    match Installed::read(store, tree) {
        Err(error) if !needed => {
            let failure = Failure::from(error);
            let name = &subject.name;
            context.ui.error(format!(
                "racker: packages of {name} left out: {}",
                failure.message
            ));
            Ok(Installed::default())
        }
        result => Ok(result?),
    }
}

fn show(context: &Context, document: &Document) -> Result<(), Failure> {
    let packages = document.packages.as_deref().unwrap_or_default();
    let files = document.files.as_deref().unwrap_or_default();
    if !packages.is_empty() {
        let mut table = Table::new(["", "PACKAGE", "ARCH", "BEFORE", "AFTER", "SIZE"]);
        for package in packages {
            table.row(package_row(package));
        }
        for line in table.lines() {
            context.ui.data(line)?;
        }
    }
    if !packages.is_empty() && !files.is_empty() {
        context.ui.data("")?;
    }
    for file in files {
        context.ui.data(file_line(file))?;
    }
    context.ui.data("")?;
    if document.packages.is_some() {
        context
            .ui
            .data(total_line("packages", &document.totals.packages))?;
    }
    if document.files.is_some() {
        context
            .ui
            .data(total_line("files", &document.totals.files))?;
    }
    Ok(())
}

impl From<Subject> for Named {
    fn from(subject: Subject) -> Self {
        Self {
            name: subject.name,
            tree_id: subject.tree,
        }
    }
}
