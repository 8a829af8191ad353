//! Files by URL into the store's blobs: packages, tarballs, anything with a digest.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use racker_store::{BlobWriter, Digest, Store};

use super::error::{Error, Result};
use super::http::Client;
use super::progress::Progress;
use super::request::Request;
use super::transfer::Transfer;

/// Bytes read at once.
const CHUNK: usize = 128 * 1024;

/// A file to fetch.
#[derive(Clone, Debug)]
pub struct Download {
    /// Where from, `http://` or `https://`.
    pub url: String,
    /// Other places that may have it, asked first, in this order.
    pub mirrors: Vec<String>,
    /// Places that are asked where it is in none of these.
    pub others: Vec<String>,
    /// What it must be.
    pub digest: Option<Digest>,
    /// How large it must be.
    pub size: Option<u64>,
}

impl Client {
    /// Fetches `url` into `sink`, resuming after breaks. With `expected` other bytes are an error;
    /// the answer is the digest of what came.
    pub fn download(
        &self,
        url: &str,
        expected: Option<&Digest>,
        sink: BlobWriter,
        progress: &dyn Progress,
    ) -> Result<Digest> {
        let download = Download {
            url: url.to_owned(),
            mirrors: Vec::new(),
            others: Vec::new(),
            digest: expected.copied(),
            size: None,
        };
        self.fetch(&download, url, sink, progress, &AtomicBool::new(false))
    }

    /// Fetches a list of files with up to `jobs` connections; answers in the order of the list.
    ///
    /// What the store has by digest is not fetched. The first error stops everything; it comes with
    /// the place of its file in the list.
    pub fn download_all(
        &self,
        store: &Store,
        list: &[Download],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Digest>, (usize, Error)> {
        let next = AtomicUsize::new(0);
        let cancel = AtomicBool::new(false);
        let failure = Mutex::new(None);
        let results = Mutex::new(vec![None; list.len()]);
        let work = || {
            while !cancel.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(download) = list.get(index) else {
                    return;
                };
                match self.obtain(store, download, progress, &cancel) {
                    Ok(digest) => results.lock().unwrap()[index] = Some(digest),
                    Err(error) => {
                        if !cancel.swap(true, Ordering::Relaxed) {
                            *failure.lock().unwrap() = Some((index, error));
                        }
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..jobs.min(list.len()) {
                scope.spawn(work);
            }
            work();
        });
        if let Some(error) = failure.into_inner().unwrap() {
            return Err(error);
        }
        Ok(results
            .into_inner()
            .unwrap()
            .into_iter()
            .flatten()
            .collect())
    }

    fn obtain(
        &self,
        store: &Store,
        download: &Download,
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Digest> {
        if let Some(digest) = download
            .digest
            .filter(|digest| store.blob(digest).is_some())
        {
            progress.present(file_name(&download.url));
            return Ok(digest);
        }
        let own = [&download.url];
        let places = download.mirrors.iter().chain(own).chain(&download.others);
        let alone = download.mirrors.is_empty() && download.others.is_empty();
        let mut worst: Option<Error> = None;
        for url in places {
            let sink = store
                .blob_writer()
                .map_err(|error| Error::store(&download.url, error))?;
            match self.fetch(download, url, sink, progress, cancel) {
                Ok(digest) => return Ok(digest),
                Err(error) => {
                    if !alone {
                        progress.message(&format!("not to be had there: {error}"));
                    }
                    // Wrong bytes say more than what the place itself says that the file is named
                    // by, and that says more than the others.
                    let known = worst.as_ref();
                    if !known.is_some_and(Error::is_digest_mismatch)
                        && (known.is_none() || *url == download.url || error.is_digest_mismatch())
                    {
                        worst = Some(error);
                    }
                }
            }
            if cancel.load(Ordering::Relaxed) {
                break;
            }
        }
        Err(worst.expect("there is a place to ask"))
    }

    fn fetch(
        &self,
        download: &Download,
        url: &str,
        mut sink: BlobWriter,
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Digest> {
        let open = Box::new(|offset: u64, validator: Option<&str>| {
            let range = format!("bytes={offset}-");
            let mut headers = Vec::new();
            if offset > 0 {
                headers.push(("range", range.as_str()));
                headers.extend(validator.map(|validator| ("if-range", validator)));
            }
            let request = Request {
                headers: &headers,
                ..Request::get(url)
            };
            let response = self.send(&request)?;
            if response.status() == 416 {
                Ok(response)
            } else {
                response.expect(url)
            }
        });
        let mut transfer =
            Transfer::new(url, download.size, self.retry(), open).cancelled_by(cancel);
        transfer.connect()?;
        let item = file_name(url);
        progress.started(item, transfer.size());
        let mut buffer = vec![0; CHUNK];
        loop {
            match transfer.read(&mut buffer)? {
                0 => break,
                n => {
                    sink.write_all(&buffer[..n])
                        .map_err(|error| Error::io(url, error))?;
                    progress.advanced(item, n as u64);
                }
            }
        }
        let digest = sink
            .finish(download.digest.as_ref())
            .map_err(|error| Error::store(url, error))?;
        progress.finished(item);
        Ok(digest)
    }
}

fn file_name(url: &str) -> &str {
    let path = url
        .split(['?', '#'])
        .next()
        .unwrap_or(url)
        .trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}
