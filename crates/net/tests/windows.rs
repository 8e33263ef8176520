//! Windows of HTTP/2 that grow: a running server behind a way that takes long.

mod support;

use bytes::Bytes;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::Server;
use thalweg_proto::h2::Session;
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Event, Gather, Session as _, Source, StreamId, Streams, Supply, fill,
};

/// How long octets are on their way, in each direction.
const DELAY: Duration = Duration::from_millis(50);

/// What the server's SETTINGS give each stream.
const FIRST_WINDOW: i32 = 256 << 10;

/// An address behind which this one is, a long way off.
fn far_from(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(address).unwrap();
        let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || carry(back.0, back.1));
        carry(client, server);
    });
    near
}

/// Carries octets from one socket to the other, each after [`DELAY`], until either has ended.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let (send, carried) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || -> io::Result<()> {
        for (due, octets) in carried {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            to.write_all(&octets)?;
        }
        to.shutdown(std::net::Shutdown::Write)
    });
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let due = Instant::now() + DELAY;
        if send.send((due, chunk[..read].to_vec())).is_err() {
            return;
        }
    }
}

/// A body that does not end.
struct Endless;

impl Source for Endless {
    fn read(&mut self, _: StreamId, max: usize) -> Supply {
        static OCTETS: [u8; 64 << 10] = [0; 64 << 10];
        let piece = Bytes::from_static(&OCTETS).split_to(max.min(OCTETS.len()));
        Supply::Chunk(piece, End::More)
    }
}

/// An upload over a long way is given more than the window that it began with.
#[test]
fn a_long_way_makes_the_window_of_an_upload_larger() {
    let server = Server::plain();
    let mut socket = TcpStream::connect(far_from(server.address)).unwrap();
    let mut client = Session::client(Limits::default(), Instant::now());
    let head = Request::new(b"POST")
        .with_scheme(b"http")
        .with_authority(b"localhost")
        .with_path(b"/hello");
    let id = client.open(head, false).unwrap();
    let (mut out, mut chunk) = (Gather::new(1 << 20), vec![0; 64 << 10]);
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        while fill(&mut client, Instant::now(), &mut Endless, &mut out) {
            socket.write_all(&out.to_vec()).unwrap();
            out.clear();
        }
        socket.write_all(&out.to_vec()).unwrap();
        out.clear();
        let read = socket.read(&mut chunk).unwrap();
        assert!(read > 0, "the server has closed");
        let mut rest = &chunk[..read];
        while !rest.is_empty() {
            let received = client.recv(Instant::now(), rest).unwrap();
            rest = &rest[received.consumed..];
            assert!(!matches!(received.event, Some(Event::Reset { .. })));
        }
        // What the server allows is never more than the window, less what is on its way.
        if client.windows(Some(id)).unwrap().send > FIRST_WINDOW {
            return;
        }
        assert!(Instant::now() < until, "the window has not grown");
    }
}
