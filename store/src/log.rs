//! Step logs: `logs/<id>`, append-only while the step runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::error::{At as _, Result};
use crate::store::Store;

/// An open log.
#[derive(Debug)]
pub struct LogWriter {
    id: String,
    file: File,
}

impl LogWriter {
    /// Name of the log, as a realisation or an image's layer refers to it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The file, to hand it to a process.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Store {
    /// Starts a new log.
    pub fn create_log(&self) -> Result<LogWriter> {
        self.writable()?;
        let name = self.stage_name();
        let id = name
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let path = self.log_path(&id);
        let file = File::options()
            .append(true)
            .create_new(true)
            .open(&path)
            .at("create", &path)?;
        Ok(LogWriter { id, file })
    }

    /// Where the log of this name lies, whether or not it is there.
    pub fn log_path(&self, id: &str) -> PathBuf {
        self.root().join("logs").join(id.replace('/', "_"))
    }
}
