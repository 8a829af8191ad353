//! One tree: booted, checked, gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use racker_store::{Store, Tree, TreeId};

use super::change::{after, run, taken_in};
use super::network;
use super::outcome::outcome;
use super::purge::{self, Purge};
use super::view::View;
use super::{Outcome, sockets};
use crate::check::{Address, Check, Kind};
use crate::container::boot::Purpose;
use crate::container::direct::Options;
use crate::container::nspawn::Bind;
use crate::container::units::Ended;
use crate::container::{Error, Guest, Method, Process, Snapshot, Upper};
use crate::failure::Failure;
use crate::installed::{Installed, Package};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A unit to become active, or a command to end.
    pub unit: Duration,
    /// How long a unit must stay active.
    pub settle: Duration,
    /// An address to answer, or everything else to come about.
    pub network: Duration,
}

/// Makes ready what is installed in a booted snapshot: the command, and what it needs of the host.
pub type Stage<'a> = &'a (dyn Fn(&Snapshot) -> Result<(Process, Vec<Bind>), Failure> + Sync);

/// What is done with a tree.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// What must hold.
    pub checks: &'a [Check],
    /// How long it may take.
    pub limits: Limits,
    /// What is installed after the boot.
    pub live: Option<Stage<'a>>,
    /// What is removed after the checks.
    pub purge: Option<&'a Purge<'a>>,
    /// Whether the paths that it makes are listed; with a purge they are not.
    pub writes: bool,
    /// Whether the end of the boot is waited for, and every running service asked how it fared.
    pub thorough: bool,
    /// Told when it has come further.
    pub phase: &'a (dyn Fn(&str) + Sync),
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("checks", &self.checks)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What was seen of a tree.
#[derive(Debug)]
pub struct Seen {
    /// From the start of the boot until PID 1 answered.
    pub boot: Duration,
    /// The checks, in their order; after them the purge if there was one.
    pub checks: Vec<Outcome>,
    /// Units that had failed when the checks were over.
    pub failed_units: Vec<String>,
    /// Services that a signal ended, or that were started again.
    pub ended_units: Vec<Ended>,
    /// The tree with what was installed after the boot.
    pub live: Option<Tree>,
    /// The paths that were made, where that was asked for.
    pub written: Vec<String>,
}

/// Boots a snapshot of a tree and carries out the plan. A thread of its own must call this: the
/// snapshot's mounts are the thread's.
pub fn probe(
    store: &Store,
    tree: TreeId,
    method: Method,
    plan: &Plan<'_>,
) -> Result<Seen, Failure> {
    let snapshot = Snapshot::open(store, tree, method, Upper::Disk)?;
    let result = in_snapshot(store, tree, &snapshot, plan);
    let released = snapshot.release();
    let seen = result?;
    released?;
    Ok(seen)
}

fn in_snapshot(
    store: &Store,
    tree: TreeId,
    snapshot: &Snapshot,
    plan: &Plan<'_>,
) -> Result<Seen, Failure> {
    if snapshot.root()?.init().is_none() {
        return Err(Error::NoInit.into());
    }
    (plan.phase)("booting");
    let (install, binds) = match plan.live {
        Some(stage) => {
            let (process, binds) = stage(snapshot)?;
            (Some(process), binds)
        }
        None => (None, Vec::new()),
    };
    let begin = Instant::now();
    let mut options = Options::new("probe");
    options.own_hosts = true;
    options.binds = &binds;
    let mut guest = Guest::boot(snapshot, &options, Purpose::Services, false)?;
    let boot = begin.elapsed();
    let mut live = None;
    if let Some(process) = install {
        (plan.phase)("installing");
        run(
            &mut guest,
            "racker-install.service",
            &process,
            "install the packages",
        )?;
        live = Some(taken_in(store, tree, snapshot)?);
    }
    let packages = packages(store, tree, live.as_ref(), plan)?;
    let mut session = Session {
        guest,
        snapshot,
        plan,
        begin,
        states_until: begin,
        enabled: Vec::new(),
        packages: packages.into(),
        commands: 0,
    };
    (plan.phase)("checking");
    let mut checks = session.checks()?;
    if plan.thorough {
        let until = Instant::now() + plan.limits.network;
        session.guest.wait_until_booted(until)?;
    }
    let own = |unit: &str| unit.starts_with("racker-");
    let mut failed_units = session.guest.failed_units()?;
    // Commands that were checks.
    failed_units.retain(|unit| !own(unit));
    let mut ended_units = session.guest.ended_units(plan.thorough)?;
    ended_units.retain(|it| !own(&it.unit));
    let mut written = Vec::new();
    if let Some(purge) = plan.purge {
        (plan.phase)("removing");
        let begin = Instant::now();
        let removed = session.remove(purge);
        drop(session);
        let (message, evidence) = match removed {
            Ok(()) => purge::verdict(purge, &after(store, tree, snapshot)?),
            Err(failure) => purge::failed(&failure),
        };
        checks.push(purge.outcome(begin.elapsed(), message, evidence));
    } else if plan.writes {
        drop(session);
        written = purge::written(&store.tree(tree)?, &after(store, tree, snapshot)?);
    }
    Ok(Seen {
        boot,
        checks,
        failed_units,
        ended_units,
        live,
        written,
    })
}

/// The packages of the guest, where a check asks for one.
fn packages(
    store: &Store,
    tree: TreeId,
    live: Option<&Tree>,
    plan: &Plan<'_>,
) -> Result<Vec<Package>, Failure> {
    let asked = |check: &Check| matches!(check, Check::Claim(it) if it.kind == Kind::Package);
    if !plan.checks.iter().any(asked) {
        return Ok(Vec::new());
    }
    let installed = match live {
        Some(tree) => Installed::read(store, tree)?,
        None => Installed::read(store, &store.tree(tree)?)?,
    };
    Ok(installed.packages().to_vec())
}

/// A booted guest that is being checked.
pub(super) struct Session<'a> {
    pub(super) guest: Guest<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) plan: &'a Plan<'a>,
    /// When the boot began.
    pub(super) begin: Instant,
    /// How long states are waited for.
    pub(super) states_until: Instant,
    /// Units that were enabled for their checks.
    pub(super) enabled: Vec<String>,
    packages: Arc<[Package]>,
    commands: u32,
}

impl Session<'_> {
    fn checks(&mut self) -> Result<Vec<Outcome>, Error> {
        let checks = self.plan.checks;
        let mut outcomes: Vec<Option<Outcome>> = vec![None; checks.len()];
        let units: Vec<(usize, String)> = checks
            .iter()
            .enumerate()
            .filter_map(|(place, check)| match check {
                Check::Unit(name) => Some((place, name.clone())),
                _ => None,
            })
            .collect();
        let running = self.start(&units, &mut outcomes)?;
        self.states_until = Instant::now() + self.plan.limits.network;
        for (place, check) in checks.iter().enumerate() {
            outcomes[place] = match check {
                Check::Unit(_) => continue,
                Check::Network(address) => Some(self.network(check, address)?),
                Check::Claim(claim) => Some(self.claim(check, claim)?),
            };
        }
        // A service may fall over when it is first talked to, and later.
        self.settle(running, &mut outcomes)?;
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Removes packages.
    fn remove(&mut self, purge: &Purge<'_>) -> Result<(), Failure> {
        // A package need not undo what was done for a check.
        let enabled = std::mem::take(&mut self.enabled);
        self.guest.disable_units(&enabled)?;
        let what = format!("remove {}", purge.names.join(" "));
        run(
            &mut self.guest,
            "racker-purge.service",
            &purge.process,
            &what,
        )
    }

    fn network(&mut self, check: &Check, address: &Address) -> Result<Outcome, Error> {
        let begin = Instant::now();
        let view = self.view()?;
        let answer = network::reach(&view, address, begin + self.plan.limits.network)
            .map_err(Error::io("enter the container's network"))?;
        Ok(match answer {
            Ok(message) => outcome(check, true, begin.elapsed(), message, Vec::new()),
            Err(reason) => {
                let seconds = self.plan.limits.network.as_secs_f64();
                let message = format!("no answer within {seconds} s: {reason}");
                let evidence = vec![sockets::listening(&view)];
                outcome(check, false, begin.elapsed(), message, evidence)
            }
        })
    }

    /// The guest, to be looked at.
    pub(super) fn view(&self) -> Result<View<'_>, Error> {
        let ids = self.snapshot.slot().ids();
        View::open(self.guest.leader(), ids, &self.packages)
            .map_err(Error::io("open the container's root"))
    }

    /// A name for a transient unit.
    pub(super) fn name(&mut self) -> String {
        self.commands += 1;
        format!("racker-{}.service", self.commands)
    }
}
