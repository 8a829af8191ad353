//! Passing on the signals that racker gets while it runs a command for somebody.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// Takes the signals from now on, and keeps them for [`forward`].
pub(super) fn catch() -> io::Result<Signals> {
    Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])
}

/// Calls `pass` with each signal on a thread of its own; the second SIGINT or SIGTERM calls `end`
/// instead. The thread lives as long as racker.
pub(super) fn forward(
    mut signals: Signals,
    pass: impl Fn(i32) + Send + 'static,
    end: impl Fn() + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut asked = 0;
        for number in signals.forever() {
            if matches!(number, SIGINT | SIGTERM) {
                asked += 1;
            }
            if asked > 1 { end() } else { pass(number) }
        }
    });
}
