//! The racker program.

use std::process::ExitCode;

use racker::command;
use racker::container::{guard, terminal_guard};
use racker::lifecycle::background;

fn main() -> ExitCode {
    // A guard is racker too, but must be up before anything else is.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == guard::WORD)
    {
        return match guard::main() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == terminal_guard::WORD)
    {
        let _ = terminal_guard::main();
        return ExitCode::SUCCESS;
    }
    // So is a supervisor, which has no command line that people see.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == background::WORD)
    {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        return ExitCode::from(background::main());
    }
    // Guests read files of ours as another user; what the caller keeps from others is not that.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    ExitCode::from(command::main())
}
