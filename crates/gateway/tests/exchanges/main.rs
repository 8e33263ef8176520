//! Exchanges from end to end: applications on threads behind a running server, and clients on sockets.

mod access_log;
mod bodies;
mod handlers;
mod memory;
mod priorities;
mod pushes;
mod queue;
mod replies;
mod site;
