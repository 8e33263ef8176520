//! The end of the process.
//!
//! The interpreter is not finalized: that can hang, or crash, while other threads are inside it (application
//! threads that did not come back in time, threads that the application started). What finalization would have
//! done for the application is done by hand: `atexit` functions, and the buffers of standard output and error.

use pyo3::prelude::*;
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

/// How long the interpreter may keep us out.
const PATIENCE: Duration = Duration::from_secs(2);

/// As [`leave`], from a thread that is not attached. Where one that hangs in foreign code never lets go of the
/// interpreter, the process ends without.
pub(crate) fn leave_when_let_in(status: i32) -> ! {
    let (inside, waiting) = mpsc::channel::<()>();
    let guard = Builder::new().spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("a thread does not let go of the interpreter: leaving without atexit");
            leave_now(status);
        }
    });
    if let Err(error) = guard {
        tracing::warn!(%error, "leaving without a thread that bounds it");
    }
    Python::attach(|py| {
        drop(inside);
        leave(py, status)
    })
}

/// Runs the application's `atexit` functions, flushes its output, and ends the process at once.
pub(crate) fn leave(py: Python<'_>, status: i32) -> ! {
    if let Err(error) = py
        .import("atexit")
        .and_then(|atexit| atexit.call_method0("_run_exitfuncs"))
    {
        error.display(py);
    }
    for name in ["stdout", "stderr"] {
        // A closed pipe has nobody left to tell.
        let _ = flush(py, name);
    }
    leave_now(status)
}

/// Ends the process at once, and does nothing before.
pub(crate) fn leave_now(status: i32) -> ! {
    // SAFETY: it takes any status, and does not return.
    unsafe { libc::_exit(status) }
}

fn flush(py: Python<'_>, name: &str) -> PyResult<()> {
    let stream = py.import("sys")?.getattr(name)?;
    if stream.is_none() {
        return Ok(());
    }
    stream.call_method0("flush").map(drop)
}
