//! What the fuzz targets do with their octets. The binaries under `fuzz/` only call these functions, so that an
//! ordinary test replays their corpora with no fuzzer installed.
//!
//! To add a target: a function here, a line in [`TARGETS`], a file in `fuzz/fuzz_targets/` with its `[[bin]]`, and
//! a few small inputs in `fuzz/corpus/<target>/`.

mod h1;
mod h2;
mod h2c;
mod hpack;
mod script;

pub use h1::{h1_client, h1_server};
pub use h2::{h2_client, h2_script, h2_server};
pub use h2c::{h2c_client, h2c_server};
pub use hpack::{hpack_decode, hpack_roundtrip};
pub use script::Script;

/// What a target is: it takes any octets, and panics where the program is wrong.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its binary and its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("h1_client", h1_client),
    ("h1_server", h1_server),
    ("h2_client", h2_client),
    ("h2_script", h2_script),
    ("h2_server", h2_server),
    ("h2c_client", h2c_client),
    ("h2c_server", h2c_server),
    ("hpack_decode", hpack_decode),
    ("hpack_roundtrip", hpack_roundtrip),
];
