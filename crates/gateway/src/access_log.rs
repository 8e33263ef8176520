//! The access log: a line for each exchange, in the combined format of web servers and a little more.
//!
//! ```text
//! 127.0.0.1 - - [20/Nov/2026:22:10:01 +0000] "GET /a HTTP/2" 200 1234 "https://example.org/" "curl/8.0" id=1f… stream=5 in=0 time=0.000812
//! └ peer        └ end of the exchange         └ request       │   │     └ Referer              └ User-Agent │     │        │    └ seconds
//!                                                    status ──┘   └ octets of the body sent       request id ┘  stream   octets of the
//!                                                                                                              number   body received
//! ```
//!
//! Octets of the peer other than visible ASCII and space, and `"` and `\`, are written as `\xHH`, so that nobody
//! can forge a line. A worker collects the lines of a turn and writes them at once, before it sleeps: to a regular
//! file by itself, to anything else through a thread that may wait for a reader.

use crate::log::{self, Sink};
use crate::request_id::RequestId;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use thalweg_proto::head::Request;

/// Lines of one worker are written before it sleeps, or when they reach this many octets.
const BATCH: usize = 64 << 10;

/// The status of an exchange whose client went before there was an answer, as nginx has it.
pub(crate) const CLIENT_GONE: u16 = 499;

/// Where the lines go. Clones write to the same place.
#[derive(Clone, Debug)]
pub struct AccessLog {
    to: Destination,
}

#[derive(Clone, Debug)]
enum Destination {
    Stderr,
    File(Arc<File>),
    /// A pipe, a terminal: its thread begins with the first line.
    Stream(Arc<(File, OnceLock<Sink>)>),
}

impl AccessLog {
    /// To the standard error output.
    pub fn stderr() -> Self {
        Self {
            to: Destination::Stderr,
        }
    }

    /// To the end of a file, which is made where there is none.
    ///
    /// # Errors
    /// What the system says about opening it.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        let to = if file.metadata()?.is_file() {
            Destination::File(Arc::new(file))
        } else {
            Destination::Stream(Arc::new((file, OnceLock::new())))
        };
        Ok(Self { to })
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        match &self.to {
            Destination::Stderr => log::stderr().write(lines),
            Destination::File(file) => (&**file).write_all(lines),
            Destination::Stream(stream) => {
                let (file, sink) = &**stream;
                let sink = match sink.get() {
                    Some(sink) => sink,
                    None => {
                        let file = file.try_clone()?;
                        sink.get_or_init(|| Sink::new(file))
                    }
                };
                sink.write(lines)
            }
        }
    }
}

/// What one line says.
pub(crate) struct Entry<'a> {
    pub(crate) peer: &'a str,
    pub(crate) date: &'a [u8],
    /// None when the head was refused before it was complete.
    pub(crate) request: Option<(&'a Request, RequestId)>,
    /// None when there never was one.
    pub(crate) stream: Option<u64>,
    pub(crate) status: u16,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) time: Duration,
}

/// The lines of one worker.
#[derive(Debug)]
pub(crate) struct Lines {
    log: AccessLog,
    pending: Vec<u8>,
    failed: bool,
}

impl Lines {
    pub(crate) fn new(log: AccessLog) -> Self {
        Self {
            log,
            pending: Vec::new(),
            failed: false,
        }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        let line = &mut self.pending;
        escape(entry.peer.as_bytes(), line);
        line.extend_from_slice(b" - - [");
        line.extend_from_slice(entry.date);
        line.extend_from_slice(b"] \"");
        match entry.request {
            Some((request, _)) => {
                escape(request.method(), line);
                line.push(b' ');
                escape(request.path().or(request.authority()).unwrap_or(b"-"), line);
                line.push(b' ');
                line.extend_from_slice(request.version.as_str().as_bytes());
            }
            None => line.push(b'-'),
        }
        line.extend_from_slice(b"\" ");
        number(entry.status.into(), line);
        line.push(b' ');
        number(entry.sent, line);
        for name in [&b"referer"[..], b"user-agent"] {
            line.extend_from_slice(b" \"");
            let value = entry
                .request
                .and_then(|(request, _)| request.fields.first(name));
            escape(value.unwrap_or(b"-"), line);
            line.push(b'"');
        }
        line.extend_from_slice(b" id=");
        match entry.request {
            Some((_, id)) => line.extend_from_slice(&id.digits()),
            None => line.push(b'-'),
        }
        line.extend_from_slice(b" stream=");
        match entry.stream {
            Some(stream) => number(stream, line),
            None => line.push(b'-'),
        }
        line.extend_from_slice(b" in=");
        number(entry.received, line);
        line.extend_from_slice(b" time=");
        number(entry.time.as_secs(), line);
        line.push(b'.');
        let fraction = u64::from(entry.time.subsec_micros()) + 1_000_000;
        let point = line.len();
        number(fraction, line);
        line.remove(point); // the leading 1, which kept the zeros
        line.push(b'\n');
        if self.pending.len() >= BATCH {
            self.flush();
        }
    }

    /// Writes what there is.
    pub(crate) fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        match self.log.write(&self.pending) {
            Ok(()) => self.failed = false,
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::error!("the access log cannot be written, lines are lost: {error}");
            }
            Err(_) => {} // said once, until writing works again
        }
        self.pending.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

fn escape(octets: &[u8], line: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let plain = |octet: &u8| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\');
    if octets.iter().all(plain) {
        line.extend_from_slice(octets);
        return;
    }
    for octet in octets {
        if plain(octet) {
            line.push(*octet);
        } else {
            let (high, low) = (octet >> 4, octet & 15);
            line.extend_from_slice(&[b'\\', b'x', HEX[high as usize], HEX[low as usize]]);
        }
    }
}

fn number(number: u64, line: &mut Vec<u8>) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(request: Option<&Request>, time: Duration) -> String {
        let mut lines = Lines::new(AccessLog::stderr());
        lines.add(&Entry {
            peer: "192.0.2.1",
            date: b"20/Nov/2026:22:10:01 +0000",
            request: request.map(|request| (request, RequestId::from(1))),
            stream: Some(5),
            status: 200,
            sent: 1234,
            received: 7,
            time,
        });
        String::from_utf8(std::mem::take(&mut lines.pending)).unwrap()
    }

    #[test]
    fn a_line_is_the_combined_format_and_more() {
        let request = Request::new(b"GET")
            .with_path(b"/a?b=c")
            .with_field(b"referer", b"https://example.org/")
            .with_field(b"user-agent", b"curl/8.0");
        assert_eq!(
            line(Some(&request), Duration::from_micros(3_000_812)),
            "192.0.2.1 - - [20/Nov/2026:22:10:01 +0000] \"GET /a?b=c HTTP/1.1\" 200 1234 \
             \"https://example.org/\" \"curl/8.0\" id=0000000000001 stream=5 in=7 time=3.000812\n"
        );
    }

    #[test]
    fn a_request_without_a_head_has_a_line_too() {
        assert_eq!(
            line(None, Duration::ZERO),
            "192.0.2.1 - - [20/Nov/2026:22:10:01 +0000] \"-\" 200 1234 \"-\" \"-\" id=- stream=5 \
             in=7 time=0.000000\n"
        );
    }

    #[test]
    fn no_octet_of_the_peer_can_forge_a_line() {
        let request = Request::new(b"GET")
            .with_path(b"/\xe2\x82\xac")
            .with_field(b"user-agent", b"a\" 200 \\\n\x1b[31m");
        let line = line(Some(&request), Duration::ZERO);
        assert!(line.contains("/\\xE2\\x82\\xAC HTTP/1.1"), "{line}");
        assert!(line.contains(r#""a\x22 200 \x5C\x0A\x1B[31m""#), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }
}
