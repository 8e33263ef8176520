//! The programs of the tutorials at work.

use crate::h2_client::Client;
use crate::{h2_proxy, h2_server, hpack};
use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use thalweg_proto::error::Code;
use thalweg_proto::h2::frame::{Frame, Header, Kind};
use thalweg_testkit::peer::{Folder, Peer, has};

/// A server of the tutorial on a port of its own. Its thread ends with the test program.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || h2_server::serve(&listener));
    address
}

#[test]
fn the_client_and_the_server_talk_to_each_other() {
    let mut client = Client::connect(&server().to_string()).unwrap();
    let upload: Bytes = (0..500_000).map(|at| at as u8).collect::<Vec<_>>().into();
    let hello = client.request("GET", "/hello", Bytes::new()).unwrap();
    let echoes: Vec<_> = (0..10)
        .map(|_| client.request("POST", "/echo", upload.clone()).unwrap())
        .collect();
    let nothing = client.request("GET", "/nothing", Bytes::new()).unwrap();
    let head = client.request("HEAD", "/hello", Bytes::new()).unwrap();
    // The last one first: what comes meanwhile is kept.
    let answer = client.wait(head).unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.fields.first(b"content-length"), Some(&b"7"[..]));
    assert_eq!(client.wait(nothing).unwrap().status, 404);
    for echo in echoes {
        let answer = client.wait(echo).unwrap();
        assert_eq!((answer.status, answer.broken), (200, None));
        assert!(answer.body == upload);
    }
    assert_eq!(client.wait(hello).unwrap().body, b"Hello!\n");
    client.close().unwrap();
}

/// A body above the server's own bound is answered before it is complete, and does not harm what goes on beside it.
#[test]
fn a_body_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let mut client = Client::connect(&server().to_string()).unwrap();
    let large = client
        .request("POST", "/echo", vec![b'x'; 8 << 20].into())
        .unwrap();
    let hello = client.request("GET", "/hello", Bytes::new()).unwrap();
    let answer = client.wait(large).unwrap();
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body, b"That is more than is taken here.\n");
    assert_eq!(client.wait(hello).unwrap().status, 200);
    let again = client.request("GET", "/hello", Bytes::new()).unwrap();
    assert_eq!(client.wait(again).unwrap().status, 200);
}

#[test]
fn a_client_of_another_protocol_gets_a_goaway_and_the_end() {
    let mut socket = TcpStream::connect(server()).unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let mut kinds = Vec::new();
    let mut rest = &answer[..];
    while let Some((header, after)) = rest.split_first_chunk() {
        let header = Header::parse(*header);
        let (payload, after) = after.split_at(header.length as usize);
        kinds.push(header.kind);
        if let Frame::GoAway { code, .. } = Frame::parse(header, payload).unwrap() {
            assert_eq!(code, Code::Protocol);
        }
        rest = after;
    }
    assert_eq!(
        (kinds.first(), kinds.last()),
        (Some(&Kind::Settings), Some(&Kind::GoAway))
    );
}

#[test]
fn a_server_that_goes_away_breaks_off_what_was_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut some = [0; 24];
        socket.read_exact(&mut some).unwrap();
        // SETTINGS, and then the end, read to its own so that it is no reset.
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    });
    let mut client = Client::connect(&address.to_string()).unwrap();
    let id = client.request("GET", "/", Bytes::new()).unwrap();
    let answer = client.wait(id).unwrap();
    assert!(answer.over && answer.broken.is_some(), "{answer:?}");
    client.close().unwrap();
    server.join().unwrap();
}

#[test]
fn the_proxy_passes_bodies_on_whatever_is_spoken_behind() {
    let body: Bytes = (0..2_000_000).map(|at| at as u8).collect::<Vec<_>>().into();
    assert!(h2_proxy::over_http_2(&body).unwrap() == body);
    assert!(h2_proxy::over_http_1(&body).unwrap() == body);
}

#[test]
fn hpack_shrinks_what_it_has_seen_and_hides_what_is_secret() {
    let told = hpack::tell().unwrap();
    assert_eq!(told.len(), 3);
    assert!(
        told[0].octets > told[1].octets && told[1].octets < 10,
        "{told:?}"
    );
    assert_eq!(told[1].lines, told[0].lines);
    assert!(
        told[2]
            .lines
            .contains(&("authorization".into(), "Basic c2VjcmV0".into(), true))
    );
}

#[test]
fn curl_is_served() {
    if !has("curl") {
        return;
    }
    let server = server();
    let folder = Folder::new("tutorial-curl");
    let upload = folder.write("upload", vec![b'x'; 600_000]);
    let data = format!("@{}", upload.display());
    for (arguments, path, octets) in [
        (&[][..], "/hello", 7),
        (&["--data-binary", &data][..], "/echo", 600_000),
    ] {
        let out = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20"])
            .arg("--http2-prior-knowledge")
            .args(arguments)
            .arg(format!("http://{server}{path}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{path}: {said}");
        assert_eq!(out.stdout.len(), octets, "{path}");
    }
}

#[test]
fn nghttpd_is_asked() {
    if !has("nghttpd") {
        return;
    }
    let folder = Folder::new("tutorial-nghttpd");
    folder.write("small", "from nghttpd");
    folder.write("large", vec![b'x'; 3_000_000]);
    let peer = Peer::start("nghttpd", |command, port| {
        command
            .args(["--no-tls", "--address=127.0.0.1", "--htdocs"])
            .arg(folder.path())
            .arg(port.to_string());
    });
    let mut client = Client::connect(&peer.address().to_string()).unwrap();
    let small = client.request("GET", "/small", Bytes::new()).unwrap();
    let large = client.request("GET", "/large", Bytes::new()).unwrap();
    let upload = client
        .request("POST", "/small", vec![b'y'; 300_000].into())
        .unwrap();
    assert_eq!(client.wait(upload).unwrap().status, 200);
    assert_eq!(client.wait(large).unwrap().body.len(), 3_000_000);
    assert_eq!(client.wait(small).unwrap().body, b"from nghttpd");
    client.close().unwrap();
}
