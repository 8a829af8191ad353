//! Nothing is left of a container, whoever is killed; and many of them do not get in each other's
//! way.
//!
//! These tests take turns: what one of them does to the machine would decide another's timing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use racker::container::cgroup;
use racker::container::slot::RUN_DIRECTORY;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

mod support;

use support::{Kitchen, Racker, wait_for};

/// How long what was killed may take to be gone.
const SOON: Duration = Duration::from_secs(1);
/// How long a container may take to come up while others do.
const START: Duration = Duration::from_secs(120);

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a container is run: booted and not.
const BOTH: [&[&str]; 2] = [&[], &["--systemd=false"]];

/// A process of the host.
#[derive(Debug, Clone)]
struct Process {
    pid: i32,
    parent: i32,
    /// Its arguments, with a blank between them.
    line: String,
    /// Its pid in the innermost namespace it is in.
    inner: i32,
}

/// All processes, without those that are dead already.
fn processes() -> Vec<Process> {
    let numbers = support::names(Path::new("/proc"));
    numbers
        .iter()
        .filter_map(|name| process(name.parse().ok()?))
        .collect()
}

fn process(pid: i32) -> Option<Process> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().to_owned())
    };
    if field("State:")?.starts_with(['Z', 'X']) {
        return None;
    }
    Some(Process {
        pid,
        parent: field("PPid:")?.parse().ok()?,
        line: String::from_utf8_lossy(&line).replace('\0', " "),
        inner: field("NSpid:")?.split_whitespace().last()?.parse().ok()?,
    })
}

fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

/// The control groups of this name, wherever in the version 2 hierarchy.
fn groups(name: &str) -> Vec<PathBuf> {
    let hierarchy = cgroup::hierarchy().unwrap();
    let root = PathBuf::from(format!("/proc/self/fd/{}/", hierarchy.as_raw_fd()));
    walkdir::WalkDir::new(&root)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_dir())
        .filter(|entry| entry.file_name().to_string_lossy().contains(name))
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// The processes of the control groups of this name.
fn members(name: &str) -> Vec<i32> {
    let hierarchy = cgroup::hierarchy().unwrap();
    let root = PathBuf::from(format!("/proc/self/fd/{}/{name}", hierarchy.as_raw_fd()));
    walkdir::WalkDir::new(root)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_dir())
        .filter_map(|entry| fs::read_to_string(entry.path().join("cgroup.procs")).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| line.parse().ok())
                .collect::<Vec<i32>>()
        })
        .collect()
}

/// A container that a racker runs.
struct Container {
    racker: Child,
    store: PathBuf,
    id: String,
    nspawn: i32,
    guard: i32,
}

impl Container {
    /// Starts racker and waits until the container's command has said `ready`.
    fn start(racker: &Racker, way: &[&str], image: &str) -> Self {
        let script = "echo ready; sleep 1000 & sleep 1000";
        let arguments = [&["run", "--rm"], way, &[image, "sh", "-c", script]].concat();
        let mut child = racker
            .command(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Self::of(child, racker.store())
    }

    /// The container of a racker, once it has one.
    fn of(racker: Child, store: &Path) -> Self {
        let parent = i32::try_from(racker.id()).unwrap();
        let (id, nspawn, guard) = wait_for(START, "a container", || {
            let children: Vec<Process> = processes()
                .into_iter()
                .filter(|process| process.parent == parent)
                .collect();
            let nspawn = children
                .iter()
                .find(|process| process.line.contains("--machine="))?;
            let guard = children
                .iter()
                .find(|process| process.line.starts_with("racker-guard"))?;
            let (_, rest) = nspawn.line.split_once("--machine=racker-")?;
            Some((rest.split(' ').next()?.to_owned(), nspawn.pid, guard.pid))
        });
        Self {
            racker,
            store: store.to_owned(),
            id,
            nspawn,
            guard,
        }
    }

    fn group(&self) -> String {
        format!("racker-{}", self.id)
    }

    /// The first process inside.
    fn leader(&self) -> i32 {
        wait_for(START, "a first process in the container", || {
            members(&self.group())
                .into_iter()
                .filter_map(process)
                .find(|p| p.inner == 1)
        })
        .pid
    }

    /// What there still is of it on the host, a line each.
    fn rest(&self) -> Vec<String> {
        let mut rest = Vec::new();
        for group in groups(&self.id) {
            rest.push(format!("control group {}", group.display()));
        }
        for process in processes() {
            let own = process.line.contains(&self.id) && process.pid != std::process::id() as i32;
            if own || process.pid == self.nspawn || process.pid == self.guard {
                rest.push(format!("process {process:?}"));
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let store = self.store.display().to_string();
        for line in mounts
            .lines()
            .filter(|line| line.contains(&self.id) || line.contains(&store))
        {
            rest.push(format!("mount {line}"));
        }
        let run = Path::new(RUN_DIRECTORY);
        if run.join(&self.id).exists() {
            rest.push(format!("directory {}", run.join(&self.id).display()));
        }
        for name in support::names(&run.join("blocks")) {
            let text = fs::read_to_string(run.join("blocks").join(&name)).unwrap_or_default();
            if text.contains(&self.id) {
                rest.push(format!("block {name}: {text}"));
            }
        }
        // A file that was just being written may stay; it has no meaning, and goes in time.
        let stage = self.store.join("stage");
        for name in support::names(&stage) {
            if stage.join(&name).is_dir() {
                rest.push(format!("stage/{name}"));
            }
        }
        rest
    }

    /// Waits for racker's end, and fails if anything of the container is there a second later.
    #[track_caller]
    fn goes(mut self) {
        let start = Instant::now();
        let status = wait_for(SOON, "racker's end", || self.racker.try_wait().unwrap());
        assert!(!status.success());
        let mut rest = self.rest();
        while !rest.is_empty() && start.elapsed() < SOON {
            thread::sleep(Duration::from_millis(10));
            rest = self.rest();
        }
        assert!(rest.is_empty(), "left behind after {SOON:?}: {rest:#?}");
    }
}

/// Run directories that neither a racker nor a guard holds, whose ever they were.
fn abandoned() -> Vec<String> {
    let run = Path::new(RUN_DIRECTORY);
    let blocks = run.join("blocks");
    let held: String = support::names(&blocks)
        .iter()
        .map(|name| fs::File::open(blocks.join(name)).unwrap())
        .filter(|block| flock(block, FlockOperation::NonBlockingLockShared).is_err())
        .map(|block| std::io::read_to_string(block).unwrap())
        .collect();
    let mut all = support::names(run);
    all.retain(|name| !matches!(name.as_str(), "blocks" | "filters" | "networks"));
    // Where a store cannot be written, its containers are kept here.
    all.retain(|name| !name.starts_with("containers-"));
    all.retain(|name| !held.contains(name));
    all
}

/// A copy of the shared store, so that what lies in it is this test's.
fn kitchen() -> Kitchen {
    let kitchen = Kitchen::with_quickstart();
    // Makes what a store makes once.
    kitchen
        .racker
        .run(&["run", "--systemd=false", "quickstart", "true"])
        .success();
    kitchen
}

#[test]
fn two_and_sixteen_at_once() {
    let _turn = turn();
    let kitchen = kitchen();
    for (count, way) in [(2, BOTH[0]), (2, BOTH[1]), (16, BOTH[0]), (16, BOTH[1])] {
        thread::scope(|scope| {
            for number in 0..count {
                let racker = kitchen.racker.clone().input(format!("input {number}\n"));
                scope.spawn(move || {
                    let script = format!(
                        "test ! -e /mine && echo {number} > /mine && sleep 0.2 && cat /mine && cat && \
                         echo err {number} >&2 && exit {}",
                        number + 1
                    );
                    let options = [&["run", "--rm", "-i"], way].concat();
                    let arguments = [&options[..], &["quickstart", "sh", "-c", &script]].concat();
                    let output = racker.run(&arguments).code(number + 1);
                    assert_eq!(output.text(), format!("{number}\ninput {number}\n"));
                    assert_eq!(output.stderr, format!("err {number}\n"));
                });
            }
        });
    }
    kitchen.racker.verify();
}

#[test]
fn racker_is_killed() {
    let _turn = turn();
    let kitchen = kitchen();
    for way in BOTH {
        let mut container = Container::start(&kitchen.racker, way, "quickstart");
        container.racker.kill().unwrap();
        container.goes();
    }
    kitchen.racker.verify();
}

#[test]
fn racker_is_killed_while_the_guest_boots() {
    let _turn = turn();
    let kitchen = kitchen();
    for milliseconds in [0, 5, 20, 60, 100, 150, 200, 300, 500] {
        let mut command = kitchen
            .racker
            .command(&["run", "quickstart", "sleep", "1000"]);
        let container = command.spawn().unwrap();
        let mut container = Container::of(container, kitchen.racker.store());
        // Not to wait for anything: each round hits another moment.
        thread::sleep(Duration::from_millis(milliseconds));
        container.racker.kill().unwrap();
        container.goes();
    }
    kitchen.racker.verify();
}

#[test]
fn racker_is_killed_before_there_is_a_container() {
    let _turn = turn();
    let kitchen = kitchen();
    for milliseconds in (0..100).step_by(4) {
        let mut command = kitchen
            .racker
            .command(&["run", "quickstart", "sleep", "1000"]);
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let store = kitchen.racker.store();
    wait_for(SOON, "the guards have cleared up", || {
        abandoned().is_empty().then_some(())
    });
    // Between the making of a directory and the note of it nothing can help but the next racker.
    kitchen
        .racker
        .run(&["run", "--systemd=false", "quickstart", "true"])
        .success();
    assert_eq!(support::names(&store.join("stage")), Vec::<String>::new());
    kitchen.racker.verify();
}

#[test]
fn sixteen_rackers_are_killed() {
    let _turn = turn();
    let kitchen = kitchen();
    let mut containers: Vec<Container> = thread::scope(|scope| {
        let starts: Vec<_> = (0..16)
            .map(|number| {
                let racker = &kitchen.racker;
                scope.spawn(move || Container::start(racker, BOTH[number % 2], "quickstart"))
            })
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    for container in &mut containers {
        container.racker.kill().unwrap();
    }
    for container in &mut containers {
        container.racker.wait().unwrap();
    }
    let start = Instant::now();
    let mut rest: Vec<String> = vec![String::new()];
    while !rest.is_empty() && start.elapsed() < SOON {
        rest = containers.iter().flat_map(Container::rest).collect();
    }
    assert!(
        rest.is_empty(),
        "left behind after {:?}: {rest:#?}",
        start.elapsed()
    );
    kitchen.racker.verify();
}

#[test]
fn nspawn_is_killed() {
    let _turn = turn();
    let kitchen = kitchen();
    for way in BOTH {
        let container = Container::start(&kitchen.racker, way, "quickstart");
        kill(container.nspawn);
        container.goes();
    }
    kitchen.racker.verify();
}

#[test]
fn the_guests_init_is_killed() {
    let _turn = turn();
    let kitchen = kitchen();
    for way in BOTH {
        let container = Container::start(&kitchen.racker, way, "quickstart");
        kill(container.leader());
        container.goes();
    }
    kitchen.racker.verify();
}

#[test]
fn the_guard_is_killed_as_well() {
    let _turn = turn();
    let kitchen = kitchen();
    for way in BOTH {
        let mut container = Container::start(&kitchen.racker, way, "quickstart");
        kill(container.guard);
        container.racker.kill().unwrap();
        container.racker.wait().unwrap();
        assert!(
            !members(&container.group()).is_empty(),
            "somebody else ended the container"
        );
        // The next racker that starts a container clears up before it does.
        kitchen
            .racker
            .run(&["run", "--systemd=false", "quickstart", "true"])
            .success();
        container.goes();
    }
    kitchen.racker.verify();
}

#[test]
fn the_guard_alone_is_killed() {
    let _turn = turn();
    let kitchen = kitchen();
    let mut container = Container::start(&kitchen.racker, &[], "quickstart");
    kill(container.guard);
    // racker cannot know; when it ends, its next container clears up.
    kill_process(Pid::from_child(&container.racker), Signal::TERM).unwrap();
    container.racker.wait().unwrap();
    kitchen
        .racker
        .run(&["run", "--systemd=false", "quickstart", "true"])
        .success();
    container.goes();
    kitchen.racker.verify();
}

#[test]
fn racker_is_killed_in_a_step() {
    let _turn = turn();
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "step.toml",
        "[[step]]\nrun = \"echo one > /one\"\n\
         [[step]]\nrun = \"head -c 5M /dev/urandom > /big; sleep ${seconds}\"\n\
         [args]\nseconds = \"0\"\n",
    );
    for milliseconds in [0, 20, 100, 400] {
        let mut command = kitchen
            .racker
            .command(&["bake", "step.toml", "--set", "seconds=1000"]);
        let child = command.spawn().unwrap();
        let mut container = Container::of(child, kitchen.racker.store());
        thread::sleep(Duration::from_millis(milliseconds));
        container.racker.kill().unwrap();
        container.goes();
        kitchen.racker.verify();
    }
    // nspawn: the step fails, and racker says so.
    let mut command = kitchen
        .racker
        .command(&["bake", "step.toml", "--set", "seconds=1001"]);
    let child = command.spawn().unwrap();
    let container = Container::of(child, kitchen.racker.store());
    wait_for(START, "the step's command", || {
        members(&container.group())
            .into_iter()
            .filter_map(process)
            .find(|process| process.line.starts_with("sleep 1001"))
    });
    kill(container.nspawn);
    container.goes();
    kitchen.racker.verify();
    kitchen.bake("step.toml").success();
    kitchen.racker.verify();
}
