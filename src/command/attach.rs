//! `racker attach`

use std::io::{self, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::tcgetwinsize;
use signal_hook::consts::{SIGINT, SIGTERM, SIGWINCH};

use super::Context;
use crate::container::terminal::Raw;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::attach::{Said, Viewer};
use crate::lifecycle::{Kept, Yard, stop};

/// What ends the looking and leaves the container alone: Ctrl-P Ctrl-Q.
const LEAVE: [u8; 2] = [0x10, 0x11];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container
    container: String,
    /// Pass no input on
    #[arg(long)]
    no_stdin: bool,
    /// Pass racker's signals on
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let kept = Yard::of(&context.store()?).find(&args.container)?;
    kept.running()?;
    if !kept.path("attach").exists() {
        return Err(Failure::new(
            FAILED,
            format!("container {} is in somebody's foreground", kept.config.name),
        )
        .hint("racker exec enters it"));
    }
    if args.sig_proxy {
        pass_signals(context, &kept)?;
    }
    show(&kept, !args.no_stdin)
}

fn pass_signals(context: &Context, kept: &Kept) -> Result<(), Failure> {
    let store = context.store()?;
    let kept = kept.clone();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .map_err(|error| Failure::new(FAILED, format!("take signals: {error}")))?;
    std::thread::spawn(move || {
        for number in signals.forever() {
            let _ = stop::signal(&store, &kept, number);
        }
    });
    Ok(())
}

/// Shows a container on racker's streams until it ends or is left; its exit code.
pub(super) fn show(kept: &Kept, input: bool) -> Result<u8, Failure> {
    let failed =
        |error: io::Error| Failure::new(FAILED, format!("attach to {}: {error}", kept.config.name));
    let viewer = Viewer::connect(kept.directory()).map_err(failed)?;
    let tty = kept.config.tty && io::stdin().is_terminal() && io::stdout().is_terminal();
    let raw = if tty && input {
        Some(Raw::enter().map_err(failed)?)
    } else {
        None
    };
    if tty {
        let resize = viewer.try_clone().map_err(failed)?;
        let tell = move || {
            if let Ok(size) = tcgetwinsize(rustix::stdio::stdout()) {
                let _ = resize.size(size.ws_row, size.ws_col);
            }
        };
        tell();
        let mut changes = signal_hook::iterator::Signals::new([SIGWINCH]).map_err(failed)?;
        std::thread::spawn(move || changes.forever().for_each(|_| tell()));
    }
    static LEFT: AtomicBool = AtomicBool::new(false);
    if input && kept.config.interactive {
        let keyboard = viewer.try_clone().map_err(failed)?;
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = io::stdin().read(&mut buffer) {
                let bytes = &buffer[..length];
                if tty && bytes.windows(2).any(|pair| pair == LEAVE) {
                    LEFT.store(true, Ordering::Relaxed);
                    keyboard.close();
                    return;
                }
                if length == 0 {
                    let _ = keyboard.input_ends();
                    return;
                }
                if keyboard.input(bytes).is_err() {
                    return;
                }
            }
        });
    }
    let code = loop {
        match viewer.next().map_err(failed)? {
            Said::Out(bytes) => {
                let mut out = io::stdout().lock();
                out.write_all(&bytes)
                    .and_then(|()| out.flush())
                    .map_err(failed)?;
            }
            Said::Errors(bytes) => io::stderr().lock().write_all(&bytes).map_err(failed)?,
            Said::Exit(code) => break code,
            Said::Gone if LEFT.load(Ordering::Relaxed) => break 0,
            Said::Gone => break 137,
        }
    };
    drop(raw);
    Ok(code)
}
