//! Section 8: the server's view beside the client's.

use crate::{priority, turns};
use thalweg_proto::head::Response;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;

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

/// Section 8 leaves it to the server whose word weighs more.
#[test]
fn a_priority_that_is_held_is_not_moved_by_the_client() {
    let mut turns = turns();
    let id = turns.ask(1, Some("u=3"), None);
    turns.caller.session.hold_priority(id, true);
    turns.update(1, "u=6");
    let session = &mut turns.caller.session;
    assert_eq!(session.priority(id), Some(priority(3, false)));
    let told = turns.caller.told.last();
    assert_eq!(told, Some(&Told::Priority(id, priority(6, false))));
    session.set_priority(id, priority(1, false));
    turns.update(1, "u=6");
    let session = &mut turns.caller.session;
    assert_eq!(session.priority(id), Some(priority(1, false)), "held still");
    session.hold_priority(id, false);
    turns.update(1, "u=6");
    let told = turns.caller.session.priority(id);
    assert_eq!(told, Some(priority(6, false)));
}
