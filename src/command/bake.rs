//! `racker bake`

use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use racker_store::Store;

use super::bake_report::report;
use super::store::collect_when_low;
use super::{Context, failed, key};
use crate::failure::{Failure, USAGE, from_recipe};
use crate::files::lock_or_wait;
use crate::oci::Reference;
use crate::plan::lock::Lock;
use crate::realise::{self, Baked, Event, Options, Workshop};
use crate::recipe::{self, Chain};
use crate::replace::{plain_file, replace};
use crate::settings::parse_cache;
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Recipe files or curated labels
    #[arg(required = true, value_name = "RECIPE")]
    recipes: Vec<String>,
    /// Give an argument of the recipe another value
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::assignment)]
    set: Vec<(String, String)>,
    /// Make every step again
    #[arg(long)]
    no_cache: bool,
    /// Make every step again and compare: 104 if one comes out otherwise
    #[arg(long, conflicts_with = "no_cache")]
    check: bool,
    /// Open a shell where a step failed
    #[arg(long)]
    shell_on_failure: bool,
    /// Let steps read a file as the secret of this id, at /run/secrets/ID
    #[arg(long = "secret", value_name = "ID=FILE", value_parser = super::assignment)]
    secrets: Vec<(String, String)>,
    /// Fail where the lock does not fit the recipe
    #[arg(long)]
    locked: bool,
    /// Look for results of steps in this registry, too; may be given again
    #[arg(long, value_name = "REGISTRY/REPO", value_parser = parse_cache)]
    cache: Vec<Reference>,
    /// Put results of steps into this registry, signed with `signing-key`
    #[arg(long, value_name = "REGISTRY/REPO", value_parser = parse_cache)]
    cache_push: Option<Reference>,
    /// Lock file [default: beside the recipe]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Loads a recipe by path or label.
pub(super) fn load(name: &str, sets: &[(String, String)]) -> Result<Chain, Failure> {
    let is_label = !name.contains('/') && Path::new(name).extension() != Some("toml".as_ref());
    // A bare word that is no file can only be a label, known or misspelt.
    if is_label && !Path::new(name).is_file() {
        return recipe::load_curated(name, sets).map_err(from_recipe);
    }
    recipe::load(Path::new(name), sets).map_err(from_recipe)
}

/// Where a recipe's lock is.
pub(super) fn lock_path(store: &Store, chain: &Chain, option: Option<&Path>) -> PathBuf {
    option
        .map(Path::to_owned)
        .or_else(|| Lock::path_of(chain))
        .unwrap_or_else(|| curated_lock(store, &chain.recipe().name))
}

/// Where the lock of a curated recipe is.
pub fn curated_lock(store: &Store, label: &str) -> PathBuf {
    store.locks().join(format!("{label}.lock"))
}

/// Reads a lock; an empty one where there is no file.
pub(crate) fn read_lock(path: &Path) -> Result<Lock, Failure> {
    // Told before anything is made: what is no file could not be written.
    let text = plain_file(path).and_then(fs::read_to_string);
    match text {
        Ok(text) => Lock::parse(&path.display().to_string(), &text)
            .map_err(|error| Failure::from_error(USAGE, &error, error.hints())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(error) => Err(failed(format!("read {}: {error}", path.display()))),
    }
}

pub(crate) fn write_lock(path: &Path, lock: &Lock) -> Result<(), Failure> {
    replace(path, lock.print().as_bytes(), 0o644).map_err(|error| {
        failed(format!("write {}: {error}", path.display())).hint("--lock FILE names another place")
    })
}

/// Waits until nobody else bakes with the same lock: two that each made a lock of their own would
/// make two images of one recipe. In a store that cannot be written nothing is baked.
pub(crate) fn take_turn(shop: Workshop<'_>, lock_path: &Path) -> Option<File> {
    let path = std::path::absolute(lock_path).ok()?;
    let name = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    let path = shop.store.locks().join(format!("bake.{name}"));
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .ok()?;
    let waiting = || {
        let text = format!("waiting for whoever bakes with {}", lock_path.display());
        shop.reporter.event(Event::Message(&text));
    };
    lock_or_wait(&file, waiting).ok()?;
    Some(file)
}

/// Bakes one recipe with its lock, which is written where it is new or changed, after a failure too.
pub fn bake_chain(
    shop: Workshop<'_>,
    chain: &Chain,
    lock_path: &Path,
    options: &Options,
) -> Result<Baked, Failure> {
    let _turn = take_turn(shop, lock_path);
    let before = read_lock(lock_path)?;
    let mut lock = before.clone();
    let result = realise::bake(shop, chain, &mut lock, options);
    if (lock != before || !lock_path.exists()) && !options.locked {
        write_lock(lock_path, &lock)?;
    }
    Ok(result?)
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    crate::container::slot::require_root()?;
    let chains: Vec<Chain> = args
        .recipes
        .iter()
        .map(|name| load(name, &args.set))
        .collect::<Result<_, _>>()?;
    if args.lock.is_some() && chains.len() > 1 {
        return Err(Failure::new(USAGE, "--lock goes with one recipe"));
    }
    if args.shell_on_failure && !std::io::stdin().is_terminal() {
        return Err(Failure::new(USAGE, "--shell-on-failure needs a terminal"));
    }
    let options = Options {
        no_cache: args.no_cache,
        check: args.check,
        shell_on_failure: args.shell_on_failure,
        locked: args.locked,
        update: None,
        secrets: args
            .secrets
            .iter()
            .map(|(id, file)| (id.clone(), file.into()))
            .collect(),
    };
    let mut settings = context.settings.clone();
    if !args.cache.is_empty() {
        settings.cache.read = args.cache;
    }
    settings.cache.push = args.cache_push.or(settings.cache.push);
    let signer = match settings.cache.push {
        Some(_) => Some(key::signer(context.ui, &settings)?),
        None => None,
    };
    let context = &Context {
        settings,
        ..*context
    };
    let bars = Bars::new(context.ui);
    context.sharing_workshop(&bars, signer, |shop| {
        let bake = |chain: &Chain| {
            let path = lock_path(shop.store, chain, args.lock.as_deref());
            bake_chain(shop, chain, &path, &options)
        };
        let results: Vec<Result<Baked, Failure>> = if let [chain] = chains.as_slice() {
            vec![bake(chain)]
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = chains
                    .iter()
                    .map(|chain| scope.spawn(|| bake(chain)))
                    .collect();
                let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
                joined
                    .map(|r| r.unwrap_or_else(|p| std::panic::resume_unwind(p)))
                    .collect()
            })
        };
        let result = report(context, results, args.check, args.json);
        collect_when_low(context, shop.store);
        result
    })
}
