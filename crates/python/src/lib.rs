//! The extension module `thalweg._thalweg`: Python applications inside the server.
//!
//! ```text
//!  main thread     parse, bind, drop privileges ─► import the application ─► wait for signals ─► drain ─► _exit
//!  IO threads      net, gateway ─► Queue ──────────────┐      never attached to the interpreter
//!  application     ┌───────────────────────────────────┘
//!  threads         └► Remote ─► environ ─► application(environ, start_response) ─► blocks ─► Remote
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `host` | from a plan to a running server, and its end |
//! | `threads` | the application threads |
//! | `signals` | whose signals are whose |
//! | `watch` | what the main thread waits for |
//! | `wsgi` | one request through a WSGI application |
//! | `lent` | `bytes` objects on their way to a client |
//! | `fork` | children that the application forks |
//! | `process` | the end of the process |
//!
//! The Python half of the package finds the application (`thalweg._application`) and is what is called
//! (`thalweg.__main__`).

mod fork;
mod host;
mod lent;
mod process;
mod signals;
mod threads;
mod watch;
mod wsgi;

use pyo3::prelude::*;

#[pymodule]
mod _thalweg {
    use super::*;
    use crate::host::InProcess;
    use std::ffi::OsString;

    #[pymodule_export]
    use crate::wsgi::{ClientGone, FileWrapper};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    /// Runs the command with these arguments, and returns its exit status.
    #[pyfunction]
    #[pyo3(signature = (arguments, /))]
    fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
        py.detach(|| thalweg_cli::run(arguments.into_iter(), &InProcess))
    }
}
