//! An HTTP server on loopback that does exactly what it is told to, byte by byte.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// How many requests for the same came before.
    pub(crate) before: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Start of the range asked for.
    pub(crate) fn range(&self) -> usize {
        let range = self
            .header("range")
            .and_then(|it| it.strip_prefix("bytes="));
        range.map_or(0, |text| text.trim_end_matches('-').parse().unwrap())
    }
}

/// What is sent, in parts, with a pause before each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    parts: Vec<(Duration, Vec<u8>)>,
    /// The last part again and again, for as long as somebody takes it.
    endless: bool,
    /// The connection is reset at the end.
    reset: bool,
}

impl Answer {
    /// These bytes and nothing else.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            parts: vec![(Duration::ZERO, bytes.into())],
            ..Self::default()
        }
    }

    /// A status line and headers, and a body with its length.
    pub(crate) fn new(head: &str, body: &[u8]) -> Self {
        Self::cut(head, body, body.len())
    }

    /// The same, broken off after so many bytes of the body.
    pub(crate) fn cut(head: &str, body: &[u8], sent: usize) -> Self {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        Self::raw([head.as_bytes(), &body[..sent.min(length)]].concat())
    }

    /// A complete answer.
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self::new("200 OK", body)
    }

    /// With a further part after a pause.
    pub(crate) fn then(mut self, pause: Duration, bytes: &[u8]) -> Self {
        self.parts.push((pause, bytes.to_vec()));
        self
    }

    /// With the last part for ever.
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// With a reset instead of an end.
    pub(crate) fn reset(mut self) -> Self {
        self.reset = true;
        self
    }

    fn send(&self, stream: &mut TcpStream, sent: &AtomicUsize) -> Option<()> {
        for (pause, bytes) in &self.parts {
            thread::sleep(*pause);
            stream.write_all(bytes).ok()?;
            sent.fetch_add(bytes.len(), Ordering::SeqCst);
        }
        if self.endless {
            let (pause, bytes) = self.parts.last()?;
            loop {
                thread::sleep(*pause);
                stream.write_all(bytes).ok()?;
            }
        }
        if self.reset {
            // Unread input makes the kernel reset.
            rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO)).ok()?;
        }
        Some(())
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// Answers until it is dropped.
pub(crate) struct Wire {
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    sent: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    pub(crate) fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let (log, stopping) = (Arc::clone(&asked), Arc::clone(&stop));
        let sent: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&sent);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(stream.unwrap(), &*handler, &log, &counted));
            }
        });
        Self {
            host,
            asked,
            sent,
            stop,
            thread: Some(thread),
        }
    }

    /// Bytes sent so far, by whole parts of answers.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.host);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    handler: &Handler,
    log: &Mutex<Vec<Asked>>,
    sent: &AtomicUsize,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let mut asked = Asked {
        method: words.next()?,
        path: words.next()?,
        ..Asked::default()
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        asked.headers.insert(name.to_ascii_lowercase(), value);
    }
    let length = asked
        .header("content-length")
        .map_or(0, |it| it.parse().unwrap());
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body).ok()?;
    {
        let mut log = log.lock().unwrap();
        let same = |it: &&Asked| it.path == asked.path && it.method == asked.method;
        asked.before = log.iter().filter(same).count();
        log.push(asked.clone());
    }
    let answer = handler(&asked);
    answer.send(&mut stream, sent)?;
    if !answer.reset {
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = reader.read(&mut [0]);
    }
    Some(())
}
