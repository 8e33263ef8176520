//! Section 8: the server's view beside the client's.

use crate::{priority, turns};
use thalweg_proto::head::Response;
use thalweg_proto::session::Streams;

/// "The absence of a priority parameter in an HTTP response indicates the server's disinterest in changing the
/// client-provided value."
#[test]
fn a_response_changes_what_it_names_and_nothing_else() {
    for (asked, answered, expected) in [
        ("u=5, i", "u=1", priority(1, true)),
        ("u=5, i", "i=?0", priority(5, false)),
        ("u=5", "i", priority(5, true)),
        ("u=5", "u=8", priority(5, false)),
        ("u=5", "u=1,", priority(5, false)),
        ("u=5", "", priority(5, false)),
    ] {
        let mut turns = turns();
        let lines = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "example.org"),
            ("priority", asked),
        ];
        turns.ask_for(1, &lines, None);
        let id = turns.id(1);
        // One that only informs has no say.
        let hint = Response::new(103).with_field(b"priority", b"u=0");
        turns.caller.session.respond(id, hint, false).unwrap();
        let head = Response::new(200).with_field(b"priority", answered.as_bytes());
        turns.caller.session.respond(id, head, false).unwrap();
        let told = turns.caller.session.priority(id);
        assert_eq!(told, Some(expected), "{asked} {answered}");
    }
}

#[test]
fn the_servers_word_moves_its_stream_at_once() {
    let mut turns = turns();
    let ids = [1, 3].map(|number| turns.ask(number, Some("u=3"), None));
    assert_eq!(turns.order(1 << 20), [1]);
    turns
        .caller
        .session
        .set_priority(ids[1], priority(2, false));
    assert_eq!(turns.order(1 << 20), [3]);
    turns
        .caller
        .session
        .set_priority(ids[1], priority(200, false));
    assert_eq!(
        turns.caller.session.priority(ids[1]),
        Some(priority(7, false))
    );
    assert_eq!(turns.order(1 << 20), [1]);
}

/// The last word counts, whoever says it.
#[test]
fn a_client_may_change_its_mind_after_the_server_has() {
    let mut turns = turns();
    let id = turns.ask(1, Some("u=3"), None);
    turns.caller.session.set_priority(id, priority(0, false));
    turns.update(1, "u=6");
    assert_eq!(turns.caller.session.priority(id), Some(priority(6, false)));
}
