//! Signals as something to poll: a handler writes each one's number into a pipe, the main thread reads it there.
//!
//! Worker threads block all signals, so the main thread gets them: it polls the descriptor beside whatever else
//! it waits for, and whoever installs other handlers later (an interpreter does) is put right by
//! [`Signals::reassert`].

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A signal that a server listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM: stop in order.
    Terminate,
    /// SIGINT, as Ctrl-C sends it: the same.
    Interrupt,
    /// SIGHUP: the terminal has gone, or somebody asks to read the configuration again.
    HangUp,
}

impl Signal {
    const ALL: [Signal; 3] = [Signal::Terminate, Signal::Interrupt, Signal::HangUp];

    /// Its name: `SIGTERM`.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
            Signal::HangUp => "SIGHUP",
        }
    }

    fn number(self) -> libc::c_int {
        match self {
            Signal::Terminate => libc::SIGTERM,
            Signal::Interrupt => libc::SIGINT,
            Signal::HangUp => libc::SIGHUP,
        }
    }
}

/// The signals that were taken. The handlers stay for the life of the process.
///
/// ```
/// use std::time::Duration;
/// use thalweg_net::signals::{Signal, Signals};
///
/// let signals = Signals::take(&[Signal::HangUp])?;
/// rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)?;
/// assert_eq!(signals.wait(Some(Duration::from_secs(5)))?, Some(Signal::HangUp));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Signals {
    pipe: OwnedFd,
    handlers: Vec<Handler>,
}

struct Handler {
    signal: Signal,
    /// What the kernel was told, to be told again.
    action: libc::sigaction,
}

impl Signals {
    /// Takes these signals for the whole process.
    ///
    /// # Errors
    /// When the pipe or a handler cannot be made.
    pub fn take(signals: &[Signal]) -> io::Result<Self> {
        use rustix::pipe::{PipeFlags, pipe_with};
        let (pipe, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut handlers = Vec::with_capacity(signals.len());
        for &signal in signals {
            let into = into.try_clone()?;
            let number = signal.number();
            let tell = move || {
                // write(2) without errno: allowed in a handler (signal-safety(7)). A full pipe holds news enough.
                let _ = rustix::io::write(&into, &[number as u8]);
            };
            // SAFETY: the closure only calls write(2) on its own descriptor.
            unsafe { signal_hook::low_level::register(number, tell)? };
            handlers.push(Handler {
                signal,
                action: action_of(number)?,
            });
        }
        Ok(Self { pipe, handlers })
    }

    /// From now on the second SIGTERM or SIGINT, counted together, ends the process with this status. The handler
    /// itself does it, so that it works whatever the thread hangs in that would read the first one.
    ///
    /// # Errors
    /// When a handler cannot be made.
    pub fn end_at_second(&self, status: u8) -> io::Result<()> {
        let came = Arc::new(AtomicBool::new(false));
        for Handler { signal, .. } in &self.handlers {
            if *signal == Signal::HangUp {
                continue;
            }
            let came = Arc::clone(&came);
            let end = move || {
                if came.swap(true, Ordering::SeqCst) {
                    // SAFETY: _exit(2) takes any status, and is allowed in a handler (signal-safety(7)).
                    unsafe { libc::_exit(status.into()) }
                }
            };
            // SAFETY: the closure only uses an atomic, and _exit(2).
            unsafe { signal_hook::low_level::register(signal.number(), end)? };
        }
        Ok(())
    }

    /// Installs the handlers again where somebody (an application's import, a library) has put others in their
    /// place. Answers which those were.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn reassert(&self) -> io::Result<Vec<Signal>> {
        let mut replaced = Vec::new();
        for Handler { signal, action } in &self.handlers {
            if action_of(signal.number())?.sa_sigaction != action.sa_sigaction {
                // SAFETY: the action is one that the kernel gave us for this signal.
                let answer =
                    unsafe { libc::sigaction(signal.number(), action, std::ptr::null_mut()) };
                if answer != 0 {
                    return Err(io::Error::last_os_error());
                }
                replaced.push(*signal);
            }
        }
        Ok(replaced)
    }

    /// The next signal that came, without waiting.
    ///
    /// # Errors
    /// What the kernel says of the pipe.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let mut octet = [0];
        match rustix::io::read(&self.pipe, &mut octet) {
            Ok(_) => Ok(Signal::ALL
                .into_iter()
                .find(|signal| signal.number() == i32::from(octet[0]))),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for the next signal, for `time` at most. None: the time is over, or another signal interrupted the
    /// wait (so that its own handlers, Python's for one, can have their turn).
    ///
    /// # Errors
    /// What the kernel says of the pipe.
    pub fn wait(&self, time: Option<Duration>) -> io::Result<Option<Signal>> {
        let time = time.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], time.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => self.next(),
            Err(error) => Err(error.into()),
        }
    }
}

/// Readable when a signal waits.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.signal.fmt(f)
    }
}

/// What the kernel does with a signal now.
fn action_of(number: libc::c_int) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: the pointer is valid; with no new action the call only fills it.
    match unsafe { libc::sigaction(number, std::ptr::null(), action.as_mut_ptr()) } {
        // SAFETY: the call succeeded, and so filled it.
        0 => Ok(unsafe { action.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}
