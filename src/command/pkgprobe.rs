//! `racker pkgprobe`

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use racker_store::{Image, TreeId};

use super::bake::{bake_chain, load, lock_path};
use super::{Context, failed};
use crate::container::on_own_thread;
use crate::failure::{CHECK_FAILED, FAILED, Failure, USAGE};
use crate::installed::Installed;
use crate::probe::{self, Address, Check, Limits, Probed, unit_name};
use crate::realise::{self, Addition, Workshop};
use crate::recipe::{self, Probe};
use crate::ui::{Bars, ProbeFormat};
use crate::{addition, container, image, systemd};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images to probe: baked ones, curated labels, recipe files, or references to a registry
    #[arg(
        long = "image",
        value_name = "IMAGE",
        required = true,
        value_delimiter = ','
    )]
    images: Vec<String>,
    /// Package to install before: a name, a file, or the URL of a file
    #[arg(long = "package", value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Probe every package alone, and not all of them together
    #[arg(long)]
    each: bool,
    /// Unit that must become active and stay so
    #[arg(long = "check-unit", value_name = "UNIT")]
    units: Vec<String>,
    /// Address that must answer, seen from inside: tcp://, http:// or https://
    #[arg(long = "check-network", value_name = "URL")]
    network: Vec<Address>,
    /// Path that must be there
    #[arg(long = "check-file", value_name = "PATH")]
    files: Vec<String>,
    /// Shell command that must end with 0
    #[arg(long = "check-command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// How long an address may take to answer
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    network_timeout: Duration,
    /// How long a unit may take to become active, or a command to end
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    unit_timeout: Duration,
    /// How long a unit must stay active
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = seconds)]
    settle: Duration,
    /// Resolve the packages anew, and fetch what their addresses have now
    #[arg(long)]
    update: bool,
    /// How many probes run at once [default: twice the processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Make only the Kth of N shares of the probes, as on one machine of many
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<(usize, usize)>,
    /// Stop after the first probe that fails
    #[arg(long)]
    fail_fast: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "human")]
    format: ProbeFormat,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number of seconds")?;
    Duration::try_from_secs_f64(number).map_err(|_| "expected a number of seconds".to_owned())
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/');
    let parts = parts.and_then(|(part, all)| Some((part.parse().ok()?, all.parse().ok()?)));
    parts
        .filter(|(part, all)| (1..=*all).contains(part))
        .ok_or_else(|| "expected K/N, such as 1/4".to_owned())
}

/// One probe to be made.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) image: String,
    pub(super) packages: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    container::slot::require_root()?;
    let checks = checks(args)?;
    let limits = Limits {
        unit: args.unit_timeout,
        settle: args.settle,
        network: args.network_timeout,
    };
    let jobs = jobs(args);
    let bars = Bars::new(context.ui);
    let results = context.workshop(&bars, |shop| {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let results = Mutex::new(vec![None; jobs.len()]);
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(place) else { return };
                let probed = attempt(&job.image, |probed| {
                    fill(shop, job, &checks, limits, args.update, probed)
                });
                if args.fail_fast && !probed.holds() {
                    stop.store(true, Ordering::Relaxed);
                }
                if let Ok(mut results) = results.lock() {
                    results[place] = Some(probed);
                }
            }
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = args
            .jobs
            .unwrap_or(2 * processors)
            .clamp(1, jobs.len().max(1));
        // Each of them starts its probes in a mount namespace of a thread's own.
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let results = results
            .into_inner()
            .map_err(|_| failed("a probe broke off"))?;
        Ok(results.into_iter().flatten().collect::<Vec<Probed>>())
    })?;
    context.ui.probes(&results, args.format)?;
    Ok(if results.iter().any(|it| it.error.is_some()) {
        FAILED
    } else if results.iter().all(Probed::holds) {
        0
    } else {
        CHECK_FAILED
    })
}

fn jobs(args: &Args) -> Vec<Job> {
    let sets: Vec<Vec<String>> = if args.each {
        args.packages.iter().map(|it| vec![it.clone()]).collect()
    } else {
        vec![args.packages.clone()]
    };
    let of_image = |image: &String| {
        let image = image.clone();
        sets.iter()
            .map(move |packages| Job {
                image: image.clone(),
                packages: packages.clone(),
            })
            .collect::<Vec<_>>()
    };
    let all = args.images.iter().flat_map(of_image).enumerate();
    // Neighbours take about as long, so they go to different machines.
    let (part, parts) = args.shard.unwrap_or((1, 1));
    all.filter(|(place, _)| place % parts == part - 1)
        .map(|(_, job)| job)
        .collect()
}

fn checks(args: &Args) -> Result<Vec<Check>, Failure> {
    let bad_path = args.files.iter().find(|path| !path.starts_with('/'));
    if let Some(path) = bad_path {
        let message = format!("--check-file {path}: not an absolute path");
        return Err(Failure::new(USAGE, message));
    }
    if args.each && args.packages.is_empty() {
        return Err(Failure::new(USAGE, "--each goes with --package"));
    }
    let units = args.units.iter().map(|unit| Check::Unit(unit_name(unit)));
    let network = args.network.iter().cloned().map(Check::Network);
    let files = args.files.iter().cloned().map(Check::File);
    let commands = args.commands.iter().cloned().map(Check::Command);
    Ok(units.chain(network).chain(files).chain(commands).collect())
}

/// Makes one probe; what goes wrong is part of the answer.
pub(super) fn attempt(
    image: &str,
    work: impl FnOnce(&mut Probed) -> Result<(), Failure>,
) -> Probed {
    let begin = Instant::now();
    let mut probed = Probed {
        image: image.to_owned(),
        packages: Vec::new(),
        tree: None,
        installed: Vec::new(),
        boot_milliseconds: 0,
        milliseconds: 0,
        checks: Vec::new(),
        failed_units: Vec::new(),
        error: None,
    };
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
pub(super) fn fill(
    shop: Workshop<'_>,
    job: &Job,
    checks: &[Check],
    limits: Limits,
    update: bool,
    probed: &mut Probed,
) -> Result<(), Failure> {
    probed.packages.clone_from(&job.packages);
    let (image, own) = subject(shop, &job.image, checks.is_empty())?;
    let image = systemd::bootable(shop, image)?;
    let (checks, limits) = own.as_ref().map_or_else(
        || (checks.to_vec(), limits),
        |it| (of(it), within(it, limits)),
    );
    let tree = if job.packages.is_empty() {
        image.tree
    } else {
        let addition = Addition {
            name: "probe",
            packages: &job.packages,
            recommends: None,
        };
        addition::tree(shop, &image, &addition, update)?
    };
    probed.tree = Some(tree.to_string());
    if !job.packages.is_empty() {
        probed.installed = installed(shop, tree, &job.packages)?;
    }
    let seen = booted(shop, tree, &checks, limits)?;
    probed.boot_milliseconds = milliseconds(seen.boot);
    probed.checks = seen.checks;
    probed.failed_units = seen.failed_units;
    if !probed.failed_units.is_empty() && tree != image.tree {
        // What fails without the packages too is not theirs.
        let alone = booted(shop, image.tree, &[], limits)?;
        probed
            .failed_units
            .retain(|unit| !alone.failed_units.contains(unit));
    }
    Ok(())
}

/// The image, and what its recipe says must hold if that is `asked`.
fn subject(shop: Workshop<'_>, name: &str, asked: bool) -> Result<(Image, Option<Probe>), Failure> {
    let is_recipe = Path::new(name).extension() == Some("toml".as_ref());
    if is_recipe {
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

/// A recipe's `[probe]` as checks.
fn of(probe: &Probe) -> Vec<Check> {
    let units = probe.units.iter().map(|unit| Check::Unit(unit_name(unit)));
    // Its form was checked when the recipe was read.
    let addresses = probe.network.iter().filter_map(|url| url.parse().ok());
    let files = probe.files.iter().cloned().map(Check::File);
    let commands = probe.run.iter().cloned().map(Check::Command);
    let network = addresses.map(Check::Network);
    units.chain(network).chain(files).chain(commands).collect()
}

fn within(probe: &Probe, limits: Limits) -> Limits {
    Limits {
        unit: probe.timeout.unwrap_or(limits.unit),
        network: probe.timeout.unwrap_or(limits.network),
        ..limits
    }
}

/// Probes on a thread of its own: the snapshot's mounts are the thread's.
fn booted(
    shop: Workshop<'_>,
    tree: TreeId,
    checks: &[Check],
    limits: Limits,
) -> Result<probe::Seen, Failure> {
    let method = shop.settings.tree_mount;
    let seen = on_own_thread(|| probe::probe(shop.store, tree, method, checks, limits));
    Ok(seen?)
}

/// What of the packages asked for by name the image has now.
fn installed(
    shop: Workshop<'_>,
    tree: TreeId,
    packages: &[String],
) -> Result<Vec<(String, String)>, Failure> {
    let tree = shop.store.tree(tree)?;
    let all = Installed::read(shop.store, &tree)?;
    let asked = |name: &str| {
        packages.iter().any(|it| {
            let file = it.rsplit('/').next().unwrap_or(it);
            let rest = file.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-', '=', '.']))
        })
    };
    let found = all.packages().iter().filter(|it| asked(&it.name));
    Ok(found
        .map(|it| (it.name.clone(), it.version.clone()))
        .collect())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
