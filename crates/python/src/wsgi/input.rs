//! `wsgi.input`: the body of a request as the file-like object of PEP 3333.

use super::ClientGone;
use super::unread::Unread;
use crate::fork;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use std::sync::Arc;
use thalweg_gateway::{Gone, Remote};

/// Asked of the gateway at once, at most.
const PORTION: usize = 64 << 10;

/// The body of one request.
#[pyclass(module = "thalweg._thalweg")]
#[derive(Default)]
pub(super) struct Input {
    remote: Option<Arc<Remote>>,
    unread: Unread,
    ended: bool,
}

impl Input {
    /// Serves another request.
    pub(super) fn begin(&mut self, remote: Arc<Remote>) {
        self.ended = !remote.has_body();
        // A thread that was reading when the last request ended has kept it from being closed.
        self.unread.clear();
        self.remote = Some(remote);
    }

    /// Lets go of the request.
    pub(super) fn close(&mut self) {
        self.remote = None;
        self.unread.clear();
    }

    /// Waits until `wanted` octets are there, or the body ends. Answers how many of them there are.
    fn fill(&mut self, py: Python<'_>, wanted: usize) -> PyResult<usize> {
        self.refuse_when_over()?;
        while !self.ended && self.unread.len() < wanted {
            self.more(py, wanted - self.unread.len())?;
        }
        Ok(wanted.min(self.unread.len()))
    }

    /// Waits until a line is there, or `most` octets, or the body ends. Answers how long that is.
    fn fill_line(&mut self, py: Python<'_>, most: usize) -> PyResult<usize> {
        self.refuse_when_over()?;
        loop {
            if let Some(line) = self.unread.line(most) {
                return Ok(line);
            }
            if self.ended || self.unread.len() >= most {
                return Ok(most.min(self.unread.len()));
            }
            self.more(py, PORTION)?;
        }
    }

    /// Takes one more piece: while attached if it is there already, else waiting detached.
    fn more(&mut self, py: Python<'_>, most: usize) -> PyResult<()> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        fork::refuse_in_child()?;
        let most = most.min(PORTION);
        let piece = match remote.try_read(most).map_err(gone)? {
            Some(piece) => piece,
            None => py.detach(|| remote.read(most)).map_err(gone)?,
        };
        if piece.is_empty() {
            self.ended = true;
        } else {
            self.unread.push(piece);
        }
        Ok(())
    }

    fn take<'py>(&mut self, py: Python<'py>, octets: usize) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, octets, |out| {
            self.unread.take(out);
            Ok(())
        })
    }

    fn refuse_when_over(&self) -> PyResult<()> {
        match self.remote {
            Some(_) => Ok(()),
            None => Err(PyValueError::new_err("wsgi.input: the request is over")),
        }
    }
}

#[pymethods]
impl Input {
    /// Reads `size` octets, fewer only at the end; all there are without a size.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&mut self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let octets = self.fill(py, bound(size))?;
        self.take(py, octets)
    }

    /// Reads a line with its end, or `size` octets of it.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(
        &mut self,
        py: Python<'py>,
        size: Option<isize>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let octets = self.fill_line(py, bound(size))?;
        self.take(py, octets)
    }

    /// Reads lines, all of them, or until `hint` octets are reached.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(
        &mut self,
        py: Python<'py>,
        hint: Option<isize>,
    ) -> PyResult<Bound<'py, PyList>> {
        let lines = PyList::empty(py);
        // As files have it: a hint of 0 is none.
        let hint = bound(hint.filter(|hint| *hint != 0));
        let mut octets = 0;
        while octets < hint {
            let line = self.fill_line(py, usize::MAX)?;
            if line == 0 {
                break;
            }
            lines.append(self.take(py, line)?)?;
            octets += line;
        }
        Ok(lines)
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match self.fill_line(py, usize::MAX)? {
            0 => Ok(None),
            octets => self.take(py, octets).map(Some),
        }
    }
}

/// A size as files have it: none, and everything below zero, is no bound.
fn bound(size: Option<isize>) -> usize {
    size.and_then(|size| usize::try_from(size).ok())
        .unwrap_or(usize::MAX)
}

fn gone(_: Gone) -> PyErr {
    ClientGone::new_err("wsgi.input: the client has gone before its body was complete")
}
