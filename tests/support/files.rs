//! A directory served over HTTP on loopback.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

/// The server; it ends with the test's process.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Such as `http://127.0.0.1:4000`.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    truncated: Arc<Mutex<Option<String>>>,
}

impl Files {
    /// Serves everything below a directory.
    pub(crate) fn serve(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let files = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
            truncated: Arc::default(),
        };
        let (root, shared) = (directory.to_owned(), files.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, shared) = (root.clone(), shared.clone());
                thread::spawn(move || shared.answer(&root, stream));
            }
        });
        files
    }

    /// How many files were asked for so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The paths of the files that were asked for after the first `count` ones.
    pub(crate) fn asked(&self, count: usize) -> Vec<String> {
        self.requests.lock().unwrap()[count..].to_vec()
    }

    /// Breaks off in the middle of every file whose path ends like this.
    pub(crate) fn truncate(&self, ending: &str) {
        *self.truncated.lock().unwrap() = Some(ending.to_owned());
    }

    fn answer(&self, root: &Path, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        loop {
            let mut request = String::new();
            if reader.read_line(&mut request).ok()? == 0 {
                return None;
            }
            let mut line = String::new();
            while reader.read_line(&mut line).ok()? > 2 {
                line.clear();
            }
            let path = request
                .split(' ')
                .nth(1)?
                .trim_start_matches('/')
                .to_owned();
            let path = decode(&path);
            self.requests.lock().unwrap().push(path.clone());
            let path = Path::new(&path);
            let inside = path
                .components()
                .all(|it| matches!(it, Component::Normal(_)));
            match fs::read(root.join(path)) {
                Ok(body) if inside => {
                    let header =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all(header.as_bytes()).ok()?;
                    let broken = self.truncated.lock().unwrap().clone();
                    if broken.is_some_and(|it| path.to_string_lossy().ends_with(&it)) {
                        stream.write_all(&body[..body.len() / 2]).ok()?;
                        return None;
                    }
                    stream.write_all(&body).ok()?;
                }
                _ => stream
                    .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    .ok()?,
            }
        }
    }
}

/// Undoes percent encoding.
fn decode(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The path of a file below a directory whose name ends like this; there must be one.
pub(crate) fn find(directory: &Path, ending: &str) -> PathBuf {
    let files = walkdir::WalkDir::new(directory).into_iter().flatten();
    let mut found = files.map(walkdir::DirEntry::into_path);
    found
        .find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap_or_else(|| panic!("nothing in {} ends in {ending}", directory.display()))
}
