//! Pushed responses (RFC 9113, section 8.4): promised by handlers, and handled as if the client had asked.

use crate::site::{Http2, PATIENCE, Shared, Site, eventually, exchange_octets, hello};
use bytes::Bytes;
use std::process::Command;
use std::sync::{Arc, Mutex};
use thalweg_gateway::{Exchange, Handler, Remote, ReplyError, Router};
use thalweg_proto::error::Code;
use thalweg_proto::h2;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::peer::{Folder, Peer, has};

fn get(path: &[u8]) -> Request {
    Request::new(b"GET").with_path(path)
}

fn pushing(site: &Site) -> Http2 {
    let config = h2::Config {
        push: true,
        ..h2::Config::default()
    };
    Http2::configured(site.address, config)
}

/// The promised streams with the path, authority and scheme of each.
fn pushes(caller: &Caller<h2::Session>) -> Vec<(StreamId, String)> {
    let text = |octets: Option<&[u8]>| String::from_utf8(octets.unwrap().to_vec()).unwrap();
    let push = |told: &Told| match told {
        Told::Push(id, _, head) => {
            let parts = [head.scheme(), head.authority(), head.path()].map(text);
            Some((*id, format!("{}://{}{}", parts[0], parts[1], parts[2])))
        }
        _ => None,
    };
    caller.told.iter().filter_map(push).collect()
}

/// Pushes a style sheet and a script with every page, and echoes the path of all else.
struct Pages;

impl Handler for Pages {
    fn handle(&self, exchange: Exchange) {
        if exchange.head().path() == Some(b"/page") {
            exchange.push(get(b"/style.css")).unwrap();
            exchange.push(get(b"/script.js")).unwrap();
            // Nobody promises content.
            exchange
                .push(Request::new(b"POST").with_path(b"/never"))
                .unwrap();
        }
        let path = Bytes::copy_from_slice(exchange.head().path().unwrap());
        exchange.respond(Response::new(200), path).unwrap();
    }
}

#[test]
fn a_handler_pushes_beside_its_answer() {
    let site = Site::local(|| Router::to(Pages));
    let mut client = pushing(&site);
    for round in 0..3 {
        let page = client.ask("GET", "/page", true);
        let (head, body) = client.answer(page);
        assert_eq!((head.status, &body[..]), (200, &b"/page"[..]));
        let promised = pushes(&client.caller);
        let names: Vec<_> = promised[2 * round..]
            .iter()
            .map(|(_, name)| &name[..])
            .collect();
        let expected = ["http://localhost/style.css", "http://localhost/script.js"];
        assert_eq!(names, expected);
        for (id, path) in [(2 * round, "/style.css"), (2 * round + 1, "/script.js")] {
            assert_eq!(client.answer(promised[id].0).1, path.as_bytes());
        }
    }
    // The promises came before the page's octets.
    let of_page = |told: &Told| matches!(told, Told::Data(..));
    let of_push = |told: &Told| matches!(told, Told::Push(..));
    let told = &client.caller.told;
    assert!(told.iter().position(of_push) < told.iter().position(of_page));
}

#[test]
fn who_takes_no_pushes_gets_none() {
    let site = Site::local(|| Router::to(Pages));
    let mut client = Http2::new(site.address);
    let page = client.ask("GET", "/page", true);
    assert_eq!(client.answer(page).1, b"/page");
    let later = client.ask("GET", "/later", true);
    assert_eq!(client.answer(later).1, b"/later");
    assert!(pushes(&client.caller).is_empty());
    let answer = exchange_octets(
        site.address,
        b"GET /page HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    );
    assert!(answer.ends_with("\r\n\r\n/page"), "{answer}");
}

/// From another thread, in the middle of a body.
#[test]
fn an_application_pushes_while_it_writes() {
    let site = Site::new(|remote| {
        if remote.head().path() != Some(b"/page") {
            return hello(&remote, "pushed");
        }
        remote.start(Response::new(200)).unwrap();
        remote.write(Bytes::from_static(b"first ")).unwrap();
        remote.push(get(b"/next")).unwrap();
        remote.write(Bytes::from_static(b"second")).unwrap();
        remote.finish(None).unwrap();
        assert_eq!(remote.push(get(b"/late")), Err(ReplyError::OutOfOrder));
    });
    let mut client = pushing(&site);
    let page = client.ask("GET", "/page", true);
    assert_eq!(client.answer(page).1, b"first second");
    let promised = pushes(&client.caller);
    assert_eq!(promised.len(), 1);
    assert_eq!(client.answer(promised[0].0).1, b"pushed");
}

/// A client that refuses a push gets its page all the same, and the handler of the push learns that nobody waits.
#[test]
fn a_push_that_is_refused_disturbs_nobody() {
    let waiting: Shared<Remote> = Arc::new(Mutex::new(Vec::new()));
    let held = Arc::clone(&waiting);
    let site = Site::new(move |remote| {
        if remote.head().path() == Some(b"/page") {
            remote.push(get(b"/big")).unwrap();
            hello(&remote, "page");
        } else {
            held.lock().unwrap().push(remote);
        }
    });
    let mut client = pushing(&site);
    let page = client.ask("GET", "/page", true);
    assert_eq!(client.answer(page).1, b"page");
    let (id, _) = pushes(&client.caller)[0];
    eventually("the push is handled", || {
        !waiting.lock().unwrap().is_empty()
    });
    client.caller.session.reset(id, Code::Refused);
    client.flush();
    eventually("its handler learns", || waiting.lock().unwrap()[0].gone());
    let again = client.ask("GET", "/page", true);
    assert_eq!(client.answer(again).1, b"page");
    waiting.lock().unwrap().clear();
}

/// nghttp shows the promise, and what came by it.
#[test]
fn nghttp_is_pushed_to() {
    if !has("nghttp") {
        return;
    }
    let site = Site::local(|| Router::to(Pages));
    let url = format!("http://{}/page", site.address);
    let timeout = format!("--timeout={}", PATIENCE.as_secs());
    // By prior knowledge, and on stream 1 of a connection that has changed (RFC 7540, section 3.2).
    for beginning in [&[][..], &["--upgrade"]] {
        let out = Command::new("nghttp")
            .args([&timeout, "--verbose", "--stat", &url])
            .args(beginning)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{out:?}");
        assert_eq!(text.matches("recv PUSH_PROMISE frame").count(), 2, "{text}");
        assert!(text.contains("promised_stream_id=2"), "{text}");
        assert!(text.contains("; First push response header"), "{text}");
        // The table marks what was pushed with a star.
        for path in ["/style.css", "/script.js"] {
            let pushed =
                |line: &str| line.contains('*') && line.ends_with(path) && line.contains(" 200 ");
            assert!(text.lines().any(pushed), "{path}: {text}");
        }
    }
}

/// Our client's session takes what nghttpd pushes, and refuses it where it is not wanted. Both ends pad what they send.
#[test]
fn what_nghttpd_pushes_is_taken() {
    if !has("nghttpd") {
        return;
    }
    let folder = Folder::new("pushed");
    let style = "p { color: red }\n".repeat(20_000);
    folder.write("index.html", "a page");
    folder.write("style.css", &style);
    let server = Peer::start("nghttpd", |command, port| {
        command
            .args([
                "--no-tls",
                "--address=127.0.0.1",
                "--push=/=/style.css",
                "--padding=100",
                "--htdocs",
            ])
            .arg(folder.path())
            .arg(port.to_string());
    });
    let address = server.address();

    let config = h2::Config {
        push: true,
        padding: h2::Padding::Octets(100),
        ..h2::Config::default()
    };
    let mut client = Http2::configured(address, config);
    let page = client.ask("GET", "/", true);
    assert_eq!(client.answer(page).1, b"a page");
    let promised = pushes(&client.caller);
    assert_eq!(promised.len(), 1, "{:?}", client.caller.told);
    assert!(promised[0].1.ends_with("/style.css"), "{promised:?}");
    assert!(client.answer(promised[0].0).1 == style.as_bytes());
    let upload = client.ask("POST", "/", false);
    client.caller.say(upload, vec![b'x'; 100_000], true);
    assert_eq!(client.answer(upload).1, b"a page");
    let again = client.ask("GET", "/", true);
    let refused = client.until(|caller| pushes(caller).get(1).map(|(id, _)| *id));
    client.caller.session.reset(refused, Code::Refused);
    assert_eq!(client.answer(again).1, b"a page");

    let mut plain = Http2::new(address);
    let page = plain.ask("GET", "/", true);
    assert_eq!(plain.answer(page).1, b"a page");
    assert!(pushes(&plain.caller).is_empty());
    assert_eq!([client.caller.failure(), plain.caller.failure()], [None; 2]);
}
