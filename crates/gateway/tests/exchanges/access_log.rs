//! The access log, as a file that a running server writes.

use crate::site::{Http2, Plan, Site, connect, eventually, exchange_octets, hello};
use bytes::Bytes;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thalweg_gateway::{AccessLog, Config, Remote};
use thalweg_proto::error::Code;
use thalweg_proto::h2;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;

/// A log file of a test's own, which does not exist yet.
fn log_file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => path,
    }
}

/// A site with a log file.
fn logged(name: &str, application: impl Fn(Remote) + Send + Sync + 'static) -> (Site, PathBuf) {
    let path = log_file(name);
    let plan = Plan {
        config: Config {
            access_log: Some(AccessLog::file(&path).unwrap()),
            ..Config::default()
        },
        ..Plan::default()
    };
    (Site::planned(plan, application), path)
}

/// Waits for so many lines, and replaces what differs from run to run: date, request id, duration.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    eventually("the lines are written", || read().lines().count() >= count);
    let text = read();
    assert_eq!(text.lines().count(), count, "{text}");
    text.lines().map(normal).collect()
}

fn normal(line: &str) -> String {
    let (before, rest) = line.split_once('[').unwrap();
    let (date, rest) = rest.split_once(']').unwrap();
    assert_eq!(date.len(), "20/Nov/2026:22:10:01 +0000".len(), "{line}");
    let (middle, rest) = rest.split_once(" id=").unwrap();
    let (id, rest) = rest.split_once(' ').unwrap();
    assert!(id.len() == 13 || id == "-", "{line}");
    let (rest, time) = rest.split_once(" time=").unwrap();
    let (seconds, fraction) = time.split_once('.').unwrap();
    assert!(
        seconds.parse::<u64>().is_ok() && fraction.len() == 6,
        "{line}"
    );
    let id = if id == "-" { "-" } else { "(id)" };
    format!("{before}[(date)]{middle} id={id} {rest}")
}

/// What is pushed is handled as what is asked for, and has a line of its own.
#[test]
fn a_pushed_response_has_its_line() {
    let (site, path) = logged("pushes", |remote| {
        if remote.head().path() == Some(b"/page") {
            remote
                .push(Request::new(b"GET").with_path(b"/style.css"))
                .unwrap();
        }
        hello(&remote, "text");
    });
    let config = h2::Config {
        push: true,
        ..h2::Config::default()
    };
    let mut client = Http2::configured(site.address, config);
    client.ask("GET", "/page", true);
    client.until(|caller| {
        let finished = |told: &&Told| matches!(told, Told::Finished(_));
        (caller.told.iter().filter(finished).count() == 2).then_some(())
    });
    let mut lines = lines(&path, 2);
    lines.sort_unstable();
    let line = |path, stream| {
        format!(
            r#"127.0.0.1 - - [(date)] "GET {path} HTTP/2" 200 4 "-" "-" id=(id) stream={stream} in=0"#
        )
    };
    assert_eq!(lines, [line("/page", 1), line("/style.css", 2)]);
}

#[test]
fn every_exchange_has_its_line() {
    let (site, path) = logged("exchanges", |remote| {
        let mut received = 0;
        while let Ok(piece) = remote.read(1 << 20) {
            if piece.is_empty() {
                break;
            }
            received += piece.len();
        }
        hello(&remote, format!("{received} octets"));
    });
    exchange_octets(
        site.address,
        b"GET /a?b=%20 HTTP/1.1\r\nhost: localhost\r\nuser-agent: Agent \"007\"\r\n\
          referer: http://x/\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(
        lines(&path, 1),
        [
            r#"127.0.0.1 - - [(date)] "GET /a?b=%20 HTTP/1.1" 200 8 "http://x/" "Agent \x22007\x22" id=(id) stream=1 in=0"#
        ]
    );
    let mut client = Http2::new(site.address);
    let id = client.ask("POST", "/up", false);
    client.caller.say(id, "12345", true);
    client.answer(id);
    assert_eq!(
        lines(&path, 2)[1],
        r#"127.0.0.1 - - [(date)] "POST /up HTTP/2" 200 8 "-" "-" id=(id) stream=1 in=5"#
    );
}

#[test]
fn a_client_that_goes_has_its_line_too() {
    let (site, path) = logged("gone", |remote| match remote.head().path() {
        Some(b"/begun") => {
            let _ = remote.start(Response::new(200));
            while remote.write(Bytes::from_static(&[b'x'; 1000])).is_ok() {}
        }
        _ => {
            while !remote.gone() {
                std::thread::yield_now();
            }
        }
    });
    let mut client = Http2::new(site.address);
    let waiting = client.ask("GET", "/waiting", true);
    client.flush();
    client.caller.session.reset(waiting, Code::Cancel);
    client.flush();
    assert_eq!(
        lines(&path, 1),
        [r#"127.0.0.1 - - [(date)] "GET /waiting HTTP/2" 499 0 "-" "-" id=(id) stream=1 in=0"#]
    );
    client.caller.takes = false;
    let begun = client.ask("GET", "/begun", true);
    client.until(|caller| (!caller.data_of(begun).is_empty()).then_some(()));
    drop(client);
    let line = lines(&path, 2).remove(1);
    assert!(line.contains(r#""GET /begun HTTP/2" 200 "#), "{line}");
}

#[test]
fn a_request_that_the_session_refuses_has_its_line() {
    let (site, path) = logged("refused", |remote| hello(&remote, "fine"));
    let answer = exchange_octets(site.address, b"GET / HTTP/1.1\r\nno colon here\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(
        lines(&path, 1),
        [r#"127.0.0.1 - - [(date)] "-" 400 0 "-" "-" id=- stream=- in=0"#]
    );
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", &format!("/{}", "x".repeat(9000)), true);
    assert_eq!(client.answer(id).0.status, 414);
    assert_eq!(
        lines(&path, 2)[1],
        r#"127.0.0.1 - - [(date)] "-" 414 0 "-" "-" id=- stream=1 in=0"#
    );
}

/// RFC 7540, section 3.2: the request that changed the protocol is one of HTTP/2, and what breaks it later has no line of
/// a request.
#[test]
fn an_upgraded_connection_has_the_lines_of_http_2() {
    let (site, path) = logged("upgraded", |remote| hello(&remote, "x"));
    let mut client = connect(site.address);
    let offer = b"GET /first HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
        http2-settings: AAMAAABk\r\n\r\n";
    client.write_all(offer).unwrap();
    lines(&path, 1);
    client
        .write_all(b"and no preface, yet as many octets as one has")
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    exchange_octets(
        site.address,
        b"GET /other HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    let lines = lines(&path, 2);
    assert!(lines[0].contains("\"GET /first HTTP/2\" 200 "), "{lines:?}");
    assert!(
        lines[1].contains("\"GET /other HTTP/1.1\" 200 "),
        "{lines:?}"
    );
}

#[test]
fn a_reply_that_was_broken_off_has_its_line() {
    let (site, path) = logged("broken", |remote| {
        let head = Response::new(200).with_field(b"content-length", b"10");
        remote.respond(head, Bytes::from_static(b"short")).unwrap();
    });
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    client.answer(id);
    let line = lines(&path, 1).remove(0);
    assert!(line.contains(r#""GET / HTTP/2" 200 "#), "{line}");
}

#[test]
fn a_connection_that_was_idle_for_too_long_has_no_line() {
    let path = log_file("timeout");
    let plan = Plan {
        limits: Limits {
            idle_time: Duration::from_millis(50),
            ..Limits::default()
        },
        config: Config {
            access_log: Some(AccessLog::file(&path).unwrap()),
            ..Config::default()
        },
        ..Plan::default()
    };
    let site = Site::planned(plan, |remote| hello(&remote, "fine"));
    let answer = exchange_octets(site.address, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nfine"), "{answer}");
    drop(site);
    assert_eq!(lines(&path, 1).len(), 1);
}

#[test]
fn a_connection_that_closes_between_requests_has_no_line() {
    let (site, path) = logged("idle", |remote| hello(&remote, "fine"));
    drop(connect(site.address));
    exchange_octets(
        site.address,
        b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(lines(&path, 1).len(), 1);
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody() {
    let plan = Plan {
        config: Config {
            access_log: Some(AccessLog::file(Path::new("/dev/full")).unwrap()),
            ..Config::default()
        },
        ..Plan::default()
    };
    let site = Site::planned(plan, |remote| hello(&remote, "fine"));
    let mut client = Http2::new(site.address);
    for _ in 0..10 {
        let id = client.ask("GET", "/", true);
        assert_eq!(client.answer(id).1, b"fine");
    }
}
