//! The reply to one request, as PEP 3333 lets an application give it: `start_response`, `write`, and the blocks
//! of the iterable.
//!
//! ```text
//!            start_response          first octets, or the end           the end, or all of its length
//!  Waiting ──────────────────► Ready ───────────────────────► Sending ────────────────────────────► Complete
//!                              │   ▲                             │                                     │
//!                              └───┘ start_response(…, exc_info) └── start_response(…, exc_info) ──────┘
//!                                    replaces the head               raises the exception again
//! ```
//!
//! Three Python objects share it: what the server drives ([`Output`]), and the two callables that the application
//! holds ([`StartResponse`], [`Write`]). They outlive the call when the application keeps them; then they only
//! raise.

use super::ClientGone;
use super::head::Head;
use crate::fork;
use crate::lent::Lent;
use bytes::Bytes;
use pyo3::exceptions::{PyAssertionError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::mem;
use std::sync::Arc;
use thalweg_gateway::{Remote, ReplyError, TryWriteError};

/// Blocks up to this size are copied; larger ones are kept alive until they are sent, and not copied.
const COPIED: usize = 4 << 10;

/// The reply to one request.
#[pyclass(module = "thalweg._thalweg")]
pub(super) struct Output {
    remote: Option<Arc<Remote>>,
    lent: Arc<Lent>,
    stage: Stage,
    /// The request was HEAD.
    head_only: bool,
}

enum Stage {
    Waiting,
    Ready(Head),
    Sending(Body),
    Complete,
    /// The request is not, or no longer, served.
    Over,
}

/// What of the body is still to come.
#[derive(Clone, Copy)]
enum Body {
    /// As many octets.
    Left(u64),
    /// Nobody said.
    Open,
}

impl Output {
    pub(super) fn new(lent: Arc<Lent>) -> Self {
        Self {
            remote: None,
            lent,
            stage: Stage::Over,
            head_only: false,
        }
    }

    /// Serves another request.
    pub(super) fn begin(&mut self, remote: Arc<Remote>) {
        self.head_only = remote.head().method() == b"HEAD";
        self.remote = Some(remote);
        self.stage = Stage::Waiting;
    }

    /// Lets go of the request.
    pub(super) fn close(&mut self) {
        self.remote = None;
        self.stage = Stage::Over;
    }

    /// The iterable has this one block, or none, and no other: what its length is when nobody said.
    pub(super) fn set_whole(&mut self, length: usize) {
        if let Stage::Ready(head) = &mut self.stage
            && head.length.is_none()
            && !head.is_bodiless()
            // For HEAD, an empty block says nothing about what GET would bring.
            && !(self.head_only && length == 0)
        {
            head.set_length(length as u64);
        }
    }

    /// Sends a block: once this returns it is on its way, whatever the application does next.
    ///
    /// # Errors
    /// What the application did wrong, or [`ClientGone`] when nobody is there to send to.
    pub(super) fn block(&mut self, py: Python<'_>, block: &Bound<'_, PyBytes>) -> PyResult<()> {
        let octets = block.as_bytes().len() as u64;
        if octets > 0 {
            self.start(block, octets)?;
            if let Stage::Sending(body) = self.stage {
                self.go_on(py, block, octets, body)?;
            }
        }
        Ok(())
    }

    /// Whether no further block would be sent: the length is reached, or the response has no body.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Complete)
    }

    /// Ends the response after its last block.
    ///
    /// # Errors
    /// As [`block`](Self::block); RuntimeError when the body is shorter than its Content-Length.
    pub(super) fn end(&mut self) -> PyResult<()> {
        let head = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Waiting => return Err(not_started()),
            Stage::Ready(head) => head,
            Stage::Sending(Body::Left(left)) => return Err(too_short(left)),
            Stage::Sending(Body::Open) => return self.finish(),
            Stage::Complete => return Ok(()),
            Stage::Over => return Err(over()),
        };
        match self.body(&head) {
            None => self.send_bodiless(head),
            Some(Body::Left(left)) if left > 0 => Err(too_short(left)),
            Some(_) => self.send_whole(head, Bytes::new()),
        }
    }

    /// The first octets take the head with them, and where they are all of the body, the end as well: one
    /// message to the connection's thread.
    fn start(&mut self, block: &Bound<'_, PyBytes>, octets: u64) -> PyResult<()> {
        let head = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Ready(head) => head,
            Stage::Waiting => return Err(not_started()),
            Stage::Over => return Err(over()),
            going_on => {
                self.stage = going_on;
                return Ok(());
            }
        };
        match self.body(&head) {
            None => self.send_bodiless(head),
            Some(Body::Left(length)) if length <= octets => {
                let whole = self.chunk(block, length);
                self.send_whole(head, whole)
            }
            Some(body) => {
                self.remote()?.start(head.response).map_err(reply_error)?;
                self.stage = Stage::Sending(body);
                Ok(())
            }
        }
    }

    fn go_on(
        &mut self,
        py: Python<'_>,
        block: &Bound<'_, PyBytes>,
        octets: u64,
        body: Body,
    ) -> PyResult<()> {
        match body {
            Body::Open => self.write(py, self.chunk(block, octets)),
            Body::Left(left) => {
                let octets = octets.min(left);
                self.write(py, self.chunk(block, octets))?;
                self.stage = Stage::Sending(Body::Left(left - octets));
                if octets == left {
                    self.finish()?;
                }
                Ok(())
            }
        }
    }

    fn send_whole(&mut self, head: Head, body: Bytes) -> PyResult<()> {
        self.remote()?
            .respond(head.response, body)
            .map_err(reply_error)?;
        self.stage = Stage::Complete;
        Ok(())
    }

    fn send_bodiless(&mut self, mut head: Head) -> PyResult<()> {
        if head.response.status == 204 {
            head.remove_length();
        }
        self.remote()?.start(head.response).map_err(reply_error)?;
        self.finish()
    }

    fn finish(&mut self) -> PyResult<()> {
        self.remote()?.finish(None).map_err(reply_error)?;
        self.stage = Stage::Complete;
        Ok(())
    }

    /// What body follows this head; none for HEAD, 204 and 304.
    fn body(&self, head: &Head) -> Option<Body> {
        if self.head_only || head.is_bodiless() {
            return None;
        }
        Some(head.length.map_or(Body::Open, Body::Left))
    }

    /// The first octets of a block, as what other threads may hold.
    fn chunk(&self, block: &Bound<'_, PyBytes>, octets: u64) -> Bytes {
        let octets = octets as usize; // at most the block's
        if octets <= COPIED {
            Bytes::copy_from_slice(&block.as_bytes()[..octets])
        } else {
            // Where a response goes on for long, what was sent of it before is not kept until its end.
            self.lent.release(block.py());
            self.lent.lend(block).slice(..octets)
        }
    }

    /// Writes while attached where there is room, and waits detached where there is none.
    fn write(&self, py: Python<'_>, chunk: Bytes) -> PyResult<()> {
        let remote = self.remote()?;
        match remote.try_write(chunk) {
            Ok(()) => Ok(()),
            Err(TryWriteError::Full(chunk)) => {
                py.detach(|| remote.write(chunk)).map_err(reply_error)
            }
            Err(TryWriteError::Refused(error)) => Err(reply_error(error)),
        }
    }

    fn remote(&self) -> PyResult<&Remote> {
        fork::refuse_in_child()?;
        self.remote.as_deref().ok_or_else(over)
    }

    fn start_response(
        &mut self,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        match (&self.stage, exc_info) {
            (Stage::Over, _) => return Err(over()),
            (Stage::Sending(_) | Stage::Complete, Some(exc_info)) => {
                return Err(raised_again(exc_info)?);
            }
            (Stage::Ready(_) | Stage::Sending(_) | Stage::Complete, None) => {
                return Err(PyAssertionError::new_err(
                    "start_response was called a second time without exc_info",
                ));
            }
            (Stage::Waiting, _) | (Stage::Ready(_), Some(_)) => {}
        }
        self.stage = Stage::Ready(Head::new(status, headers)?);
        Ok(())
    }
}

/// `start_response(status, headers, exc_info=None)`: returns `write`.
#[pyclass(module = "thalweg._thalweg", frozen)]
pub(super) struct StartResponse {
    output: Py<Output>,
    write: Py<Write>,
}

impl StartResponse {
    pub(super) fn new(py: Python<'_>, output: &Py<Output>) -> PyResult<Self> {
        let write = Write {
            output: output.clone_ref(py),
        };
        Ok(Self {
            output: output.clone_ref(py),
            write: Py::new(py, write)?,
        })
    }

    /// The `write` that it returns.
    pub(super) fn write(&self) -> &Py<Write> {
        &self.write
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, /, exc_info=None))]
    fn __call__(
        &self,
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Write>> {
        self.output
            .bind(py)
            .try_borrow_mut()?
            .start_response(status, headers, exc_info)?;
        Ok(self.write.clone_ref(py))
    }
}

/// `write(data)`: sends a block at once.
#[pyclass(module = "thalweg._thalweg", frozen)]
pub(super) struct Write {
    output: Py<Output>,
}

#[pymethods]
impl Write {
    #[pyo3(signature = (data, /))]
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let block = as_block(data, "write() takes")?;
        self.output.bind(py).try_borrow_mut()?.block(py, block)?;
        Ok(())
    }
}

/// A block must be `bytes`, and nothing that only looks like it.
pub(super) fn as_block<'a, 'py>(
    object: &'a Bound<'py, PyAny>,
    rule: &str,
) -> PyResult<&'a Bound<'py, PyBytes>> {
    object.cast::<PyBytes>().map_err(|_| {
        let name = object.get_type().name();
        let name = name.map_or_else(|_| String::from("that"), |name| name.to_string());
        PyTypeError::new_err(format!("{rule} bytes, not {name}"))
    })
}

/// The exception of an `exc_info`, to be raised again.
fn raised_again(exc_info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let (_, value, _) = exc_info
        .cast::<PyTuple>()
        .map_err(|_| PyTypeError::new_err("start_response: exc_info must be a tuple"))?
        .extract::<(Py<PyAny>, Bound<'_, PyAny>, Py<PyAny>)>()?;
    Ok(PyErr::from_value(value))
}

fn reply_error(error: ReplyError) -> PyErr {
    match error {
        ReplyError::Gone => gone(),
        ReplyError::OutOfOrder => over(),
    }
}

fn gone() -> PyErr {
    ClientGone::new_err("the client has gone")
}

fn over() -> PyErr {
    PyRuntimeError::new_err("the response is over")
}

fn not_started() -> PyErr {
    PyAssertionError::new_err("the application did not call start_response before its first block")
}

fn too_short(left: u64) -> PyErr {
    PyRuntimeError::new_err(format!(
        "the body is shorter than its Content-Length: {left} octets are missing"
    ))
}
