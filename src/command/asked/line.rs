//! A command line for the tests of what is asked.

use clap::Parser;

use super::options::Options;

/// Options and the command behind them.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
pub(super) struct Line {
    #[command(flatten)]
    pub(super) options: Options,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) command: Vec<String>,
}

/// Reads the words behind `run`.
pub(super) fn parse(line: &[&str]) -> Line {
    let line = std::iter::once("run").chain(line.iter().copied());
    Line::try_parse_from(line).unwrap()
}
