//! Bodies both ways: streaming, back pressure, and clients that go.

use crate::site::{Http2, Plan, Shared, Site, eventually, hello, read_until};
use bytes::Bytes;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use thalweg_gateway::{Gone, Remote, ReplyError, TryWriteError};
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;

/// Sends back what it gets, piece by piece, and the trailers as trailers.
fn echo(remote: Remote) {
    if remote.start(Response::new(200)).is_err() {
        return;
    }
    loop {
        match remote.read(16 << 10) {
            Ok(piece) if piece.is_empty() => break,
            Ok(piece) => {
                if remote.write(piece).is_err() {
                    return;
                }
            }
            Err(Gone) => return,
        }
    }
    // The client may have gone after its last octet.
    let _ = remote.finish(remote.trailers());
}

/// Answers with the number of octets of the body.
fn count(remote: Remote) {
    let mut octets = 0;
    while let Ok(piece) = remote.read(1 << 20) {
        if piece.is_empty() {
            return hello(&remote, octets.to_string());
        }
        octets += piece.len();
    }
}

#[test]
fn a_conversation_on_one_stream_goes_both_ways() {
    let site = Site::new(echo);
    let mut client = Http2::new(site.address);
    let id = client.ask("POST", "/", false);
    let mut said = Vec::new();
    for turn in 0..20 {
        let piece = format!("turn {turn}. ");
        said.extend_from_slice(piece.as_bytes());
        client.caller.say(id, piece, false);
        client.until(|caller| (caller.data_of(id) == said).then_some(()));
    }
    let trailers: Fields = [(&b"x-turns"[..], &b"20"[..])].into_iter().collect();
    client.caller.say_trailers(id, trailers.clone());
    client.answer(id);
    assert!(client.caller.told.iter().any(
        |told| matches!(told, Told::End(of, Some(fields)) if *of == id && *fields == trailers)
    ));
}

#[test]
fn large_bodies_arrive_whole_over_both_protocols() {
    const LARGE: usize = 8 << 20;
    let site = Site::new(|remote| match remote.head().method() {
        b"GET" => hello(&remote, vec![b'x'; LARGE]),
        _ => count(remote),
    });
    let mut client = Http2::new(site.address);
    let (up, down) = (client.ask("POST", "/", false), client.ask("GET", "/", true));
    client.caller.say(up, vec![b'y'; LARGE], true);
    assert_eq!(client.answer(down).1.len(), LARGE);
    assert_eq!(client.answer(up).1, LARGE.to_string().as_bytes());

    let mut stream = crate::site::connect(site.address);
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {LARGE}\r\n\r\n"
    )
    .unwrap();
    stream.write_all(&vec![b'y'; LARGE]).unwrap();
    read_until(&mut stream, &format!("\r\n\r\n{LARGE}"));
}

#[test]
fn an_upload_that_nobody_reads_stops_itself_and_none_of_its_siblings() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let site = Site::new(move |remote| {
        if remote.head().path() == Some(b"/stuck") {
            wait.lock().unwrap().recv().unwrap();
        }
        count(remote);
    });
    const LARGE: usize = 4 << 20;
    let mut client = Http2::new(site.address);
    let stuck = client.ask("POST", "/stuck", false);
    client.caller.say(stuck, vec![b'x'; LARGE], true);
    for _ in 0..99 {
        let other = client.ask("POST", "/", false);
        client.caller.say(other, vec![b'y'; 100_000], true);
        assert_eq!(client.answer(other).1, b"100000");
    }
    assert!(client.head(stuck).is_none());
    go.send(()).unwrap();
    assert_eq!(client.answer(stuck).1, LARGE.to_string().as_bytes());
}

#[test]
fn a_client_that_reads_slowly_holds_up_its_own_stream_only() {
    const PIECE: usize = 64 << 10;
    let written = Arc::new(AtomicUsize::new(0));
    let ended: Shared<Result<(), ReplyError>> = Shared::default();
    let site = Site::new({
        let (written, ended) = (Arc::clone(&written), Arc::clone(&ended));
        move |remote: Remote| {
            if remote.head().path() != Some(b"/endless") {
                return hello(&remote, "quick");
            }
            remote.start(Response::new(200)).unwrap();
            let end = loop {
                match remote.write(Bytes::from(vec![b'x'; PIECE])) {
                    Ok(()) => written.fetch_add(PIECE, Ordering::Relaxed),
                    Err(end) => break Err(end),
                };
            };
            ended.lock().unwrap().push(end);
        }
    });
    let mut client = Http2::new(site.address);
    client.caller.takes = false;
    let endless = client.ask("GET", "/endless", true);
    let window = Limits::default().stream_window as usize;
    client.until(|caller| (caller.data_of(endless).len() == window).then_some(()));
    // The writer stands still now: within its window, what the queue holds, and a piece on either side.
    let bound = window + (256 << 10) + 2 * PIECE;
    eventually("the queue is full", || {
        written.load(Ordering::Relaxed) >= window + (256 << 10) - PIECE
    });
    for _ in 0..20 {
        let other = client.ask("GET", "/", true);
        assert_eq!(client.answer(other).1, b"quick");
    }
    let octets = written.load(Ordering::Relaxed);
    assert!(octets <= bound, "{octets} octets were written ahead");

    client.caller.session.reset(endless, Code::Cancel);
    client.flush();
    eventually("the writer learns that its client has gone", || {
        *ended.lock().unwrap() == [Err(ReplyError::Gone)]
    });
}

#[test]
fn try_write_gives_the_chunk_back_when_the_client_is_behind() {
    let outcome: Shared<usize> = Shared::default();
    let site = Site::new({
        let outcome = Arc::clone(&outcome);
        move |remote: Remote| {
            remote.start(Response::new(200)).unwrap();
            let chunk = Bytes::from(vec![b'x'; 1 << 20]);
            // One chunk always fits, however large.
            let fitted = (0..100).take_while(|_| remote.try_write(chunk.clone()).is_ok());
            let fitted = fitted.count();
            assert_eq!(
                remote.try_write(chunk.clone()),
                Err(TryWriteError::Full(chunk))
            );
            outcome.lock().unwrap().push(fitted);
        }
    });
    let mut client = Http2::new(site.address);
    client.caller.takes = false;
    client.ask("GET", "/", true);
    client.flush();
    eventually("the writer is refused", || {
        outcome
            .lock()
            .unwrap()
            .first()
            .is_some_and(|fitted| (1..100).contains(fitted))
    });
}

/// RFC 9110, section 10.1.1.
#[test]
fn continue_is_sent_when_the_body_is_read_and_not_otherwise() {
    let site = Site::new(|remote| match remote.head().path() {
        Some(b"/read") => count(remote),
        _ => hello(&remote, "no, thank you"),
    });
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
        )
    };
    let mut stream = crate::site::connect(site.address);
    stream.write_all(head("/read").as_bytes()).unwrap();
    assert_eq!(
        read_until(&mut stream, "\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    stream.write_all(b"12345").unwrap();
    read_until(&mut stream, "\r\n\r\n5");

    let mut stream = crate::site::connect(site.address);
    stream.write_all(head("/refuse").as_bytes()).unwrap();
    let answer = read_until(&mut stream, "no, thank you");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let mut client = Http2::new(site.address);
    let id = client.ask_with("POST", "/read", false, |head| {
        head.with_field(b"expect", b"100-continue")
    });
    client.until(|caller| {
        let is_continue = |told: &Told| {
            matches!(told, Told::Response(of, head, false) if *of == id && head.status == 100)
        };
        caller.told.iter().any(is_continue).then_some(())
    });
    client.caller.say(id, "1234", true);
    assert_eq!(client.answer(id).1, b"4");
}

#[test]
fn the_rest_of_a_body_that_nobody_wants_does_no_harm() {
    let site = Site::new(|remote| hello(&remote, "enough"));
    let mut stream = crate::site::connect(site.address);
    for _ in 0..2 {
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nrest")
            .unwrap();
        read_until(&mut stream, "\r\n\r\nenough");
    }
    let mut client = Http2::new(site.address);
    for _ in 0..50 {
        let id = client.ask("POST", "/", false);
        client.caller.say(id, vec![b'x'; 1 << 20], true);
        assert_eq!(client.answer(id).1, b"enough");
    }
}

/// RFC 9113, section 8.1: a server may ask the client to stop, once it has sent a complete response.
#[test]
fn a_body_that_nobody_wants_and_that_does_not_end_is_cut_short() {
    let site = Site::new(|remote| hello(&remote, "enough"));
    let mut client = Http2::new(site.address);
    let id = client.ask("POST", "/", false);
    assert_eq!(client.answer(id).1, b"enough");
    client.until(|caller| {
        caller
            .told
            .contains(&Told::Reset(id, Code::NoError, None))
            .then_some(())
    });
}

#[test]
fn a_client_that_goes_wakes_who_waits_for_it() {
    let outcomes: Shared<&str> = Shared::default();
    let reading = Arc::new(AtomicUsize::new(0));
    let site = Site::new({
        let (outcomes, reading) = (Arc::clone(&outcomes), Arc::clone(&reading));
        move |remote: Remote| {
            reading.fetch_add(1, Ordering::Relaxed);
            let outcome = match remote.read(100) {
                Err(Gone) if remote.gone() => "gone",
                Err(Gone) => "gone, and not",
                Ok(_) => "octets",
            };
            assert_eq!(
                remote.respond(Response::new(200), Bytes::new()),
                Err(ReplyError::Gone)
            );
            outcomes.lock().unwrap().push(outcome);
        }
    });
    // By a reset of the stream, by the end of an HTTP/2 connection, and of an HTTP/1.1 one.
    let mut first = Http2::new(site.address);
    let id = first.ask("POST", "/", false);
    let mut second = Http2::new(site.address);
    second.ask("POST", "/", false);
    let mut third = crate::site::connect(site.address);
    third
        .write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n")
        .unwrap();
    first.flush();
    second.flush();
    eventually("three threads wait", || {
        reading.load(Ordering::Relaxed) == 3
    });
    first.caller.session.reset(id, Code::Cancel);
    first.flush();
    drop(second);
    drop(third);
    eventually("all three learn", || {
        *outcomes.lock().unwrap() == ["gone"; 3]
    });
}

#[test]
fn credit_of_a_small_window_comes_back_with_every_read() {
    let limits = Limits {
        stream_window: 1000,
        ..Limits::default()
    };
    let plan = Plan {
        limits,
        ..Plan::default()
    };
    let site = Site::planned(plan, count);
    let mut client = Http2::new(site.address);
    let id = client.ask("POST", "/", false);
    client.caller.say(id, vec![b'x'; 50_000], true);
    assert_eq!(client.answer(id).1, b"50000");
}

/// A thread of the handler's own may still be reading when another one completes the reply.
#[test]
fn a_thread_that_waits_for_the_body_learns_that_the_reply_is_complete() {
    let learnt = Arc::new(Mutex::new(None));
    let site = Site::new({
        let learnt = Arc::clone(&learnt);
        move |remote: Remote| {
            let remote = Arc::new(remote);
            let reader = Arc::clone(&remote);
            let learnt = Arc::clone(&learnt);
            std::thread::spawn(move || *learnt.lock().unwrap() = Some(reader.read(1)));
            std::thread::sleep(std::time::Duration::from_millis(50));
            hello(&remote, "done");
        }
    });
    let mut client = Http2::new(site.address);
    let id = client.ask("POST", "/", false);
    assert_eq!(client.answer(id).1, b"done");
    eventually("the reader learns", || {
        *learnt.lock().unwrap() == Some(Err(Gone))
    });
}
