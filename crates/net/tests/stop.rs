//! How serving ends: in order, after a grace, or at once; and what clients see of it.

mod support;

use rustls::version::TLS13;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use support::certificate::{Pem, connect};
use support::h2_client::H2Client;
use support::{PATIENCE, Server, read_all, read_until};
use thalweg_net::{Config, Security};

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
const NEVER: &[u8] = b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n";

fn wait(server: &mut Server) {
    server.running.wait().expect("no worker panicked");
}

#[test]
fn draining_lets_go_of_idle_connections_and_ends() {
    let mut server = Server::plain();
    let mut idle = server.connect();
    idle.write_all(GET).unwrap();
    read_until(&mut idle, "hello");
    let mut silent = server.connect();
    let mut served = server.connect();
    served.write_all(GET).unwrap();
    read_until(&mut served, "hello");
    let start = Instant::now();
    server.running.drain(PATIENCE);
    wait(&mut server);
    assert!(start.elapsed() < PATIENCE / 2, "nothing was open");
    assert_eq!(read_all(&mut idle), "");
    assert_eq!(read_all(&mut silent), "");
    assert!(
        TcpStream::connect(server.address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn draining_finishes_an_http_1_response_that_is_on_its_way() {
    let mut server = Server::plain();
    let mut client = server.connect();
    client
        .write_all(b"GET /large/30000000 HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    read_until(&mut client, "\r\n\r\n");
    server.running.drain(PATIENCE);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(read_all(&mut client).len(), 30_000_000);
    wait(&mut server);
    assert_eq!(server.ended(), "closed");
}

/// RFC 9113, section 6.8: GOAWAY, and open streams go on.
#[test]
fn draining_finishes_open_streams_and_says_goaway() {
    let pem = Pem::make();
    for security in [Security::Plain, pem.security()] {
        let tls = matches!(security, Security::Tls(_));
        let mut server = Server::start(Config::default(), security);
        let socket = server.connect();
        if tls {
            let config = pem.client(&[&TLS13], &[b"h2"]);
            drain_h2(&mut server, H2Client::new(connect(&config, socket)));
        } else {
            drain_h2(&mut server, H2Client::new(socket));
        }
    }
}

fn drain_h2<T: Read + Write>(server: &mut Server, mut client: H2Client<T>) {
    assert_eq!(client.fetch("/hello"), "hello");
    let large = client.get("/large/3000000");
    client.run(|client| !client.answers[&large].body.is_empty());
    server.running.drain(PATIENCE);
    client.run(|client| client.goaways > 0);
    client.run(|_| false);
    let answer = &client.answers[&large];
    assert!(
        answer.complete && answer.body.len() == 3_000_000,
        "{} octets",
        answer.body.len()
    );
    assert!(client.ended && client.goaways >= 1);
    wait(server);
    assert_eq!(server.ended(), "closed");
}

#[test]
fn what_is_not_done_when_the_grace_is_over_is_dropped() {
    let mut server = Server::plain();
    let mut stuck = server.connect();
    stuck.write_all(NEVER).unwrap();
    let mut h2 = H2Client::new(server.connect());
    h2.fetch("/hello");
    h2.get("/never");
    server.running.drain(Duration::from_millis(300));
    wait(&mut server);
    // The end, orderly or not, of a connection that has nothing to say.
    assert_eq!(stuck.read(&mut [0]).unwrap_or_default(), 0);
    assert_eq!(server.ended(), "the server stopped");
    assert_eq!(server.ended(), "the server stopped");
}

#[test]
fn stopping_waits_for_nobody() {
    for workers in [1, 3] {
        let config = Config {
            workers,
            ..Config::default()
        };
        let mut server = Server::start(config, Security::Plain);
        let mut clients: Vec<_> = (0..6).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.write_all(NEVER).unwrap();
            server.accepted();
        }
        server.running.stop();
        wait(&mut server);
        for _ in &clients {
            assert_eq!(server.ended(), "the server stopped");
        }
    }
}

#[test]
fn stopping_cuts_a_drain_short() {
    let mut server = Server::plain();
    let mut client = server.connect();
    client.write_all(NEVER).unwrap();
    server.accepted();
    server.running.drain(Duration::from_secs(3600));
    std::thread::sleep(Duration::from_millis(50));
    server.running.stop();
    wait(&mut server);
}

#[test]
fn every_worker_drains() {
    let config = Config {
        workers: 3,
        ..Config::default()
    };
    let mut server = Server::start(config, Security::Plain);
    let mut clients: Vec<_> = (0..9).map(|_| server.connect()).collect();
    for client in &mut clients {
        client
            .write_all(b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
    }
    for client in &mut clients {
        read_until(client, "late");
    }
    server.running.drain(PATIENCE);
    wait(&mut server);
    for client in &mut clients {
        assert_eq!(read_all(client), "");
    }
}

/// Clients that are in the kernel's queue when the listener closes have been promised an answer.
#[test]
fn connections_that_wait_to_be_accepted_are_served_before_the_listener_closes() {
    for _ in 0..20 {
        let mut server = Server::plain();
        let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.write_all(GET).unwrap();
        }
        server.running.drain(PATIENCE);
        for client in &mut clients {
            assert!(read_all(client).ends_with("hello"));
        }
        drop(clients);
        wait(&mut server);
    }
}

#[test]
fn the_end_can_be_polled() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut server = Server::plain();
    let ready = |server: &Server, seconds| {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        let running = server.running.as_fd();
        poll(&mut [PollFd::new(&running, PollFlags::IN)], Some(&time)).unwrap()
    };
    assert_eq!(ready(&server, 0), 0);
    server.running.drain(PATIENCE);
    assert_eq!(ready(&server, 20), 1);
    wait(&mut server);
}
