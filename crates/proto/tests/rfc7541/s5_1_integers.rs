//! Section 5.1: integers with a prefix.

use crate::block::{decode, decode_alone, hex, line, lines};
use thalweg_proto::fields::Fields;
use thalweg_proto::hpack::{DecodeError, Decoder, Encoder, Indexing};

/// A value that fills the prefix goes on in the next octet, with 0 there.
#[test]
fn the_borders_of_the_prefix_are_right() {
    for (wire, size) in [
        ("3e", 30),
        ("3f00", 31),
        ("3f01", 32),
        ("3f7f", 158),
        ("3f8001", 159),
    ] {
        let mut decoder = Decoder::new(4096);
        assert_eq!(decode(&mut decoder, &hex(wire)), Ok(Fields::new()));
        assert_eq!(decoder.table_limit(), size);
        let mut block = Vec::new();
        Encoder::new(size).begin(&mut block);
        assert_eq!(block, hex(wire));
    }
}

/// A length on both sides of every border of its octets comes out as it went in, plain or Huffman-coded.
#[test]
fn lengths_of_strings_cross_every_border() {
    let borders = [
        0, 1, 126, 127, 128, 254, 255, 256, 16509, 16510, 16511, 70000,
    ];
    for octet in ["\u{1}", "a"] {
        for len in borders.into_iter().chain(195..210).chain(400..412) {
            let value = octet.repeat(len);
            let mut block = Vec::new();
            let mut encoder = Encoder::new(4096);
            encoder.field_as(line("x", &value), Indexing::Without, &mut block);
            assert_eq!(decode_alone(&block), Ok(lines(&[("x", &value)])), "{len}");
        }
    }
}

/// "Integer encodings that exceed implementation limits -- in value or octet length -- MUST be treated as
/// decoding errors": 32 bits, five octets behind the prefix.
#[test]
fn an_integer_that_is_too_large_or_too_long_is_an_error() {
    for block in [
        "ff ffffffff0f", // 2^32 + 126
        "ff 81ffffff0f", // 2^32
        "ff ffffffffff7f",
        "ff 808080808000", // 127, of six octets
        "3f ffffffffff01",
        "007f ffffffffff0161",
        "7f ffffffffffffffffffffffffffff7f",
    ] {
        assert_eq!(
            decode_alone(&hex(block)),
            Err(DecodeError::Integer),
            "{block}"
        );
    }
    // Longer than it need be, but within the bounds.
    assert_eq!(
        decode_alone(&hex("0f 8080808000 0131")).map(|fields| fields.len()),
        Ok(1)
    );
}

/// An integer that the block's end cuts off.
#[test]
fn an_integer_cut_off_is_an_error() {
    for block in [
        "ff", "ff80", "ff808080", "7f", "0f", "1fff", "3f", "007f", "0080ff", "00ff",
    ] {
        assert!(
            matches!(
                decode_alone(&hex(block)),
                Err(DecodeError::Truncated | DecodeError::Huffman)
            ),
            "{block}"
        );
    }
}
