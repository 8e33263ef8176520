//! Notes beside the lines of both tables: not the RFC's, but kept in step with it.

use crate::block::hex;
use thalweg_proto::hpack::Decoder;

/// Decodes a block, tells the notes that were found, and leaves others, counting from `next`.
fn notes(decoder: &mut Decoder<u32>, block: &str, mut next: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let leave = |_: thalweg_proto::fields::Joined<'_>, note: &mut u32| {
        found.push(std::mem::replace(note, next));
        next += 1;
    };
    decoder.decode_noted(&hex(block), 1 << 16, leave).unwrap();
    found
}

/// Sections 2.3 and 6: each entry has its own note, which moves with it as its index changes.
#[test]
fn a_note_stays_with_its_line_as_long_as_that_is_in_a_table() {
    let mut decoder = Decoder::noting(120);
    // Two entries, a line that enters no table, and one of the static table.
    assert_eq!(
        notes(&mut decoder, "4001610131 4001620132 0001630133 82", 1),
        [0; 4]
    );
    assert_eq!(notes(&mut decoder, "bf be 0001630133 82", 10), [1, 2, 0, 4]);
    // A third entry makes the indices of the others grow; a fourth evicts the first.
    assert_eq!(
        notes(&mut decoder, "4001640134 c0 bf be", 20),
        [0, 10, 11, 20]
    );
    assert_eq!(
        notes(&mut decoder, "4001650135 c0 bf be", 30),
        [0, 22, 23, 30]
    );
}

/// Section 4.4: an entry that takes the place of another has a note of its own.
#[test]
fn a_note_is_not_inherited() {
    let mut decoder = Decoder::noting(40);
    for _ in 0..20 {
        assert_eq!(notes(&mut decoder, "4001610131 be", 1), [0, 1]);
    }
}

/// A line beyond the limit of its section is not handed over, so that nothing was found out about it.
#[test]
fn a_line_that_was_not_handed_over_has_the_default_note() {
    let mut decoder = Decoder::noting(4096);
    let block = hex("4001610131");
    let size = decoder.decode_noted(&block, 33, |_, note: &mut u32| *note = 1);
    assert_eq!(size, Ok(34));
    assert_eq!(notes(&mut decoder, "be", 2), [0]);
}
