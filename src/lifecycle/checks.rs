//! Trying a container's health again and again while it runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::exec;
use super::health::Health;
use super::supervise::Watched;

/// How often it is looked whether the container is over.
const LOOK: Duration = Duration::from_millis(50);

/// Tries until the container is over.
pub(super) fn run(watched: &Watched<'_>, health: &Health, over: &AtomicBool) {
    let begin = Instant::now();
    loop {
        let until = Instant::now() + health.interval;
        while Instant::now() < until {
            if over.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(LOOK.min(health.interval));
        }
        let leader = watched.state().leader;
        if leader == 0 {
            continue;
        }
        let state = watched.state().clone();
        let deadline = Instant::now() + health.timeout;
        let (ok, output) = match exec::capture(watched.kept, &state, &health.test, deadline) {
            Ok((Some(exit), output)) => (exit.success(), output),
            Ok((None, output)) => (false, format!("{output}\nit took too long")),
            Err(error) => (false, error.to_string()),
        };
        if over.load(Ordering::Relaxed) {
            return;
        }
        let _ = watched.change(|state| {
            if let Some(report) = &mut state.health {
                report.take(health, ok, output, begin.elapsed());
            }
        });
    }
}
