//! The racker program.

use std::process::ExitCode;

use racker::command;
use racker::container::guard;

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
    ExitCode::from(command::main())
}
