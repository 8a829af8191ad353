//! A container for tests: thrown away and made afresh as often as they like.
//!
//! Its supervisor is a thread of this process, so that it ends with the process, however that ends.
//! Nothing of it survives its end; what it changed survives a reboot of its own alone.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use racker_store::{Access, Store};
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, unlinkat};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::config::{Config, Restart};
use super::kept::Kept;
use super::supervise::{Place, Supervisor};
use super::yard::Yard;
use super::{Error, Status, events, exec, state, stop};
use crate::container::slot::random_id;
use crate::container::{Exit, Method, Root, inside};

/// How long a testbed may take to be there, from a start or a reboot on.
const PATIENCE: Duration = Duration::from_secs(120);

/// While this file is there, a test waits for leave to reboot. Source: autopkgtest,
/// `reboot-prepare.sh`.
const REBOOT_MARK: &str = "autopkgtest-reboot-prepare-mark";

/// Ids of normal users. Source: Debian Policy 9.2.2.
const NORMAL: std::ops::RangeInclusive<u32> = 1000..=59999;

/// What testbeds are made of, and the one that runs.
#[derive(Debug)]
pub struct Testbeds {
    store: Store,
    method: Method,
    config: Config,
    running: Option<Testbed>,
    /// The same for who gets signals.
    shown: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug)]
struct Testbed {
    kept: Kept,
    supervisor: JoinHandle<Result<Exit, Error>>,
    started: Receiver<()>,
}

impl Testbeds {
    /// Testbeds that are as `config` says. From now on the signals that end this process end the
    /// testbed first.
    pub fn new(store: Store, method: Method, config: Config) -> Result<Self, Error> {
        let shown = Arc::new(Mutex::new(None));
        end_on_signal(shown.clone())?;
        let mut config = config;
        // What is written there goes with the testbed anyway.
        config.mounts.retain(|it| !it.anonymous);
        let config = Config {
            remove: true,
            restart: if config.init_alone {
                Restart::OnReboot
            } else {
                Restart::No
            },
            ..config
        };
        Ok(Self {
            store,
            method,
            config,
            running: None,
            shown,
        })
    }

    /// Whether they boot an init of their own.
    pub fn boot(&self) -> bool {
        self.config.boot
    }

    /// The one that runs.
    ///
    /// Errors: none does.
    pub fn running(&self) -> Result<&Kept, Error> {
        let running = self.running.as_ref().map(|it| &it.kept);
        running.ok_or_else(|| Error::NotRunning("of the testbed".into()))
    }

    /// Starts one, and ends the one before.
    ///
    /// Errors: it does not come up in two minutes.
    pub fn start(&mut self) -> Result<(), Error> {
        self.end()?;
        let id = random_id().map_err(Error::io("read random bytes"))?;
        let created = state::now();
        let config = Config {
            id,
            created,
            ..self.config.clone()
        };
        let kept = Yard::of(&self.store).create(config, None)?;
        events::put(&self.store, &kept.config, "create", &[]);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        let (said, started) = mpsc::channel();
        let (path, method, held) = (self.store.root().to_owned(), self.method, kept.clone());
        let supervisor = thread::spawn(move || supervise(path, method, &held, &said));
        self.running = Some(Testbed {
            kept,
            supervisor,
            started,
        });
        self.wait()
    }

    /// Reboots it; what it changed is still there.
    ///
    /// Errors: it cannot, or is not back in two minutes.
    pub fn reboot(&mut self) -> Result<(), Error> {
        self.forget_starts();
        let leader = self.running()?.running()?.leader;
        inside::reboot(leader)?;
        self.wait()
    }

    /// Lets a test reboot it that waits for leave to do so, and waits until it is back.
    ///
    /// Errors: it is not in two minutes.
    pub fn let_reboot(&mut self) -> Result<(), Error> {
        self.forget_starts();
        let (root, _) = self.root()?;
        let leave = || {
            let run = root.file("/run", OFlags::PATH | OFlags::DIRECTORY)?;
            std::io::Result::Ok(unlinkat(run, REBOOT_MARK, AtFlags::empty())?)
        };
        match leave() {
            Ok(()) => self.wait(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.wait(),
            Err(error) => Err(Error::io(format!("remove /run/{REBOOT_MARK}"))(error)),
        }
    }

    /// Ends it, and leaves nothing of it. Where none runs, nothing is done.
    pub fn end(&mut self) -> Result<(), Error> {
        let Some(testbed) = self.running.take() else {
            return Ok(());
        };
        stop::stop(&self.store, &testbed.kept, Some(Duration::ZERO), None)?;
        // How it ended is not asked: it was made to.
        let _ = testbed.supervisor.join();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if testbed.kept.directory().exists() {
            // It was about to be started again.
            Yard::of(&self.store).remove(&testbed.kept)?;
        }
        Ok(())
    }

    /// The root of the one that runs, and the id on the host that is its root's.
    pub fn root(&self) -> Result<(Root, u32), Error> {
        let state = self.running()?.running()?;
        Ok((exec::root(&state)?, state.base))
    }

    /// Makes a directory in it that everybody may write to.
    pub fn make_scratch(&self, path: &str) -> Result<(), Error> {
        let (root, base) = self.root()?;
        let make = || {
            root.make_directories(path, base)?;
            let directory = root.file(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            std::io::Result::Ok(fchmod(directory, Mode::from_raw_mode(0o1777))?)
        };
        make().map_err(Error::io(format!("make {path} in the testbed")))
    }

    /// The first normal user that it has.
    pub fn normal_user(&self) -> Result<Option<String>, Error> {
        let passwd = self.root()?.0.read("/etc/passwd").unwrap_or_default();
        Ok(normal_user(&passwd))
    }

    /// Starts that nobody waited for: it rebooted by itself.
    fn forget_starts(&self) {
        if let Some(testbed) = &self.running {
            while testbed.started.try_recv().is_ok() {}
        }
    }

    /// Waits until it has come up.
    fn wait(&mut self) -> Result<(), Error> {
        let Some(testbed) = &self.running else {
            return Ok(());
        };
        match testbed.started.recv_timeout(PATIENCE) {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                self.end()?;
                let seconds = PATIENCE.as_secs();
                Err(Error::Refused(format!(
                    "the testbed did not come up in {seconds} seconds"
                )))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.why_ended()),
        }
    }

    /// Clears up after one that ended by itself.
    fn why_ended(&mut self) -> Error {
        let result = self.running.take().map(|it| it.supervisor.join());
        match result {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(exit))) => {
                Error::Refused(format!("the testbed ended with exit code {}", exit.0))
            }
            _ => Error::Refused("the testbed ended".into()),
        }
    }
}

impl Drop for Testbeds {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn supervise(
    store: PathBuf,
    method: Method,
    kept: &Kept,
    started: &mpsc::Sender<()>,
) -> Result<Exit, Error> {
    let store = Store::open(&store, Access::ReadWrite)
        .or_else(|_| Store::open(&store, Access::ReadOnly))?;
    let supervisor = Supervisor {
        store: &store,
        method,
        place: Place::Background { viewer: false },
        started: &|| {
            let _ = started.send(());
        },
        phase: &|_| (),
    };
    let result = supervisor.run(kept);
    if result.is_err() && kept.directory().exists() {
        // It may not have come so far as to be removed at its end.
        let _ = Yard::of(&store).remove(kept);
    }
    result
}

/// Has a signal end the testbed and then this process. One that is just being started is left to
/// its guard.
fn end_on_signal(shown: Arc<Mutex<Option<Kept>>>) -> Result<(), Error> {
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])
        .map_err(Error::io("take signals"))?;
    thread::spawn(move || {
        for number in signals.forever() {
            let kept = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(kept) = kept
                && kept.status().is_ok_and(|(it, _)| it == Status::Running)
            {
                let _ = stop::kill(&kept);
            }
            let _ = signal_hook::low_level::emulate_default_handler(number);
        }
    });
    Ok(())
}

/// The name of the first user in the text of `/etc/passwd` that is no part of the system.
fn normal_user(passwd: &str) -> Option<String> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let id: u32 = fields.nth(1)?.parse().ok()?;
        NORMAL.contains(&id).then_some((id, name))
    };
    passwd.lines().filter_map(user).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::normal_user;

    #[test]
    fn normal_users_are_not_the_systems() {
        let system = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(normal_user(system), None);
        let people = format!("{system}late:x:1001:1001::/:/bin/sh\nearly:x:1000:1000::/:/bin/sh\n");
        assert_eq!(normal_user(&people).as_deref(), Some("early"));
        assert_eq!(normal_user("broken\n::\n"), None);
    }
}
