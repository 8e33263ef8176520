//! Serving an application in this process: what `python -m thalweg` does with a plan.
//!
//! ```text
//!  Plan ─► os.fork is watched ─► the application is imported ─► signals are taken ─► application threads
//!       ─► workers of net, each with a gateway before one queue ─► the main thread waits ─► leave
//! ```

use crate::lent::Lent;
use crate::signals::Signals;
use crate::threads::Threads;
use crate::watch::{Over, Watch};
use crate::wsgi::Hosted;
use crate::{fork, process};
use pyo3::prelude::*;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use thalweg_cli::{Error, Host, Plan};
use thalweg_gateway::application::{ApplicationHandler, Queue};
use thalweg_gateway::{Gateway, Router};
use thalweg_net::handover;
use thalweg_options::{Serve, Source};

/// The host behind `python -m thalweg`.
pub(crate) struct InProcess;

impl Host for InProcess {
    fn serve(&self, mut plan: Plan) -> Result<u8, Error> {
        let lent = Lent::new().map_err(|error| cannot("make a descriptor", error))?;
        // Before anything of the application's can change the working directory.
        let gateway = plan.gateway_config()?;
        let (hosted, signals) = Python::attach(|py| load(py, &plan, &lent)).map_err(in_python)?;
        plan.announce();

        let queue = Queue::new(plan.serve.queue);
        let threads = Threads::start(plan.serve.threads, &queue, &hosted)
            .map_err(|error| cannot("start the application threads", error))?;
        let behind = Arc::clone(&queue);
        let endpoints = plan.take_endpoints()?;
        let running = thalweg_net::serve(plan.net_config(), endpoints, move |worker| {
            let router = Router::to(ApplicationHandler::new(Arc::clone(&behind)));
            Gateway::new(&gateway, router, worker)
        })
        .map_err(|error| cannot("start the workers", error))?;

        let watch = Watch {
            signals: &signals,
            lent: &lent,
            running,
            queue: &queue,
            threads,
            grace: plan.serve.graceful_timeout,
        };
        let over = watch.wait();
        // The last lines of the workers.
        thalweg_gateway::log::flush();
        match over {
            Ok(Over::Drained) => process::leave_when_let_in(0),
            // From here nothing may wait, and not for the interpreter either: threads are inside it.
            Ok(Over::AtOnce) => process::leave_now(1),
            Ok(Over::Broken) => {
                tracing::error!(
                    "a worker thread panicked, so the server leaves; please report this"
                );
                process::leave_now(1)
            }
            Err(error) => {
                tracing::error!("the main thread cannot wait, so the server leaves: {error}");
                process::leave_now(1)
            }
        }
    }
}

/// Imports the application, and settles what its import may have unsettled.
fn load(py: Python<'_>, plan: &Plan, lent: &Arc<Lent>) -> PyResult<(Arc<Hosted>, Signals)> {
    fork::watch(py, plan.listeners.iter().map(|handed| &handed.listener))?;
    // It was for this process, not for those that the application starts.
    py.import("os")?
        .getattr("environ")?
        .call_method1("pop", (handover::VARIABLE, py.None()))?;
    let application = find(py, &plan.serve)?;
    fork::end_child(py);
    let hosted = Hosted {
        application: application.unbind(),
        errors: py.import("sys")?.getattr("stderr")?.unbind(),
        multithread: plan.serve.threads > 1,
        lent: Arc::clone(lent),
    };
    Ok((Arc::new(hosted), Signals::take(py)?))
}

/// Finds the application that the options name.
fn find<'py>(py: Python<'py>, serve: &Serve) -> PyResult<Bound<'py, PyAny>> {
    let (module, file) = match &serve.application.source {
        Source::Module(name) => (Some(name.as_str()), None),
        Source::File(path) => (None, Some(path.as_path())),
    };
    let callable = serve.application.callable.as_deref();
    let pythonpath: Vec<&Path> = serve.pythonpath.iter().map(AsRef::as_ref).collect();
    let chdir = serve.chdir.as_deref();
    py.import("thalweg._application")?
        .call_method1("load", (module, file, callable, chdir, pythonpath))
}

/// What the Python half raises is a line for the user.
fn in_python(error: PyErr) -> Error {
    Python::attach(|py| Error::new(error.value(py).to_string()))
}

fn cannot(what: &str, error: impl fmt::Display) -> Error {
    Error::new(format!("cannot {what}: {error}"))
}
