//! One autopkgtest's use of the server: the testbed, and an answer to each request.

use std::fs::File;
use std::io::{self, BufRead};
use std::process::Command;
use std::time::{Duration, Instant};

use super::request::{self, Copy, Request};
use super::{execute, transfer};
use crate::command::Context;
use crate::command::asked::{self, Options, Systemd};
use crate::container::slot::{random_id, require_root};
use crate::failure::{Failure, TESTBED_FAILED, USAGE};
use crate::lifecycle::{Testbeds, log::Reader};
use crate::settings::caller_variable;
use crate::ui::Bars;

/// Seconds that a copy may take, where this variable says nothing else.
const COPY_TIMEOUT: (&str, u64) = ("AUTOPKGTEST_VIRT_COPY_TIMEOUT", 300);

/// Lines of the testbed's console that are shown after a failure.
const CONSOLE: usize = 20;

struct Session<'a> {
    context: &'a Context,
    options: &'a Options,
    image: &'a str,
    copy_timeout: Duration,
    /// Where the testbed's files for tests are; the same after each revert.
    scratch: String,
    program: String,
    testbeds: Option<Testbeds>,
    open: bool,
    normal_user: Option<String>,
}

/// Answers requests on standard input until `quit`; the exit code.
///
/// Errors: a request makes no sense or cannot be done, or the input ends. The testbed is closed
/// then.
pub(super) fn serve(context: &Context, options: &Options, image: &str) -> Result<u8, Failure> {
    require_root()?;
    let id = random_id().map_err(|error| failed(format!("read random bytes: {error}")))?;
    let program = std::env::current_exe()
        .map_err(|error| failed(format!("find racker's own program: {error}")))?;
    let mut session = Session {
        context,
        options,
        image,
        copy_timeout: copy_timeout()?,
        // Unlike /tmp this is no file system in memory, and outlives a reboot.
        scratch: format!("/var/tmp/autopkgtest.{}", &id[..6]),
        program: program.display().to_string(),
        testbeds: None,
        open: false,
        normal_user: None,
    };
    let result = session.answer_all();
    let closed = session.close();
    let result = result.and(closed).map(|()| 0);
    result.map_err(|failure| Failure {
        code: TESTBED_FAILED,
        ..failure
    })
}

fn failed(text: impl Into<String>) -> Failure {
    Failure::new(TESTBED_FAILED, text)
}

fn copy_timeout() -> Result<Duration, Failure> {
    let (name, usual) = COPY_TIMEOUT;
    let seconds = match caller_variable(name) {
        None => usual,
        Some(text) => text
            .parse()
            .map_err(|_| Failure::new(USAGE, format!("{name} is not a number: {text:?}")))?,
    };
    Ok(Duration::from_secs(seconds))
}

impl Session<'_> {
    fn answer_all(&mut self) -> Result<(), Failure> {
        self.context.ui.data("ok")?;
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| failed(format!("read the next request: {error}")))?;
            let Some(request) = request::read(&line).map_err(failed)? else {
                continue;
            };
            if request == Request::Quit {
                // Before the answer, so that nothing is left when autopkgtest has it.
                self.close()?;
                return self.context.ui.data("ok");
            }
            let answer = self.answer(request)?;
            self.context.ui.data(&answer)?;
        }
        Err(failed("the input ended without quit"))
    }

    fn answer(&mut self, request: Request) -> Result<String, Failure> {
        let ok = || Ok("ok".to_owned());
        match request {
            Request::Capabilities => Ok(format!("ok {}", self.capabilities().join(" "))),
            Request::Open if self.open => Err(failed("the testbed is open already")),
            Request::Open => self.start(),
            Request::DebugFail => {
                self.show_console();
                ok()
            }
            _ if !self.open => Err(failed("the testbed is not open")),
            Request::Revert => self.start(),
            Request::Reboot { .. } if !self.boots() => {
                Err(failed("a testbed without systemd cannot be rebooted"))
            }
            Request::Reboot { by_test: true } => {
                self.testbeds()?.let_reboot()?;
                ok()
            }
            Request::Reboot { by_test: false } => {
                self.testbeds()?.reboot()?;
                ok()
            }
            Request::PrintExecuteCommand => {
                let id = self.testbeds()?.running()?.config.id.clone();
                let store = self.context.settings.store.display().to_string();
                let words = [&self.program, "--store", &store, execute::WORD, &id];
                Ok(format!("ok {}", request::list(&words)))
            }
            Request::Copy(wanted) => self.copy(&wanted),
            Request::Shell(directory, env) => {
                if let Err(failure) = self.shell(&directory, &env) {
                    self.context.ui.error(failure.render());
                }
                ok()
            }
            Request::Close | Request::Quit => self.close().and(ok()),
        }
    }

    fn testbeds(&mut self) -> Result<&mut Testbeds, Failure> {
        self.testbeds
            .as_mut()
            .ok_or_else(|| failed("the testbed is not open"))
    }

    /// Whether the testbed has an init; what is asked for, as long as there is none.
    fn boots(&self) -> bool {
        match &self.testbeds {
            Some(testbeds) => testbeds.boot(),
            None => self.options.systemd != Systemd::False,
        }
    }

    fn capabilities(&self) -> Vec<String> {
        let mut all = ["revert", "revert-full-system", "root-on-testbed"]
            .map(String::from)
            .to_vec();
        if self.boots() {
            all.extend(["isolation-container", "reboot"].map(String::from));
        }
        all.extend(
            self.normal_user
                .iter()
                .map(|user| format!("suggested-normal-user={user}")),
        );
        all
    }

    /// Starts a testbed, in place of the one there is.
    fn start(&mut self) -> Result<String, Failure> {
        if self.testbeds.is_none() {
            self.testbeds = Some(self.prepare()?);
        }
        let scratch = self.scratch.clone();
        let testbeds = self.testbeds()?;
        testbeds.start()?;
        testbeds.make_scratch(&scratch)?;
        self.normal_user = self.testbeds()?.normal_user()?;
        self.open = true;
        Ok(format!("ok {scratch}"))
    }

    /// Finds or makes the image, and what a testbed of it is.
    fn prepare(&self) -> Result<Testbeds, Failure> {
        let context = self.context;
        let bars = Bars::new(context.ui);
        let command = if self.boots() {
            vec!["/sbin/init".to_owned()]
        } else {
            vec!["sleep".to_owned(), "infinity".to_owned()]
        };
        let (config, _) = context.workshop(&bars, |shop| {
            asked::settle(shop, self.options, self.image, &command, true)
        })?;
        Ok(Testbeds::new(
            context.store()?,
            context.settings.tree_mount,
            config,
        )?)
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.open = false;
        match &mut self.testbeds {
            Some(testbeds) => Ok(testbeds.end()?),
            None => Ok(()),
        }
    }

    /// A copy that fails is no reason to end.
    fn copy(&mut self, wanted: &Copy) -> Result<String, Failure> {
        let deadline = Instant::now() + self.copy_timeout;
        let (root, base) = self.testbeds()?.root()?;
        let Err(error) = transfer::copy(&root, base, wanted, deadline) else {
            return Ok("ok".into());
        };
        let Copy { from, to, .. } = wanted;
        self.context
            .ui
            .error(format!("racker: copy {from} to {to}: {error}"));
        Ok(match error.kind() {
            io::ErrorKind::TimedOut => "timeout".into(),
            _ => "copy-failed".into(),
        })
    }

    /// Shows a shell on the terminal that this process belongs to, whatever its streams are.
    fn shell(&mut self, directory: &str, env: &[String]) -> Result<(), Failure> {
        const SCRIPT: &str = "cd \"$1\"; shift; exec env \"$@\" bash -i";
        let id = self.testbeds()?.running()?.config.id.clone();
        let terminal = File::options()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .map_err(|error| failed(format!("a shell needs a terminal: {error}")))?;
        let copy = || {
            terminal
                .try_clone()
                .map_err(|error| failed(format!("duplicate a descriptor: {error}")))
        };
        Command::new(&self.program)
            .arg("--store")
            .arg(&self.context.settings.store)
            .args(["exec", "-it", &id, "sh", "-c", SCRIPT, "sh", directory])
            .args(env)
            .stdin(copy()?)
            .stdout(copy()?)
            .stderr(copy()?)
            .status()
            .map_err(|error| failed(format!("start a shell: {error}")))?;
        Ok(())
    }

    /// Shows the end of what the testbed's init wrote.
    fn show_console(&mut self) {
        let Ok(testbeds) = self.testbeds() else {
            return;
        };
        let Ok(kept) = testbeds.running() else {
            self.context.ui.error("racker: the testbed does not run");
            return;
        };
        let mut lines = Vec::new();
        if let Ok(mut log) = Reader::open(&kept.path("log")) {
            while let Ok(Some(entry)) = log.entry() {
                lines.push(entry.log);
            }
        }
        for line in lines.iter().rev().take(CONSOLE).rev() {
            self.context.ui.error(format!("  | {}", line.trim_end()));
        }
    }
}
