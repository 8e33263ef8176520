//! Requests: the exchange, the router, the handlers, the queue before the application and the access log.
