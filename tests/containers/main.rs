//! Containers that are kept: docker's verbs on real ones, booted and not.

mod elsewhere;
mod files;
mod life;
mod listing;
mod network;
mod output;
mod pasta;
mod rights;
#[path = "../support/mod.rs"]
mod support;
mod volumes;

use std::fs;
use std::time::Duration;

use rustix::process::Pid;

use support::{Output, shared, wait_for};

/// The options that make quickstart boot, and those that make it run the command directly.
const BOTH: [&[&str]; 2] = [&[], &["--systemd=false"]];

/// Longer than a container takes for anything.
const LONG: Duration = Duration::from_secs(60);

/// A container of a test's own, removed at the end.
struct Container {
    name: String,
}

impl Container {
    /// Starts one in the background.
    #[track_caller]
    fn start(name: &str, options: &[&str], command: &[&str]) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let head = ["run", "-d", "--name", &name];
        let output = shared().run(&[&head, options, &["quickstart"], command].concat());
        let id = output.success().silent().into_text();
        assert_eq!(id.trim().len(), 64, "{id}");
        Self { name }
    }

    fn run(&self, verb: &[&str], rest: &[&str]) -> Output {
        shared().run(&[verb, &[&self.name], rest].concat())
    }

    fn exec(&self, command: &[&str]) -> Output {
        self.run(&["exec"], command)
    }

    #[track_caller]
    fn sh(&self, script: &str) -> String {
        self.exec(&["sh", "-c", script]).success().into_text()
    }

    #[track_caller]
    fn inspect(&self, template: &str) -> String {
        let output = shared().run(&["inspect", "--format", template, &self.name]);
        output.success().into_text().trim_end().to_owned()
    }

    /// Waits until the container has this status.
    #[track_caller]
    fn comes_to(&self, status: &str) {
        wait_for(LONG, status, || {
            (self.inspect("{{.State.Status}}") == status).then_some(())
        });
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        shared().run(&["rm", "-f", &self.name]);
    }
}

/// The process that supervises a container.
fn supervisor(name: &str) -> Pid {
    let kept = shared().store().join(format!("containers/{name}.name"));
    let text = fs::read_to_string(kept.join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pid = i32::try_from(state["supervisor"].as_i64().unwrap()).unwrap();
    Pid::from_raw(pid).unwrap()
}

fn ps(options: &[&str]) -> String {
    let template = "{{.Names}} {{.State}}";
    let head = ["ps", "--format", template];
    shared()
        .run(&[&head, options].concat())
        .success()
        .into_text()
}
