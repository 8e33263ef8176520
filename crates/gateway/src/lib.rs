//! Requests: the exchange, the router, the handlers, the queue before the application and the access log.
//!
//! ```text
//!  session events          exchanges                 requests that block
//!  ───────────────► Front ───────────► Router ─► Handler ─► application::Queue ─► threads: Remote
//!  ◄─────────────── Front ◄──────────────────────────────────────────────────────────┘
//!   commands         (one per connection)            replies, by one message a turn
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`Gateway`] | what `thalweg_net::serve` runs on a worker: one for all its connections |
//! | [`Exchange`], [`Remote`] | one request and its reply: on the worker's thread, and on any thread |
//! | [`Handler`], [`Router`] | who answers |
//! | [`application`] | the queue before code that blocks |
//! | [`log`] | standard error, for threads that must not wait |
//! | [`Memory`] | what all requests may hold together |
//! | [`AccessLog`] | a line for each exchange |

mod access_log;
pub mod application;
mod conduit;
mod connections;
mod date;
mod error_page;
mod exchange;
mod fair;
mod front;
mod gateway;
mod head;
mod incoming;
mod ledger;
pub mod log;
mod memory;
mod outgoing;
mod remote;
mod request_id;
mod router;
mod streams;

pub use access_log::AccessLog;
pub use exchange::Exchange;
pub use front::Front;
pub use gateway::{Config, Gateway};
pub use memory::Memory;
pub use remote::{Gone, Remote, ReplyError, TryWriteError};
pub use request_id::RequestId;
pub use router::{Handler, Router};
