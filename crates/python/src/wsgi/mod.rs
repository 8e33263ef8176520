//! WSGI (PEP 3333): one request at a time through an application, on the thread that calls it.
//!
//! ```text
//!   Remote ─► environ, start_response ─► application(…) ─► blocks ─► close() ─► over
//!                                             │ an exception
//!                                             └─► log; 500 while the head has not left, else broken off
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `environ` | the environ of a request |
//! | `input`, `unread` | `wsgi.input` |
//! | `head` | what `start_response` accepts |
//! | `output` | `start_response`, `write`, and how blocks leave |
//! | `file_wrapper` | `wsgi.file_wrapper` |
//! | `native` | native strings |

mod environ;
mod file_wrapper;
mod head;
mod input;
mod native;
mod output;
mod unread;

pub(crate) use file_wrapper::FileWrapper;

use crate::fork;
use crate::lent::Lent;
use environ::{Circumstances, Environs};
use input::Input;
use output::{Output, StartResponse, as_block};
use pyo3::exceptions::PyConnectionResetError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use pyo3::{create_exception, ffi, intern};
use std::sync::Arc;
use thalweg_gateway::Remote;

create_exception!(
    thalweg,
    ClientGone,
    PyConnectionResetError,
    "The client has left, or given the request up: there is nobody to read from or to write to."
);

/// What every caller of one application shares.
pub(crate) struct Hosted {
    /// The WSGI callable.
    pub(crate) application: Py<PyAny>,
    /// `wsgi.errors`.
    pub(crate) errors: Py<PyAny>,
    /// Whether several threads call it.
    pub(crate) multithread: bool,
    /// Where large blocks come back to.
    pub(crate) lent: Arc<Lent>,
}

/// Calls an application, for one thread: what is made for a request is used for the next one where that cannot
/// be noticed.
pub(crate) struct Caller {
    hosted: Arc<Hosted>,
    environs: Environs,
    input: Py<Input>,
    output: Py<Output>,
    start_response: Py<StartResponse>,
}

impl Caller {
    pub(crate) fn new(py: Python<'_>, hosted: Arc<Hosted>) -> PyResult<Self> {
        let file_wrapper = py.get_type::<FileWrapper>().into_any();
        let environs = Environs::new(
            py,
            hosted.errors.bind(py),
            &file_wrapper,
            hosted.multithread,
        )?;
        let output = Py::new(py, Output::new(Arc::clone(&hosted.lent)))?;
        Ok(Self {
            environs,
            input: Py::new(py, Input::default())?,
            start_response: Py::new(py, StartResponse::new(py, &output)?)?,
            output,
            hosted,
        })
    }

    /// Serves one request, whatever the application makes of it.
    pub(crate) fn serve(&mut self, py: Python<'_>, remote: Remote) {
        let remote = Arc::new(remote);
        let called = self.renew(py).and_then(|()| self.call(py, &remote));
        if let Err(error) = &called {
            fork::end_child_after(py, error);
        }
        // Now, even when a thread of the application's own still holds the request.
        remote.abandon();
        self.let_go(py);
        if let Err(error) = &called {
            self.report(py, &remote, error);
        }
    }

    fn call(&mut self, py: Python<'_>, remote: &Arc<Remote>) -> PyResult<()> {
        let input = self.input.bind(py);
        input.try_borrow_mut()?.begin(Arc::clone(remote));
        let output = self.output.bind(py);
        output.try_borrow_mut()?.begin(Arc::clone(remote));
        let circumstances = Circumstances {
            peer: remote.peer(),
            stream: remote.stream(),
            input: input.as_any(),
        };
        let environ = self.environs.make(py, remote.head(), &circumstances)?;
        let result = self
            .hosted
            .application
            .bind(py)
            .call1((environ, self.start_response.bind(py)))?;
        fork::end_child(py);

        let sent = send(output, &result);
        if let Err(error) = &sent {
            fork::end_child_after(py, error);
            // The client learns of it now, not when close() is done.
            remote.abandon();
        }
        let closed = close(&result);
        match (sent, closed) {
            (Err(error), Err(second)) => {
                self.report(py, remote, &second);
                Err(error)
            }
            (sent, closed) => sent.and(closed),
        }
    }

    /// Makes anew what an application has kept from an earlier request.
    fn renew(&mut self, py: Python<'_>) -> PyResult<()> {
        if !is_held_times(&self.input, 1) {
            self.input = Py::new(py, Input::default())?;
        }
        // Held by this caller, by start_response and by write; write only by start_response.
        let kept = !is_held_times(&self.start_response, 1)
            || !is_held_times(self.start_response.get().write(), 1)
            || !is_held_times(&self.output, 3);
        if kept {
            self.output = Py::new(py, Output::new(Arc::clone(&self.hosted.lent)))?;
            self.start_response = Py::new(py, StartResponse::new(py, &self.output)?)?;
        }
        Ok(())
    }

    /// Takes the request away from the objects that the application had, and may have kept.
    fn let_go(&self, py: Python<'_>) {
        if let Ok(mut input) = self.input.bind(py).try_borrow_mut() {
            input.close();
        }
        if let Ok(mut output) = self.output.bind(py).try_borrow_mut() {
            output.close();
        }
    }

    /// Tells the log what the application raised.
    fn report(&self, py: Python<'_>, remote: &Remote, error: &PyErr) {
        let head = remote.head();
        let method = head.method().escape_ascii();
        let path = head.path().unwrap_or_default().escape_ascii();
        let id = remote.request_id();
        if error.is_instance_of::<ClientGone>(py) {
            tracing::info!(
                "{method} {path} ({id}): the client left before the response was complete"
            );
            return;
        }
        tracing::error!("{method} {path} ({id}): the application failed");
        if let Err(second) = write_traceback(self.hosted.errors.bind(py), error) {
            error.display(py);
            second.display(py);
        }
    }
}

/// Sends what the application returned.
fn send(output: &Bound<'_, Output>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = output.py();
    let length = known_length(result)?;
    if length == Some(0) {
        output.try_borrow_mut()?.set_whole(0);
    }
    for block in result.try_iter()? {
        let block = block?;
        fork::end_child(py);
        let block = as_block(&block, "the application must give blocks of")?;
        let mut output = output.try_borrow_mut()?;
        if length == Some(1) {
            output.set_whole(block.as_bytes().len());
        }
        output.block(py, block)?;
        if output.is_complete() {
            return Ok(());
        }
    }
    output.try_borrow_mut()?.end()
}

/// How many blocks there are, for an iterable that says so without being asked for one.
fn known_length(result: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    if is_plain(result) {
        return result.len().map(Some);
    }
    match result.getattr_opt(intern!(result.py(), "__len__"))? {
        Some(_) => result.len().map(Some),
        None => Ok(None),
    }
}

/// Calls `close()`, where there is one: once for each iterable, whatever happened to it.
fn close(result: &Bound<'_, PyAny>) -> PyResult<()> {
    if is_plain(result) {
        return Ok(());
    }
    match result.getattr_opt(intern!(result.py(), "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}

/// Whether it is a list or a tuple and nothing that has more to it: these need not be asked for anything.
fn is_plain(result: &Bound<'_, PyAny>) -> bool {
    result.is_exact_instance_of::<PyList>() || result.is_exact_instance_of::<PyTuple>()
}

fn write_traceback(errors: &Bound<'_, PyAny>, error: &PyErr) -> PyResult<()> {
    let py = errors.py();
    let lines = py.import("traceback")?.call_method1(
        "format_exception",
        (error.get_type(py), error.value(py), error.traceback(py)),
    )?;
    // One write, so that those of several threads do not mix.
    let text = PyString::new(py, "").call_method1("join", (lines,))?;
    errors.call_method1("write", (text,))?;
    errors.call_method0("flush").map(drop)
}

/// Whether an object has exactly this many holders, so that nobody notices when it is used again. Without the
/// interpreter's lock nobody can tell.
#[cfg(not(Py_GIL_DISABLED))]
fn is_held_times<T>(object: &Py<T>, holders: ffi::Py_ssize_t) -> bool {
    // SAFETY: the object is alive, because `object` holds it, and every caller is attached.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) == holders }
}

#[cfg(Py_GIL_DISABLED)]
fn is_held_times<T>(_: &Py<T>, _: ffi::Py_ssize_t) -> bool {
    false
}
