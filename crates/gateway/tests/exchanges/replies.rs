//! What a client gets for what an application says.

use crate::site::{Http2, Site, exchange_octets, hello, read_all, read_until};
use bytes::Bytes;
use std::io::Write;
use std::sync::{Arc, Mutex};
use thalweg_gateway::{Remote, ReplyError};
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::head::Response;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;

const CLOSE: &str = "host: localhost\r\nconnection: close\r\n\r\n";

/// An answer with the value of its Date field, if it is a date, replaced.
fn dateless(answer: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((name, value)) if name.eq_ignore_ascii_case("date") => {
            assert!(httpdate::parse_http_date(value).is_ok(), "{value:?}");
            format!("{name}: (now)")
        }
        _ => line.to_owned(),
    };
    answer
        .split("\r\n")
        .map(line)
        .collect::<Vec<_>>()
        .join("\r\n")
}

fn get(site: &Site, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\n{CLOSE}");
    dateless(&exchange_octets(site.address, request.as_bytes()))
}

/// RFC 9110, sections 6.6.1 (Date), 8.6 (Content-Length) and 10.2.4 (Server).
#[test]
fn a_whole_reply_is_given_its_length_its_date_and_the_server() {
    let site = Site::new(|remote| hello(&remote, "Hello\n"));
    assert_eq!(
        get(&site, "/"),
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\ndate: (now)\r\n\
         server: thalweg\r\nconnection: close\r\n\r\nHello\n"
    );
}

#[test]
fn fields_that_the_application_sets_are_not_doubled() {
    let site = Site::new(|remote| {
        let head = Response::new(200)
            .with_field(b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT")
            .with_field(b"Server", b"mine")
            .with_field(b"Content-Length", b"2");
        remote.respond(head, Bytes::from_static(b"ok")).unwrap();
    });
    let answer = exchange_octets(
        site.address,
        format!("GET / HTTP/1.1\r\n{CLOSE}").as_bytes(),
    );
    let lower = answer.to_ascii_lowercase();
    for name in ["date:", "server:", "content-length:"] {
        assert_eq!(lower.matches(name).count(), 1, "{answer}");
    }
    assert!(answer.contains("Sun, 06 Nov 1994 08:49:37 GMT"), "{answer}");
}

/// RFC 9110, sections 9.3.2, 15.3.5 and 15.4.5.
#[test]
fn head_204_and_304_have_no_body_whatever_the_application_writes() {
    let succeeded = Arc::new(Mutex::new(Vec::new()));
    let site = Site::new({
        let succeeded = Arc::clone(&succeeded);
        move |remote: Remote| {
            let status = match remote.head().path() {
                Some(b"/204") => 204,
                Some(b"/304") => 304,
                _ => 200,
            };
            remote.start(Response::new(status)).unwrap();
            // More than would ever fit into the queue: nobody may wait for a client that reads nothing.
            let all = (0..100).all(|_| remote.write(Bytes::from(vec![b'x'; 64 << 10])).is_ok());
            succeeded
                .lock()
                .unwrap()
                .push(all && remote.finish(None).is_ok());
        }
    });
    for request in ["HEAD /", "GET /204", "GET /304"] {
        let request = format!("{request} HTTP/1.1\r\n{CLOSE}");
        let answer = exchange_octets(site.address, request.as_bytes());
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.matches("\r\n\r\n").count(), 1, "{answer}");
    }
    let mut client = Http2::new(site.address);
    let id = client.ask("HEAD", "/", true);
    let (head, body) = client.answer(id);
    assert_eq!((head.status, body.len()), (200, 0));
    crate::site::eventually("every write succeeds", || {
        *succeeded.lock().unwrap() == [true; 4]
    });
}

#[test]
fn head_has_the_length_that_get_would_have() {
    let site = Site::new(|remote| match remote.head().path() {
        Some(b"/unknown") => hello(&remote, ""),
        _ => hello(&remote, "Hello\n"),
    });
    let head = |path: &str| {
        let request = format!("HEAD {path} HTTP/1.1\r\n{CLOSE}");
        exchange_octets(site.address, request.as_bytes())
    };
    let answer = head("/");
    assert!(answer.contains("content-length: 6\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    // An application that spares itself the body for HEAD does not know its length.
    let answer = head("/unknown");
    assert!(!answer.contains("content-length"), "{answer}");
}

/// RFC 9110, section 7.6.1; RFC 9113, section 8.2.2.
#[test]
fn fields_of_the_connection_that_an_application_sets_are_dropped() {
    let site = Site::new(|remote| {
        let head = Response::new(200)
            .with_field(b"Connection", b"keep-alive")
            .with_field(b"Keep-Alive", b"timeout=5")
            .with_field(b"Proxy-Connection", b"close")
            .with_field(b"Transfer-Encoding", b"chunked")
            .with_field(b"Upgrade", b"foo")
            .with_field(b"X-Own", b"1");
        remote.respond(head, Bytes::from_static(b"ok")).unwrap();
    });
    assert_eq!(
        get(&site, "/"),
        "HTTP/1.1 200 OK\r\nx-own: 1\r\ncontent-length: 2\r\ndate: (now)\r\n\
         server: thalweg\r\nconnection: close\r\n\r\nok"
    );
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    let (head, body) = client.answer(id);
    assert_eq!((head.status, &body[..]), (200, &b"ok"[..]));
    assert_eq!(head.fields.len(), 4, "{:?}", head.fields);
}

/// RFC 9112, section 7.1; RFC 9113, section 8.1.
#[test]
fn a_body_in_pieces_ends_with_trailers() {
    let site = Site::new(|remote| {
        remote
            .start(Response::new(200).with_field(b"trailer", b"x-sum"))
            .unwrap();
        for piece in ["one ", "two ", "three"] {
            remote.write(Bytes::from_static(piece.as_bytes())).unwrap();
        }
        let trailers: Fields = [(&b"x-sum"[..], &b"3"[..])].into_iter().collect();
        remote.finish(Some(trailers)).unwrap();
    });
    let answer = get(&site, "/");
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.ends_with("0\r\nx-sum: 3\r\n\r\n"), "{answer}");

    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    let (_, body) = client.answer(id);
    assert_eq!(body, b"one two three");
    let trailers: Fields = [(&b"x-sum"[..], &b"3"[..])].into_iter().collect();
    assert!(client.caller.told.contains(&Told::End(id, Some(trailers))));
}

#[test]
fn an_application_that_fails_before_its_head_is_a_500_with_the_name_of_the_request() {
    let named = Arc::new(Mutex::new(String::new()));
    let site = Site::new({
        let named = Arc::clone(&named);
        move |remote: Remote| *named.lock().unwrap() = remote.request_id().to_string()
    });
    let answer = get(&site, "/<script>");
    let name = named.lock().unwrap().clone();
    assert_eq!(
        answer,
        format!(
            "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n\
             cache-control: no-store\r\ncontent-length: 92\r\ndate: (now)\r\nserver: thalweg\r\n\
             connection: close\r\n\r\n500 Internal Server Error\n\n\
             The application failed before it answered.\nRequest {name}\n"
        )
    );
}

/// RFC 9112, section 8: an incomplete response must not look complete.
#[test]
fn an_application_that_fails_in_the_body_breaks_the_stream() {
    let site = Site::new(|remote| {
        remote.start(Response::new(200)).unwrap();
        remote.write(Bytes::from_static(b"half of")).unwrap();
    });
    let answer = get(&site, "/");
    assert!(
        answer.contains("half of"),
        "what was written leaves: {answer}"
    );
    assert!(!answer.contains("0\r\n\r\n"), "{answer}");

    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    let (_, body) = client.answer(id);
    assert_eq!(body, b"half of");
    assert_eq!(client.reset(id), Some(Code::Internal));
    let other = client.ask("GET", "/", true);
    assert_eq!(client.answer(other).0.status, 200, "the connection goes on");
}

#[test]
fn an_application_may_give_a_stream_up_with_a_code() {
    let site = Site::new(|remote| remote.fail(Code::EnhanceYourCalm));
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    client.until(|caller| {
        caller
            .told
            .contains(&Told::Reset(id, Code::EnhanceYourCalm, None))
            .then_some(())
    });
}

#[test]
fn a_field_that_cannot_be_sent_is_a_500() {
    let site = Site::new(|remote| {
        let head = Response::new(200).with_field(b"x", b"a\r\nset-cookie: forged=1");
        let _ = remote.respond(head, Bytes::from_static(b"body"));
    });
    let answer = get(&site, "/");
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(!answer.contains("forged"), "{answer}");
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    assert_eq!(client.answer(id).0.status, 500);
}

/// RFC 9113, section 8.1.1.
#[test]
fn a_body_of_another_length_than_announced_breaks_the_stream() {
    let site = Site::new(|remote| {
        let head = Response::new(200).with_field(b"content-length", b"10");
        let body = match remote.head().path() {
            Some(b"/short") => Bytes::from_static(b"short"),
            _ => Bytes::from_static(b"longer than ten octets"),
        };
        remote.respond(head, body).unwrap();
    });
    for path in ["/short", "/long"] {
        let mut client = Http2::new(site.address);
        let id = client.ask("GET", path, true);
        client.until(|caller| {
            let reset = |told: &Told| matches!(told, Told::Reset(of, ..) if *of == id);
            caller.told.iter().any(reset).then_some(())
        });
    }
}

/// RFC 9110, section 15.2.
#[test]
fn informational_heads_come_first_and_not_to_http_1_0() {
    let site = Site::new(|remote| {
        let hints = Response::new(103).with_field(b"link", b"</a.css>; rel=preload");
        remote.inform(hints).unwrap();
        hello(&remote, "done");
    });
    let answer = get(&site, "/");
    assert!(
        answer.starts_with(
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
        ),
        "{answer}"
    );
    let old = exchange_octets(site.address, b"GET / HTTP/1.0\r\nhost: localhost\r\n\r\n");
    assert!(!old.contains("103"), "{old}");
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    client.answer(id);
    let statuses: Vec<u16> = client
        .caller
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Response(_, head, _) => Some(head.status),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [103, 200]);
}

#[test]
fn commands_out_of_order_have_no_effect() {
    let site = Site::new(|remote| {
        let out_of_order = Err(ReplyError::OutOfOrder);
        assert_eq!(remote.write(Bytes::new()), out_of_order);
        assert_eq!(remote.finish(None), out_of_order);
        assert_eq!(remote.inform(Response::new(200)), out_of_order);
        assert_eq!(remote.start(Response::new(103)), out_of_order);
        remote.start(Response::new(201)).unwrap();
        assert_eq!(remote.start(Response::new(200)), out_of_order);
        assert_eq!(remote.inform(Response::new(103)), out_of_order);
        remote
            .write(Bytes::from_static(b"all as it should be"))
            .unwrap();
        remote.finish(None).unwrap();
        assert_eq!(remote.finish(None), out_of_order);
        remote.fail(Code::Internal); // of a complete reply nothing is taken back
    });
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    let (head, body) = client.answer(id);
    assert_eq!((head.status, &body[..]), (201, &b"all as it should be"[..]));
    assert_eq!(client.reset(id), None);
}

/// RFC 9110, section 7.6.1.
#[test]
fn fields_of_the_connection_are_not_shown_to_the_application() {
    let site = Site::new(|remote| {
        let names: Vec<String> = remote
            .head()
            .fields
            .iter()
            .map(|field| String::from_utf8_lossy(field.name).into_owned())
            .collect();
        hello(&remote, names.join(" "));
    });
    let answer = exchange_octets(
        site.address,
        b"POST / HTTP/1.1\r\nhost: localhost\r\nConnection: close, x-own\r\nKeep-Alive: 5\r\n\
          Proxy-Connection: close\r\nTransfer-Encoding: chunked\r\nUpgrade: foo\r\nX-Own: 1\r\n\
          \r\n0\r\n\r\n",
    );
    assert!(answer.ends_with("\r\n\r\nhost x-own"), "{answer}");
}

/// RFC 9112, section 9.3.2: responses leave in the order of the requests.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = Site::new(|remote| {
        let path = String::from_utf8_lossy(remote.head().path().unwrap_or_default()).into_owned();
        hello(&remote, path);
    });
    let mut stream = crate::site::connect(site.address);
    let mut requests = String::new();
    for number in 0..20 {
        requests += &format!("GET /{number:02} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    }
    requests += &format!("GET /last HTTP/1.1\r\n{CLOSE}");
    stream.write_all(requests.as_bytes()).unwrap();
    for number in 0..20 {
        read_until(&mut stream, &format!("\r\n\r\n/{number:02}"));
    }
    assert!(read_all(&mut stream).ends_with("\r\n\r\n/last"));
}

#[test]
fn what_was_started_is_seen_before_the_rest_is_written() {
    let (go, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    let site = Site::new(move |remote| {
        remote.start(Response::new(200)).unwrap();
        remote.write(Bytes::from_static(b"first")).unwrap();
        wait.lock().unwrap().recv().unwrap();
        remote.write(Bytes::from_static(b"second")).unwrap();
        remote.finish(None).unwrap();
    });
    let mut client = Http2::new(site.address);
    let id = client.ask("GET", "/", true);
    client.until(|caller| (caller.data_of(id) == b"first").then_some(()));
    go.send(()).unwrap();
    assert_eq!(client.answer(id).1, b"firstsecond");
    assert!(client.caller.session.capacity() > 0);
}
