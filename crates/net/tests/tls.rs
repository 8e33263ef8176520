//! TLS: both versions, resumption, both kinds of ends, and clients that speak something else.

mod support;

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;
use support::certificate::{Pem, TlsClient, connect};
use support::{News, PATIENCE, Server, read_all, read_until};
use thalweg_net::tls::{Identity, TlsError};
use thalweg_net::{Config, Protocol};

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

fn hello(client: &mut TlsClient) {
    client.write_all(GET).unwrap();
    let answer = read_until(client, "hello");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn both_versions_are_served_and_told() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let config = pem.client(&[version], &[b"http/1.1"]);
        let mut client = connect(&config, server.connect());
        hello(&mut client);
        hello(&mut client);
        let peer = server.accepted();
        let tls = peer.tls.as_ref().unwrap();
        assert_eq!(tls.version, name);
        assert!(tls.cipher.starts_with("TLS"), "{}", tls.cipher);
        assert_eq!(tls.server_name.as_deref(), Some("localhost"));
        assert_eq!(tls.protocol, Some(Protocol::Http1));
    }
}

#[test]
fn a_client_that_names_no_protocol_speaks_http_1() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[]);
    hello(&mut connect(&config, server.connect()));
    let peer = server.accepted();
    assert_eq!(peer.protocol, Protocol::Http1);
    assert_eq!(peer.tls.as_ref().unwrap().protocol, None);
}

#[test]
fn a_client_that_has_only_http_1_0_is_served() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.0"]);
    let mut client = connect(&config, server.connect());
    client.write_all(b"GET /hello HTTP/1.0\r\n\r\n").unwrap();
    assert!(read_all(&mut client).ends_with("hello"));
    assert_eq!(server.accepted().protocol, Protocol::Http1);
}

/// RFC 7301, section 3.2: no common protocol is a fatal no_application_protocol alert.
#[test]
fn a_client_without_a_common_protocol_gets_the_alert() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"spdy/3.1"]);
    let mut client = connect(&config, server.connect());
    let error = client.write_all(GET).unwrap_err().to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn sessions_are_resumed_by_ticket() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    for version in [&TLS12, &TLS13] {
        let config = pem.client(&[version], &[b"http/1.1"]);
        for expected in [
            HandshakeKind::Full,
            HandshakeKind::Resumed,
            HandshakeKind::Resumed,
        ] {
            let mut client = connect(&config, server.connect());
            hello(&mut client);
            assert_eq!(client.conn.handshake_kind(), Some(expected), "{version:?}");
            assert_eq!(
                server
                    .accepted()
                    .tls
                    .as_ref()
                    .unwrap()
                    .server_name
                    .as_deref(),
                Some("localhost")
            );
        }
    }
}

/// RFC 8446, section 6.1: close_notify before the end, so that a cut is told from it.
#[test]
fn the_end_is_told_by_close_notify() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    client.write_all(LAST).unwrap();
    // rustls answers UnexpectedEof where close_notify is missing.
    assert!(read_all(&mut client).ends_with("hello"));
    assert_eq!(server.ended(), "closed");
}

#[test]
fn a_client_that_says_close_notify_first_gets_its_answer() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    client.write_all(GET).unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    assert!(read_all(&mut client).ends_with("hello"));
    assert_eq!(server.ended(), "closed");
}

/// Our half of a tunnel ends with close_notify, the client's goes on until it ends it.
#[test]
fn a_tunnel_closes_by_halves_over_tls() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    client
        .write_all(
            b"GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n",
        )
        .unwrap();
    assert!(read_all(&mut client).ends_with("bye"));
    for _ in 0..20 {
        client.write_all(b"still here").unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    client.conn.send_close_notify();
    client.flush().unwrap();
    assert_eq!(server.ended(), "closed");
}

#[test]
fn bulk_goes_both_ways_over_tls() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    for version in [&TLS12, &TLS13] {
        let config = pem.client(&[version], &[b"http/1.1"]);
        let mut client = connect(&config, server.connect());
        client
            .write_all(b"GET /large/10000000 HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
        read_until(&mut client, "\r\n\r\n");
        let mut body = vec![0; 10_000_000];
        client.read_exact(&mut body).unwrap();
        assert!(body.iter().all(|&octet| octet == b'x'));
        let sent: Vec<u8> = (0..3_000_000).map(|n: u32| (n % 251) as u8).collect();
        client
            .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n")
            .unwrap();
        client.write_all(&sent).unwrap();
        read_until(&mut client, "\r\n\r\n");
        let mut echoed = vec![0; sent.len()];
        client.read_exact(&mut echoed).unwrap();
        assert!(echoed == sent, "the echo differs");
    }
}

/// Records that arrive in pieces are kept between steps, and joined.
#[test]
fn octets_that_come_one_by_one_make_a_connection() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    client.sock.set_nodelay(true).unwrap();
    client.conn.writer().write_all(GET).unwrap();
    while client.conn.is_handshaking() || client.conn.wants_write() {
        let mut records = Vec::new();
        while client.conn.wants_write() {
            client.conn.write_tls(&mut records).unwrap();
        }
        for octet in records {
            client.sock.write_all(&[octet]).unwrap();
            std::thread::sleep(Duration::from_micros(200));
        }
        if client.conn.is_handshaking() {
            client.conn.read_tls(&mut client.sock).unwrap();
            client.conn.process_new_packets().unwrap();
        }
    }
    read_until(&mut client, "hello");
}

#[test]
fn a_plain_request_on_the_tls_port_is_told_so() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let answer = server.exchange(GET);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 Bad Request"), "{answer}");
    assert!(body.contains("https://"), "{answer}");
    let length: usize = head
        .split("content-length: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(length, body.len());
}

#[test]
fn octets_that_are_no_tls_get_an_alert_and_the_server_goes_on() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    for noise in [
        &b"\x16\x03\x01\xff\xffnoise"[..],
        b"\x80\x2e\x01\x03\x01",
        b"\x00\x00\x00",
        &[0xff; 5000],
    ] {
        let mut client = server.connect();
        client.write_all(noise).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        // An alert record (RFC 8446, section 6), or an end without a word for what is too short to judge.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    hello(&mut connect(&config, server.connect()));
}

#[test]
fn a_handshake_must_be_done_in_time() {
    let pem = Pem::make();
    let config = Config {
        handshake_time: Duration::from_secs(1),
        ..Config::default()
    };
    let server = Server::start(config, pem.security());
    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    let mut halting = server.connect();
    halting.write_all(&[22, 3, 1]).unwrap();
    assert_eq!(halting.read(&mut [0]).unwrap(), 0);
}

/// RFC 8446, section 5.2: bad_record_mac, which arrives although more than it was sent.
#[test]
fn a_forged_record_ends_the_connection_with_an_alert() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    hello(&mut client);
    let forged = [&[23, 3, 3, 0, 32][..], &[7; 32]].concat();
    client
        .sock
        .write_all(&[&forged[..], &[9; 100_000]].concat())
        .unwrap();
    let why = server.ended();
    assert!(why.starts_with("TLS failed"), "{why}");
    let error = client.read(&mut [0]).unwrap_err();
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[test]
fn a_client_that_vanishes_in_the_handshake_leaves_nothing() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    for _ in 0..50 {
        let mut client = server.connect();
        client.write_all(&[22, 3, 1, 2, 0]).unwrap();
    }
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    hello(&mut client);
    let news = server.news.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(news, News::Accepted(_)),
        "only the last became a connection: {news:?}"
    );
    assert_ne!(
        client.sock.take_error().unwrap().map(|error| error.kind()),
        Some(ErrorKind::BrokenPipe)
    );
}

#[test]
fn wrong_files_are_named() {
    let folder = std::env::temp_dir().join(format!("thalweg-net-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (one, two) = (Pem::make(), Pem::make());
    let (certificate, key) = (file("one.crt", &one.certificate), file("one.key", &one.key));
    let other = file("two.key", &two.key);
    let empty = file("empty.pem", "nothing here");
    let missing = folder.join("missing.pem");

    assert!(Identity::read(&certificate, &key).is_ok());
    let both = file("both.pem", &format!("{}{}", one.certificate, one.key));
    assert!(Identity::read(&both, &both).is_ok(), "both in one file");
    let errors = [
        Identity::read(&certificate, &other),
        Identity::read(&missing, &key),
        Identity::read(&empty, &key),
        Identity::read(&certificate, &empty),
    ];
    let errors: Vec<String> = errors
        .into_iter()
        .map(|answer| answer.unwrap_err().to_string())
        .collect();
    std::fs::remove_dir_all(&folder).unwrap();
    let expected = [
        "does not belong to the certificate",
        "cannot read",
        "holds no certificate",
        "holds no private key",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
    assert!(
        matches!(
            Identity::read(&certificate, &other),
            Err(TlsError::Read { .. })
        ),
        "the files are gone"
    );
}
