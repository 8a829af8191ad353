//! What racker asks systemd over D-Bus: the guest's PID 1, over its private socket, for which neither
//! guest nor host needs a bus daemon; and the host's, where a container is registered there. Source: `org.freedesktop.systemd1(5)`;
//! systemd sends its signals to private peers unasked.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use zbus::message::{Flags, Type};
use zbus::{DynamicType, Message, OwnedObjectPath, OwnedVariant, Variant};

use super::wire::Peer;
use super::{Error, Exit};

pub(super) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(super) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// The transient unit of the one command that a guest was booted for.
pub(super) const UNIT: &str = "racker.service";

/// How long PID 1 may take for an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Messages kept while one reply is waited for.
const KEPT: usize = 10_000;

/// The exit codes of systemd's own between fork and execve. Source: `systemd.exec(5)`.
const OWN_STATUS: std::ops::RangeInclusive<i32> = 200..=245;

/// Properties of a transient unit.
pub(super) type Properties = Vec<(String, Variant<'static>)>;

/// A connection to the guest's PID 1, or to the host's bus.
#[derive(Debug)]
pub(super) struct Bus {
    peer: Peer,
    /// Whom calls are for; on a private socket there is one alone.
    pub(super) destination: Option<&'static str>,
    /// What came while a reply was waited for.
    kept: VecDeque<Message>,
}

/// What waiting for a message came to.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message.
    Message(Box<Message>),
    /// The guest went down.
    Ended,
    /// Time ran out.
    TimedOut,
}

/// How a unit came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitEnd {
    /// Its command ran and ended.
    Exited(Exit),
    /// Its command could not be executed; systemd's own exit code, `systemd.exec(5)`.
    NotStarted(i32),
    /// The guest went down before.
    GuestEnded,
    /// Time ran out before.
    TimedOut,
}

pub(super) fn bus_error(error: impl std::fmt::Display) -> Error {
    Error::Bus(error.to_string())
}

impl Bus {
    /// Talks over a socket connected from inside the guest, as its root.
    pub(super) fn open(stream: UnixStream) -> Result<Self, Error> {
        Ok(Self {
            peer: Peer::authenticate(stream).map_err(bus_error)?,
            destination: None,
            kept: VecDeque::new(),
        })
    }

    /// The next message.
    pub(super) fn receive(&mut self, deadline: Option<Instant>) -> Result<Heard, Error> {
        match self.kept.pop_front() {
            Some(message) => Ok(Heard::Message(Box::new(message))),
            None => self.hear(deadline),
        }
    }

    fn hear(&mut self, deadline: Option<Instant>) -> Result<Heard, Error> {
        if !self.peer.wait(deadline).map_err(bus_error)? {
            return Ok(Heard::TimedOut);
        }
        match self.peer.receive() {
            Ok(message) => Ok(Heard::Message(Box::new(message))),
            Err(error) if ended(&error) => Ok(Heard::Ended),
            Err(error) => Err(bus_error(error)),
        }
    }

    /// Calls a method and waits for the answer. Signals that come before it are kept.
    pub(super) fn ask<B, T>(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
        deadline: Instant,
    ) -> Result<T, Error>
    where
        B: Serialize + DynamicType,
        T: for<'de> serde::Deserialize<'de> + DynamicType + zbus::Type,
    {
        let call = self.call(path, interface, member, body)?;
        loop {
            match self.hear(Some(deadline))? {
                Heard::Message(message) if message.header().reply_serial() == Some(call) => {
                    return reply(&message);
                }
                Heard::Message(message) if self.kept.len() < KEPT => self.kept.push_back(*message),
                Heard::Message(_) => return Err(bus_error("too many messages before an answer")),
                Heard::Ended => return Err(bus_error("the guest went down")),
                Heard::TimedOut => return Err(bus_error(format!("no answer to {member}"))),
            }
        }
    }

    /// Starts a command as a transient unit and waits for its end. systemd orders it after
    /// `basic.target`, so it can be asked for while the guest still boots. `running` is called once
    /// it was started.
    pub(super) fn run(
        &mut self,
        unit: &str,
        properties: Properties,
        deadline: Option<Instant>,
        running: &dyn Fn(),
    ) -> Result<UnitEnd, Error> {
        let auxiliary: Vec<(String, Properties)> = Vec::new();
        let call = self.call(
            MANAGER_PATH,
            MANAGER,
            "StartTransientUnit",
            &(unit, "fail", properties, auxiliary),
        )?;
        // The descriptors go with the message; only the guest may hold them from here on.
        let unit_path = object_path(unit);
        let mut job: Option<OwnedObjectPath> = None;
        let mut started = None;
        let mut over = false;
        let mut heard = BTreeMap::new();
        loop {
            let message = match self.hear(deadline)? {
                Heard::Message(message) => message,
                Heard::Ended => return Ok(UnitEnd::GuestEnded),
                Heard::TimedOut => return Ok(UnitEnd::TimedOut),
            };
            if message.header().reply_serial() == Some(call) {
                job = Some(reply(&message)?);
            }
            if let Some((path, result)) = job_removed(&message)? {
                if job.as_ref() == Some(&path) {
                    started = Some(result == "done");
                    if result == "done" {
                        running();
                    }
                }
            } else if let Some(changed) = changes(&message, &unit_path)? {
                if let Some(state) = changed.get("SubState") {
                    let state = <&str>::try_from(state).unwrap_or_default();
                    over = matches!(state, "exited" | "failed" | "dead");
                }
                heard.extend(changed);
            }
            match started {
                Some(false) => return self.end(&unit_path, false, &heard, deadline),
                Some(true) if over => return self.end(&unit_path, true, &heard, deadline),
                _ => {}
            }
        }
    }

    fn end(
        &mut self,
        unit_path: &str,
        started: bool,
        heard: &BTreeMap<String, OwnedVariant>,
        deadline: Option<Instant>,
    ) -> Result<UnitEnd, Error> {
        let call = self.call(unit_path, PROPERTIES, "GetAll", &SERVICE)?;
        let all: BTreeMap<String, OwnedVariant> = loop {
            match self.hear(deadline)? {
                Heard::Message(message) if message.header().reply_serial() == Some(call) => {
                    break reply(&message)?;
                }
                Heard::Message(_) => {}
                Heard::Ended => return Ok(UnitEnd::GuestEnded),
                Heard::TimedOut => return Ok(UnitEnd::TimedOut),
            }
        };
        let number = |name: &str| {
            let of = |from: &BTreeMap<String, OwnedVariant>| {
                from.get(name).and_then(|value| i32::try_from(value).ok())
            };
            // Of a unit that was stopped nothing is left but what was said of it before.
            of(&all)
                .filter(|it| *it != 0)
                .or_else(|| of(heard))
                .unwrap_or_default()
        };
        let (code, status) = (number("ExecMainCode"), number("ExecMainStatus"));
        // systemd may see the end of a command that fails at once before it sees that it was started.
        if !started && code == libc::CLD_EXITED && OWN_STATUS.contains(&status) {
            return Ok(UnitEnd::NotStarted(status));
        }
        let exit = match code {
            libc::CLD_EXITED => status,
            libc::CLD_KILLED | libc::CLD_DUMPED => 128 + status,
            _ => return Err(bus_error("its unit failed before the command ran")),
        };
        Ok(UnitEnd::Exited(Exit(u8::try_from(exit).unwrap_or(255))))
    }

    fn call<B>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) -> Result<NonZeroU32, Error>
    where
        B: Serialize + DynamicType,
    {
        let mut message = Message::method_call(path, member).interface(interface);
        if let Some(destination) = self.destination {
            message = message.destination(destination);
        }
        let message = message.build(body).map_err(bus_error)?;
        self.peer.send(&message).map_err(bus_error)?;
        Ok(message.primary_header().serial_num())
    }

    /// Starts a command as a transient unit, waits until it runs, and leaves it alone.
    pub(super) fn start(&mut self, unit: &str, properties: Properties) -> Result<(), Error> {
        let auxiliary: Vec<(String, Properties)> = Vec::new();
        let body = (unit, "fail", properties, auxiliary);
        let deadline = Instant::now() + ANSWER;
        let job: OwnedObjectPath =
            self.ask(MANAGER_PATH, MANAGER, "StartTransientUnit", &body, deadline)?;
        loop {
            match self.receive(Some(deadline))? {
                Heard::Message(message) => match job_removed(&message)? {
                    Some((path, result)) if path == job && result == "done" => return Ok(()),
                    Some((path, result)) if path == job => {
                        return Err(bus_error(format!("starting it ended as {result:?}")));
                    }
                    _ => {}
                },
                Heard::Ended => return Err(bus_error("the guest went down")),
                Heard::TimedOut => return Err(bus_error("it was not started in time")),
            }
        }
    }

    /// Lets go of a unit that is over.
    pub(super) fn forget(&mut self, unit: &str) -> Result<(), Error> {
        let send = |message: zbus::Result<Message>| -> Result<(), Error> {
            match self.peer.send(&message.map_err(bus_error)?) {
                // The guest went down.
                Err(_) | Ok(()) => Ok(()),
            }
        };
        let call = |member| {
            Message::method_call(MANAGER_PATH, member)
                .interface(MANAGER)
                .with_flags(Flags::NO_REPLY_EXPECTED)
        };
        send(call("StopUnit").build(&(unit, "replace")))?;
        send(call("ResetFailedUnit").build(&unit))
    }

    /// Signals a unit's main process.
    pub(super) fn signal(&mut self, unit: &str, number: i32) -> Result<(), Error> {
        self.ask(
            MANAGER_PATH,
            MANAGER,
            "KillUnit",
            &(unit, "main", number),
            Instant::now() + ANSWER,
        )
    }

    /// Something that sends signals to a unit's main process from another thread.
    pub(super) fn signaller(&self, unit: &str) -> Result<impl Fn(i32) + Send + 'static, Error> {
        let peer = self.peer.try_clone().map_err(bus_error)?;
        let unit = unit.to_owned();
        Ok(move |number: i32| {
            let message = Message::method_call(MANAGER_PATH, "KillUnit")
                .interface(MANAGER)
                .with_flags(Flags::NO_REPLY_EXPECTED)
                .build(&(unit.as_str(), "main", number));
            if let Ok(message) = message {
                let _ = peer.send(&message);
            }
        })
    }
}

/// The object of a unit: what is no letter or digit is written `_xx`. Source:
/// `sd_bus_path_encode(3)`.
pub(super) fn object_path(unit: &str) -> String {
    let mut path = String::from("/org/freedesktop/systemd1/unit/");
    for (place, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (place > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The job that a message says to be over, and how it ended.
pub(super) fn job_removed(message: &Message) -> Result<Option<(OwnedObjectPath, String)>, Error> {
    if member(message) != "JobRemoved" {
        return Ok(None);
    }
    let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
        message.body().deserialize().map_err(bus_error)?;
    Ok(Some((path, result)))
}

/// The properties that a message says to have changed of the object at `path`.
pub(super) fn changes(
    message: &Message,
    path: &str,
) -> Result<Option<BTreeMap<String, OwnedVariant>>, Error> {
    let header = message.header();
    let concerned = header.path().is_some_and(|it| it.as_str() == path);
    if member(message) != "PropertiesChanged" || !concerned {
        return Ok(None);
    }
    let (_, changed, _): (String, BTreeMap<String, OwnedVariant>, Vec<String>) =
        message.body().deserialize().map_err(bus_error)?;
    Ok(Some(changed))
}

fn member(message: &Message) -> String {
    let header = message.header();
    header.member().map(ToString::to_string).unwrap_or_default()
}

fn ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

/// The value of a reply, or its error.
fn reply<T>(message: &Message) -> Result<T, Error>
where
    T: for<'de> serde::Deserialize<'de> + DynamicType + zbus::Type,
{
    if message.message_type() == Type::Error {
        let text: String = message.body().deserialize().unwrap_or_default();
        return Err(Error::Bus(text));
    }
    message.body().deserialize().map_err(bus_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_units() {
        let path = object_path("racker-1.service");
        assert_eq!(path, "/org/freedesktop/systemd1/unit/racker_2d1_2eservice");
        assert!(object_path("4x@a").ends_with("/_34x_40a"));
    }
}
