//! Whether a container is well: a command that is tried again and again, as docker has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a container is found to be well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// A command for the shell, or with its arguments.
    pub test: Vec<String>,
    /// Between two tries.
    pub interval: Duration,
    /// How long a try may take.
    pub timeout: Duration,
    /// From the start on, during which failures do not count.
    pub start_period: Duration,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
}

/// How well a container is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// Failures in a row.
    pub failing: u32,
    /// What the last try wrote.
    pub output: String,
}

impl Report {
    /// Before the first try.
    pub fn starting() -> Self {
        Self {
            status: "starting".into(),
            ..Self::default()
        }
    }

    /// Takes a try into account, made so long after the start.
    pub fn take(&mut self, health: &Health, ok: bool, output: String, age: Duration) {
        self.output = output;
        if ok {
            self.failing = 0;
            self.status = "healthy".into();
            return;
        }
        if self.status == "starting" && age < health.start_period {
            return;
        }
        self.failing += 1;
        if self.failing >= health.retries {
            self.status = "unhealthy".into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_make_it_unhealthy() {
        let health = Health {
            test: vec!["true".into()],
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            start_period: Duration::from_secs(10),
            retries: 2,
        };
        let mut report = Report::starting();
        let late = Duration::from_secs(20);
        report.take(&health, false, "a".into(), Duration::from_secs(1));
        assert_eq!((report.status.as_str(), report.failing), ("starting", 0));
        report.take(&health, true, String::new(), late);
        assert_eq!(report.status, "healthy");
        report.take(&health, false, String::new(), late);
        assert_eq!((report.status.as_str(), report.failing), ("healthy", 1));
        report.take(&health, false, String::new(), late);
        assert_eq!(report.status, "unhealthy");
    }
}
