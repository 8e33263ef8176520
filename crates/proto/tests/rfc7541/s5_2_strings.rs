//! Section 5.2: string literals, plain and Huffman-coded (appendix B).

use crate::block::{decode_alone, hex, line, lines};
use thalweg_proto::fields::Field;
use thalweg_proto::hpack::{DecodeError, Encoder, Indexing};

/// The block of a line whose value is this string, and whose name is `x`.
fn with_value(string: &str) -> Vec<u8> {
    hex(&format!("000178 {string}"))
}

/// A string reaches as far as its length says, and not beyond the block.
#[test]
fn a_string_beyond_the_block_is_an_error() {
    for block in [
        "0002 78",
        "000178",
        "000178 0261",
        "000178 8261",
        "000178 7f8080808001",
    ] {
        assert_eq!(
            decode_alone(&hex(block)),
            Err(DecodeError::Truncated),
            "{block}"
        );
    }
}

/// Every octet of appendix B, alone and in every pair, survives both directions.
#[test]
fn every_pair_of_octets_survives_huffman_coding() {
    for first in 0..=255_u8 {
        for second in 0..=255_u8 {
            // Short codes in front make Huffman the shorter way whatever follows.
            let value = [&b"aaaaaaaaaaaaaaaaa"[..], &[first, second], b"e"].concat();
            let field = Field {
                name: b"x",
                value: &value,
                never_index: false,
            };
            let mut block = Vec::new();
            Encoder::new(4096).field_as(field, Indexing::Without, &mut block);
            assert_eq!(block[3] & 0x80, 0x80, "Huffman-coded");
            let decoded = decode_alone(&block).unwrap();
            assert_eq!(decoded.first(b"x"), Some(&value[..]));
        }
    }
}

/// Samples of appendix B: a code of each kind, and the longest.
#[test]
fn codes_are_those_of_appendix_b() {
    for (octets, wire) in [
        ("0", "8107"),
        ("a", "811f"),
        (" ", "8153"),
        ("&", "81f8"),
        ("!", "82fe3f"),
        ("\\", "83fffe1f"),
        ("\n", "84fffffff3"),
        ("\u{16}", "84fffffffb"),
        ("\u{7f}", "84ffffffcf"),
    ] {
        assert_eq!(
            decode_alone(&with_value(wire)),
            Ok(lines(&[("x", octets)])),
            "{octets:?}"
        );
    }
}

/// "The Huffman-encoded … padding strictly longer than 7 bits MUST be treated as a decoding error."
#[test]
fn padding_of_eight_bits_or_more_is_an_error() {
    for wire in [
        "81ff",
        "821fff",
        "82f8ff",
        "831fffff",
        "841fffffff",
        "83ffffff",
    ] {
        assert_eq!(
            decode_alone(&with_value(wire)),
            Err(DecodeError::Huffman),
            "{wire}"
        );
    }
}

/// "A padding not corresponding to the most significant bits of the code for the EOS symbol MUST be treated as
/// a decoding error."
#[test]
fn padding_that_is_not_all_ones_is_an_error() {
    for wire in ["8118", "811e", "8106", "8100", "8250fe"] {
        assert_eq!(
            decode_alone(&with_value(wire)),
            Err(DecodeError::Huffman),
            "{wire}"
        );
    }
}

/// "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding error."
#[test]
fn eos_in_a_string_is_an_error() {
    for wire in [
        "84ffffffff",
        "84fffffffc",
        "85ffffffff1f",
        "851fffffffff",
        "8affffffffffffffffffff",
    ] {
        assert_eq!(
            decode_alone(&with_value(wire)),
            Err(DecodeError::Huffman),
            "{wire}"
        );
    }
}

/// No padding at all, and an empty coded string, are right.
#[test]
fn a_string_may_end_with_its_octet() {
    assert_eq!(decode_alone(&with_value("81f8")), Ok(lines(&[("x", "&")])));
    assert_eq!(
        decode_alone(&with_value("85 4a5294a529")),
        Ok(lines(&[("x", "tttttttt")]))
    );
    assert_eq!(decode_alone(&with_value("80")), Ok(lines(&[("x", "")])));
}

/// The encoder takes the shorter way, and the coded one where both are equal, as appendix C.6.2 does.
#[test]
fn the_encoder_takes_the_shorter_way() {
    for (value, wire) in [
        ("", "00"),
        ("a", "811f"), // both are one octet
        ("aaa", "8218c7"),
        ("#", "0123"),
        ("\u{1}\u{2}", "020102"),
    ] {
        let mut block = Vec::new();
        Encoder::new(4096).field_as(line(":method", value), Indexing::Without, &mut block);
        assert_eq!(block, hex(&format!("02{wire}")), "{value:?}");
    }
}

/// Section 5.2 leaves it to the encoder: `without_huffman` writes every string plainly.
#[test]
fn an_encoder_without_huffman_writes_plainly() {
    let mut block = Vec::new();
    Encoder::new(4096)
        .without_huffman()
        .field_as(line("x", "aaa"), Indexing::Without, &mut block);
    assert_eq!(block, with_value("03616161"));
}
