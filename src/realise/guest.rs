//! Running a step's commands in a snapshot and taking in what they changed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::Path;
use std::time::Duration;

use racker_store::{CaptureOptions, Changeset, LogWriter, TreeId};

use super::cache::Cache;
use super::{Error, Workshop};
use crate::container::direct::{self, Outcome};
use crate::container::nspawn::{Bind, Network};
use crate::container::terminal::Screen;
use crate::container::users::{self, User};
use crate::container::{self, Console, Exit, Process, Snapshot, Upper, on_own_thread};
use crate::provision::{self, Exchange, Job};

/// A snapshot in which a step works.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    shop: Workshop<'a>,
    snapshot: Snapshot,
    upper: Upper,
}

/// Runs `work` in a snapshot of `tree`, on a thread of its own that ends with it. Where the
/// snapshot lay in memory and memory ran out, `work` is done again on the disk.
pub(super) fn with_guest<T: Send>(
    shop: Workshop<'_>,
    tree: TreeId,
    work: impl Fn(&Guest<'_>) -> Result<T, Error> + Sync,
) -> Result<T, Error> {
    let once = |upper: Upper| -> Result<(Result<T, Error>, bool), Error> {
        on_own_thread(|| {
            let method = shop.settings.tree_mount;
            let snapshot = Snapshot::open(shop.store, tree, method, upper)?;
            let guest = Guest {
                shop,
                snapshot,
                upper,
            };
            let result = work(&guest);
            let full = guest.full();
            guest.snapshot.release()?;
            Ok((result, full))
        })
    };
    let first = shop.upper();
    match once(first)? {
        (Err(_), true) if first != Upper::Disk => once(Upper::Disk)?.0,
        (result, _) => result,
    }
}

impl Guest<'_> {
    /// Whether no room is left for changes.
    fn full(&self) -> bool {
        rustix::fs::statvfs(self.snapshot.upper()).is_ok_and(|s| s.f_bavail * s.f_frsize < 1 << 20)
    }

    /// The id that the guest's root has on the host.
    pub(super) fn root_id(&self) -> u32 {
        self.snapshot.slot().ids().base
    }

    /// Makes an exchange directory that the guest's root owns.
    pub(super) fn exchange(&self) -> Result<Exchange, Error> {
        exchange_in(&self.snapshot)
    }

    /// Keeps a secret in memory, to be read by `user` alone at `/run/secrets/ID`.
    pub(super) fn secret(&self, id: &str, value: &[u8], user: &User) -> Result<Bind, Error> {
        let source = self
            .snapshot
            .slot()
            .directory()
            .join(format!("secret-{id}"));
        let base = self.snapshot.slot().ids().base;
        let write = || {
            let mut file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o400)
                .open(&source)?;
            file.write_all(value)?;
            chown(&source, Some(base + user.uid), Some(base + user.gid))
        };
        write().map_err(Error::io(format!("hand over secret {id}")))?;
        Ok(Bind {
            source,
            target: Path::new("/run/secrets").join(id),
            writable: false,
        })
    }

    /// Shows a cache at the place where the guest wants it.
    pub(super) fn cache(&self, cache: &Cache) -> Result<Bind, Error> {
        // What nspawn makes to mount on belongs to nobody in the guest.
        let root = self.snapshot.root()?;
        root.make_directories(cache.target(), self.snapshot.slot().ids().base)
            .map_err(Error::io(format!("create {} in the image", cache.target())))?;
        Ok(Bind {
            source: self.snapshot.show(cache.directory(), cache.name())?,
            target: cache.target().into(),
            writable: true,
        })
    }

    /// Runs a package manager's job as root.
    pub(super) fn run_job(&self, job: &Job, log: &LogWriter) -> Result<Outcome, Error> {
        let process = process(job);
        let binds: Vec<Bind> = job.binds.iter().map(bind).collect();
        let network = match job.network {
            provision::Network::None => Network::None,
            provision::Network::Host => Network::Host,
        };
        self.run(&process, network, &binds, None, log)
    }

    /// Runs a command.
    pub(super) fn run(
        &self,
        process: &Process,
        network: Network,
        binds: &[Bind],
        timeout: Option<Duration>,
        log: &LogWriter,
    ) -> Result<Outcome, Error> {
        let output = log
            .file()
            .try_clone()
            .map_err(Error::io("duplicate the log's descriptor"))?;
        // Scripts that ask for it write it down; this is what any machine is called at first.
        let mut options = direct::Options::new("localhost");
        options.network = network;
        options.binds = binds;
        options.timeout = timeout;
        match direct::run(&self.snapshot, process, Console::log(output), &options) {
            Err(
                error @ (container::Error::CommandNotFound(_) | container::Error::CommandDenied(_)),
            ) => {
                let missing = matches!(error, container::Error::CommandNotFound(_));
                writeln!(log.file(), "racker: {error}").map_err(Error::io("write to the log"))?;
                Ok(Outcome::Exited(Exit(if missing { 127 } else { 126 })))
            }
            other => Ok(other?),
        }
    }

    /// Gives the user a shell in the snapshot as it is.
    pub(super) fn shell(&self) -> Result<(), Error> {
        let argv = vec!["/bin/sh".into()];
        let process = Process::of_root(argv, vec![("TERM".into(), "linux".into())]);
        let options = direct::Options::new("localhost");
        let console = Console::Terminal(Screen::Own(None));
        direct::run(&self.snapshot, &process, console, &options)?;
        Ok(())
    }

    /// Finds a user by the snapshot's own files.
    pub(super) fn user(&self, text: &str) -> Result<User, Error> {
        let root = self.snapshot.root()?;
        let file = |path: &str| root.read(path).unwrap_or_default();
        Ok(users::find(
            text,
            &file("/etc/passwd"),
            &file("/etc/group"),
        )?)
    }

    /// What was changed; times after `clamp` become it.
    pub(super) fn capture(&self, clamp: Option<i64>, exclude: &[&str]) -> Result<Changeset, Error> {
        self.snapshot.unmount()?;
        let ids = self.snapshot.slot().ids();
        let options = CaptureOptions {
            id_base: ids.base,
            id_count: ids.count,
            move_files: self.upper == Upper::Disk,
            exclude: exclude
                .iter()
                .map(|path| path.as_bytes().to_vec())
                .collect(),
            clamp,
        };
        capture(self.shop, &self.snapshot.upper(), &options)
    }
}

/// Takes in a directory that only this thread's mount namespace shows. Threads have the namespace
/// of whoever started them, so the store's work is done by some that are started here.
pub(super) fn capture(
    shop: Workshop<'_>,
    directory: &Path,
    options: &CaptureOptions,
) -> Result<Changeset, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .build()
        .map_err(|error| Error::io("start threads")(io::Error::other(error)))?;
    Ok(pool.install(|| shop.store.capture(directory, options))?)
}

/// Makes an exchange directory beside a snapshot that the guest's root owns.
pub(super) fn exchange_in(snapshot: &Snapshot) -> Result<Exchange, Error> {
    let path = snapshot.beside("exchange");
    let owner = Some(snapshot.slot().ids().base);
    fs::create_dir(&path)
        .and_then(|()| chown(&path, owner, owner))
        .map_err(Error::io(format!("create {}", path.display())))?;
    Ok(Exchange::new(path))
}

/// A package manager's job as a command of root's.
pub fn process(job: &Job) -> Process {
    let words = job.argv.iter().map(|it| it.to_string_lossy().into_owned());
    Process::of_root(words.collect(), job.env.clone())
}

/// A bind as the container has it.
pub(super) fn bind(bind: &provision::Bind) -> Bind {
    Bind {
        source: bind.source.clone(),
        target: bind.target.clone(),
        writable: bind.writable,
    }
}
