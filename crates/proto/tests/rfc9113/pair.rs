//! A client and a server of ours, with whole exchanges between them.

use std::time::Instant;
use thalweg_proto::h2::Session;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;

fn pair(limits: Limits) -> Pair<Session, Session> {
    let now = Instant::now();
    let client = Session::client(limits.clone(), now);
    let mut pair = Pair::new(client, Session::server(limits, now), now);
    pair.settle();
    pair
}

fn get(path: &[u8]) -> Request {
    Request::new(b"GET")
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(path)
}

#[test]
fn a_get_is_answered_with_a_body() {
    for seed in 0..8 {
        let mut pair = pair(Limits::default()).cut_at_random(seed);
        let id = pair.client.session.open(get(b"/"), true).unwrap();
        pair.settle();
        let [Told::Request(at_server, head, true)] = &pair.server.told[..] else {
            panic!("{:?}", pair.server.told);
        };
        assert_eq!(head.authority(), Some(&b"example.org"[..]));
        let at_server = *at_server;
        let head = Response::new(200).with_field(b"content-length", b"1024");
        pair.server.session.respond(at_server, head, false).unwrap();
        pair.server.say(at_server, vec![b'x'; 1024], true);
        pair.settle();
        assert_eq!(pair.client.data_of(id), vec![b'x'; 1024]);
        assert_eq!(pair.client.told.last(), Some(&Told::Finished(id)));
        assert_eq!(
            pair.server.told.last(),
            Some(&Told::Finished(at_server)),
            "{:?}",
            pair.server.told
        );
        assert_eq!(pair.server.session.open_streams(), 0);
    }
}
