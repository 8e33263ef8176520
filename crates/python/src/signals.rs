//! Whose signals are whose: SIGTERM and SIGINT are the server's, SIGHUP means nothing to it, all others are the
//! application's.
//!
//! ```text
//!  SIGTERM, SIGINT ─► net::signals ─► a pipe ─┐
//!  others ─► the interpreter's own handler ─► a pipe ─┴─► the main thread's poll ─► Python-level handlers
//! ```

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use thalweg_net::signals::Signal;

/// The signals of this process, once the application has been imported.
pub(crate) struct Signals {
    ours: thalweg_net::signals::Signals,
    /// Where the interpreter tells that it has noted one for a handler in Python.
    told: OwnedFd,
    /// The interpreter's end of that.
    _tell: OwnedFd,
}

/// What a handler of the application wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Stay,
    Leave,
}

impl Signals {
    /// Takes the server's signals, whatever the application's import did to them. The caller is the main thread.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn take(py: Python<'_>) -> PyResult<Self> {
        let mut ours = vec![Signal::Terminate, Signal::Interrupt];
        let python = py.import("signal")?;
        for signal in &ours {
            // SIG_IGN may have been inherited: shells ignore SIGINT in what they start in the background.
            let replaced = reset(&python, *signal)?;
            if replaced.is_callable() && !replaced.is(&python.getattr("default_int_handler")?) {
                let name = signal.name();
                tracing::warn!(
                    "the application has set a handler for {name}, which is the server's; it is not called"
                );
            }
        }
        let hang_up = python.call_method1("getsignal", (python.getattr("SIGHUP")?,))?;
        if hang_up.is(&python.getattr("SIG_DFL")?) {
            ours.push(Signal::HangUp);
        }
        let (told, tell) =
            pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(io::Error::from)?;
        wake_by(&python, &tell)?;
        let ours = thalweg_net::signals::Signals::take(&ours)?;
        ours.end_at_second(1)?;
        Ok(Self {
            ours,
            told,
            _tell: tell,
        })
    }

    /// The next of the server's signals that came and means something.
    ///
    /// # Errors
    /// What the system says of the pipe.
    pub(crate) fn next(&self) -> io::Result<Option<Signal>> {
        loop {
            match self.ours.next()? {
                Some(Signal::HangUp) => {}
                signal => return Ok(signal),
            }
        }
    }

    /// Runs the application's handlers for all signals that have come.
    pub(crate) fn run_handlers(&self, py: Python<'_>) -> Wish {
        // Until there is nothing more to read, which is an error of its own.
        while rustix::io::read(&self.told, &mut [0; 64]).is_ok_and(|read| read > 0) {}
        let mut wish = Wish::Stay;
        // A handler that raises leaves the others for the next call.
        while let Err(error) = py.check_signals() {
            if error.is_instance_of::<PySystemExit>(py) {
                wish = Wish::Leave;
            } else {
                tracing::error!("a signal handler of the application failed");
                error.display(py);
            }
        }
        wish
    }

    /// Readable when one of the server's signals waits.
    pub(crate) fn ours(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }

    /// Readable when a handler of the application's is to run.
    pub(crate) fn others(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}

/// In a child made by `os.fork`: a signal for it is none for the server.
pub(crate) fn give_back(py: Python<'_>) -> PyResult<()> {
    let python = py.import("signal")?;
    python.call_method1("set_wakeup_fd", (-1,))?;
    for signal in [Signal::Terminate, Signal::Interrupt, Signal::HangUp] {
        reset(&python, signal)?;
    }
    Ok(())
}

/// Gives a signal its meaning by the system, and answers the handler that it had.
fn reset<'py>(python: &Bound<'py, PyModule>, signal: Signal) -> PyResult<Bound<'py, PyAny>> {
    python.call_method1(
        "signal",
        (python.getattr(signal.name())?, python.getattr("SIG_DFL")?),
    )
}

/// Has the interpreter write to this descriptor when a signal comes. An application that has asked for the same
/// before keeps it: then a signal that comes between two waits is handled after the second one.
fn wake_by(python: &Bound<'_, PyModule>, tell: &OwnedFd) -> PyResult<()> {
    let options = PyDict::new(python.py());
    options.set_item("warn_on_full_buffer", false)?;
    let before: i32 = python
        .call_method("set_wakeup_fd", (tell.as_raw_fd(),), Some(&options))?
        .extract()?;
    if before >= 0 {
        python.call_method1("set_wakeup_fd", (before,))?;
    }
    Ok(())
}
