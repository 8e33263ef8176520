//! HTTP/2: by prior knowledge on a plain port and by ALPN over TLS, many streams at once, real peers.

mod support;

use rustls::version::TLS13;
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;
use support::Server;
use support::certificate::{Pem, connect};
use support::h2_client::H2Client;
use thalweg_net::{Config, Protocol, Security};
use thalweg_testkit::peer::has;

/// RFC 9113, section 3.3.
#[test]
fn prior_knowledge_is_recognised_by_the_preface() {
    let server = Server::plain();
    let mut client = H2Client::new(server.connect());
    assert_eq!(client.fetch("/hello"), "hello");
    let peer = server.accepted();
    assert_eq!((peer.protocol, peer.tls.is_none()), (Protocol::Http2, true));
}

#[test]
fn a_preface_in_pieces_is_recognised() {
    let server = Server::plain();
    let mut socket = server.connect();
    socket.set_nodelay(true).unwrap();
    let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    for octet in begin {
        socket.write_all(&[*octet]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut frame = [0; 9];
    socket.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "SETTINGS first: {frame:?}");
}

#[test]
fn what_begins_like_the_preface_and_is_not_is_http_1() {
    let server = Server::plain();
    assert!(
        server
            .exchange(b"PRIME /hello HTTP/1.1\r\nhost: a\r\n\r\n")
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        server
            .exchange(b"PRI * HTTP/2.0\r\n\r\nXX")
            .starts_with("HTTP/1.1 ")
    );
}

/// RFC 9113, section 3.2; RFC 7301.
#[test]
fn alpn_chooses_http_2() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1", b"h2"]);
    let mut client = H2Client::new(connect(&config, server.connect()));
    assert_eq!(client.fetch("/hello"), "hello");
    assert_eq!(client.fetch("/late"), "late");
    let peer = server.accepted();
    assert_eq!(peer.protocol, Protocol::Http2);
    assert_eq!(peer.tls.as_ref().unwrap().protocol, Some(Protocol::Http2));
}

#[test]
fn streams_run_at_once_and_a_stuck_one_holds_up_nobody() {
    let server = Server::plain();
    let mut client = H2Client::new(server.connect());
    // The first answer comes after the server's SETTINGS, which allow more than the 100 streams assumed before.
    client.fetch("/hello");
    client.get("/never");
    client.post("/deaf");
    let ids: Vec<_> = (0..100)
        .map(|n| {
            client.get(if n % 2 == 0 {
                "/hello"
            } else {
                "/large/100000"
            })
        })
        .collect();
    client.run(|client| ids.iter().all(|id| client.answers[id].complete));
    for (n, id) in ids.iter().enumerate() {
        let expected = if n % 2 == 0 { 5 } else { 100_000 };
        assert_eq!(client.answers[id].body.len(), expected);
    }
}

#[test]
fn bulk_over_tls_and_http_2() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"h2"]);
    let mut client = H2Client::new(connect(&config, server.connect()));
    assert_eq!(client.fetch("/large/20000000").len(), 20_000_000);
}

#[test]
fn curl_is_served_over_each_protocol() {
    if !has("curl") {
        return;
    }
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let plain = Server::plain();
    let config = Config {
        h2c_upgrade: false,
        ..Config::default()
    };
    let stays = Server::start(config, Security::Plain);
    let cases = [
        (&server, "https", "--http1.1", "1.1"),
        (&server, "https", "--http2", "2"),
        (&plain, "http", "--http1.1", "1.1"),
        (&plain, "http", "--http2-prior-knowledge", "2"),
        // By an Upgrade that is taken (RFC 7540, section 3.2), and one that is not.
        (&plain, "http", "--http2", "2"),
        (&stays, "http", "--http2", "1.1"),
    ];
    for (server, scheme, option, version) in cases {
        let url = format!("{scheme}://{}/hello", server.address);
        let out = Command::new("curl")
            .args([
                "-sk",
                "--max-time",
                "20",
                "-w",
                " %{http_version}",
                option,
                &url,
            ])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert_eq!(text, format!("hello {version}"), "{option}: {out:?}");
    }
}

#[test]
fn nghttp_is_served() {
    if !has("nghttp") {
        return;
    }
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let url = format!("https://{}/large/300000", server.address);
    let out = Command::new("nghttp")
        .args(["--timeout=20", "--no-verify-peer", "-m", "20", &url])
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    assert_eq!(
        out.stdout.len(),
        20 * 300_000,
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
