//! Sections 4 and 5: what a Priority field says.

use crate::{priority, turns};
use thalweg_proto::fields::Fields;
use thalweg_proto::session::Priority;

fn of(lines: &[&str]) -> Option<Priority> {
    let mut fields = Fields::new();
    for line in lines {
        fields.push(b"priority", line.as_bytes());
    }
    Priority::of(&fields)
}

#[test]
fn the_parameters_are_read_and_what_is_left_out_has_its_default() {
    for (line, urgency, incremental) in [
        ("u=0", 0, false),
        ("u=7,i", 7, true),
        ("i=?1, u=5", 5, true),
        ("i=?0", 3, false),
        ("i;novel=1;q", 3, true),
        ("", 3, false),
        ("u=1, u=2", 2, false),
    ] {
        assert_eq!(of(&[line]), Some(priority(urgency, incremental)), "{line}");
    }
}

/// "unknown priority parameters, priority parameters with out-of-range values, or values of unexpected types MUST be
/// ignored."
#[test]
fn what_means_nothing_is_ignored() {
    for line in [
        "u=8",
        "u=-1",
        "u=1.0",
        "u=\"1\"",
        "u=?1",
        "u",
        "u=(1)",
        "u=one",
        "i=1",
        "i=yes",
        "i=()",
        "x, y=(a b), z=:aGk=:",
        "u=1, u=9",
        "u=999999999999999",
    ] {
        assert_eq!(of(&[line]), Some(Priority::default()), "{line}");
    }
    assert_eq!(
        of(&["novel=(1 2);q=1, u=2, i, other=\"i=?0\""]),
        Some(priority(2, true))
    );
}

/// RFC 8941, section 4.2: a field that cannot be parsed is as if it were not there.
#[test]
fn a_field_that_is_no_dictionary_is_ignored_as_a_whole() {
    for line in [
        "u=1,",
        "u=",
        "U=1",
        "u=1 i",
        "\"u=1\"",
        "u=1, i=?2",
        "u=1;",
        "\u{fc}",
    ] {
        assert_eq!(of(&[line]), None, "{line}");
    }
    assert_eq!(of(&["u=1", "i="]), None);
    assert_eq!(of(&[]), None);
}

/// RFC 8941, section 4.2: several lines are one field.
#[test]
fn several_lines_are_one_dictionary() {
    assert_eq!(of(&["u=1", "i"]), Some(priority(1, true)));
    assert_eq!(of(&["u=1, i", "u=2"]), Some(priority(2, true)));
}

#[test]
fn what_is_written_is_read_back() {
    for urgency in 0..=7 {
        for incremental in [false, true] {
            let priority = priority(urgency, incremental);
            assert_eq!(
                Priority::parse(priority.to_string().as_bytes()),
                Some(priority)
            );
        }
    }
    assert_eq!(priority(9, false).to_string(), "u=7");
}

#[test]
fn a_request_begins_with_the_priority_of_its_field() {
    let mut turns = turns();
    for (number, line, expected) in [
        (1, "u=1", priority(1, false)),
        (3, "u=5, i", priority(5, true)),
        (5, "u=5,", priority(3, false)),
    ] {
        let id = turns.ask(number, Some(line), None);
        assert_eq!(turns.caller.session.priority(id), Some(expected), "{line}");
    }
}
