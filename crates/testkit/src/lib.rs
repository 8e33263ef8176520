//! For tests: a session with a caller around it, two of them joined by a virtual clock, and input in every split.
//!
//! | module | what it gives a test |
//! |---|---|
//! | [`caller`] | a [`Session`](thalweg_proto::session::Session) driven as a driver would, its events kept as owned values |
//! | [`fuzz`] | what the fuzz targets do, for the fuzzer and for the test that replays their corpora |
//! | [`pair`] | a client and a server joined by wires and a clock that the test owns |
//! | [`link`] | the same over a link that has a rate, a delay and queues |
//! | [`peer`] | real programs on ports of their own, ended with the test |
//! | [`splits`] | the same octets whole, one by one, and cut at random |
//! | [`turns`] | a server whose bodies have no end: who gets how much of the connection |

pub mod caller;
pub mod fuzz;
pub mod link;
pub mod pair;
pub mod peer;
pub mod splits;
pub mod turns;
