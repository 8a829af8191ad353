//! A D-Bus connection to one peer, without a bus: authentication, sending, receiving.
//!
//! zbus makes and reads the messages. Its own connection cannot be used here: it takes a message's
//! sender for a bus's unique name only, and systemd, on its private socket, gives
//! `org.freedesktop.systemd1`. [`Peer::receive`] puts a unique name of the same length in its
//! place. Being plain blocking I/O, this also starts no threads.
//!
//! Source: the D-Bus specification, "Message Format" and "Authentication Protocol".

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use zbus::Message;

use super::notify;
use crate::sys;

/// Bytes up to the length of the header's fields.
const FIXED: usize = 16;
/// The specification's limit for a message, 128 MiB; far more than systemd sends.
const LIMIT: usize = 128 << 20;

const SENDER: &[u8] = b"\x07\x01s\0\x18\0\0\0org.freedesktop.systemd1\0";
const UNIQUE: &[u8] = b"\x07\x01s\0\x18\0\0\0:1.000000000000000000000\0";
const _: () = assert!(SENDER.len() == UNIQUE.len());

/// An authenticated connection.
#[derive(Debug)]
pub(super) struct Peer(UnixStream);

impl Peer {
    /// Authenticates as uid 0 (as the peer sees it) and agrees on passing descriptors.
    pub(super) fn authenticate(mut stream: UnixStream) -> io::Result<Self> {
        stream.write_all(b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")?;
        for expected in ["OK ", "AGREE_UNIX_FD"] {
            let line = line(&mut stream)?;
            if !line.starts_with(expected) {
                return Err(io::Error::other(format!("authentication refused: {line}")));
            }
        }
        Ok(Self(stream))
    }

    /// Another handle of the same connection, for sending.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// Waits until there is something to receive; false where time ran out before.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        notify::wait(&mut fds, deadline)
    }

    /// Sends a message with the descriptors it carries.
    pub(super) fn send(&self, message: &Message) -> io::Result<()> {
        let data = message.data();
        let fds: Vec<_> = data.fds().iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::other("too many descriptors in one message"));
        }
        let bytes = data.bytes();
        let sent = sendmsg(
            &self.0,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
        (&self.0).write_all(&bytes[sent..])
    }

    /// Receives the next message.
    ///
    /// Errors: UnexpectedEof when the peer is gone.
    pub(super) fn receive(&mut self) -> io::Result<Message> {
        let mut bytes = vec![0; FIXED];
        self.0.read_exact(&mut bytes)?;
        if bytes[0] != b'l' {
            return Err(io::Error::other("a message that is not little-endian"));
        }
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
        };
        let header = FIXED + number(12).next_multiple_of(8);
        let length = header.saturating_add(number(4));
        if length > LIMIT {
            return Err(io::Error::other("a message over the specification's limit"));
        }
        bytes.resize(length, 0);
        self.0.read_exact(&mut bytes[FIXED..])?;
        let fields = &mut bytes[..header];
        if let Some(at) = fields
            .windows(SENDER.len())
            .position(|window| window == SENDER)
        {
            fields[at..at + UNIQUE.len()].copy_from_slice(UNIQUE);
        }
        sys::message(bytes).map_err(io::Error::other)
    }
}

fn line(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
        if line.len() > 1024 {
            return Err(io::Error::other("an endless authentication line"));
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
