//! `wsgi.file_wrapper`: an iterable over the rest of a file.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Octets a block where the application does not say.
const BLOCK: usize = 64 << 10;

/// `file_wrapper(file, block_size=65536)`: the file from where it stands to its end.
///
/// It is an ordinary iterable as well, so that a middleware may wrap it.
#[pyclass(module = "thalweg._thalweg", name = "FileWrapper", frozen)]
pub(crate) struct FileWrapper {
    file: Py<PyAny>,
    block_size: usize,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (file, block_size=BLOCK, /))]
    fn new(file: Py<PyAny>, block_size: usize) -> Self {
        Self { file, block_size }
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let block = self
            .file
            .bind(py)
            .call_method1(intern!(py, "read"), (self.block_size,))?;
        let ended = match block.cast::<PyBytes>() {
            Ok(octets) => octets.as_bytes().is_empty(),
            Err(_) => !block.is_truthy()?,
        };
        Ok((!ended).then_some(block))
    }

    /// Closes the file, if it is of the kind that can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.file.bind(py).getattr_opt(intern!(py, "close"))? {
            Some(close) => close.call0().map(drop),
            None => Ok(()),
        }
    }
}
