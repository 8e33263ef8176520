//! Lines for whoever may be slow to read them, from threads that must never wait.
//!
//! ```text
//!  worker ─ write ─► waiting (bounded) ─► a thread of its own ─► standard error, a pipe
//!                       └ full: the line is lost, and counted; how many is written when there is room
//! ```
//!
//! A pipe that nobody reads is full at some time, and a worker that waited for it would stop all its connections.
//! Regular files are written at once: they never make anybody wait for another program.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Octets that wait, at most.
const MOST: usize = 1 << 20;

/// How long a thread that may wait waits for its own line.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Standard error, once a worker runs.
static STDERR: OnceLock<Sink> = OnceLock::new();

/// All that there are: their threads live as long as the process.
static SINKS: Mutex<Vec<Sink>> = Mutex::new(Vec::new());

/// The log's way to standard error: [`io::Write`] for one line at a time.
///
/// Before a worker runs, lines are written at once. From then on a worker never waits for them; any other thread does
/// until its line is out, but no longer than a second, and not at all while nobody reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stderr;

/// Waits until the lines of all threads are out, but no longer than a second for each stream: to be called before the process ends.
pub fn flush() {
    let sinks = SINKS.lock().unwrap_or_else(PoisonError::into_inner);
    for sink in sinks.iter() {
        // Whoever did not read may do so at the end.
        sink.shared.lock().stalled = false;
        sink.flush(PATIENCE);
    }
}

/// The thread is a worker from here on: it does not wait for the log.
pub(crate) fn begin_worker() {
    stderr();
    IS_WORKER.set(true);
}

/// Standard error for workers.
pub(crate) fn stderr() -> Sink {
    STDERR.get_or_init(|| Sink::new(io::stderr())).clone()
}

impl Write for Stderr {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match STDERR.get() {
            Some(sink) if sink.is_ours() => {
                sink.write(lines)?;
                if !IS_WORKER.get() {
                    sink.flush(PATIENCE);
                }
            }
            // The thread that writes is not in a child made by fork.
            _ => io::stderr().write_all(lines)?,
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines on their way to a stream. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
    process: u32,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Some of it is written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that found no room.
    lost: u64,
    /// Octets that were taken so far, and those that are out of them.
    taken: u64,
    out: u64,
    /// Some of what waited is being written.
    at_work: bool,
    /// Somebody has waited in vain, and nothing was written since.
    stalled: bool,
    /// What the stream said to the last attempt, until somebody is told.
    failed: Option<io::Error>,
}

impl Sink {
    /// A thread that writes to this stream begins.
    pub(crate) fn new(mut stream: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let spawned = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || theirs.write_to(&mut stream));
        if let Err(error) = spawned {
            shared.lock().failed = Some(error);
        }
        let sink = Self {
            shared,
            process: std::process::id(),
        };
        let mut sinks = SINKS.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.push(sink.clone());
        sink
    }

    /// Takes lines, or loses them where too many wait. Does not wait.
    ///
    /// # Errors
    /// What the stream said about lines before these, once.
    pub(crate) fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.waiting.len() + lines.len() > MOST {
            state.lost += lines.iter().filter(|octet| **octet == b'\n').count() as u64;
        } else {
            state.waiting.extend_from_slice(lines);
            state.taken += lines.len() as u64;
            if !state.at_work {
                self.shared.filled.notify_one();
            }
        }
        state.failed.take().map_or(Ok(()), Err)
    }

    /// Waits until all that was taken by now is written, but no longer than this.
    fn flush(&self, patience: Duration) {
        let state = self.shared.lock();
        let taken = state.taken;
        let busy = |state: &mut State| state.out < taken && !state.stalled;
        let waited = self
            .shared
            .written
            .wait_timeout_while(state, patience, busy);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        state.stalled |= waited.timed_out();
    }

    /// Whether this process is the one in which its thread runs.
    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes for as long as the process lives.
    fn write_to(&self, stream: &mut dyn Write) {
        let mut lines = Vec::new();
        let mut state = self.lock();
        loop {
            while state.waiting.is_empty() {
                state.at_work = false;
                state = self
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.at_work = true;
            lines.clear();
            std::mem::swap(&mut lines, &mut state.waiting);
            let lost = std::mem::take(&mut state.lost);
            let taken = state.taken;
            drop(state);
            if lost > 0 {
                let told =
                    format!("{lost} lines of the log are lost: they were not read in time\n");
                lines.extend_from_slice(told.as_bytes());
            }
            let written = stream.write_all(&lines);
            state = self.lock();
            state.failed = written.err();
            state.stalled = false;
            state.out = taken;
            self.written.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, pipe};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn lines_that_nobody_reads_make_nobody_wait_and_are_counted() {
        let (reader, writer) = pipe().unwrap();
        let sink = Sink::new(writer);
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        const LINES: usize = 30_000;
        for _ in 0..LINES {
            sink.write(&line).unwrap();
        }
        let mut read = 0;
        let mut lost = 0;
        for told in BufReader::new(reader).lines() {
            match told.unwrap().split_once(" lines of the log are lost") {
                None => read += 1,
                Some((number, _)) => lost += number.parse::<usize>().unwrap(),
            }
            if read + lost == LINES {
                break;
            }
        }
        assert!(lost > LINES / 4, "{lost} are lost, {read} were read");
    }

    #[test]
    fn who_waits_for_a_line_does_not_wait_for_those_behind_it() {
        struct Busy(Arc<OnceLock<Sink>>, Arc<AtomicBool>);
        impl Write for Busy {
            fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
                if !self.1.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                    self.0.wait().write(b"one more\n")?;
                }
                Ok(lines.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (own, over) = (Arc::new(OnceLock::new()), Arc::default());
        let sink = Sink::new(Busy(Arc::clone(&own), Arc::clone(&over)));
        own.set(sink.clone()).unwrap();
        sink.write(b"first\n").unwrap();
        sink.flush(PATIENCE);
        assert!(!sink.shared.lock().stalled);
        over.store(true, Ordering::Relaxed);
    }

    #[test]
    fn what_a_stream_says_is_told_once() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::new(Full);
        assert!(sink.write(b"first\n").is_ok());
        sink.flush(PATIENCE);
        let failed = sink.write(b"second\n").unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
    }
}
