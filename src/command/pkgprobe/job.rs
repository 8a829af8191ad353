//! One probe: an image with packages, booted and checked.

use std::path::Path;
use std::time::{Duration, Instant};

use racker_store::{Image, Tree, TreeId};

use super::alone::{alone, note};
use super::checks;
use super::packages::Packages;
use crate::check::Check;
use crate::command::bake::{bake_chain, load, lock_path};
use crate::command::failed;
use crate::container::{Snapshot, on_own_thread};
use crate::failure::Failure;
use crate::learned::Learned;
use crate::probe::{self, Limits, Plan, Probed, Seen};
use crate::realise::{self, Workshop};
use crate::recipe::{self, Probe};
use crate::{image, systemd};

/// How long a unit must stay active where that was seen before, or is somebody else's business.
const SHORT: Duration = Duration::from_millis(50);
/// How long it must the first time, where it is what is being made.
const LONG: Duration = Duration::from_secs(3);

/// One probe to be made.
#[derive(Debug)]
pub(in crate::command) struct Job {
    pub(in crate::command) image: String,
    pub(in crate::command) packages: Vec<String>,
}

/// How probes are made.
#[derive(Debug, Clone, Default)]
pub(in crate::command) struct Options {
    /// How long a unit may take to become active, or a command to end.
    pub(in crate::command) unit: Duration,
    /// How long an address may take to answer, and everything else to come about.
    pub(in crate::command) network: Duration,
    /// How long a unit must stay active, where something is said about that.
    pub(in crate::command) settle: Option<Duration>,
    /// Whether packages are resolved anew.
    pub(in crate::command) update: bool,
    /// Whether packages are installed after the boot.
    pub(in crate::command) live: bool,
    /// Whether packages are removed after the checks.
    pub(in crate::command) purge: bool,
}

/// What is told how far a probe has come.
pub(in crate::command) type Phase<'a> = &'a (dyn Fn(&str) + Sync);

/// Makes one probe; what goes wrong is part of the answer.
pub(in crate::command) fn attempt(
    image: &str,
    work: impl FnOnce(&mut Probed) -> Result<(), Failure>,
) -> Probed {
    let begin = Instant::now();
    let mut probed = Probed::new(image);
    if let Err(failure) = work(&mut probed) {
        let mut lines = vec![failure.message.trim_end().to_owned()];
        lines.extend(failure.output.iter().map(|line| format!("  | {line}")));
        lines.extend(failure.hints.iter().map(|hint| format!("hint: {hint}")));
        probed.error = Some(lines.join("\n"));
    }
    probed.milliseconds = milliseconds(begin.elapsed());
    probed
}

/// Probes, and notes what is found.
pub(in crate::command) fn fill(
    shop: Workshop<'_>,
    job: &Job,
    checks: &[Check],
    options: &Options,
    phase: Phase<'_>,
    probed: &mut Probed,
) -> Result<(), Failure> {
    probed.packages.clone_from(&job.packages);
    phase("preparing");
    let (image, own) = subject(shop, &job.image, checks.is_empty())?;
    let image = systemd::bootable(shop, image)?;
    let checks = own
        .as_ref()
        .map_or_else(|| checks.to_vec(), checks::of_recipe);
    let timeout = own.and_then(|it| it.timeout);
    let added = Packages::obtain(shop, &image, job, options)?;
    let tree = added.tree;
    probed.tree = Some(tree.to_string());
    // Without packages there is nothing to compare.
    let base = if job.packages.is_empty() {
        Tree::default()
    } else {
        shop.store.tree(image.tree)?
    };
    let mut learned = Learned::of(shop.store, tree);
    let limits = Limits {
        unit: timeout.unwrap_or(options.unit),
        network: timeout.unwrap_or(options.network),
        settle: options
            .settle
            .unwrap_or_else(|| settle(job, options, &checks, &learned)),
    };
    let boot_paths = if options.purge {
        alone(shop, &image)?.boot_paths.unwrap_or_default()
    } else {
        Vec::new()
    };
    let purge = if options.purge {
        Some(added.purge(&base, &boot_paths, job)?)
    } else {
        None
    };
    let stage = |snapshot: &Snapshot| {
        let ready = added.ready.as_ref();
        let staged = ready.map(|ready| ready.stage(snapshot)).transpose()?;
        Ok(staged.expect("it is only asked for with something to install"))
    };
    let plan = Plan {
        checks: &checks,
        limits,
        live: added.ready.is_some().then_some(&stage),
        purge: purge.as_ref(),
        writes: false,
        thorough: !job.packages.is_empty() || checks.is_empty(),
        phase,
    };
    let look = |live| added.look(shop, job, &base, live);
    // What the tree has is looked up while it boots.
    let (seen, looked) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| added.ready.is_none().then(|| look(None)).transpose());
        let seen = booted(shop, tree, &plan);
        (seen, looking.join())
    });
    let looked = looked.map_err(|_| failed("a look at the packages broke off"))?;
    let seen = seen?;
    let looked = match (looked?, &seen.live) {
        (Some(looked), _) => looked,
        (None, live) => look(live.as_ref())?,
    };
    probed.installed = looked.installed;
    probed.privileged_files = looked.privileged;
    if limits.settle >= LONG && !options.live {
        let stayed = seen.checks.iter().filter(|it| it.kind == "unit" && it.ok);
        learned
            .settled_units
            .extend(stayed.map(|it| it.check.clone()));
    }
    learned.keep(shop.store, tree);
    note(shop, &image, job, seen, probed)
}

/// How long units must stay where nothing is said about it.
fn settle(job: &Job, options: &Options, checks: &[Check], learned: &Learned) -> Duration {
    let is_known = |check: &Check| match check {
        Check::Unit(name) => !options.live && learned.settled_units.contains(name),
        _ => true,
    };
    let is_new = !job.packages.is_empty() || is_recipe(&job.image);
    if is_new && !checks.iter().all(is_known) {
        LONG
    } else {
        SHORT
    }
}

fn is_recipe(name: &str) -> bool {
    Path::new(name).extension() == Some("toml".as_ref())
}

/// The image, and what its recipe says must hold if that is `asked`.
fn subject(shop: Workshop<'_>, name: &str, asked: bool) -> Result<(Image, Option<Probe>), Failure> {
    if is_recipe(name) {
        let chain = load(name, &[])?;
        let lock = lock_path(shop.store, &chain, None);
        let baked = bake_chain(shop, &chain, &lock, &realise::Options::default())?;
        let declared = chain.recipe().probe.clone();
        return Ok((baked.image, declared.filter(|_| asked)));
    }
    let declared = match recipe::curated(name) {
        Some(_) if asked => load(name, &[])?.recipe().probe.clone(),
        _ => None,
    };
    Ok((image::obtain(shop, name)?, declared))
}

/// Probes on a thread of its own: the snapshot's mounts are the thread's.
pub(super) fn booted(shop: Workshop<'_>, tree: TreeId, plan: &Plan<'_>) -> Result<Seen, Failure> {
    let method = shop.settings.tree_mount;
    on_own_thread(|| probe::probe(shop.store, tree, method, plan))
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
