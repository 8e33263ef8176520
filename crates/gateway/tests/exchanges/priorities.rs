//! Priorities between client, application and connection (RFC 9218).

use crate::site::{Http2, Site};
use bytes::Bytes;
use std::sync::{Arc, Barrier, mpsc};
use thalweg_gateway::Remote;
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Priority, Streams};
use thalweg_testkit::caller::Told;

fn priority(urgency: u8, incremental: bool) -> Priority {
    Priority {
        urgency,
        incremental,
    }
}

#[test]
fn the_application_sees_the_field_of_the_request_and_what_follows_it() {
    let (tell, told) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = std::sync::Mutex::new(goes_on);
    let site = Site::new(move |remote| {
        tell.send(remote.priority()).unwrap();
        if remote.head().path() == Some(b"/changes") {
            goes_on.lock().unwrap().recv().unwrap();
            tell.send(remote.priority()).unwrap();
            remote.set_priority(priority(0, true));
            tell.send(remote.priority()).unwrap();
        }
        remote.respond(Response::new(204), Bytes::new()).unwrap();
    });
    let mut client = Http2::new(site.address);
    client.ask("GET", "/", true);
    client.flush();
    assert_eq!(told.recv().unwrap(), Priority::default());
    let urgent = |head: thalweg_proto::head::Request| head.with_field(b"priority", b"u=1, i");
    let id = client.ask_with("GET", "/changes", true, urgent);
    client.flush();
    assert_eq!(told.recv().unwrap(), priority(1, true));
    client.caller.session.set_priority(id, priority(5, false));
    // Its answer comes after the update has been read.
    let after = client.ask("GET", "/after", true);
    client.until(|caller| finished(&caller.told, after));
    assert_eq!(told.recv().unwrap(), Priority::default());
    go_on.send(()).unwrap();
    assert_eq!(told.recv().unwrap(), priority(5, false));
    assert_eq!(told.recv().unwrap(), priority(0, true));
    client.until(|caller| finished(&caller.told, id));
    drop(client);
    site.drain();
}

/// Of two that were asked for alike, the second is complete first.
fn second_first(answer: impl Fn(&Remote, Response) -> Response + Send + Sync + 'static) {
    let both = Arc::new(Barrier::new(2));
    let site = Site::new(move |remote| {
        both.wait();
        let mut head = Response::new(200);
        if remote.head().path() == Some(b"/second") {
            head = answer(&remote, head);
        }
        remote.respond(head, vec![0; 500_000].into()).unwrap();
    });
    let limits = Limits {
        stream_window: 65_535,
        connection_window: 65_535,
        ..Limits::default()
    };
    let mut client = Http2::within(site.address, limits);
    client.caller.takes = false;
    let usual = |head: thalweg_proto::head::Request| head.with_field(b"priority", b"u=3");
    let ids = ["/first", "/second"].map(|path| client.ask_with("GET", path, true, usual));
    // Neither can be complete before the client takes something, and it takes nothing before both have begun.
    client.until(|caller| {
        let begun = |told: &&Told| matches!(told, Told::Response(..));
        (caller.told.iter().filter(begun).count() == 2).then_some(())
    });
    client.caller.takes = true;
    for id in ids {
        let held = client.caller.data_of(id).len();
        client.caller.session.taken(id, held);
    }
    let first = client.until(|caller| {
        ids.into_iter()
            .find(|id| finished(&caller.told, *id).is_some())
    });
    assert_eq!(first, ids[1]);
    client.until(|caller| finished(&caller.told, ids[0]));
    drop(client);
    site.drain();
}

#[test]
fn the_field_of_a_response_moves_it() {
    second_first(|_, head| head.with_field(b"priority", b"u=1"));
}

#[test]
fn the_application_moves_its_reply() {
    second_first(|remote, head| {
        remote.set_priority(priority(1, false));
        head
    });
}

fn finished(told: &[Told], id: thalweg_proto::session::StreamId) -> Option<()> {
    told.contains(&Told::Finished(id)).then_some(())
}
