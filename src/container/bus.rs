//! What racker asks the guest's PID 1, over its private D-Bus socket.
//!
//! Neither the guest nor the host needs a bus daemon. Source: `org.freedesktop.systemd1(5)`;
//! systemd sends its signals to private peers unasked.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;

use serde::Serialize;
use zbus::message::{Flags, Type};
use zbus::{DynamicType, Message, OwnedObjectPath, OwnedVariant, Variant};

use super::wire::Peer;
use super::{Error, Exit};

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// The transient unit that a command runs as, and its object.
const UNIT: &str = "racker.service";
const UNIT_PATH: &str = "/org/freedesktop/systemd1/unit/racker_2eservice";

/// The exit codes of systemd's own between fork and execve. Source: `systemd.exec(5)`.
const OWN_STATUS: std::ops::RangeInclusive<i32> = 200..=245;

/// Properties of a transient unit.
pub(super) type Properties = Vec<(String, Variant<'static>)>;

/// A connection to the guest's PID 1.
#[derive(Debug)]
pub(super) struct Bus(Peer);

/// How a unit came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitEnd {
    /// Its command ran and ended.
    Exited(Exit),
    /// Its command could not be executed; systemd's own exit code, `systemd.exec(5)`.
    NotStarted(i32),
    /// The guest went down before.
    GuestEnded,
}

fn bus_error(error: impl std::fmt::Display) -> Error {
    Error::Bus(error.to_string())
}

impl Bus {
    /// Talks over a socket connected from inside the guest, as its root.
    pub(super) fn open(stream: UnixStream) -> Result<Self, Error> {
        Peer::authenticate(stream).map(Self).map_err(bus_error)
    }

    /// Starts the command's unit and waits for its end. systemd orders it after `basic.target`, so
    /// it can be asked for while the guest still boots.
    pub(super) fn run(&mut self, properties: Properties) -> Result<UnitEnd, Error> {
        let auxiliary: Vec<(String, Properties)> = Vec::new();
        let call = self.call(
            MANAGER_PATH,
            MANAGER,
            "StartTransientUnit",
            &(UNIT, "fail", properties, auxiliary),
        )?;
        // The descriptors go with the message; only the guest may hold them from here on.
        let mut job: Option<OwnedObjectPath> = None;
        let mut started = None;
        let mut over = false;
        loop {
            let message = match self.0.receive() {
                Ok(message) => message,
                Err(error) if ended(&error) => return Ok(UnitEnd::GuestEnded),
                Err(error) => return Err(bus_error(error)),
            };
            let header = message.header();
            if header.reply_serial() == Some(call) {
                job = Some(reply(&message)?);
            }
            let member = header
                .member()
                .map(zbus::names::MemberName::as_str)
                .unwrap_or_default();
            if member == "JobRemoved" {
                let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
                    message.body().deserialize().map_err(bus_error)?;
                if job.as_ref() == Some(&path) {
                    started = Some(result == "done");
                }
            } else if member == "PropertiesChanged"
                && header.path().is_some_and(|path| path.as_str() == UNIT_PATH)
            {
                let (_, changed, _): (String, BTreeMap<String, OwnedVariant>, Vec<String>) =
                    message.body().deserialize().map_err(bus_error)?;
                if let Some(state) = changed.get("SubState") {
                    let state = <&str>::try_from(state).unwrap_or_default();
                    over = matches!(state, "exited" | "failed" | "dead");
                }
            }
            match started {
                Some(false) => return self.end(false),
                Some(true) if over => return self.end(true),
                _ => {}
            }
        }
    }

    fn end(&mut self, started: bool) -> Result<UnitEnd, Error> {
        let call = self.call(UNIT_PATH, PROPERTIES, "GetAll", &SERVICE)?;
        let all: BTreeMap<String, OwnedVariant> = loop {
            match self.0.receive() {
                Ok(message) if message.header().reply_serial() == Some(call) => {
                    break reply(&message)?;
                }
                Ok(_) => {}
                Err(error) if ended(&error) => return Ok(UnitEnd::GuestEnded),
                Err(error) => return Err(bus_error(error)),
            }
        };
        let number = |name: &str| {
            all.get(name)
                .and_then(|value| i32::try_from(value).ok())
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
        let message = Message::method_call(path, member)
            .interface(interface)
            .build(body)
            .map_err(bus_error)?;
        self.0.send(&message).map_err(bus_error)?;
        Ok(message.primary_header().serial_num())
    }

    /// Something that sends signals to the command from another thread.
    pub(super) fn signaller(&self) -> Result<impl Fn(i32) + Send + 'static, Error> {
        let peer = self.0.try_clone().map_err(bus_error)?;
        Ok(move |number: i32| {
            let message = Message::method_call(MANAGER_PATH, "KillUnit")
                .interface(MANAGER)
                .with_flags(Flags::NO_REPLY_EXPECTED)
                .build(&(UNIT, "main", number));
            if let Ok(message) = message {
                let _ = peer.send(&message);
            }
        })
    }
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
