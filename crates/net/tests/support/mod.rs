//! A small service behind a real server on a free port, and plain sockets as its clients.
//!
//! | request | answer |
//! |---|---|
//! | `GET /hello` | `hello` |
//! | `OPTIONS *` | nothing in it |
//! | `GET /large/N` | N octets |
//! | `POST /echo` | its body, once that is complete |
//! | `POST /deaf` | nothing; its body is never taken |
//! | `GET /late` | `late`, by a message from another thread |
//! | `GET /never` | nothing |
//! | `GET /tunnel`, asking for an upgrade | `bye` and the end of our half; the client's goes on |

#![allow(unreachable_pub, dead_code)] // Every test program uses another part of it.

pub mod certificate;
pub mod h2_client;

use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use thalweg_net::listen::{Address, Listener, SocketAddress};
use thalweg_net::worker::{Post, Worker};
use thalweg_net::{
    Config, Connection, Ended, Endpoint, Peer, Running, Security, Service, Wake, serve,
};
use thalweg_proto::error::Code;
use thalweg_proto::head::Response;
use thalweg_proto::session::{End, Event, Source, StreamId, Streams, Supply};

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the service tells the test.
#[derive(Debug)]
pub enum News {
    Accepted(Arc<Peer>),
    Ended(String),
}

/// A server at work on a port of 127.0.0.1; stopped when dropped.
pub struct Server {
    pub running: Running,
    pub address: SocketAddr,
    pub news: mpsc::Receiver<News>,
}

impl Server {
    pub fn start(config: Config, security: Security) -> Self {
        let listener = Listener::bind(&Address::Tcp {
            host: "127.0.0.1".into(),
            port: 0,
        })
        .unwrap();
        Self::start_on(config, listener, security)
    }

    pub fn start_on(config: Config, listener: Listener, security: Security) -> Self {
        let SocketAddress::Ip(address) = listener.local().unwrap() else {
            panic!("an IP address");
        };
        let (tell, news) = mpsc::channel();
        let endpoint = Endpoint { listener, security };
        let running = serve(config, vec![endpoint], move |worker| {
            Answers::new(worker, tell.clone())
        })
        .unwrap();
        Self {
            running,
            address,
            news,
        }
    }

    pub fn plain() -> Self {
        Self::start(Config::default(), Security::Plain)
    }

    pub fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Sends octets, half-closes, and reads to the end.
    pub fn exchange(&self, octets: &[u8]) -> String {
        let mut client = self.connect();
        client.write_all(octets).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        read_all(&mut client)
    }

    /// Why the next connection to end did.
    pub fn ended(&self) -> String {
        loop {
            match self.news.recv_timeout(PATIENCE).expect("a connection ends") {
                News::Ended(why) => return why,
                News::Accepted(_) => {}
            }
        }
    }

    pub fn accepted(&self) -> Arc<Peer> {
        loop {
            match self
                .news
                .recv_timeout(PATIENCE)
                .expect("a connection is accepted")
            {
                News::Accepted(peer) => return peer,
                News::Ended(_) => {}
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.stop();
        let ended = self.running.wait();
        if !std::thread::panicking() {
            ended.expect("no worker panicked");
        }
    }
}

pub fn read_all(client: &mut impl Read) -> String {
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    String::from_utf8(all).unwrap()
}

/// Reads up to and with the end of `until`.
pub fn read_until(client: &mut impl Read, until: &str) -> String {
    let mut all = Vec::new();
    let mut octet = [0];
    while !all.ends_with(until.as_bytes()) {
        assert_eq!(
            client.read(&mut octet).unwrap(),
            1,
            "more before {until:?}: {:?}",
            String::from_utf8_lossy(&all)
        );
        all.push(octet[0]);
    }
    String::from_utf8(all).unwrap()
}

/// The service.
pub struct Answers {
    tell: mpsc::Sender<News>,
    late: Late,
    post: Post<usize>,
    next: RefCell<usize>,
}

/// Connections that wait for a message, by number.
type Late = Rc<RefCell<HashMap<usize, Wake>>>;

impl Answers {
    pub fn new(worker: &Worker, tell: mpsc::Sender<News>) -> Self {
        let late = Late::default();
        let waiting = Rc::clone(&late);
        let post = worker.mailbox(move |number: usize| {
            if let Some(wake) = waiting.borrow_mut().remove(&number) {
                wake.wake();
                wake.wake();
            }
        });
        Self {
            tell,
            late,
            post,
            next: RefCell::new(0),
        }
    }
}

impl Service for Answers {
    type Connection = Answering;

    fn accept(&self, peer: Arc<Peer>, wake: Wake) -> Answering {
        self.tell.send(News::Accepted(peer)).unwrap_or_default();
        Answering {
            tell: self.tell.clone(),
            late: Rc::clone(&self.late),
            post: self.post.clone(),
            number: self.next.replace_with(|next| *next + 1),
            wake,
            waiting: Vec::new(),
            bodies: HashMap::new(),
            paths: HashMap::new(),
        }
    }
}

pub struct Answering {
    tell: mpsc::Sender<News>,
    late: Late,
    post: Post<usize>,
    number: usize,
    wake: Wake,
    waiting: Vec<StreamId>,
    bodies: HashMap<StreamId, Bytes>,
    paths: HashMap<StreamId, (String, Vec<u8>)>,
}

impl Answering {
    fn answer(&mut self, session: &mut dyn Streams, id: StreamId, body: Bytes) {
        let head =
            Response::new(200).with_field(b"content-length", body.len().to_string().as_bytes());
        session.respond(id, head, body.is_empty()).unwrap();
        self.bodies.insert(id, body);
    }

    fn request(&mut self, session: &mut dyn Streams, id: StreamId) {
        let (path, body) = self.paths.remove(&id).unwrap();
        match path.as_str() {
            "/hello" => self.answer(session, id, "hello".into()),
            "*" => self.answer(session, id, Bytes::new()),
            "/echo" => self.answer(session, id, body.into()),
            "/late" => {
                self.waiting.push(id);
                self.late
                    .borrow_mut()
                    .insert(self.number, self.wake.clone());
                let (post, number) = (self.post.clone(), self.number);
                std::thread::spawn(move || post.send(number));
            }
            "/never" | "/deaf" => {}
            "/tunnel" => {
                let head = Response::new(101).with_field(b"upgrade", b"test");
                session.respond(id, head, false).unwrap();
                self.bodies.insert(id, "bye".into());
            }
            large => {
                let octets = large.strip_prefix("/large/").unwrap().parse().unwrap();
                self.answer(session, id, vec![b'x'; octets].into());
            }
        }
    }
}

impl Connection for Answering {
    fn event(&mut self, session: &mut dyn Streams, event: Event<'_>) {
        match event {
            Event::Request { id, head, end } => {
                let path = String::from_utf8(head.path().unwrap().to_vec()).unwrap();
                self.paths.insert(id, (path, Vec::new()));
                if end {
                    self.request(session, id);
                }
            }
            Event::Data { id, bytes, credit } => {
                match self.paths.get_mut(&id) {
                    Some((path, _)) if path == "/deaf" => return,
                    Some((_, body)) => body.extend_from_slice(bytes),
                    None => {} // A tunnel's.
                }
                session.taken(id, credit);
            }
            Event::End { id, .. } if self.paths.contains_key(&id) => self.request(session, id),
            Event::Reset { id, .. } | Event::Finished { id } => {
                self.bodies.remove(&id);
                self.paths.remove(&id);
            }
            _ => {}
        }
    }

    fn woken(&mut self, session: &mut dyn Streams) {
        for id in std::mem::take(&mut self.waiting) {
            self.answer(session, id, "late".into());
        }
    }

    fn ended(&mut self, why: Ended) {
        self.tell
            .send(News::Ended(why.to_string()))
            .unwrap_or_default();
    }
}

impl Source for Answering {
    fn read(&mut self, id: StreamId, max: usize) -> Supply {
        let Some(body) = self.bodies.get_mut(&id) else {
            return Supply::Fail(Code::Internal);
        };
        let piece = body.split_to(max.min(body.len()));
        let end = if body.is_empty() {
            End::Last
        } else {
            End::More
        };
        Supply::Chunk(piece, end)
    }
}
