//! What the main thread does while others serve: it waits, detached, for whatever needs it.
//!
//! ```text
//!            first SIGTERM, SIGINT               workers have ended             threads have ended
//!  Serving ─────────────────────────► Draining ─────────────────────► Closing ─────────────────────► leave
//!     └── a worker's panic: leave        └────────── a second signal, or the time is over ─────────────┘
//!
//!  at any time: a signal of the application's ─► its handler; much was lent and came back ─► released
//! ```

use crate::lent::Lent;
use crate::signals::{Signals, Wish};
use crate::threads::Threads;
use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use thalweg_gateway::application::Queue;
use thalweg_net::Running;

/// What application threads have to learn that their clients were given up, and to clean up after them.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Why the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Everything was finished, or had the time that it was given.
    Drained,
    /// A second signal: whatever is open is lost.
    AtOnce,
    /// A worker panicked.
    Broken,
}

/// What the main thread watches over.
pub(crate) struct Watch<'a> {
    pub(crate) signals: &'a Signals,
    pub(crate) lent: &'a Lent,
    pub(crate) running: Running,
    pub(crate) queue: &'a Queue,
    pub(crate) threads: Threads,
    /// How long open requests may take when the server drains.
    pub(crate) grace: Duration,
}

enum Phase {
    Serving,
    Draining(Instant),
    Closing(Instant),
}

impl Watch<'_> {
    /// Waits until the process is to leave.
    ///
    /// # Errors
    /// When the system does not let it wait.
    pub(crate) fn wait(mut self) -> io::Result<Over> {
        let mut phase = Phase::Serving;
        loop {
            let ready = self.ready(&phase)?;
            // First what needs no interpreter: a thread that hangs in foreign code may keep us out of it.
            let mut ours = false;
            while self.signals.next()?.is_some() {
                if !matches!(phase, Phase::Serving) {
                    return Ok(Over::AtOnce);
                }
                phase = self.drain(phase);
                ours = true;
            }
            let others = ready.others || (ready.interrupted && !ours);
            if others && Python::attach(|py| self.signals.run_handlers(py)) == Wish::Leave {
                phase = self.drain(phase);
            }
            if ready.lent {
                self.lent.silence();
                Python::attach(|py| self.lent.release(py));
            }
            match phase {
                Phase::Serving | Phase::Draining(_) if ready.running => {
                    if self.running.wait().is_err() {
                        return Ok(Over::Broken);
                    }
                    self.queue.close();
                    let last = Instant::now() + LAST_MOMENT;
                    phase = Phase::Closing(match phase {
                        Phase::Draining(end) => end.max(last),
                        _ => last,
                    });
                }
                Phase::Closing(_) if ready.threads => return Ok(Over::Drained),
                Phase::Closing(end) if end <= Instant::now() => {
                    let left = self.threads.left();
                    tracing::warn!("{left} application threads are still busy, and are given up");
                    return Ok(Over::Drained);
                }
                _ => {}
            }
        }
    }

    fn drain(&self, phase: Phase) -> Phase {
        match phase {
            Phase::Serving => {
                self.running.drain(self.grace);
                Phase::Draining(Instant::now() + self.grace)
            }
            going_on => going_on,
        }
    }

    fn ready(&self, phase: &Phase) -> io::Result<Ready> {
        let running = self.running.as_fd();
        let threads = self.threads.as_fd();
        // What has told its end goes on telling it: only the end that comes next is looked for.
        let (end, time) = match phase {
            Phase::Serving | Phase::Draining(_) => (&running, None),
            Phase::Closing(end) => (
                &threads,
                Some(end.saturating_duration_since(Instant::now())),
            ),
        };
        let mut polled = [
            PollFd::from_borrowed_fd(self.signals.ours(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.others(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.lent.bell(), PollFlags::IN),
            PollFd::new(end, PollFlags::IN),
        ];
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let interrupted = match poll(&mut polled, time.as_ref()) {
            Ok(_) => false,
            Err(Errno::INTR) => true,
            Err(error) => return Err(error.into()),
        };
        let [_, others, lent, end] = polled.map(|polled| !polled.revents().is_empty());
        let closing = matches!(phase, Phase::Closing(_));
        Ok(Ready {
            others,
            interrupted,
            lent,
            running: end && !closing,
            threads: end && closing,
        })
    }
}

struct Ready {
    others: bool,
    /// By a signal whose handler may have told nobody.
    interrupted: bool,
    lent: bool,
    running: bool,
    threads: bool,
}
