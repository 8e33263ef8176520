//! The driver over plain sockets: answers, pipelining, bulk, late answers, and clients that misbehave.

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{PATIENCE, Server, read_all, read_until};
use thalweg_net::{Config, Protocol, Security};
use thalweg_proto::limits::Limits;

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_request_is_answered_and_the_connection_kept() {
    let server = Server::plain();
    let mut client = server.connect();
    for _ in 0..3 {
        client.write_all(GET).unwrap();
        let answer = read_until(&mut client, "hello");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let peer = server.accepted();
    assert_eq!(peer.protocol, Protocol::Http1);
    assert_eq!(
        peer.address.to_string(),
        client.local_addr().unwrap().to_string()
    );
    assert_eq!(peer.local.to_string(), server.address.to_string());
    drop(client);
    assert_eq!(server.ended(), "closed");
}

#[test]
fn pipelined_requests_are_answered_in_order_by_one_write() {
    let server = Server::plain();
    let mut client = server.connect();
    client.write_all(&[GET, GET, GET].concat()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let answers = read_all(&mut client);
    assert_eq!(answers.matches("hello").count(), 3, "{answers}");
}

#[test]
fn a_request_that_comes_octet_by_octet_is_answered() {
    let server = Server::plain();
    let mut client = server.connect();
    client.set_nodelay(true).unwrap();
    for octet in GET {
        client.write_all(&[*octet]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    read_until(&mut client, "hello");
}

#[test]
fn a_client_that_half_closes_gets_its_answer() {
    let server = Server::plain();
    assert!(server.exchange(GET).ends_with("hello"));
    assert_eq!(server.ended(), "closed");
}

#[test]
fn a_late_answer_arrives() {
    let server = Server::plain();
    let mut client = server.connect();
    for _ in 0..100 {
        client
            .write_all(b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
        read_until(&mut client, "late");
    }
}

#[test]
fn bulk_goes_both_ways() {
    let server = Server::plain();
    let mut client = server.connect();
    let body = vec![b'e'; 5 << 20];
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut writer = client.try_clone().unwrap();
    let sent = body.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(head.as_bytes()).unwrap();
        writer.write_all(&sent).unwrap();
    });
    read_until(&mut client, "\r\n\r\n");
    let mut echoed = vec![0; body.len()];
    client.read_exact(&mut echoed).unwrap();
    assert!(echoed == body, "the echo differs");
    writing.join().unwrap();
}

#[test]
fn a_slow_reader_gets_all_and_holds_up_nobody() {
    let server = Server::plain();
    let mut slow = server.connect();
    slow.write_all(b"GET /large/20000000 HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let mut quick = server.connect();
    quick.write_all(GET).unwrap();
    read_until(&mut quick, "hello");
    read_until(&mut slow, "\r\n\r\n");
    let mut left = 20_000_000;
    let mut chunk = vec![0; 1 << 20];
    while left > 0 {
        let read = slow.read(&mut chunk).unwrap();
        assert!(read > 0 && chunk[..read].iter().all(|&octet| octet == b'x'));
        left -= read;
    }
}

#[test]
fn a_client_that_vanishes_is_noticed() {
    let server = Server::plain();
    let mut client = server.connect();
    client
        .write_all(b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    server.accepted();
    std::thread::sleep(Duration::from_millis(50));
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    let why = server.ended();
    assert!(why.starts_with("the client went away"), "{why}");
}

/// While a response is due, the octets of the next request stay where they are, and what follows them unread.
#[test]
fn a_reset_is_noticed_although_nothing_is_read() {
    let server = Server::plain();
    let pipelined = b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2);
    let upload = b"POST /deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n".to_vec();
    for octets in [pipelined, upload] {
        let mut client = server.connect();
        client
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        client.write_all(&octets).unwrap();
        server.accepted();
        if octets.starts_with(b"POST") {
            while client.write(&[b'x'; 65536]).is_ok() {}
        }
        rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        let why = server.ended();
        assert!(why.starts_with("the client went away"), "{why}");
    }
}

#[test]
fn a_client_that_does_not_read_is_reset_after_write_time() {
    let config = Config {
        write_time: Duration::from_millis(300),
        ..Config::default()
    };
    let server = Server::start(config, Security::Plain);
    let mut client = server.connect();
    client
        .write_all(b"GET /large/50000000 HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    assert_eq!(server.ended(), "the client did not read what it was sent");
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// The kernel takes nothing new until it has got rid of a good part of what it holds: megabytes, perhaps.
#[test]
fn a_client_that_reads_slowly_is_not_taken_for_one_that_does_not_read() {
    let config = Config {
        write_time: Duration::from_secs(1),
        ..Config::default()
    };
    let server = Server::start(config, Security::Plain);
    let mut client = server.connect();
    client
        .write_all(b"GET /large/50000000 HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    for _ in 0..150 {
        std::thread::sleep(Duration::from_millis(20));
        client.read_exact(&mut [0; 4096]).unwrap();
    }
    assert_eq!(server.ended(), "the client did not read what it was sent");
}

/// RFC 9112, section 9.6: the last words must not be lost to a reset caused by input that nobody read.
#[test]
fn last_words_arrive_although_input_is_left_unread() {
    let server = Server::plain();
    for _ in 0..20 {
        let mut client = server.connect();
        let mut bad = b"BAD\rREQUEST\r\n\r\n".to_vec();
        bad.resize(200_000, b'z');
        client.write_all(&bad).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let answer = read_all(&mut client);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    }
}

#[test]
fn lingering_ends_in_time_and_within_bounds() {
    let config = Config {
        linger_time: Duration::from_millis(200),
        ..Config::default()
    };
    let server = Server::start(config, Security::Plain);
    let mut client = server.connect();
    client.write_all(b"BAD\r\n\r\n").unwrap();
    assert!(read_all(&mut client).starts_with("HTTP/1.1 400"));
    let start = Instant::now();
    // The server reads away what comes, then closes: sooner or later writing fails.
    while client.write_all(b"more").is_ok() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_head_time() {
    let limits = Limits {
        head_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let config = Config {
        limits: Arc::new(limits),
        ..Config::default()
    };
    let server = Server::start(config, Security::Plain);
    let mut silent = server.connect();
    assert_eq!(read_all(&mut silent), "");
    let mut hesitant = server.connect();
    hesitant.write_all(b"GET /hel").unwrap();
    assert!(read_all(&mut hesitant).starts_with("HTTP/1.1 408"));
}

#[test]
fn an_upload_that_nobody_takes_stops_and_others_go_on() {
    let server = Server::plain();
    let mut client = server.connect();
    client
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    client
        .write_all(b"POST /deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n")
        .unwrap();
    let chunk = vec![0; 1 << 20];
    let mut sent = 0;
    while let Ok(written) = client.write(&chunk) {
        sent += written;
        assert!(sent < 100_000_000, "it was read although nobody took it");
    }
    assert!(server.exchange(GET).ends_with("hello"));
}

#[test]
fn connections_beyond_the_bound_wait() {
    let config = Config {
        connections: 2,
        ..Config::default()
    };
    let server = Server::start(config, Security::Plain);
    let mut first = server.connect();
    let mut second = server.connect();
    for client in [&mut first, &mut second] {
        client.write_all(GET).unwrap();
        read_until(client, "hello");
    }
    let mut third = server.connect();
    third.write_all(GET).unwrap();
    third
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(third.read(&mut [0]).is_err(), "two are open already");
    drop(first);
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    read_until(&mut third, "hello");
}

#[test]
fn connections_are_spread_over_the_workers() {
    let config = Config {
        workers: 3,
        ..Config::default()
    };
    let server = Server::start(config, Security::Plain);
    let mut clients: Vec<_> = (0..30).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.write_all(GET).unwrap();
    }
    for client in &mut clients {
        read_until(client, "hello");
    }
}

/// Our half of a tunnel ends, the client's goes on until it ends it.
#[test]
fn a_tunnel_closes_by_halves() {
    let server = Server::plain();
    let mut client = server.connect();
    client
        .write_all(
            b"GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n",
        )
        .unwrap();
    let answer = read_all(&mut client);
    assert!(
        answer.starts_with("HTTP/1.1 101") && answer.ends_with("bye"),
        "{answer}"
    );
    for _ in 0..20 {
        client.write_all(b"still here").unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.ended(), "closed");
}
