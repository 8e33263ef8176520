//! Which handler answers a request.

use crate::exchange::Exchange;
use std::rc::Rc;
use thalweg_proto::head::Request;

/// Answers requests. There is one for each worker, on whose thread it runs: it must not block.
///
/// ```
/// use bytes::Bytes;
/// use thalweg_gateway::{Exchange, Handler};
/// use thalweg_proto::head::Response;
///
/// struct Teapot;
///
/// impl Handler for Teapot {
///     fn handle(&self, exchange: Exchange) {
///         // A client that has gone needs no answer.
///         let _ = exchange.respond(Response::new(418), Bytes::from_static(b"short and stout\n"));
///     }
/// }
/// ```
pub trait Handler {
    /// A request has come.
    fn handle(&self, exchange: Exchange);

    /// The worker has nothing more to do for now: what was gathered in this turn can be passed on.
    fn before_park(&self) {}
}

/// The handlers of a worker.
pub struct Router {
    handler: Rc<dyn Handler>,
}

impl Router {
    /// One handler for every request.
    pub fn to(handler: impl Handler + 'static) -> Self {
        Self {
            handler: Rc::new(handler),
        }
    }

    /// The handler for this request.
    pub fn route(&self, _request: &Request) -> &dyn Handler {
        &*self.handler
    }

    pub(crate) fn before_park(&self) {
        self.handler.before_park();
    }
}
