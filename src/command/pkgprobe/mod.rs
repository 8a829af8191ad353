//! `racker pkgprobe`

mod alone;
mod checks;
mod installed;
mod job;
mod packages;

pub(super) use job::{Job, Options, attempt, fill};

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Context, failed};
use crate::check::Address;
use crate::container::slot::require_root;
use crate::failure::{CHECK_FAILED, FAILED, Failure, USAGE};
use crate::probe::Probed;
use crate::ui::{Bars, ProbeFormat, probe_title};
use crate::{provision, realise};

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
    /// Unit that must be active without being started for it
    #[arg(long = "check-service", value_name = "UNIT")]
    services: Vec<String>,
    /// Port that must be listened on: 80, tcp6:80, udp:53
    #[arg(long = "check-port", value_name = "PORT")]
    ports: Vec<String>,
    /// Program that must run
    #[arg(long = "check-process", value_name = "NAME")]
    processes: Vec<String>,
    /// URL that must answer with status 200, its certificate valid
    #[arg(long = "check-http", value_name = "URL")]
    http: Vec<String>,
    /// Name that must resolve, as the guest would
    #[arg(long = "check-dns", value_name = "NAME")]
    dns: Vec<String>,
    /// Path that must be there
    #[arg(long = "check-file", value_name = "PATH")]
    files: Vec<String>,
    /// Path that something must be mounted on
    #[arg(long = "check-mount", value_name = "PATH")]
    mounts: Vec<String>,
    /// User that must exist
    #[arg(long = "check-user", value_name = "NAME")]
    users: Vec<String>,
    /// Group that must exist
    #[arg(long = "check-group", value_name = "NAME")]
    groups: Vec<String>,
    /// Package that must be installed
    #[arg(long = "check-package", value_name = "NAME")]
    installed: Vec<String>,
    /// Shell command that must end with 0
    #[arg(long = "check-command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// Checks in goss's language, a file or `-`
    #[arg(long, value_name = "FILE")]
    goss: Vec<String>,
    /// Where packages are installed
    #[arg(long, value_enum, value_name = "WHERE", default_value = "layer")]
    install: Install,
    /// Remove the packages again after the checks; nothing of theirs may stay
    #[arg(long)]
    purge: bool,
    /// How long an address may take to answer, and a file, port, ... to be there
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    network_timeout: Duration,
    /// How long a unit may take to become active, or a command to end
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    unit_timeout: Duration,
    /// How long a unit must stay active [default: 3 where it is new, else 0.1]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    settle: Option<Duration>,
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

/// Where packages are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Install {
    /// Into the image, as a layer that is kept
    Layer,
    /// Into the booted system, each time
    Live,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    require_root()?;
    for (given, option) in [
        (args.each, "--each"),
        (args.purge, "--purge"),
        (args.install == Install::Live, "--install=live"),
    ] {
        if given && args.packages.is_empty() {
            return Err(Failure::new(USAGE, format!("{option} goes with --package")));
        }
    }
    for name in args.packages.iter().filter(|it| !realise::is_file(it)) {
        provision::check_name(name)
            .map_err(|error| Failure::new(USAGE, error.to_string()).hint(error.hints().concat()))?;
    }
    let checks = checks::of_options(args)?;
    let options = Options {
        unit: args.unit_timeout,
        network: args.network_timeout,
        settle: args.settle,
        update: args.update,
        live: args.install == Install::Live,
        purge: args.purge,
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
                let row = bars.row(&probe_title(&job.image, &job.packages));
                let probed = attempt(&job.image, |probed| {
                    fill(shop, job, &checks, &options, &|it| row.phase(it), probed)
                });
                row.probed(&probed);
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
    bars.clear();
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
