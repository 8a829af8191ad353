//! Threads that turn small bodies into objects while the archive is read on.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use crate::error::Result;
use crate::id::ObjectId;
use crate::store::Store;

/// A body and its number in the archive.
type Job = (usize, Vec<u8>);

/// Objects by the number of their body.
type Done = Vec<(usize, ObjectId)>;

/// Threads at most: file creation does not get faster with more.
const THREADS: usize = 4;

pub(crate) struct Pool<'scope> {
    jobs: SyncSender<Job>,
    threads: Vec<ScopedJoinHandle<'scope, Result<Done>>>,
}

/// A queue that several threads take from.
pub(crate) struct Queue(Mutex<Receiver<Job>>);

impl<'scope> Pool<'scope> {
    /// The queue must outlive the scope; it ends when the pool is finished or dropped.
    pub(crate) fn queue() -> (SyncSender<Job>, Queue) {
        let (jobs, receiver) = sync_channel(64);
        (jobs, Queue(Mutex::new(receiver)))
    }

    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        jobs: SyncSender<Job>,
        queue: &'scope Queue,
        store: &'scope Store,
    ) -> Self {
        let count = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(THREADS);
        let threads = (0..count)
            .map(|_| scope.spawn(|| work(queue, store)))
            .collect();
        Self { jobs, threads }
    }

    pub(crate) fn put(&self, number: usize, body: Vec<u8>) {
        // A thread goes on taking after an error, so somebody takes this.
        let _ = self.jobs.send((number, body));
    }

    /// Waits for everything that was put in.
    pub(crate) fn finish(self) -> Result<Done> {
        drop(self.jobs);
        let mut done = Vec::new();
        for thread in self.threads {
            match thread.join() {
                Ok(result) => done.append(&mut result?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(done)
    }
}

fn work(queue: &Queue, store: &Store) -> Result<Done> {
    let mut done = Vec::new();
    let mut failed = None;
    loop {
        let job = queue.0.lock().map(|jobs| jobs.recv());
        let Ok(Ok((number, body))) = job else { break };
        if failed.is_none() {
            match store.put_bytes(&body) {
                Ok(id) => done.push((number, id)),
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(done), Err)
}
