//! The tutorials are their programs, and the programs do what they say: with each other, with curl, with nghttpd.

#[allow(dead_code, unreachable_pub)] // A whole program, as a module.
#[path = "../../examples/h2_client.rs"]
mod h2_client;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/h2_server.rs"]
mod h2_server;
mod programs;
mod text;
