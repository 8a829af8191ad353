//! `racker exec`

use std::io::IsTerminal;
use std::path::PathBuf;

use super::Context;
use super::asked::values;
use crate::container::Console;
use crate::container::terminal::Screen;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::process::Wanted;
use crate::lifecycle::{Yard, exec};
use crate::settings::caller_variable;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the command a terminal, where racker has one
    #[arg(short, long)]
    tty: bool,
    /// Do not wait for it
    #[arg(short, long)]
    detach: bool,
    /// Set an environment variable; NAME alone takes the caller's value
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Directory the command starts in
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User the command runs as
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Not supported: a command has what its container has
    #[arg(long, hide = true)]
    privileged: bool,
    /// Container; then a command and its arguments
    #[arg(num_args = 2.., required = true, trailing_var_arg = true, value_names = ["CONTAINER", "COMMAND"])]
    what: Vec<String>,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    if args.privileged {
        return Err(Failure::new(
            FAILED,
            "--privileged is not supported: a command has what its container has",
        ));
    }
    // Two are required.
    let Some((container, command)) = args.what.split_first() else {
        return Err(Failure::new(FAILED, "no container is named"));
    };
    let kept = Yard::of(&context.store()?).find(container)?;
    let state = kept.running()?;
    let terminal = args.tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let env = env(&args, terminal).map_err(|text| Failure::new(FAILED, text))?;
    let wanted = Wanted {
        user: args.user.as_deref(),
        directory: args.workdir.as_deref(),
        env: &env,
    };
    if args.detach {
        exec::detach(&kept, &state, command.to_vec(), &wanted)?;
        return Ok(0);
    }
    let console = if terminal {
        Console::Terminal(Screen::Own(None))
    } else {
        Console::own(args.interactive)
    };
    Ok(exec::run(&kept, &state, command.to_vec(), &wanted, console, true)?.0)
}

fn env(args: &Args, terminal: bool) -> Result<Vec<(String, String)>, String> {
    let mut given = Vec::new();
    if terminal {
        let term = caller_variable("TERM").unwrap_or_else(|| "xterm".into());
        given.push(format!("TERM={term}"));
    }
    for file in &args.env_file {
        given.extend(values::lines(file)?);
    }
    given.extend(args.env.iter().cloned());
    Ok(given
        .into_iter()
        .filter_map(|line| match line.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => caller_variable(&line).map(|value| (line, value)),
        })
        .collect())
}
