//! `postroj selftest`

use std::time::Duration;

use super::Context;
use crate::check::{Check, Claim, Kind, unit_name};
use crate::command::failed;
use crate::command::pkgprobe::{Job, Options, attempt, fill};
use crate::container::slot::require_root;
use crate::failure::{Failure, SELFTEST_FAILED, from_recipe};
use crate::image;
use crate::package::Manager;
use crate::probe::Probed;
use crate::provision;
use crate::realise::Workshop;
use crate::recipe;
use crate::ui::{Bars, ProbeFormat};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    test: Test,
}

#[derive(Debug, clap::Subcommand)]
enum Test {
    /// Ask each image for its name and its release
    Hostnamectl(Images),
    /// Install the web server of each image, and ask it
    Pkgprobe(Images),
}

#[derive(Debug, clap::Args)]
struct Images {
    /// Images [default: those of list-images that can be booted]
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "json")]
    format: ProbeFormat,
}

/// What is tested is racker and the image; their units need not be watched for long.
fn options() -> Options {
    Options {
        unit: Duration::from_secs(60),
        network: Duration::from_secs(5),
        settle: Some(Duration::from_millis(100)),
        ..Options::default()
    }
}

/// What is added to an image, and what must hold then.
type Plan = (Vec<String>, Vec<Check>);

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    require_root()?;
    let (Test::Hostnamectl(images) | Test::Pkgprobe(images)) = &args.test;
    let names = if images.images.is_empty() {
        bootable()?
    } else {
        images.images.clone()
    };
    let bars = Bars::new(context.ui);
    let results: Vec<Probed> = context.workshop(&bars, |shop| {
        Ok(names
            .iter()
            .map(|name| one(shop, &args.test, name))
            .collect())
    })?;
    context.ui.probes(&results, images.format)?;
    let good = results.iter().all(Probed::holds);
    Ok(if good { 0 } else { SELFTEST_FAILED })
}

/// The labels whose recipe says how a booted image is probed.
fn bootable() -> Result<Vec<String>, Failure> {
    let mut labels = Vec::new();
    for it in recipe::listed() {
        let chain = recipe::load_curated(it.label, &[]).map_err(from_recipe)?;
        if chain.recipe().probe.is_some() {
            labels.push(it.label.to_owned());
        }
    }
    Ok(labels)
}

fn one(shop: Workshop<'_>, test: &Test, name: &str) -> Probed {
    attempt(name, |probed| {
        let (packages, checks) = match test {
            Test::Hostnamectl(_) => host(),
            Test::Pkgprobe(_) => web_server(shop, name)?,
        };
        let job = Job {
            image: name.to_owned(),
            packages,
        };
        fill(shop, &job, &checks, &options(), &|_| (), probed)
    })
}

fn host() -> Plan {
    let commands = ["hostnamectl", "cat /etc/os-release"];
    let checks = commands.map(|command| Check::Claim(Claim::plain(Kind::Command, command)));
    (Vec::new(), checks.into())
}

/// Apache, as the image's distribution names it.
fn web_server(shop: Workshop<'_>, name: &str) -> Result<Plan, Failure> {
    let image = image::obtain(shop, name)?;
    let tree = shop.store.tree(image.tree)?;
    let manager = provision::manager_of(&tree, None).map_err(|error| failed(error.to_string()))?;
    let (package, unit) = match manager {
        Manager::Apt | Manager::Zypper | Manager::Apk => ("apache2", "apache2"),
        Manager::Dnf => ("httpd", "httpd"),
        Manager::Pacman => ("apache", "httpd"),
    };
    let address = "http://localhost:80".parse().expect("it is an address");
    let checks = vec![
        Check::Unit(unit_name("systemd-journald")),
        Check::Unit(unit_name(unit)),
        Check::Network(address),
    ];
    Ok((vec![package.to_owned()], checks))
}
