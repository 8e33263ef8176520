//! Sockets: listeners, transports, per-core workers and the driver that pumps one transport through one session.
//!
//! ```text
//!  Address ─► Listener ─► Endpoint ──► serve ─► workers ─► Driver: transport ⇄ session ⇄ Connection (a Service's)
//!  PEM ─► Identity ─► ServerTls ──┘       └──► Running: drain, stop, wait
//! ```
//!
//! The order of start is the caller's, and matters: [`listen`] and [`tls`] first (ports below 1024, keys that
//! only root may read), then [`privileges`], then, perhaps through [`handover`] into another program, [`serve`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`listen`] | where to listen, and the one descriptor behind it |
//! | [`tls`] | certificates, and the TLS settings of a port |
//! | [`worker`] | the thread of a core, and messages to it |
//! | [`privileges`] | becoming another user for good |
//! | [`handover`] | listeners and keys for the program that takes this one's place |
//! | [`signals`] | signals as something to poll |
//!
//! A [`Service`] above it sees events and answers; it sees no sockets, no TLS and no runtime.

mod driver;
pub mod handover;
mod inherited;
pub mod listen;
pub mod privileges;
mod serve;
mod service;
pub mod signals;
pub mod tls;
pub mod worker;

pub use serve::{Config, Endpoint, Running, Security, WorkerPanicked, serve};
pub use service::{Connection, Ended, Peer, Protocol, Service, Wake};
