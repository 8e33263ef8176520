//! The application threads: attached to the interpreter for life, detached only while they wait.

use crate::wsgi::{Caller, Hosted};
use pyo3::prelude::*;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use thalweg_gateway::application::Queue;

/// The threads of one application.
pub(crate) struct Threads {
    end: Arc<End>,
}

/// How many threads there are, and where the last one tells that it ends.
struct End {
    left: AtomicUsize,
    event: OwnedFd,
}

impl Threads {
    /// Starts `count` threads, which take requests from `queue` until it is closed and empty.
    ///
    /// # Errors
    /// When the system gives no more threads. Those that were started end with the queue.
    pub(crate) fn start(
        count: usize,
        queue: &Arc<Queue>,
        hosted: &Arc<Hosted>,
    ) -> io::Result<Self> {
        let end = Arc::new(End {
            left: AtomicUsize::new(0),
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        });
        for number in 1..=count {
            let (queue, hosted) = (Arc::clone(queue), Arc::clone(hosted));
            let leaving = Leaving::new(&end);
            Builder::new()
                .name(format!("app-{number}"))
                .spawn(move || {
                    let _leaving = leaving;
                    Python::attach(|py| serve(py, &queue, &hosted));
                })?;
        }
        Ok(Self { end })
    }

    /// How many are still there.
    pub(crate) fn left(&self) -> usize {
        self.end.left.load(Ordering::Acquire)
    }
}

/// Readable once the last thread has ended.
impl AsFd for Threads {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.event.as_fd()
    }
}

/// Counts a thread's end, whichever way it leaves.
struct Leaving(Arc<End>);

impl Leaving {
    fn new(end: &Arc<End>) -> Self {
        end.left.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(end))
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let last = self.0.left.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && rustix::io::write(&self.0.event, &1_u64.to_ne_bytes()).is_err() {
            tracing::error!("the end of the application threads could not be told");
        }
    }
}

fn serve(py: Python<'_>, queue: &Queue, hosted: &Arc<Hosted>) {
    // A panic shows itself, and its request is broken off when it is dropped. The thread goes on with nothing kept.
    while catch_unwind(AssertUnwindSafe(|| serve_all(py, queue, hosted))).is_err() {
        tracing::error!("an application thread panicked, and goes on; please report this");
    }
}

fn serve_all(py: Python<'_>, queue: &Queue, hosted: &Arc<Hosted>) {
    let mut caller = match Caller::new(py, Arc::clone(hosted)) {
        Ok(caller) => caller,
        // Memory has run out, or the like, before there was anything to serve with.
        Err(error) => return error.display(py),
    };
    let mut taker = queue.taker();
    // One at a time: a thread that took several would make some of them wait behind a slow one. Taken only while
    // attached, for the same reason: until then whoever holds the interpreter may serve it.
    loop {
        match taker.try_take() {
            Some(request) => {
                caller.serve(py, request);
                hosted.lent.release(py);
            }
            None if py.detach(|| taker.wait()) => {}
            None => return,
        }
    }
}
