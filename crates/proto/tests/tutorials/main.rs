//! The tutorials are their programs, and these and the examples do what they say: with each other, with curl, with
//! nghttpd.

#[allow(dead_code, unreachable_pub)] // A whole program, as a module.
#[path = "../../examples/h2_client.rs"]
mod h2_client;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/h2_proxy.rs"]
mod h2_proxy;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/h2_server.rs"]
mod h2_server;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/hpack.rs"]
mod hpack;
mod programs;
mod text;
