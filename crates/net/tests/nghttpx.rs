//! Our sessions on both sides of nghttpx: a change of protocol in front of it, a tunnel through it.

mod support;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::h2_client::H2Client;
use support::{PATIENCE, Server};
use thalweg_proto::error::Code;
use thalweg_proto::h1::{self, Scheme};
use thalweg_proto::head::{Request, Response, Version};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Session, Streams};
use thalweg_proto::{h2, h2c};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::peer::{Peer, has};

/// RFC 7540, section 3.2, as nghttpx has it; what is behind it is our own server.
#[test]
fn our_client_upgrades_at_nghttpx() {
    if !has("nghttpx") {
        return;
    }
    let server = Server::plain();
    let peer = nghttpx(server.address, &[]);
    let session = h2c::Session::client(Limits::default(), Instant::now());
    let mut client = H2Client::over(peer.connect(), session);
    assert_eq!(client.fetch("/hello"), "hello");
    assert_eq!(client.session.version(), Version::Http2);
    assert_eq!(client.fetch("/large/1000000").len(), 1_000_000);
    // It announces that it takes CONNECT for a protocol (RFC 8441, section 3).
    assert!(client.session.http2().unwrap().connect_protocol());
}

/// RFC 9113, section 8.5: CONNECT over HTTP/2 to a proxy, which makes one of HTTP/1.1 of it.
#[test]
fn our_tunnel_leads_through_nghttpx() {
    if !has("nghttpx") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let far_end = std::thread::spawn(move || echo(listener.accept().unwrap().0));
    let peer = nghttpx(address, &["--http2-proxy"]);
    let session = h2::Session::client(Limits::default(), Instant::now());
    let mut client = Wire::new(peer.connect(), session);
    let head = Request::new(b"CONNECT").with_authority(b"far.example:443");
    let id = client.caller.session.open(head, false).unwrap();
    let upload: Vec<u8> = (0..500_000).map(|at| at as u8).collect();
    client.caller.say(id, upload.clone(), false);
    client.run(|caller| caller.data_of(id).len() >= upload.len());
    assert!(matches!(&client.caller.told[0], Told::Response(_, head, false) if head.status == 200));
    assert!(client.caller.data_of(id) == upload);
    // nghttpx 1.52 does not pass half of an end on: a reset ends both.
    client.caller.session.reset(id, Code::Cancel);
    client.run(|_| true);
    let connects = far_end.join().unwrap();
    assert_eq!(connects, [b"far.example:443".to_vec()]);
}

/// The far end: grants each tunnel, and sends back what comes. Answers whom the tunnels were for.
fn echo(socket: TcpStream) -> Vec<Vec<u8>> {
    let session = h1::Session::server(Limits::default(), Scheme::Http, Instant::now());
    let mut wire = Wire::new(socket, session);
    let mut connects = Vec::new();
    wire.run(|caller| {
        for told in std::mem::take(&mut caller.told) {
            match told {
                Told::Request(id, head, _) => {
                    connects.push(head.authority().unwrap().to_vec());
                    let granted = caller.session.respond(id, Response::new(200), false);
                    granted.unwrap();
                }
                Told::Data(id, octets) => caller.say(id, octets, false),
                Told::End(..) | Told::Failed(_) => return true,
                _ => {}
            }
        }
        false
    });
    connects
}

/// A socket, and a session that is driven over it.
struct Wire<S> {
    socket: TcpStream,
    caller: Caller<S>,
}

impl<S: Session> Wire<S> {
    fn new(socket: TcpStream, session: S) -> Self {
        let moment = Duration::from_millis(50);
        socket.set_read_timeout(Some(moment)).unwrap();
        let caller = Caller::new(session);
        Self { socket, caller }
    }

    /// Reads and writes until `done` says so.
    fn run(&mut self, mut done: impl FnMut(&mut Caller<S>) -> bool) {
        let since = Instant::now();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let over = done(&mut self.caller);
            let written = self.socket.write_all(&self.caller.flush(Instant::now()));
            if over {
                return;
            }
            written.unwrap();
            assert!(since.elapsed() < PATIENCE, "it takes too long");
            match self.socket.read(&mut buffer) {
                Ok(0) => self.caller.eof(Instant::now(), Eof::Clean),
                Ok(read) => self.caller.feed(Instant::now(), &buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A running nghttpx without TLS.
fn nghttpx(behind: SocketAddr, more: &[&str]) -> Peer {
    Peer::start("nghttpx", |command, port| {
        command
            .args(["--conf=/dev/null", "--workers=1", "--single-process"])
            .arg(format!("--frontend=127.0.0.1,{port};no-tls"))
            .arg(format!("--backend=127.0.0.1,{}", behind.port()))
            .args(more);
    })
}
