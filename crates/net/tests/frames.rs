//! The log of frames, at level trace. Alone in its process, whose log it is.

mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use support::Server;
use support::h2_client::H2Client;
use thalweg_proto::h2c;
use thalweg_proto::limits::Limits;
use tracing_subscriber::filter::LevelFilter;

/// A log that the test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Each frame of a connection, as `nghttp -v` shows it, with the client's address.
#[test]
fn every_frame_is_logged_at_level_trace() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let server = Server::plain();
    let mut client = H2Client::new(server.connect());
    assert_eq!(client.fetch("/hello"), "hello");
    let address = client.stream.local_addr().unwrap();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for part in [
        " recv SETTINGS frame <",
        " recv (stream_id=1) :path: /hello\n",
        " recv HEADERS frame <",
        "          ; Open new stream\n",
        " send HEADERS frame <",
        "          content-length: 5\n",
        " send DATA frame <length=5, flags=0x01, stream_id=1>\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert!(text.contains(&format!(" [{address}] [  ")), "{text}");

    // So does one that begins in HTTP/1.1, from its first frame on.
    let session = h2c::Session::client(Limits::default(), Instant::now());
    let mut client = H2Client::over(server.connect(), session);
    assert_eq!(client.fetch("/hello"), "hello");
    let address = client.stream.local_addr().unwrap();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let of_client = format!(" [{address}] [  ");
    let shown = |part: &str| {
        text.lines()
            .any(|line| line.contains(&of_client) && line.contains(part))
    };
    assert!(
        shown(" send SETTINGS frame <") && shown(" send HEADERS frame <"),
        "{text}"
    );
}
