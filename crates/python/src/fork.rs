//! What becomes of a child that the application makes with `os.fork`.
//!
//! Only the thread that forks lives on in the child: no thread of the network, no other application thread. So the
//! child must not serve. Its copies of the server's sockets are closed, so that neither the port nor a client's
//! connection outlives the server because of it, and a signal for it is none for the server; it runs the application's own code; and when that code comes back
//! to the server, the child ends.
//!
//! ```text
//!  application ─ os.fork ─┬─ parent: goes on serving
//!                         └─ child: sockets closed ─► the application's code ─► os._exit, sys.exit, or back here: ends
//!                                                            └─► wsgi.input, write(): OSError
//! ```

use crate::{process, signals};
use pyo3::exceptions::{PyOSError, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use rustix::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};
use thalweg_net::listen::{Listener, SocketAddress};

static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// Has every later child close these listeners, and the connections that came through them.
pub(crate) fn watch<'a>(
    py: Python<'_>,
    listeners: impl Iterator<Item = &'a Listener>,
) -> PyResult<()> {
    let served: Vec<SocketAddress> = listeners.map(Listener::local).collect::<io::Result<_>>()?;
    let after = PyCFunction::new_closure(
        py,
        Some(c"after_fork_in_child"),
        None,
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            IN_CHILD.store(true, Ordering::Relaxed);
            close_sockets(&served)?;
            signals::give_back(arguments.py())
        },
    )?;
    let handlers = PyDict::new(py);
    handlers.set_item("after_in_child", after)?;
    py.import("os")?
        .call_method("register_at_fork", (), Some(&handlers))
        .map(drop)
}

/// Refuses what only the parent can do.
///
/// # Errors
/// OSError in a child.
pub(crate) fn refuse_in_child() -> PyResult<()> {
    if IN_CHILD.load(Ordering::Relaxed) {
        return Err(PyOSError::new_err(
            "this process was made by os.fork: the request belongs to its parent",
        ));
    }
    Ok(())
}

/// Ends a child whose code has come back to the server. Does nothing in the parent.
pub(crate) fn end_child(py: Python<'_>) {
    if IN_CHILD.load(Ordering::Relaxed) {
        process::leave(py, 0);
    }
}

/// As [`end_child`], with the exception that brought it back: `sys.exit` has its status, any other one is shown.
pub(crate) fn end_child_after(py: Python<'_>, error: &PyErr) {
    if !IN_CHILD.load(Ordering::Relaxed) {
        return;
    }
    if error.is_instance_of::<PySystemExit>(py) {
        let code = error.value(py).getattr("code");
        match code.and_then(|code| code.extract::<Option<i32>>()) {
            Ok(code) => process::leave(py, code.unwrap_or(0)),
            // What is no number is a message.
            Err(_) => error.display(py),
        }
    } else {
        error.display(py);
    }
    process::leave(py, 1);
}

fn close_sockets(served: &[SocketAddress]) -> io::Result<()> {
    let mut ours = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let Some(number) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<RawFd>().ok())
        else {
            continue;
        };
        // SAFETY: it was open a moment ago, and this process has one thread, which closes nothing meanwhile.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(local) = SocketAddress::local_of(descriptor)
            && served.iter().any(|address| is_at(&local, address))
        {
            ours.push(number);
        }
    }
    for number in ours {
        // SAFETY: whoever owned it is a thread that this process does not have.
        unsafe { rustix::io::close(number) };
    }
    Ok(())
}

/// Whether a socket at `local` belongs to the listener at `served`, which may stand for every address of a machine.
fn is_at(local: &SocketAddress, served: &SocketAddress) -> bool {
    match (local, served) {
        (SocketAddress::Ip(local), SocketAddress::Ip(served)) => {
            local.port() == served.port()
                && (served.ip().is_unspecified() || local.ip() == served.ip())
        }
        (SocketAddress::Unix(Some(local)), SocketAddress::Unix(Some(served))) => local == served,
        _ => false,
    }
}
