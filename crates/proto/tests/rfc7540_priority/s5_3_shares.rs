//! Sections 5.3.1 and 5.3.2: who gets how much.

use crate::{alone_on, on, turns};
use thalweg_proto::error::Code;
use thalweg_proto::h2::frame::Frame;
use thalweg_proto::session::Streams;

/// Section 5.3.2: "Streams with the same parent SHOULD be allocated resources proportionally based on their weight."
#[test]
fn siblings_share_by_their_weights() {
    let mut turns = turns();
    for (number, weight) in [(1, 256), (3, 128), (5, 64), (7, 32)] {
        turns.ask(number, None, Some(on(0, weight)));
    }
    turns.assert_shares(&[(1, 256.0), (3, 128.0), (5, 64.0), (7, 32.0)]);
}

/// However different frames are: weights count octets.
#[test]
fn weights_are_of_octets_and_not_of_frames() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 30)));
    turns.ask(3, None, Some(on(0, 10)));
    let mut sums = [0.0, 0.0];
    for _ in 0..20_000 {
        let most = |number: u64| if number == 1 { 1000 } else { 7000 };
        let (number, len) = turns.one(most).unwrap();
        sums[usize::from(number == 3)] += len as f64;
    }
    let ratio: f64 = sums[0] / sums[1];
    assert!((ratio / 3.0 - 1.0).abs() < 0.05, "{sums:?}");
}

/// Section 5.3.1: "a dependent stream SHOULD only be allocated resources if either all of the streams that it depends
/// on are closed or it is not possible to make progress on them."
#[test]
fn what_depends_on_a_stream_gets_what_that_leaves() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 16)));
    turns.ask(3, None, Some(on(1, 10)));
    turns.ask(5, None, Some(on(1, 30)));
    turns.ask(7, None, Some(on(5, 16)));
    assert_eq!(turns.order(1 << 20), [1]);
    turns.paused.insert(1);
    turns.assert_shares(&[(3, 1.0), (5, 3.0)]);
    turns.paused.insert(5);
    turns.assert_shares(&[(3, 1.0), (7, 3.0)]);
    turns.paused.insert(3);
    assert_eq!(turns.order(1 << 20), [7]);
    turns.paused.clear();
    let id = turns.id(1);
    turns.caller.session.resume(id);
    assert_eq!(turns.order(1 << 20), [1]);
}

/// A stream that has no window leaves its share to those that depend on it, not to its siblings.
#[test]
fn a_stream_without_a_window_passes_its_share_on() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 48)));
    turns.ask(3, None, Some(on(0, 16)));
    turns.ask(5, None, Some(on(1, 16)));
    turns.assert_shares(&[(1, 3.0), (3, 1.0)]);
    let shut = [0, 4, 0, 0, 0, 0];
    turns.feed(
        0,
        Frame::Settings(thalweg_proto::h2::frame::Settings::new(&shut)),
    );
    for number in [3, 5] {
        turns.feed(number, Frame::WindowUpdate(1 << 26));
    }
    turns.assert_shares(&[(5, 3.0), (3, 1.0)]);
}

/// Groups, as browsers made them: streams that never open, with others below.
#[test]
fn idle_streams_group_those_that_depend_on_them() {
    let mut turns = turns();
    turns.depend(3, on(0, 200));
    turns.depend(5, on(0, 100));
    turns.ask(13, None, Some(on(3, 16)));
    turns.ask(15, None, Some(on(3, 48)));
    turns.ask(17, None, Some(on(5, 16)));
    turns.assert_shares(&[(13, 50.0), (15, 150.0), (17, 100.0)]);
}

/// Section 5.3.3: reprioritisation takes effect at once.
#[test]
fn shares_move_in_mid_flight() {
    let mut turns = turns();
    for number in [1, 3, 5] {
        turns.ask(number, None, Some(on(0, 16)));
    }
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
    turns.depend(3, on(0, 32));
    turns.assert_shares(&[(1, 1.0), (3, 2.0), (5, 1.0)]);
    turns.depend(5, on(1, 16));
    turns.assert_shares(&[(1, 1.0), (3, 2.0)]);
    turns.depend(5, alone_on(0, 16));
    assert_eq!(turns.order(1 << 20), [5]);
}

#[test]
fn a_late_comer_begins_where_its_siblings_stand() {
    let mut turns = turns();
    for number in [1, 3] {
        turns.ask(number, None, Some(on(0, 16)));
    }
    turns.next(32 << 20);
    turns.ask(5, None, Some(on(0, 16)));
    turns.assert_shares(&[(1, 1.0), (3, 1.0), (5, 1.0)]);
}

/// Section 5.3.4: the share of a stream that ends goes to those that depended on it.
#[test]
fn the_share_of_a_stream_that_ends_goes_to_what_depended_on_it() {
    let mut turns = turns();
    turns.ask(1, None, Some(on(0, 48)));
    turns.ask(3, None, Some(on(0, 16)));
    turns.ask(5, None, Some(on(1, 8)));
    turns.ask(7, None, Some(on(1, 16)));
    let id = turns.id(1);
    turns.caller.session.reset(id, Code::Cancel);
    turns.assert_shares(&[(5, 16.0), (7, 32.0), (3, 16.0)]);
}

/// A chain as long as there may be streams and more: nothing in it recurses.
#[test]
fn a_deep_tree_is_as_good_as_a_flat_one() {
    let mut turns = turns();
    for depth in 0..90 {
        turns.depend(1001 + 2 * depth, alone_on(0, 1));
    }
    for at in 0..250 {
        turns.ask(2001 + 2 * at, None, Some(alone_on(0, 1)));
    }
    // The last that came is above all others.
    assert_eq!(turns.order(1 << 16), [2499]);
    turns.depend(2001, on(0, 4));
    turns.assert_shares(&[(2001, 4.0), (2499, 1.0)]);
}
