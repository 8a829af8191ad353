//! `racker logs`

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use super::Context;
use super::asked::values;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::log::{Entry, Reader};
use crate::lifecycle::{Kept, Yard};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container
    container: String,
    /// Go on showing what comes
    #[arg(short, long)]
    follow: bool,
    /// Show the last so many lines; all where it is negative
    #[arg(
        short = 'n',
        long,
        value_name = "LINES",
        default_value = "all",
        allow_hyphen_values = true
    )]
    tail: String,
    /// Show when each line came
    #[arg(short, long)]
    timestamps: bool,
    /// Show what came since: a moment, or so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show what came until: a moment, or so long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Show more; there is no more
    #[arg(long)]
    details: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let _ = args.details;
    let kept = Yard::of(&context.store()?).find(&args.container)?;
    let path = kept.path("log");
    let failed = |error: io::Error| Failure::new(FAILED, format!("read the log: {error}"));
    if !path.exists() {
        return Ok(0);
    }
    let bound = |text: &Option<String>| text.as_deref().map(moment).transpose();
    let (since, until) = (bound(&args.since)?, bound(&args.until)?);
    let wanted = |entry: &Entry| {
        let time: Option<jiff::Timestamp> = entry.time.parse().ok();
        since.is_none_or(|it| time.is_some_and(|time| time >= it))
            && until.is_none_or(|it| time.is_some_and(|time| time <= it))
    };
    // Before the first look, so that nothing is missed between that and waiting.
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
        .map_err(|error| failed(error.into()))?;
    inotify::add_watch(&watch, &path, inotify::WatchFlags::MODIFY)
        .map_err(|error| failed(error.into()))?;
    let mut reader = Reader::open(&path).map_err(failed)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.entry().map_err(failed)? {
        entries.push(entry);
    }
    entries.retain(|entry| wanted(entry));
    let skip = match args.tail.as_str() {
        "all" => 0,
        text => match text.parse::<i64>() {
            Ok(count) if count >= 0 => entries.len().saturating_sub(count as usize),
            Ok(_) => 0,
            Err(_) => {
                return Err(Failure::new(
                    FAILED,
                    format!("--tail {text:?} is no number"),
                ));
            }
        },
    };
    for entry in &entries[skip..] {
        print(entry, args.timestamps).map_err(failed)?;
    }
    if !args.follow {
        return Ok(0);
    }
    loop {
        let alive = kept.is_supervised();
        let mut any = false;
        while let Some(entry) = reader.entry().map_err(failed)? {
            any = true;
            if wanted(&entry) {
                print(&entry, args.timestamps).map_err(failed)?;
            }
        }
        if until.is_some_and(|it| it < jiff::Timestamp::now()) || !alive && !any {
            return Ok(0);
        }
        pause(&watch, &kept).map_err(failed)?;
    }
}

/// Waits until more was written, or it is time to look whether the container is over.
fn pause(watch: &impl AsFd, kept: &Kept) -> io::Result<()> {
    let until = Instant::now() + Duration::from_millis(200);
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
    let mut fds = [PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    while events.next().is_ok() {}
    let _ = kept;
    Ok(())
}

fn print(entry: &Entry, timestamps: bool) -> io::Result<()> {
    let text = if timestamps {
        format!("{} {}", entry.time, entry.log)
    } else {
        entry.log.clone()
    };
    let written = if entry.stream == "stderr" {
        io::stderr().lock().write_all(text.as_bytes())
    } else {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}

/// A moment: RFC 3339, seconds since 1970, or so long ago. A day, and a time without its zone, are the
/// caller's: by `TZ`, or the machine's zone.
pub(super) fn moment(text: &str) -> Result<jiff::Timestamp, Failure> {
    let wrong = || {
        Failure::new(
            FAILED,
            format!("{text:?} is no moment, such as 10m, 2026-01-02 or 2026-01-02T03:04:05Z"),
        )
    };
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return jiff::Timestamp::from_nanosecond((seconds * 1e9) as i128).map_err(|_| wrong());
    }
    if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
        let zone = jiff::tz::TimeZone::system();
        return zone.to_timestamp(local).map_err(|_| wrong());
    }
    let ago = values::duration(text).map_err(|_| wrong())?;
    jiff::Timestamp::now().checked_sub(ago).map_err(|_| wrong())
}
