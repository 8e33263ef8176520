//! `Upgrade: h2c` (RFC 7540, section 3.2) on sockets: real clients at our server, our client at a real server.

mod support;

use rustls::version::TLS13;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use support::certificate::{Pem, connect};
use support::h2_client::H2Client;
use support::{PATIENCE, Server, read_all};
use thalweg_net::{Config, Protocol};
use thalweg_proto::h2c;
use thalweg_proto::head::Version;
use thalweg_proto::limits::Limits;
use thalweg_testkit::peer::{Folder, Peer, has};

const OFFER: &str = "GET /hello HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
    http2-settings: AAMAAABk\r\n\r\n";

fn client() -> h2c::Session {
    h2c::Session::client(Arc::new(Limits::default()), Instant::now())
}

#[test]
fn our_client_and_our_server_change_and_go_on_with_many_streams() {
    let server = Server::plain();
    let mut client = H2Client::over(server.connect(), client());
    assert_eq!(client.fetch("/late"), "late");
    assert_eq!(client.session.version(), Version::Http2);
    let ids: Vec<_> = (0..20).map(|_| client.get("/large/100000")).collect();
    client.run(|client| ids.iter().all(|id| client.answers[id].complete));
    assert!(
        ids.iter()
            .all(|id| client.answers[id].body.len() == 100_000)
    );
    assert_eq!(server.accepted().protocol, Protocol::Http1);
}

/// A first answer larger than the socket takes at once leaves after the 101 all the same.
#[test]
fn a_large_first_answer_arrives_whole() {
    let server = Server::plain();
    let mut client = H2Client::over(server.connect(), client());
    assert_eq!(client.fetch("/large/20000000").len(), 20_000_000);
}

#[test]
fn an_upgraded_connection_ends_in_order_when_the_server_drains() {
    let server = Server::plain();
    let mut client = H2Client::over(server.connect(), client());
    assert_eq!(client.fetch("/hello"), "hello");
    server.running.drain(PATIENCE);
    client.run(|_| false);
    assert_eq!((client.goaways, client.ended), (2, true));
    assert_eq!(server.ended(), "closed");
}

/// Section 3.3: over TLS there is only ALPN.
#[test]
fn over_tls_no_upgrade_is_taken() {
    let pem = Pem::make();
    let server = Server::start(Config::default(), pem.security());
    let config = pem.client(&[&TLS13], &[b"http/1.1"]);
    let mut client = connect(&config, server.connect());
    client.write_all(OFFER.as_bytes()).unwrap();
    let mut answer = [0; 15];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

/// RFC 9113, section 3.4: the preface is not optional. What a smuggler would have behind the offer is not served.
#[test]
fn a_second_request_of_http_1_1_behind_an_offer_is_not_served() {
    let server = Server::plain();
    let mut client = server.connect();
    let hidden = OFFER.to_owned() + "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
    client.write_all(hidden.as_bytes()).unwrap();
    let answer = read_all(&mut client);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.contains("hello"), "{answer}");
    assert_eq!(
        server.ended(),
        "the connection preface is missing or malformed"
    );
}

/// nghttp sends the offer with its GET; with content to send it offers with OPTIONS first.
#[test]
fn nghttp_upgrades_with_and_without_content() {
    if !has("nghttp") {
        return;
    }
    let server = Server::plain();
    let upload = Folder::new("upload");
    let body = upload.write("body", vec![b'x'; 200_000]);
    let body = body.to_str().unwrap();
    for (path, more, octets) in [
        ("/large/300000", &[][..], 300_000),
        ("/echo", &["-d", body][..], 200_000),
        ("/large/300000", &["-m", "10"][..], 3_000_000),
    ] {
        let url = format!("http://{}{path}", server.address);
        let out = Command::new("nghttp")
            .args(["--timeout=20", "--upgrade"])
            .args(more)
            .arg(&url)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{path}: {told}");
        assert_eq!(out.stdout.len(), octets, "{path}: {told}");
    }
}

/// h2o takes offers on its plain ports.
#[test]
fn our_client_upgrades_at_h2o() {
    if !has("h2o") {
        return;
    }
    let folder = Folder::new("h2o");
    folder.write("small", "from h2o");
    folder.write("large", vec![b'x'; 1_000_000]);
    let peer = h2o(&folder);
    for path in ["/small", "/large"] {
        let mut client = H2Client::over(peer.connect(), client());
        let answer = client.fetch(path);
        assert_eq!(client.session.version(), Version::Http2);
        match path {
            "/small" => assert_eq!(answer, "from h2o"),
            _ => assert_eq!(answer.len(), 1_000_000),
        }
        assert_eq!(client.fetch("/small"), "from h2o");
    }
}

/// A running h2o that serves the files of a folder.
fn h2o(folder: &Folder) -> Peer {
    Peer::start("h2o", |command, port| {
        let files = folder.path().display();
        let config = format!(
            "listen:\n  host: 127.0.0.1\n  port: {port}\nhosts:\n  default:\n    paths:\n      /:\n        file.dir: {files}\n"
        );
        command.arg("-c").arg(folder.write("h2o.conf", config));
    })
}
