//! Section 8: a line is judged once, when it enters the decoder's table. What depends on where it stands is judged each
//! time.

use crate::wire::{GET, Script, serve};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::hpack::Encoder;

/// The blocks of one connection, of which each repeats lines of those before.
fn blocks<const N: usize>(heads: [&[(&str, &str)]; N]) -> [Vec<u8>; N] {
    let mut encoder = Encoder::new(4096);
    heads.map(|lines| {
        let mut block = Vec::new();
        encoder.begin(&mut block);
        for (name, value) in lines {
            let field = thalweg_proto::fields::Field {
                name: name.as_bytes(),
                value: value.as_bytes(),
                never_index: false,
            };
            encoder.field_as(field, thalweg_proto::hpack::Indexing::Enter, &mut block);
        }
        block
    })
}

/// Sections 8.2 and 8.3: requests of known lines are as good as the first one.
#[test]
fn requests_of_known_lines_are_taken() {
    let head = [
        GET,
        &[
            ("te", "trailers"),
            ("cookie", "a=1"),
            ("cookie", "a=1"),
            ("x", "1"),
        ],
    ]
    .concat();
    let [first, second, third] = blocks([&head, &head, &head]);
    assert!(second.len() < 12 && second == third);
    let script = Script::client()
        .block(1, &first, true)
        .block(3, &second, true)
        .block(5, &third, true);
    assert_eq!(serve(&script).requests(), [1, 3, 5]);
}

/// Sections 8.1, 8.2.2 and 8.3: a line that was good in a request is not good everywhere.
#[test]
fn a_known_line_is_refused_where_it_does_not_belong() {
    let body = [&[("te", "trailers"), ("x", "1")], GET].concat();
    let request = [GET, &[("te", "trailers"), ("x", "1")]].concat();
    let wrong: [(&[(&str, &str)], Violation); 5] = [
        (&[GET[2]], Violation::PseudoField),
        (&[("te", "trailers")], Violation::ConnectionField),
        (&body, Violation::ConnectionField),
        (&[("x", "1"), GET[1]], Violation::PseudoField),
        (
            &[("x", "1"), ("connection", "close")],
            Violation::ConnectionField,
        ),
    ];
    for (trailers, why) in wrong {
        let [first, second, third] = blocks([&request, &request, trailers]);
        let script = Script::client()
            .block(1, &first, true)
            .block(3, &second, false)
            .block(3, &third, true);
        serve(&script).assert_reset(3, why, Code::Protocol);
    }
}

/// Section 8.3.1: known lines that are together what no request may be.
#[test]
fn known_lines_are_counted_and_put_in_order_each_time() {
    let wrong: [(&[(&str, &str)], Violation); 4] = [
        (
            &[GET[0], GET[0], GET[1], GET[2], GET[3]],
            Violation::PseudoField,
        ),
        (
            &[GET[0], GET[1], GET[2], ("x", "1"), GET[3]],
            Violation::PseudoField,
        ),
        (&[GET[0], GET[1], GET[2]], Violation::Authority),
        (
            &[GET[0], GET[1], GET[2], GET[3], ("host", "b"), ("host", "b")],
            Violation::Authority,
        ),
    ];
    for (lines, why) in wrong {
        let good = [GET, &[("x", "1")]].concat();
        let [first, second] = blocks([&good, lines]);
        let script = Script::client()
            .block(1, &first, true)
            .block(3, &second, true);
        serve(&script).assert_reset(3, why, Code::Protocol);
    }
}

/// A line that was no good is looked at again, however often it comes.
#[test]
fn a_line_that_is_no_good_never_becomes_known() {
    let head = [GET, &[("x", "a\rb")]].concat();
    let [first, second, third] = blocks([&head, &head, GET]);
    let script = Script::client()
        .block(1, &first, true)
        .block(3, &second, true)
        .block(5, &third, true);
    let outcome = serve(&script);
    assert_eq!(
        outcome.faults(),
        [(1, Violation::FieldValue), (3, Violation::FieldValue)]
    );
    assert_eq!(outcome.requests(), [5]);
}
