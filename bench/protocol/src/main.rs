//! One run of one codec, or of one session, for a driver that times it or counts its instructions.
//!
//! ```sh
//! protocol hpack CODEC DIRECTION ROUNDS STORIES     prints what the run took, as one line of JSON
//! protocol session SERVER EXCHANGES OCTETS
//! ```
//!
//! Instructions of a codec are those of a run with some rounds less those of a run with none, so that neither making the
//! input nor starting counts. Of a session, callgrind collects those of `serve_all` alone.

mod hpack;
mod nghttp2;
mod session;

use std::env;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["hpack", codec, direction, rounds, stories] => {
            let rounds = rounds.parse().expect("a number of rounds");
            println!("{}", hpack::run(codec, direction, rounds, stories));
        }
        ["session", server, exchanges, octets] => {
            let number = |word: &str| word.parse().expect("a number");
            session::run(server, number(exchanges), number(octets));
        }
        _ => panic!("hpack CODEC DIRECTION ROUNDS STORIES, or session SERVER EXCHANGES OCTETS"),
    }
}
