//! A client of a test's site that speaks HTTP/2.

use super::{PATIENCE, connect};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use thalweg_proto::error::Code;
use thalweg_proto::h2;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};

/// A client that speaks HTTP/2 by our own session, with prior knowledge.
pub(crate) struct Http2 {
    pub(crate) caller: Caller<h2::Session>,
    stream: TcpStream,
}

impl Http2 {
    /// A connection on which the server's settings have come.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::configured(address, h2::Config::default())
    }

    /// The same with other choices than the default ones.
    pub(crate) fn configured(address: SocketAddr, config: h2::Config) -> Self {
        let session = h2::Session::client(Limits::default(), Instant::now());
        Self::over(address, session.configured(config))
    }

    /// The same with other bounds.
    pub(crate) fn within(address: SocketAddr, limits: Limits) -> Self {
        Self::over(address, h2::Session::client(limits, Instant::now()))
    }

    fn over(address: SocketAddr, session: h2::Session) -> Self {
        let mut client = Self {
            caller: Caller::new(session),
            stream: connect(address),
        };
        client.flush();
        client.receive(PATIENCE);
        client
    }

    /// Opens a stream with a request of this method and path.
    pub(crate) fn ask(&mut self, method: &str, path: &str, end: bool) -> StreamId {
        self.ask_with(method, path, end, |head| head)
    }

    pub(crate) fn ask_with(
        &mut self,
        method: &str,
        path: &str,
        end: bool,
        more: impl FnOnce(Request) -> Request,
    ) -> StreamId {
        let head = Request::new(method.as_bytes())
            .with_scheme(b"http")
            .with_authority(b"localhost")
            .with_path(path.as_bytes());
        let id = self.caller.session.open(more(head), end);
        id.expect("the session takes another stream")
    }

    /// Sends and receives until `done`, and answers what it found.
    pub(crate) fn until<T>(
        &mut self,
        mut done: impl FnMut(&mut Caller<h2::Session>) -> Option<T>,
    ) -> T {
        let since = Instant::now();
        loop {
            self.flush();
            if let Some(found) = done(&mut self.caller) {
                return found;
            }
            assert!(since.elapsed() < PATIENCE, "told: {:?}", self.caller.told);
            self.receive(Duration::from_millis(100));
        }
    }

    /// Writes what the session has to send.
    pub(crate) fn flush(&mut self) {
        let octets = self.caller.flush(Instant::now());
        self.stream.write_all(&octets).expect("the server reads");
    }

    /// Reads once, waiting no longer than this.
    pub(crate) fn receive(&mut self, wait: Duration) {
        let mut octets = vec![0; 64 << 10];
        self.stream.set_read_timeout(Some(wait)).expect("a timeout");
        match self.stream.read(&mut octets) {
            Ok(0) => self.caller.eof(Instant::now(), Eof::Clean),
            Ok(read) => self.caller.feed(Instant::now(), &octets[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// The whole answer to a request: its final head and body.
    pub(crate) fn answer(&mut self, id: StreamId) -> (Response, Vec<u8>) {
        self.until(|caller| is_over(caller, id).then_some(()));
        let head = self.head(id).expect("a final head");
        (head, self.caller.data_of(id))
    }

    /// The final head, as far as it has come.
    pub(crate) fn head(&self, id: StreamId) -> Option<Response> {
        self.caller.told.iter().find_map(|told| match told {
            Told::Response(of, head, _) if *of == id && !head.is_informational() => {
                Some(head.clone())
            }
            _ => None,
        })
    }

    /// How the stream was reset, if it was.
    pub(crate) fn reset(&self, id: StreamId) -> Option<Code> {
        self.caller.told.iter().find_map(|told| match told {
            Told::Reset(of, code, _) if *of == id => Some(*code),
            _ => None,
        })
    }
}

fn is_over(caller: &Caller<h2::Session>, id: StreamId) -> bool {
    caller.told.iter().any(|told| match told {
        Told::Response(of, _, true) | Told::End(of, _) | Told::Reset(of, ..) => *of == id,
        _ => false,
    })
}
