//! What idle connections hold. One test in a process of its own, as it measures the process.

mod support;

use rustls::version::TLS13;
use std::io::{Read, Write};
use support::certificate::{Pem, connect};
use support::{Server, read_until};
use thalweg_net::Config;

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";

/// No buffer belongs to an idle connection. Prints what one holds, the client's part in this process included; the
/// bounds are generous.
#[test]
#[allow(clippy::print_stdout)] // The figures are what it is for.
fn idle_connections_hold_little_memory() {
    let plain = Server::plain();
    let each = cost(1000, || {
        let mut client = plain.connect();
        hello(&mut client);
        client
    });
    println!("an idle HTTP/1.1 connection holds {each} octets");
    assert!(each < 8 << 10, "{each}");

    let pem = Pem::make();
    let tls = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let each = cost(300, || {
        let mut client = connect(&config, tls.connect());
        hello(&mut client);
        client
    });
    println!("an idle TLS connection holds {each} octets, with rustls' buffered client");
    assert!(each < 64 << 10, "{each}");
}

/// What each of so many connections adds to this process.
fn cost<T>(count: usize, open: impl Fn() -> T) -> usize {
    let _warm: Vec<T> = (0..10).map(|_| open()).collect();
    let before = resident();
    let connections: Vec<T> = (0..count).map(|_| open()).collect();
    let after = resident();
    drop(connections);
    after.saturating_sub(before) / count
}

fn hello(client: &mut (impl Read + Write)) {
    client.write_all(GET).unwrap();
    read_until(client, "hello");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        << 10
}
