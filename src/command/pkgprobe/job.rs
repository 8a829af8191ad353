//! One probe: an image with packages, booted and checked.

use std::path::Path;
use std::time::{Duration, Instant};

use racker_store::{Image, Tree, TreeId};

use super::{checks, installed};
use crate::check::Check;
use crate::command::bake::{bake_chain, load, lock_path};
use crate::command::failed;
use crate::container::on_own_thread;
use crate::failure::Failure;
use crate::installed::Installed;
use crate::learned::Learned;
use crate::probe::{self, Limits, Plan, Privileged, Probed, Purge, Seen, privileged};
use crate::provision::{self, Tested};
use crate::realise::{self, Addition, Ready, Workshop};
use crate::recipe::{self, Probe};
use crate::{addition, image, systemd};

/// How long a unit must stay active where that was seen before, or is somebody else's business.
const SHORT: Duration = Duration::from_millis(100);
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
    let base = shop.store.tree(image.tree)?;
    let mut learned = Learned::of(shop.store, tree);
    let units: Vec<String> = checks
        .iter()
        .filter(|check| matches!(check, Check::Unit(_)))
        .map(ToString::to_string)
        .collect();
    let new = !job.packages.is_empty() || is_recipe(&job.image);
    let seen_before = !options.live && units.iter().all(|it| learned.settled_units.contains(it));
    let limits = Limits {
        unit: timeout.unwrap_or(options.unit),
        network: timeout.unwrap_or(options.network),
        settle: options
            .settle
            .unwrap_or(if new && !seen_before { LONG } else { SHORT }),
    };
    let boot_paths = if options.purge {
        alone(shop, &image)?.boot_paths.unwrap_or_default()
    } else {
        Vec::new()
    };
    let purge = if options.purge {
        Some(purge(&base, &boot_paths, job, &added.tested)?)
    } else {
        None
    };
    let stage = |snapshot: &crate::container::Snapshot| {
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
    let look_now = || look(shop, job, &added, &base, None);
    // What the tree has is looked up while it boots.
    let (seen, looked) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| added.ready.is_none().then(look_now).transpose());
        let seen = booted(shop, tree, &plan);
        (seen, looking.join())
    });
    let looked = looked.map_err(|_| failed("a look at the packages broke off"))?;
    let seen = seen?;
    let looked = match (looked?, &seen.live) {
        (Some(looked), _) => looked,
        (None, live) => look(shop, job, &added, &base, live.as_ref())?,
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

/// Takes what was seen into the report; what fails without the packages too is not theirs.
fn note(
    shop: Workshop<'_>,
    image: &Image,
    job: &Job,
    seen: Seen,
    probed: &mut Probed,
) -> Result<(), Failure> {
    probed.boot_milliseconds = milliseconds(seen.boot);
    probed.checks = seen.checks;
    probed.ended_units = seen.ended_units;
    probed.failed_units = seen.failed_units;
    if probed.failed_units.is_empty() || job.packages.is_empty() {
        return Ok(());
    }
    let alone = alone(shop, image)?.failed_units.unwrap_or_default();
    let (images, own) = std::mem::take(&mut probed.failed_units)
        .into_iter()
        .partition(|unit| alone.contains(unit));
    probed.image_failed_units = images;
    probed.failed_units = own;
    Ok(())
}

/// What the image does when nothing is done with it; booted for that once.
fn alone(shop: Workshop<'_>, image: &Image) -> Result<Learned, Failure> {
    let mut learned = Learned::of(shop.store, image.tree);
    if learned.failed_units.is_some() && learned.boot_paths.is_some() {
        return Ok(learned);
    }
    let plan = Plan {
        checks: &[],
        limits: Limits {
            unit: Duration::ZERO,
            settle: Duration::ZERO,
            network: Duration::from_secs(30),
        },
        live: None,
        purge: None,
        writes: true,
        thorough: true,
        phase: &|_| (),
    };
    let seen = booted(shop, image.tree, &plan)?;
    learned.failed_units = Some(seen.failed_units);
    learned.boot_paths = Some(seen.written);
    learned.keep(shop.store, image.tree);
    Ok(learned)
}

/// The packages of a probe.
#[derive(Debug)]
struct Packages {
    /// What is booted.
    tree: TreeId,
    /// What the files among them say they are.
    tested: Vec<Tested>,
    /// What is installed after the boot.
    ready: Option<Ready>,
}

impl Packages {
    fn obtain(
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
}

/// What a tree was found to have.
#[derive(Debug, Default)]
struct Looked {
    installed: Vec<(String, String)>,
    privileged: Vec<Privileged>,
}

/// Looks which packages a tree has, and that they are those that are tested.
fn look(
    shop: Workshop<'_>,
    job: &Job,
    added: &Packages,
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
            made = shop.store.tree(added.tree)?;
            &made
        }
    };
    let all = Installed::read(shop.store, tree)?;
    Ok(Looked {
        installed: installed::installed(all.packages(), &job.packages, &added.tested)?,
        privileged: privileged(base, tree),
    })
}

fn purge<'a>(
    base: &'a Tree,
    boot: &'a [String],
    job: &Job,
    tested: &[Tested],
) -> Result<Purge<'a>, Failure> {
    let manager = provision::manager_of(base, None).map_err(|error| failed(error.to_string()))?;
    let is_name = |it: &&String| !realise::is_file(it);
    let bare = |it: &String| it.split('=').next().unwrap_or_default().to_owned();
    let names = job.packages.iter().filter(is_name).map(bare);
    let names: Vec<String> = names
        .chain(tested.iter().map(|it| it.name.clone()))
        .collect();
    Ok(Purge {
        process: realise::process(&provision::removal(manager, &names)),
        names,
        before: base,
        boot,
    })
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
fn booted(shop: Workshop<'_>, tree: TreeId, plan: &Plan<'_>) -> Result<Seen, Failure> {
    let method = shop.settings.tree_mount;
    on_own_thread(|| probe::probe(shop.store, tree, method, plan))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
