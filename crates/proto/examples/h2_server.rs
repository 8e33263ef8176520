//! The program that docs/tutorial-server.md builds: its pieces of code, in their order.

use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown as Half, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use thalweg_proto::error::Code;
use thalweg_proto::h2::Session;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Eof, Event, Finish, Gather, Session as _, Source, StreamId, Streams, Supply, fill,
};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");
    serve(&TcpListener::bind(address)?)
}

/// Serves every connection that comes.
pub fn serve(listener: &TcpListener) -> io::Result<()> {
    for socket in listener.incoming() {
        let connection = Connection::new(socket?);
        std::thread::spawn(move || {
            if let Err(error) = connection.run() {
                let _ = writeln!(io::stderr(), "a connection failed: {error}");
            }
        });
    }
    Ok(())
}

/// The largest request body that is kept.
const LARGEST: usize = 1 << 20;

struct Connection {
    socket: TcpStream,
    session: Session,
    out: Gather,
    site: Site,
    /// The client's octets have ended.
    ended: bool,
}

/// What is known of each stream.
#[derive(Default)]
struct Site {
    requests: HashMap<StreamId, (Request, BytesMut)>,
    answers: HashMap<StreamId, Bytes>,
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            session: Session::server(Limits::default(), Instant::now()),
            out: Gather::new(64 << 10),
            site: Site::default(),
            ended: false,
        }
    }

    fn run(mut self) -> Result<(), Box<dyn Error>> {
        self.socket.set_nodelay(true)?;
        self.socket
            .set_write_timeout(Some(Duration::from_secs(60)))?;
        loop {
            self.send()?;
            match self.session.wants().end {
                Finish::No if self.ended => return Ok(()),
                Finish::No | Finish::Half => {}
                Finish::Now => return Ok(()),
                Finish::Linger => return self.linger(),
            }
            if let Err(error) = self.receive() {
                // The last words of the session: a GOAWAY that says why.
                self.send()?;
                self.linger()?;
                return Err(error);
            }
        }
    }

    /// Ends our direction, and reads away what the client still sends, for a short time.
    fn linger(&mut self) -> Result<(), Box<dyn Error>> {
        self.socket.shutdown(Half::Write)?;
        self.socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut rest = (&self.socket).take(256 << 10);
        let _ = io::copy(&mut rest, &mut io::sink());
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        loop {
            let now = Instant::now();
            let more = fill(&mut self.session, now, &mut self.site, &mut self.out);
            for segment in self.out.segments() {
                self.socket.write_all(segment.octets())?;
            }
            self.out.clear();
            self.listen();
            if !more {
                return Ok(());
            }
        }
    }

    fn receive(&mut self) -> Result<(), Box<dyn Error>> {
        let patience = self.session.deadline().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            left.max(Duration::from_millis(1))
        });
        self.socket.set_read_timeout(patience)?;
        let mut buffer = [0; 16 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => {
                self.ended = true;
                self.session.eof(Instant::now(), Eof::Clean)?;
            }
            Ok(read) => self.take(&buffer[..read])?,
            Err(error) if is_timeout(&error) => self.session.expire(Instant::now())?,
            Err(error) => return Err(error.into()),
        }
        self.listen();
        Ok(())
    }

    fn take(&mut self, mut input: &[u8]) -> Result<(), Box<dyn Error>> {
        while !input.is_empty() {
            let received = self.session.recv(Instant::now(), input)?;
            input = &input[received.consumed..];
            if let Some(event) = received.event {
                self.site.hear(&mut self.session, event);
            }
        }
        Ok(())
    }

    fn listen(&mut self) {
        while let Some(event) = self.session.poll() {
            self.site.hear(&mut self.session, event);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl Site {
    fn hear(&mut self, session: &mut impl Streams, event: Event<'_>) {
        match event {
            Event::Request { id, head, end } => {
                self.requests.insert(id, (head, BytesMut::new()));
                if end {
                    self.answer(session, id);
                }
            }
            Event::Data { id, bytes, credit } => {
                session.taken(id, credit);
                if let Some((_, body)) = self.requests.get_mut(&id) {
                    body.extend_from_slice(bytes);
                    if body.len() > LARGEST {
                        self.refuse(session, id);
                    }
                }
            }
            Event::End { id, .. } => self.answer(session, id),
            // Complete, or given up by the client: the id is dead, whatever we still had to say.
            Event::Finished { id } | Event::Reset { id, .. } => {
                self.requests.remove(&id);
                self.answers.remove(&id);
            }
            _ => {}
        }
    }

    fn answer(&mut self, session: &mut impl Streams, id: StreamId) {
        let Some((head, body)) = self.requests.remove(&id) else {
            return;
        };
        match (head.method(), head.path()) {
            (b"GET" | b"HEAD", Some(b"/hello")) => {
                self.respond(session, id, &head, 200, Bytes::from_static(b"Hello!\n"));
            }
            (b"POST", Some(b"/echo")) => self.respond(session, id, &head, 200, body.freeze()),
            _ => {
                let sentence = Bytes::from_static(b"There is no such page.\n");
                self.respond(session, id, &head, 404, sentence);
            }
        }
    }

    fn respond(
        &mut self,
        session: &mut impl Streams,
        id: StreamId,
        request: &Request,
        status: u16,
        body: Bytes,
    ) {
        let head = Response::new(status)
            .with_field(b"content-type", b"text/plain")
            .with_field(b"content-length", body.len().to_string().as_bytes());
        let bodiless = request.method() == b"HEAD" || body.is_empty();
        // It fails where the client has just given the stream up: then there is nobody to answer.
        if session.respond(id, head, bodiless).is_ok() && !bodiless {
            self.answers.insert(id, body);
        }
    }

    fn refuse(&mut self, session: &mut impl Streams, id: StreamId) {
        session.discard(id);
        if let Some((head, _)) = self.requests.remove(&id) {
            let sentence = Bytes::from_static(b"That is more than is taken here.\n");
            self.respond(session, id, &head, 413, sentence);
        }
    }
}

impl Source for Site {
    fn read(&mut self, id: StreamId, max: usize) -> Supply {
        let Some(rest) = self.answers.get_mut(&id) else {
            return Supply::Fail(Code::Internal);
        };
        let piece = rest.split_to(max.min(rest.len()));
        let end = if rest.is_empty() {
            End::Last
        } else {
            End::More
        };
        Supply::Chunk(piece, end)
    }
}
