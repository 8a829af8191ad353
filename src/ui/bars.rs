//! Progress: bars on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Ui, Verbosity};
use crate::oci::Progress;
use crate::probe::Probed;
use crate::realise::{Event, Reporter};

/// Shows transfers and steps.
#[derive(Debug)]
pub struct Bars {
    ui: Ui,
    all: MultiProgress,
    open: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    /// Draws on standard error where that is a terminal.
    pub fn new(ui: Ui) -> Self {
        let target = if ui.shows_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            ui,
            all: MultiProgress::with_draw_target(target),
            open: Mutex::default(),
        }
    }

    /// Begins a row about a probe.
    pub fn row(&self, title: &str) -> Row {
        let style = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} {elapsed}");
        let bar = ProgressBar::new_spinner().with_prefix(title.to_owned());
        let bar = self
            .all
            .add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())));
        if self.ui.shows_progress() {
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
        }
        Row(bar)
    }

    /// Takes everything off the screen.
    pub fn clear(&self) {
        let _ = self.all.clear();
    }

    fn say(&self, line: &str) {
        self.all.suspend(|| self.ui.say(line));
    }

    fn bars(&self) -> std::sync::MutexGuard<'_, HashMap<String, ProgressBar>> {
        self.open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn spinner(&self, key: &str, text: String) {
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
        let bar = ProgressBar::new_spinner().with_message(text);
        let bar = self
            .all
            .add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())));
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        self.bars().insert(key.to_owned(), bar);
    }

    fn close(&self, key: &str) {
        if let Some(bar) = self.bars().remove(key) {
            bar.finish_and_clear();
        }
    }
}

/// A row about a probe: what is done, then how it went.
#[derive(Debug)]
pub struct Row(ProgressBar);

impl Row {
    /// What is being done.
    pub fn phase(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// How it went.
    pub fn probed(&self, probed: &Probed) {
        let text = match probed.checks.iter().find(|check| !check.ok) {
            _ if probed.error.is_some() => "could not be tried".to_owned(),
            None => "ok".to_owned(),
            Some(check) => format!("FAILED: {} {}: {}", check.kind, check.check, check.message),
        };
        let style = ProgressStyle::with_template("  {prefix}: {wide_msg} {elapsed}");
        self.0
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        self.0.finish_with_message(text);
    }
}

impl Progress for Bars {
    fn started(&self, item: &str, total: Option<u64>) {
        if !self.ui.shows_progress() {
            return;
        }
        let style = ProgressStyle::with_template(
            "{prefix:20!} {bar:30} {binary_bytes:>11}/{binary_total_bytes} {binary_bytes_per_sec}",
        );
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let bar = bar.with_prefix(item.to_owned());
        let bar = self
            .all
            .add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        self.bars().insert(item.to_owned(), bar);
    }

    fn advanced(&self, item: &str, bytes: u64) {
        if let Some(bar) = self.bars().get(item) {
            bar.inc(bytes);
        }
    }

    fn finished(&self, item: &str) {
        self.close(item);
    }

    fn present(&self, item: &str) {
        self.all
            .suspend(|| self.ui.detail(format!("{item}: already there")));
    }

    fn message(&self, text: &str) {
        self.say(text);
    }
}

impl Reporter for Bars {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::StepStarted {
                id,
                place,
                total,
                summary,
            } => {
                if self.ui.shows_progress() {
                    self.spinner(id, format!("[{place}/{total}] {id}: {summary}"));
                } else {
                    self.say(&format!("[{place}/{total}] {id}: {summary}"));
                }
            }
            Event::StepCached {
                id,
                place,
                total,
                summary,
            } => {
                self.say(&format!("[{place}/{total}] {id}: {summary} (cached)"));
            }
            Event::StepFound {
                id,
                place,
                total,
                summary,
                cache,
            } => {
                self.say(&format!("[{place}/{total}] {id}: {summary} (from {cache})"));
            }
            Event::StepDone {
                id,
                place,
                total,
                summary,
                milliseconds,
            } => {
                self.close(id);
                let seconds = milliseconds as f64 / 1000.0;
                if self.ui.shows_progress() {
                    self.say(&format!(
                        "[{place}/{total}] {id}: {summary} ({seconds:.1} s)"
                    ));
                } else {
                    self.say(&format!("[{place}/{total}] {id}: done in {seconds:.1} s"));
                }
            }
            Event::StepFailed { id } => self.close(id),
            Event::Message(text) => self.say(text),
            Event::Detail(text) => {
                if self.ui.verbosity() >= Verbosity::Verbose {
                    self.say(text);
                }
            }
        }
    }

    fn progress(&self) -> &dyn Progress {
        self
    }
}
