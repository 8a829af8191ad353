//! Holding a container from its start to its end.
//!
//! Whoever holds it is its supervisor: the racker that shows it in the foreground, or a process of
//! its own for one that runs in the background. Nothing else writes its state.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use racker_store::{Access, Store};

use super::Error;
use super::attach::Hub;
use super::config::{Config, Restart};
use super::connection::{Way, publish, taken};
use super::events;
use super::health::Report;
use super::kept::{Held, Kept};
use super::log::{Log, Tee};
use super::process::{Wanted, process};
use super::state::{Phase, State, machine, now};
use super::surroundings::{self, Surroundings};
use super::{checks, volume, yard::Yard};
use crate::container::direct::{self, Options, Outcome};
use crate::container::mount::Method;
use crate::container::ports::{Proxy, Published};
use crate::container::slot::Wish;
use crate::container::terminal::Screen;
use crate::container::{
    self, Console, Exit, REBOOTED, Root, Snapshot, Streams, Upper, booted, machine, on_own_thread,
};

/// How long somebody who said so may take to attach.
const VIEWER: Duration = Duration::from_secs(5);

/// The first pause before a container is started again; it doubles up to a minute.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After running so long, a container is started again without a longer pause.
const LONG: Duration = Duration::from_secs(10);

/// Where a container is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On racker's own streams, which has the signals too.
    Foreground {
        /// Whether these are a terminal.
        terminal: bool,
    },
    /// Nowhere, until somebody attaches.
    Background {
        /// Whether somebody is about to, and is waited for.
        viewer: bool,
    },
}

/// What a supervisor works with.
#[derive(Clone, Copy)]
pub struct Supervisor<'a> {
    /// The store.
    pub store: &'a Store,
    /// How trees are mounted.
    pub method: Method,
    /// Where the container is shown.
    pub place: Place,
    /// Called when it runs, once.
    pub started: &'a (dyn Fn() + Sync),
    /// Told when the container has come further.
    pub phase: &'a (dyn Fn(&str) + Sync),
}

impl std::fmt::Debug for Supervisor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A container that is being supervised.
pub(super) struct Watched<'a> {
    pub(super) kept: &'a Kept,
    state: Mutex<State>,
}

impl Watched<'_> {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and writes it down.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), Error> {
        let mut state = self.state();
        change(&mut state);
        self.kept.save_state(&state)
    }
}

impl Supervisor<'_> {
    /// Runs a container, again and again where its policy says so; its exit code.
    ///
    /// Errors: it runs already; it could not be started, which is written down too.
    pub fn run(&self, kept: &Kept) -> Result<Exit, Error> {
        let mut held = kept.hold()?;
        if kept.config.machine != machine() {
            return Err(Error::Refused(format!(
                "container {} is from before the machine was started, and what it changed may be lost: \
                 racker rm {0}",
                kept.config.name
            )));
        }
        held.leave(None)
            .map_err(Error::io("write the container's lock"))?;
        let watched = Watched {
            kept,
            state: Mutex::new(State {
                base: kept.state()?.base,
                supervisor: std::process::id(),
                ..State::default()
            }),
        };
        let _ = std::fs::remove_file(kept.path("stopping"));
        let log = Log::open(&kept.path("log")).map_err(Error::io("open the container's log"))?;
        let hub = match self.place {
            Place::Background { .. } => Some(
                Hub::open(kept.directory(), kept.config.interactive)
                    .map_err(Error::io("listen for who attaches"))?,
            ),
            Place::Foreground { .. } => None,
        };
        if let (Some(hub), Place::Background { viewer: true }) = (&hub, self.place) {
            (self.started)();
            hub.wait_for_viewer(VIEWER);
        }
        let result = self.rounds(&watched, &mut held, &log, hub.as_ref());
        let code = match &result {
            Ok(exit) => exit.0,
            Err(error) => super::exit_code(error),
        };
        if let Some(hub) = &hub {
            if let Err(error) = &result {
                hub.say(&format!("racker: {error}\n"));
            }
            hub.end(code);
        }
        result
    }

    fn rounds(
        &self,
        watched: &Watched<'_>,
        held: &mut Held,
        log: &Log,
        hub: Option<&Hub>,
    ) -> Result<Exit, Error> {
        let config = &watched.kept.config;
        let mut pause = PAUSE;
        loop {
            let since = Instant::now();
            let result = on_own_thread(|| self.once(watched, held, log, hub));
            let exit = result?;
            let stopped = watched.kept.path("stopping").exists();
            let restarts = watched.state().restarts;
            let again = match config.restart {
                _ if stopped => false,
                Restart::No => false,
                Restart::Always => true,
                Restart::OnFailure(limit) => {
                    !exit.success() && limit.is_none_or(|limit| restarts < limit)
                }
                Restart::OnReboot => exit == REBOOTED,
            };
            if !again {
                return Ok(exit);
            }
            if since.elapsed() > LONG {
                pause = PAUSE;
            }
            if config.restart != Restart::OnReboot {
                let until = Instant::now() + pause;
                while Instant::now() < until {
                    if watched.kept.path("stopping").exists() {
                        return Ok(exit);
                    }
                    std::thread::sleep(Duration::from_millis(20).min(pause));
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            watched.change(|state| state.restarts += 1)?;
        }
    }

    /// Runs it once. When this returns nothing of it is left but what is kept.
    fn once(
        &self,
        watched: &Watched<'_>,
        held: &mut Held,
        log: &Log,
        hub: Option<&Hub>,
    ) -> Result<Exit, Error> {
        let kept = watched.kept;
        let config = &kept.config;
        let upper = match self.store.access() {
            Access::ReadWrite => Upper::Disk,
            Access::ReadOnly => Upper::Memory(1 << 30),
        };
        let before = watched.state().base;
        let wish = Wish {
            id: Some(config.short_id().to_owned()),
            base: (before != 0).then_some(before),
            identity: config.host_users,
            writable: (upper == Upper::Disk).then(|| kept.directory().to_owned()),
            remove: if config.remove {
                vec![kept.link(), kept.directory().to_owned()]
            } else {
                Vec::new()
            },
            remove_unused: if config.remove {
                volume::anonymous(self.store, config)
            } else {
                Vec::new()
            },
            limits: config.limits,
            machine: config.register.then(|| machine::name(&config.name)),
        };
        // Before the container has a place, so that a taken port leaves nothing behind.
        let ports = publish(config)?;
        let way = Way::find(&config.network)?;
        let mut snapshot = Snapshot::open_as(self.store, config.tree, self.method, upper, wish)?;
        (self.phase)("snapshot mounted");
        let result = self.in_snapshot(watched, &snapshot, log, hub, (&ports, way), before);
        let finished = now();
        let (code, error) = match &result {
            Ok(exit) => (exit.0, String::new()),
            Err(error) => (super::exit_code(error), error.to_string()),
        };
        let written = watched.change(|state| {
            state.phase = Phase::Exited;
            state.exit_code = code;
            state.error = error;
            state.finished = finished;
            state.leader = 0;
            state.address = None;
        });
        let left = held
            .leave(Some(code))
            .map_err(Error::io("write the container's lock"));
        events::put(
            self.store,
            config,
            "die",
            &[("exitCode", &code.to_string())],
        );
        let reboots = config.restart == Restart::OnReboot
            && matches!(result, Ok(REBOOTED))
            && !kept.path("stopping").exists();
        if reboots {
            snapshot.keep(kept.directory())?;
        } else if config.remove {
            events::put(self.store, config, "destroy", &[]);
        }
        let released = snapshot.release();
        (self.phase)("all gone");
        let exit = result?;
        written?;
        left?;
        released?;
        Ok(exit)
    }

    fn in_snapshot(
        &self,
        watched: &Watched<'_>,
        snapshot: &Snapshot,
        log: &Log,
        hub: Option<&Hub>,
        (ports, way): (&[Published], Way),
        before: u32,
    ) -> Result<Exit, Error> {
        let kept = watched.kept;
        let config = &kept.config;
        let ids = snapshot.slot().ids();
        if before != 0 && before != ids.base {
            surroundings::shift(&snapshot.upper(), before, ids.base)?;
        }
        let root = snapshot.root()?;
        let command = process(config, &root, config.argv.clone(), &Wanted::default())?;
        root.make_directories(&config.directory, ids.base)
            .map_err(Error::io(format!(
                "make the working directory {}",
                config.directory
            )))?;
        let Surroundings {
            binds,
            extras,
            network,
        } = surroundings::prepare(self.store, kept, snapshot, way)?;
        let console = self.console(config, log, hub);
        let proxy = Mutex::new(None);
        let taken = taken(config, ports).map_err(Error::io("read the address of a port"))?;
        let runs = |leader: u32| -> Result<(), container::Error> {
            if config.register {
                machine::register(&machine::name(&config.name), leader)?;
            }
            let address = way.open(kept, snapshot, leader)?;
            surroundings::sysctls(config, leader)?;
            if !ports.is_empty() {
                let started = Proxy::start(ports, leader)?;
                *proxy.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
            }
            let since = super::pids::since(leader);
            watched
                .change(|state| {
                    state.phase = Phase::Running;
                    state.started = now();
                    state.finished = 0;
                    state.leader = leader;
                    state.leader_since = since;
                    state.base = ids.base;
                    state.address = address;
                    state.ports.clone_from(&taken);
                    state.pasta = way == Way::Pasta;
                    state.health = config.health.as_ref().map(|_| Report::starting());
                })
                .map_err(|error| container::Error::Network(error.to_string()))?;
            events::put(self.store, config, "start", &[]);
            Ok(())
        };
        let mut options = Options::new(&config.hostname);
        options.network = network;
        options.binds = &binds;
        options.extras = extras;
        options.forward_signals = matches!(self.place, Place::Foreground { .. });
        options.meeting = Some(kept.directory().to_owned());
        options.after_boot = config.wait == super::config::Wait::Boot;
        options.runs = &runs;
        options.started = self.started;
        options.phase = self.phase;
        let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            if let Some(health) = &config.health {
                let over = over.clone();
                scope.spawn(move || checks::run(watched, health, &over));
            }
            let result = run(snapshot, &root, &command, console, config, &options);
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            result
        })
    }

    fn console(&self, config: &Config, log: &Log, hub: Option<&Hub>) -> Console {
        let terminal = matches!(self.place, Place::Foreground { terminal: true });
        match hub {
            Some(hub) => hub.console(log, config.tty),
            // What is gone in a moment needs no log: it was shown.
            None if terminal => Console::Terminal(Screen::Own(
                (!config.remove).then(|| Box::new(log.stream("stdout")) as _),
            )),
            None => match Console::own(config.interactive) {
                Console::Streams(streams) if !config.remove => Console::Streams(Streams {
                    input: streams.input,
                    out: Box::new(Tee(streams.out, log.stream("stdout"))),
                    errors: streams
                        .errors
                        .map(|it| Box::new(Tee(it, log.stream("stderr"))) as _),
                }),
                console => console,
            },
        }
    }
}

fn run(
    snapshot: &Snapshot,
    root: &Root,
    command: &container::Process,
    console: Console,
    config: &Config,
    options: &Options<'_>,
) -> Result<Exit, Error> {
    if !config.boot {
        return Ok(match direct::run(snapshot, command, console, options)? {
            Outcome::Exited(exit) => exit,
            Outcome::TimedOut => Exit(137),
        });
    }
    let init = root.init().ok_or(container::Error::NoInit)?;
    if config.init_alone {
        return Ok(booted::run_alone(snapshot, console, options)?);
    }
    Ok(booted::run(snapshot, &init, command, console, options)?)
}

/// What a racker does that was started to supervise a container in the background.
///
/// Prints `started`, or `failed CODE` and the error's text, for the racker that started it.
pub fn main(store: &Path, id: &str, method: Method, viewer: bool) -> u8 {
    use std::io::Write;
    let said = std::sync::atomic::AtomicBool::new(false);
    let say = |text: String| {
        if !said.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let _ = std::io::stdout().write_all(text.as_bytes());
            let _ = std::io::stdout().flush();
            // Nobody is to wait for more.
            if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
                let _ = rustix::stdio::dup2_stdout(null);
            }
        }
    };
    let run = || -> Result<Exit, Error> {
        let store = Store::open(store, Access::ReadWrite)
            .or_else(|_| Store::open(store, Access::ReadOnly))?;
        let kept = Yard::of(&store).by_short_id(id)?;
        let supervisor = Supervisor {
            store: &store,
            method,
            place: Place::Background { viewer },
            started: &|| say("started\n".into()),
            phase: &|_| (),
        };
        supervisor.run(&kept)
    };
    match run() {
        Ok(exit) => {
            // It ended before anything said that it ran: init alone, or a guest that went down.
            say("started\n".into());
            exit.0
        }
        Err(error) => {
            let code = super::exit_code(&error);
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            let hints = error
                .hints()
                .into_iter()
                .map(|hint| format!("hint: {hint}"));
            let lines: Vec<String> = std::iter::once(text).chain(hints).collect();
            say(format!("failed {code}\n{}\n", lines.join("\n")));
            code
        }
    }
}
