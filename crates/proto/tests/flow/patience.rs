//! RFC 9113, section 10.5: clients that hold responses up by giving hardly any credit ([`Limits::take_rate`]).

use crate::a_request;
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::{Config, Session, Window};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams};
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

const SECOND: Duration = Duration::from_secs(1);

/// A server that answers so many requests of a client with long bodies; the client gives all credit by hand, and none
/// of it yet.
fn downloads(streams: usize) -> (Pair<Session, Session>, Vec<StreamId>) {
    let now = Instant::now();
    let config = Config {
        window: Window::Manual,
        ..Config::default()
    };
    let limits = Limits {
        stream_window: 1000,
        connection_window: 0,
        ..Limits::default()
    };
    let client = Session::client(limits, now).configured(config);
    let server = Session::server(Limits::default(), now);
    let mut pair = Pair::new(client, server, now);
    pair.settle();
    let open = |_| pair.client.session.open(a_request(b"GET"), true).unwrap();
    let ids: Vec<_> = (0..streams).map(open).collect();
    pair.settle();
    for told in pair.server.told.clone() {
        if let Told::Request(id, ..) = told {
            let session = &mut pair.server.session;
            session.respond(id, Response::new(200), false).unwrap();
            pair.server.say(id, vec![0; 1 << 20], false);
        }
    }
    pair.settle();
    (pair, ids)
}

/// The streams that were given up, so far.
fn given_up(pair: &Pair<Session, Session>) -> Vec<u64> {
    let given_up = |told: &Told| match told {
        Told::Reset(id, code, Some(Violation::CreditTimeout)) => {
            assert_eq!(*code, Code::EnhanceYourCalm);
            Some(id.number())
        }
        _ => None,
    };
    pair.server.told.iter().filter_map(given_up).collect()
}

/// Lets seconds pass, with credit from the client before each.
fn pass(
    pair: &mut Pair<Session, Session>,
    seconds: u32,
    mut credit: impl FnMut(u32, &mut Session),
) {
    for second in 0..seconds {
        credit(second, &mut pair.client.session);
        pair.settle();
        pair.advance(SECOND);
    }
}

/// One octet of credit whenever the time to give some has nearly passed kept a response alive for ever.
#[test]
fn a_client_that_takes_crumbs_is_given_up() {
    let (mut pair, ids) = downloads(2);
    pass(&mut pair, 55, |_, client| {
        client.credit(Some(ids[1]), 300).unwrap();
    });
    assert_eq!(given_up(&pair), []);
    pass(&mut pair, 10, |second, client| {
        if second == 0 {
            client.credit(Some(ids[0]), 1).unwrap();
        }
        client.credit(Some(ids[1]), 300).unwrap();
    });
    assert_eq!(given_up(&pair), [1]);
    pass(&mut pair, 100, |_, client| {
        if client.open_streams() > 0 {
            client.credit(Some(ids[1]), 10).unwrap();
        }
    });
    assert_eq!(given_up(&pair), [1, 3]);
    assert_eq!(pair.server.failure(), None, "the connection goes on");
}

#[test]
fn a_client_that_reads_slowly_and_steadily_is_served() {
    let (mut pair, ids) = downloads(2);
    pass(&mut pair, 1800, |second, client| {
        client.credit(Some(ids[0]), 300).unwrap();
        // The same rate, in portions that come seldom.
        if second % 50 == 0 {
            client.credit(Some(ids[1]), 50 * 300).unwrap();
        }
        client.credit(None, 600).unwrap();
    });
    assert_eq!(given_up(&pair), []);
    assert_eq!(pair.client.heard_of(ids[0]), 1000 + 1800 * 300);
}

/// A window that is shut holds nothing up while there is nothing to send.
#[test]
fn a_server_that_has_nothing_to_send_blames_nobody() {
    let (mut pair, _) = downloads(0);
    let id = pair.client.session.open(a_request(b"GET"), true).unwrap();
    pair.settle();
    let Some(Told::Request(at_server, ..)) = pair.server.told.first().cloned() else {
        panic!("no request came");
    };
    let session = &mut pair.server.session;
    session
        .respond(at_server, Response::new(200), false)
        .unwrap();
    pair.server.say(at_server, vec![0; 1000], false);
    pass(&mut pair, 600, |_, _| ());
    assert_eq!(given_up(&pair), []);
    assert_eq!(pair.client.heard_of(id), 1000);
    pair.server.say(at_server, vec![0; 1000], false);
    pass(&mut pair, 70, |_, _| ());
    assert_eq!(given_up(&pair), [1], "now it waits in vain");
}

/// Which stream gets what of a narrow connection is this side's choice: none is blamed for what another one got.
#[test]
fn streams_that_share_a_slow_connection_are_not_blamed_for_each_other() {
    let (mut pair, ids) = downloads(40);
    for id in &ids {
        pair.client.session.credit(Some(*id), 1 << 20).unwrap();
    }
    pass(&mut pair, 600, |_, client| {
        client.credit(None, 300).unwrap()
    });
    assert_eq!(given_up(&pair), []);
    pass(&mut pair, 600, |second, client| {
        if second % 50 == 49 {
            client.credit(None, 1).unwrap();
        }
    });
    assert_eq!(given_up(&pair).len(), 40, "a connection that takes crumbs");
}
