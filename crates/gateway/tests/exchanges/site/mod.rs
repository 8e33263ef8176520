//! A small site for tests: a server on a free loopback port, an application on threads, and clients that speak
//! to it over sockets, bounded in time.

mod http2;

pub(crate) use http2::Http2;

use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use thalweg_gateway::application::{ApplicationHandler, Queue};
use thalweg_gateway::{Config, Gateway, Remote, Router};
use thalweg_net::listen::{Address, Listener, SocketAddress};
use thalweg_net::{Endpoint, Running, Security, serve};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;

/// Nothing in a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server with an application.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) queue: Arc<Queue>,
    running: Option<Running>,
    threads: Vec<JoinHandle<()>>,
}

/// How a site is made.
pub(crate) struct Plan {
    pub(crate) workers: usize,
    pub(crate) threads: usize,
    pub(crate) queue: usize,
    pub(crate) limits: Limits,
    pub(crate) config: Config,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            workers: 1,
            threads: 4,
            queue: 1024,
            limits: Limits::default(),
            config: Config::default(),
        }
    }
}

impl Site {
    /// Serves this application on four threads.
    pub(crate) fn new(application: impl Fn(Remote) + Send + Sync + 'static) -> Self {
        Self::planned(Plan::default(), application)
    }

    pub(crate) fn planned(
        plan: Plan,
        application: impl Fn(Remote) + Send + Sync + 'static,
    ) -> Self {
        let queue = Queue::new(plan.queue);
        let application = Arc::new(application);
        let threads = (0..plan.threads).map(|_| {
            let (queue, application) = (Arc::clone(&queue), Arc::clone(&application));
            std::thread::spawn(move || {
                let mut taker = queue.taker();
                while let Some(remote) = taker.take() {
                    application(remote);
                }
            })
        });
        let threads = threads.collect();
        let config = plan.config;
        let handed = Arc::clone(&queue);
        let (address, running) = listen(plan.workers, plan.limits, config, move || {
            Router::to(ApplicationHandler::new(Arc::clone(&handed)))
        });
        Self {
            address,
            queue,
            running: Some(running),
            threads,
        }
    }

    /// Serves on the worker's own thread.
    pub(crate) fn local(router: impl Fn() -> Router + Send + Sync + 'static) -> Self {
        let (address, running) = listen(1, Limits::default(), Config::default(), router);
        Self {
            address,
            queue: Queue::new(0),
            running: Some(running),
            threads: Vec::new(),
        }
    }

    /// Stops taking connections, lets open streams finish, and waits for all threads.
    pub(crate) fn drain(mut self) {
        let mut running = self.running.take().expect("it runs");
        running.drain(PATIENCE);
        running.wait().expect("no worker panics");
        self.queue.close();
        for thread in self.threads.drain(..) {
            thread.join().expect("no thread of the application panics");
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let panicked = self.running.take().is_some_and(|mut running| {
            running.stop();
            running.wait().is_err()
        });
        self.queue.close();
        if std::thread::panicking() {
            // The test has failed already: a thread that waits for ever must not hold it up.
            return;
        }
        assert!(!panicked, "a worker panicked");
        for thread in self.threads.drain(..) {
            thread.join().expect("no thread of the application panics");
        }
    }
}

fn listen(
    workers: usize,
    limits: Limits,
    config: Config,
    router: impl Fn() -> Router + Send + Sync + 'static,
) -> (SocketAddr, Running) {
    let loopback = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 0,
    };
    let listener = Listener::bind(&loopback).expect("a free port");
    let address = match listener.local().expect("it is bound") {
        SocketAddress::Ip(address) => address,
        SocketAddress::Unix(_) => unreachable!("it was bound to TCP"),
    };
    let endpoint = Endpoint {
        listener,
        security: Security::Plain,
    };
    let net = thalweg_net::Config {
        workers,
        limits: Arc::new(limits),
        ..thalweg_net::Config::default()
    };
    let running = serve(net, vec![endpoint], move |worker| {
        Gateway::new(&config, router(), worker)
    });
    (address, running.expect("the workers start"))
}

/// Opens a connection whose reads and writes do not wait for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Sends octets and reads until the server closes.
pub(crate) fn exchange_octets(address: SocketAddr, octets: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(octets).expect("the server reads");
    read_all(&mut stream)
}

/// Reads until the server closes.
pub(crate) fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // A reset after the last octet says the same here.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
    }
    String::from_utf8(answer).expect("ASCII")
}

/// Reads until what came ends with this.
pub(crate) fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = Vec::new();
    let mut octet = [0];
    while !answer.ends_with(end.as_bytes()) {
        match stream.read(&mut octet) {
            Ok(1) => answer.push(octet[0]),
            other => panic!(
                "{other:?} before {end:?}, after {:?}",
                String::from_utf8_lossy(&answer)
            ),
        }
    }
    String::from_utf8(answer).expect("ASCII")
}

/// A plain answer with this body.
pub(crate) fn hello(remote: &Remote, body: impl Into<Bytes>) {
    let head = Response::new(200).with_field(b"content-type", b"text/plain");
    // Some tests let the client go first.
    let _ = remote.respond(head, body.into());
}

/// What a log or an observer gathers, from several threads.
pub(crate) type Shared<T> = Arc<Mutex<Vec<T>>>;

/// Waits until a condition holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
