//! Section 2.3: the indexing tables and their one address space.

use crate::block::{decode, decode_alone, encode, hex, line, lines, table};
use thalweg_proto::hpack::{DecodeError, Decoder, Encoder, Indexing};

/// Section 2.3.1, appendix A: every index of the static table means its line, and the encoder finds it.
#[test]
fn every_static_index_means_its_line_both_ways() {
    for index in 1..=61_u8 {
        let block = [0x80 | index];
        let fields = decode_alone(&block).unwrap();
        let mut encoded = Vec::new();
        let field = fields.iter().next().unwrap();
        Encoder::new(4096).field_as(field, Indexing::Enter, &mut encoded);
        assert_eq!(encoded, block, "{field:?}");
    }
    // The ends of the table, and of its runs of one name, as appendix A has them.
    for (index, name, value) in [
        (1, ":authority", ""),
        (2, ":method", "GET"),
        (7, ":scheme", "https"),
        (14, ":status", "500"),
        (16, "accept-encoding", "gzip, deflate"),
        (32, "cookie", ""),
        (61, "www-authenticate", ""),
    ] {
        assert_eq!(decode_alone(&[0x80 | index]), Ok(lines(&[(name, value)])));
    }
}

/// Section 2.3.2: the dynamic table is first in, first out, the newest entry has the lowest index; duplicates
/// are no error.
#[test]
fn the_newest_entry_has_the_lowest_index_and_duplicates_are_allowed() {
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, &hex("4001610131 4001620132 4001610131")).unwrap();
    assert_eq!(
        table(decoder.table()),
        lines(&[("a", "1"), ("b", "2"), ("a", "1")])
    );
    assert_eq!(
        decode(&mut decoder, &hex("be bf c0")),
        Ok(lines(&[("a", "1"), ("b", "2"), ("a", "1")]))
    );
}

/// Section 2.3.3: indices beyond both tables are an error.
#[test]
fn an_index_beyond_both_tables_is_an_error() {
    for block in [
        "be",           // 62, the table is empty
        "ff00",         // 127
        "ff80ffffff0f", // 2^32 - 1 at the most
        "7e0131",       // a literal's name
        "0f2f0131",
        "1f2f0131",
        "4001610131 bf", // one entry only
    ] {
        assert_eq!(
            decode_alone(&hex(block)),
            Err(DecodeError::Index),
            "{block}"
        );
    }
}

/// Section 2.3.3: an entry keeps its line while its index grows.
#[test]
fn an_index_grows_with_every_entry_on_both_sides() {
    let mut encoder = Encoder::new(4096);
    let mut decoder = Decoder::new(4096);
    let first = lines(&[("x-first", "here")]);
    let block = encode(&mut encoder, &first);
    decode(&mut decoder, &block).unwrap();
    for n in 0..90_u8 {
        let other = format!("{n}");
        let block = encode(&mut encoder, &lines(&[("x", &other)]));
        assert_eq!(decode(&mut decoder, &block), Ok(lines(&[("x", &other)])));
        let mut block = Vec::new();
        encoder.field(line("x-first", "here"), &mut block);
        match n {
            0..64 => assert_eq!(block, [0x80 | (63 + n)]),
            _ => assert_eq!(block, [0xff, n - 64]),
        }
        assert_eq!(decode(&mut decoder, &block), Ok(first.clone()));
    }
}
