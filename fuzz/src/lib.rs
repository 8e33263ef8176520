//! Differential targets: what we and a peer crate make of the same octets, or of the same script.
//!
//! They are here and not in the test kit, so that no crate of the workspace depends on peers. `cargo test` in this
//! directory replays their corpora.

mod hpack_peer;
mod peer;
mod plan;
mod sides;

pub use hpack_peer::hpack_peer;
pub use sides::{h2_client_peer, h2_server_peer};
