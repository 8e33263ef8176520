//! The queue before the application: its limit, whom it drops, and how it ends.

use crate::site::{Http2, Plan, Shared, Site, eventually, exchange_octets, hello};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;
use thalweg_gateway::Remote;
use thalweg_proto::error::Code;
use thalweg_proto::head::Request;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::Told;

/// An application whose requests to `/held` wait until the test lets them go, and which notes all paths it ran.
struct Gate {
    let_go: mpsc::Sender<()>,
    ran: Shared<String>,
}

fn gated(plan: Plan) -> (Site, Gate) {
    let (let_go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let ran = Shared::default();
    let gate = Gate {
        let_go,
        ran: Arc::clone(&ran),
    };
    let site = Site::planned(plan, move |remote: Remote| {
        let path = String::from_utf8_lossy(remote.head().path().unwrap_or_default()).into_owned();
        ran.lock().unwrap().push(path.clone());
        if path == "/held" {
            wait.lock().unwrap().recv().unwrap();
        }
        hello(&remote, path);
    });
    (site, gate)
}

fn one_thread(queue: usize) -> Plan {
    Plan {
        threads: 1,
        queue,
        ..Plan::default()
    }
}

#[test]
fn streams_of_one_connection_run_at_the_same_time() {
    let together = Arc::new(Barrier::new(4));
    let site = Site::new(move |remote| {
        together.wait();
        hello(&remote, "together");
    });
    let mut client = Http2::new(site.address);
    let ids: Vec<StreamId> = (0..4).map(|_| client.ask("GET", "/", true)).collect();
    for id in ids {
        assert_eq!(client.answer(id).1, b"together");
    }
}

#[test]
fn as_many_streams_as_are_allowed_are_answered_at_once() {
    let site = Site::new(|remote| {
        let path = remote.head().path().unwrap_or_default().to_vec();
        hello(&remote, path);
    });
    let mut client = Http2::new(site.address);
    let ids: Vec<StreamId> = (0..256)
        .map(|number| client.ask("GET", &format!("/{number}"), true))
        .collect();
    for (number, id) in ids.into_iter().enumerate() {
        assert_eq!(client.answer(id).1, format!("/{number}").as_bytes());
    }
}

#[test]
fn a_full_queue_answers_503_with_retry_after() {
    let (site, gate) = gated(one_thread(3));
    let mut client = Http2::new(site.address);
    let held = client.ask("GET", "/held", true);
    client.flush();
    eventually("the thread is busy", || {
        !gate.ran.lock().unwrap().is_empty()
    });
    let accepted: Vec<StreamId> = (0..3).map(|_| client.ask("GET", "/fits", true)).collect();
    client.flush();
    eventually("the queue is full", || site.queue.waiting() == 3);
    let refused = client.ask("GET", "/refused", true);
    let (head, body) = client.answer(refused);
    assert_eq!(head.status, 503);
    assert_eq!(head.fields.first(b"retry-after"), Some(&b"1"[..]));
    assert_eq!(head.fields.first(b"cache-control"), Some(&b"no-store"[..]));
    assert!(body.starts_with(b"503 Service Unavailable\n\n"));
    gate.let_go.send(()).unwrap();
    for id in accepted.into_iter().chain([held]) {
        assert_eq!(client.answer(id).0.status, 200);
    }
    assert_eq!(
        *gate.ran.lock().unwrap(),
        ["/held", "/fits", "/fits", "/fits"]
    );
}

#[test]
fn in_a_full_queue_who_has_much_makes_room_for_who_has_little() {
    let (site, gate) = gated(one_thread(4));
    let mut greedy = Http2::new(site.address);
    greedy.ask("GET", "/held", true);
    greedy.flush();
    eventually("the thread is busy", || {
        !gate.ran.lock().unwrap().is_empty()
    });
    let many: Vec<StreamId> = (0..4)
        .map(|number| greedy.ask("GET", &format!("/{number}"), true))
        .collect();
    greedy.flush();
    eventually("the queue is full", || site.queue.waiting() == 4);
    let mut modest = Http2::new(site.address);
    let one = modest.ask("GET", "/modest", true);
    modest.flush();
    assert_eq!(greedy.answer(many[3]).0.status, 503);
    assert_eq!(site.queue.waiting(), 4);
    gate.let_go.send(()).unwrap();
    assert_eq!(modest.answer(one).0.status, 200);
    for id in &many[..3] {
        assert_eq!(greedy.answer(*id).0.status, 200);
    }
    let ran = gate.ran.lock().unwrap();
    assert_eq!(*ran, ["/held", "/0", "/modest", "/1", "/2"], "in turns");
}

#[test]
fn a_request_whose_client_has_gone_is_not_run_and_leaves_its_place() {
    let (site, gate) = gated(one_thread(2));
    let mut client = Http2::new(site.address);
    let held = client.ask("GET", "/held", true);
    client.flush();
    eventually("the thread is busy", || {
        !gate.ran.lock().unwrap().is_empty()
    });
    let given_up: Vec<StreamId> = (0..2).map(|_| client.ask("GET", "/no", true)).collect();
    client.flush();
    eventually("the queue is full", || site.queue.waiting() == 2);
    for id in given_up {
        client.caller.session.reset(id, Code::Cancel);
    }
    client.flush();
    let mut lost = Http2::new(site.address);
    let instead = client.ask("GET", "/instead", true);
    client.flush();
    eventually("the place is taken", || site.queue.waiting() == 1);
    lost.ask("POST", "/lost", false);
    lost.flush();
    eventually("the other place too", || site.queue.waiting() == 2);
    drop(lost);
    std::thread::sleep(Duration::from_millis(100)); // until the server has read that it closed
    gate.let_go.send(()).unwrap();
    assert_eq!(client.answer(held).0.status, 200);
    assert_eq!(client.answer(instead).1, b"/instead");
    eventually("nothing waits", || site.queue.waiting() == 0);
    assert_eq!(*gate.ran.lock().unwrap(), ["/held", "/instead"]);
}

#[test]
fn draining_finishes_what_was_begun_and_ends_the_threads() {
    let (site, gate) = gated(one_thread(10));
    let mut client = Http2::new(site.address);
    let ids = [
        client.ask("GET", "/held", true),
        client.ask("GET", "/queued", true),
    ];
    client.flush();
    eventually("one runs and one waits", || {
        gate.ran.lock().unwrap().len() == 1 && site.queue.waiting() == 1
    });
    let draining = std::thread::spawn(move || site.drain());
    client.until(|caller| {
        let goes_away = |told: &Told| matches!(told, Told::GoAway(..));
        caller.told.iter().any(goes_away).then_some(())
    });
    gate.let_go.send(()).unwrap();
    for id in ids {
        assert_eq!(client.answer(id).0.status, 200);
    }
    drop(client);
    draining.join().unwrap();
}

/// A wake-up that is lost would leave a request without an answer for ever.
#[test]
fn no_request_is_forgotten_by_idle_threads() {
    let answered = Arc::new(AtomicUsize::new(0));
    let plan = Plan {
        workers: 2,
        ..Plan::default()
    };
    let site = Site::planned(plan, |remote| {
        if remote.stream() % 7 == 0 {
            std::thread::yield_now();
        }
        hello(&remote, "x");
    });
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (site, answered) = (&site, &answered);
            scope.spawn(move || {
                let mut session = Http2::new(site.address);
                for round in 0..50 {
                    let ids: Vec<StreamId> = (0..1 + (client + round) % 9)
                        .map(|_| session.ask("GET", "/", true))
                        .collect();
                    for id in ids {
                        assert_eq!(session.answer(id).1, b"x");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    session.caller.told.clear();
                }
            });
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 800);
    let answer = exchange_octets(
        site.address,
        b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    );
    assert!(answer.ends_with("\r\n\r\nx"), "{answer}");
}

/// RFC 9110, section 9.3.6: a 2xx to CONNECT would make a tunnel of the connection.
#[test]
fn connect_never_reaches_an_application() {
    let site = Site::new(|_| panic!("it was asked"));
    let answer = exchange_octets(
        site.address,
        b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\nconnection: close\r\n\r\n",
    );
    assert!(
        answer.starts_with("HTTP/1.1 501 Not Implemented\r\n"),
        "{answer}"
    );
}

/// The same over HTTP/2 (RFC 9113, section 8.5): the stream ends, and the connection goes on.
#[test]
fn connect_never_reaches_an_application_over_http_2_either() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let site = Site::new(move |remote| {
        counted.fetch_add(1, Ordering::Relaxed);
        hello(&remote, "x");
    });
    let mut client = Http2::new(site.address);
    let tunnel = |_| Request::new(b"CONNECT").with_authority(b"example.org:443");
    for _ in 0..300 {
        let id = client.ask_with("", "", false, tunnel);
        let (head, _) = client.answer(id);
        assert_eq!(head.status, 501);
    }
    client.until(|caller| (caller.session.open_streams() == 0).then_some(()));
    let id = client.ask("GET", "/", true);
    assert_eq!(client.answer(id).0.status, 200);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
