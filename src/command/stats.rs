//! `racker stats`

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Context;
use crate::failure::Failure;
use crate::lifecycle::usage::{self, Usage};
use crate::lifecycle::{Kept, Yard};
use crate::ui::{Column, Wish, size};

const COLUMNS: [Column; 8] = [
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
];

/// Between two samples.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers [default: all that run]
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Show those too that do not run
    #[arg(short, long)]
    all: bool,
    /// Show them once
    #[arg(long)]
    no_stream: bool,
    /// Show by a Go template, `table TEMPLATE`, or `json`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Leave nothing out
    #[arg(long)]
    no_trunc: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let yard = Yard::of(&store);
    let mut before: HashMap<String, (Usage, Instant)> = HashMap::new();
    let mut first = true;
    loop {
        let all: Vec<Kept> = if args.containers.is_empty() {
            yard.all()?
        } else {
            let found = args.containers.iter().map(|name| yard.find(name));
            found.collect::<Result<_, _>>()?
        };
        if first {
            // A share of the processors is one of a span of time.
            for kept in &all {
                if let Ok(state) = kept.running() {
                    before.insert(
                        kept.config.id.clone(),
                        (usage::sample(kept, &state)?, Instant::now()),
                    );
                }
            }
            std::thread::sleep(PAUSE / 2);
        }
        let mut rows = Vec::new();
        for kept in &all {
            let sample = match kept.running() {
                Ok(state) => usage::sample(kept, &state)?,
                Err(_) if args.all || !args.containers.is_empty() => Usage::default(),
                Err(_) => continue,
            };
            let now = Instant::now();
            let last = before.insert(kept.config.id.clone(), (sample, now));
            rows.push(row(kept, &sample, last, now, args.no_trunc));
        }
        let wish = Wish {
            only: None,
            format: args.format.as_deref(),
        };
        if !args.no_stream && std::io::stdout().is_terminal() {
            let _ = write!(std::io::stdout(), "\x1b[2J\x1b[H");
        }
        context.ui.listing(&rows, &COLUMNS, wish)?;
        if args.no_stream {
            return Ok(0);
        }
        first = false;
        std::thread::sleep(PAUSE);
    }
}

fn row(
    kept: &Kept,
    sample: &Usage,
    last: Option<(Usage, Instant)>,
    now: Instant,
    whole: bool,
) -> Value {
    let share = last.map_or(0.0, |(last, then)| {
        let span = now.saturating_duration_since(then).as_micros().max(1) as f64;
        100.0 * sample.processor.saturating_sub(last.processor) as f64 / span
    });
    let limit = kept.config.limits.memory.unwrap_or_else(machine_memory);
    let both = |(a, b): (u64, u64)| format!("{} / {}", size(a), size(b));
    json!({
        "ID": if whole { &kept.config.id } else { kept.config.short_id() },
        "Container": kept.config.short_id(),
        "Name": kept.config.name,
        "CPUPerc": format!("{share:.2}%"),
        "MemUsage": format!("{} / {}", binary(sample.memory), binary(limit)),
        "MemPerc": format!("{:.2}%", 100.0 * sample.memory as f64 / limit.max(1) as f64),
        "NetIO": both(sample.network),
        "BlockIO": both(sample.disk),
        "PIDs": sample.processes,
    })
}

/// Bytes in powers of 1024, as docker shows memory.
fn binary(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes}B"),
        unit => format!("{value:.4}")[..5].trim_end_matches('.').to_owned() + UNITS[unit],
    }
}

fn machine_memory() -> u64 {
    rustix::system::sysinfo().totalram as u64
}
