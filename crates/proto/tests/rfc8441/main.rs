//! Tunnels over HTTP/2: CONNECT (RFC 9113, section 8.5) and CONNECT for a protocol (RFC 8441), a test for each
//! requirement. Wire input is fed whole, octet by octet and at random splits.

mod parties;
mod s3_setting;
mod s4_connect;
mod tunnels;
#[allow(dead_code)] // Scripts for every kind of frame; here some of them are enough.
#[path = "../rfc9113/wire.rs"]
mod wire;
