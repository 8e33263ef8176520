//! Sans-IO sessions for HTTP/2 and HTTP/1.1, and HPACK: bytes in, events out.
//!
//! Nothing here opens a socket, reads a clock, logs, or runs on a runtime: a caller brings octets and the
//! time, and carries away octets and events. So the same session serves a server on epoll, a Python object and
//! a test that owns the clock.
//!
//! ```text
//!            recv(now, bytes)                         open, respond, supply, reset …
//!  socket ───────────────────►  Session (h1 | h2)  ◄─────────────────────────────── caller
//!         ◄───────────────────                     ───────────────────────────────►
//!            send(now, Gather)                        Event: Request, Data, End, Reset …
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`session`] | the vocabulary that every protocol speaks: [`Session`](session::Session), [`Event`](session::Event), [`Supply`](session::Supply) |
//! | [`h1`] | HTTP/1.0 and 1.1: [`h1::Session`], server and client |
//! | [`h2`] | RFC 9113: server and client |
//! | [`h2c`] | plain connections that change from the one to the other |
//! | [`head`], [`fields`] | messages: control data, and the ordered list of field lines |
//! | [`hpack`] | field compression: one [`Decoder`](hpack::Decoder) and one [`Encoder`](hpack::Encoder) a connection |
//! | [`syntax`] | the small grammars: tokens, numbers |
//! | [`limits`] | every bound and time-out, with its default |
//! | [`error`] | whose fault it was: [`Violation`](error::Violation) (the peer's) or [`UsageError`](error::UsageError) (the caller's) |
//!
//! No octet from a peer makes this crate panic, and no peer makes it take memory beyond [`Limits`](limits::Limits).
//!
//! [`h2`] and [`hpack`] begin with a guide; the repository's `docs/tutorial-client.md` and `docs/tutorial-server.md` build
//! whole programs on `std::net`.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

pub mod error;
pub mod fields;
pub mod h1;
pub mod h2;
pub mod h2c;
pub mod head;
pub mod hpack;
pub mod limits;
pub mod session;
pub mod syntax;

/// The example of the README is one that compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
