//! What is urgent overtakes what is not, though much of that is on its way: how many octets come before it, on a real
//! socket, with a client that reads slowly.

mod support;

use rustls::version::TLS13;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};
use support::Server;
use support::certificate::{Pem, connect};
use support::h2_client::H2Client;
use thalweg_net::Config;
use thalweg_proto::h2;
use thalweg_proto::limits::Limits;
use thalweg_testkit::peer::has;

/// A client that gives the server room for everything, and has asked for ten large things.
fn client<T: Read + Write>(stream: T) -> H2Client<T> {
    let limits = Limits {
        stream_window: 64 << 20,
        connection_window: 1 << 30,
        ..Limits::default()
    };
    let session = h2::Session::client(limits, Instant::now());
    let mut client = H2Client::over(stream, session);
    for _ in 0..10 {
        client.get_with("/large/16777216", "u=6, i");
    }
    client
}

/// How many octets come before the answer to an urgent request, beside those that the client had got already.
fn ahead<T: Read + Write>(client: &mut H2Client<T>, socket: &TcpStream) -> u64 {
    // Until all buffers on the way are full.
    for _ in 0..100 {
        client.read_some(64 << 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(100));
    let arrived = rustix::io::ioctl_fionread(socket).unwrap();
    let before = client.read + arrived;
    let urgent = client.get_with("/hello", "u=0");
    while client.answers[&urgent].status == 0 {
        client.read_some(16 << 10);
        std::thread::sleep(Duration::from_millis(1));
    }
    client.read.saturating_sub(before)
}

/// Without a bound the kernel alone holds some four mebibytes for such a client.
const MOST: u64 = 1 << 20;

#[test]
fn what_is_urgent_overtakes_bulk_that_a_slow_client_reads() {
    let server = Server::plain();
    let socket = server.connect();
    let mut client = client(socket.try_clone().unwrap());
    let ahead = ahead(&mut client, &socket);
    assert!(ahead < MOST, "{ahead} octets came first");
}

/// The same where something urgent was open before, so that less is handed on at a time.
#[test]
fn what_is_urgent_overtakes_bulk_beside_others_that_are() {
    let server = Server::plain();
    let socket = server.connect();
    let mut client = client(socket.try_clone().unwrap());
    client.get_with("/never", "u=0");
    let ahead = ahead(&mut client, &socket);
    assert!(ahead < MOST, "{ahead} octets came first");
}

#[test]
fn what_is_urgent_overtakes_bulk_over_tls() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"h2"]);
    let socket = server.connect();
    let mut client = client(connect(&config, socket.try_clone().unwrap()));
    let ahead = ahead(&mut client, &socket);
    assert!(ahead < MOST, "{ahead} octets came first");
}

/// RFC 7540, section 5.3.2, with the tree that nghttp builds: 256 to 1.
#[test]
fn weights_of_a_real_client_are_honoured() {
    if !has("nghttp") {
        return;
    }
    let server = Server::plain();
    let large = |octets: u32| format!("http://{}/large/{octets}", server.address);
    let (light, heavy) = (large(3_000_000), large(3_000_001));
    let options = ["-nv", "-w", "20", "-W", "20", "-p", "1", "-p", "256"];
    let nghttp = Command::new("nghttp")
        .args(options)
        .args([light, heavy])
        .output();
    let output = String::from_utf8(nghttp.unwrap().stdout).unwrap();
    let frames: Vec<_> = output
        .lines()
        .filter(|line| line.contains("DATA"))
        .filter_map(|line| line.split_once("stream_id=")?.1.strip_suffix('>'))
        .collect();
    // The streams before them are the places that it keeps for others.
    let last = frames
        .iter()
        .rposition(|number| *number == "15")
        .expect(&output);
    let count = |of: &str| {
        frames[..=last]
            .iter()
            .filter(|number| **number == of)
            .count()
    };
    let (light, heavy) = (count("13"), count("15"));
    assert!(
        heavy > 180 && light < heavy / 4,
        "{light} frames came before {heavy}"
    );
}
