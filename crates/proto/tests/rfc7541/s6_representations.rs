//! Section 6: the binary format of lines and size updates.

use crate::block::{decode, decode_alone, encode, hex, line, lines, table};
use thalweg_proto::fields::{Field, Fields};
use thalweg_proto::hpack::{DecodeError, Decoder, Encoder, Indexing};

/// Section 6.1: "The index value of 0 is not used. It MUST be treated as a decoding error."
#[test]
fn index_0_is_an_error() {
    assert_eq!(decode_alone(&hex("80")), Err(DecodeError::Index));
    assert_eq!(decode_alone(&hex("8280")), Err(DecodeError::Index));
}

/// Section 6.2: each literal with its name from the static table, from the dynamic one, and new.
#[test]
fn literals_take_their_name_from_either_table_or_bring_it() {
    for (block, never) in [
        ("4001610131 58 0132 7f00 0133 4001620134", false),
        ("4001610131 0f09 0132 0f2f 0133 0001620134", false),
        ("4001610131 1f09 0132 1f2f 0133 1001620134", true),
    ] {
        // The second literal's name: index 24, cache-control; the third's: 62 or, after two entries, 63.
        let fields = decode_alone(&hex(block)).unwrap();
        assert_eq!(
            fields
                .iter()
                .map(|field| (field.name, field.value))
                .collect::<Vec<_>>(),
            [
                (&b"a"[..], &b"1"[..]),
                (b"cache-control", b"2"),
                (b"a", b"3"),
                (b"b", b"4")
            ],
            "{block}"
        );
        assert!(
            fields
                .iter()
                .skip(1)
                .all(|field| field.never_index == never)
        );
    }
}

/// Sections 6.2.2 and 6.2.3: neither enters anything.
#[test]
fn only_a_literal_with_indexing_enters_the_table() {
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, &hex("0001610131 1001620132")).unwrap();
    assert_eq!(decoder.table().len(), 0);
    decode(&mut decoder, &hex("4001630133")).unwrap();
    assert_eq!(table(decoder.table()), lines(&[("c", "3")]));
}

/// Section 6.2.3: a line that came never-indexed leaves never-indexed, also where a table holds it.
#[test]
fn never_indexed_is_kept_from_end_to_end() {
    let mut decoder = Decoder::new(4096);
    let fields = decode(&mut decoder, &hex("1001610131 12 03474554")).unwrap();
    assert!(fields.iter().all(|field| field.never_index));

    let mut encoder = Encoder::new(4096).without_huffman();
    encode(&mut encoder, &lines(&[("a", "1")]));
    assert_eq!(encode(&mut encoder, &fields), hex("1f2f0131 12 03474554"));
    let mut block = Vec::new();
    let marked = fields.iter().next().unwrap();
    encoder.field_as(marked, Indexing::Enter, &mut block);
    assert_eq!(block, hex("1f2f0131"), "whatever the caller asks for");
    assert_eq!(encoder.table().len(), 1);
}

/// Section 6.3: "The new maximum size MUST be lower than or equal to the limit determined by the protocol".
#[test]
fn a_size_update_above_the_limit_is_an_error() {
    assert_eq!(decode_alone(&hex("3fe11f")), Ok(Fields::new()), "4096");
    assert_eq!(
        decode_alone(&hex("3fe21f")),
        Err(DecodeError::TableSizeTooLarge),
        "4097"
    );
    let mut decoder = Decoder::new(4096);
    decoder.set_table_limit(4097);
    assert_eq!(decode(&mut decoder, &hex("3fe21f")), Ok(Fields::new()));
}

/// Section 6: a block that ends within a line, wherever it is cut.
#[test]
fn a_block_cut_within_a_line_is_an_error() {
    let block = hex("408825a849e95ba97d7f8925a849e95bb8e8b4bf");
    for end in 1..block.len() {
        assert_eq!(
            decode_alone(&block[..end]),
            Err(DecodeError::Truncated),
            "{end}"
        );
    }
    assert!(decode_alone(&block).is_ok());
}

/// RFC 9113, section 8.2.1: names are lower case on the wire, whatever the caller has.
#[test]
fn the_encoder_writes_names_in_lower_case() {
    let upper = |name| Field {
        name,
        value: b"Value",
        never_index: false,
    };
    let mut encoder = Encoder::new(4096);
    let mut decoder = Decoder::new(4096);
    for _ in 0..2 {
        for (name, lower) in [
            (&b"X-Any"[..], "x-any"),
            (b"Accept", "accept"),
            (b"AUTHORIZATION", "authorization"),
        ] {
            let mut block = Vec::new();
            encoder.field(upper(name), &mut block);
            let fields = collect(&mut decoder, &block);
            assert_eq!(
                fields,
                [(
                    lower.as_bytes().to_vec(),
                    b"Value".to_vec(),
                    lower == "authorization"
                )]
            );
        }
    }
    assert_eq!(
        table(encoder.table()),
        lines(&[("accept", "Value"), ("x-any", "Value")])
    );
}

/// RFC 9113, section 8.2.1: a name in upper case reaches the session as it came, to be refused there.
#[test]
fn the_decoder_hands_names_over_as_they_came() {
    let lines = collect(&mut Decoder::new(4096), &hex("0001580131"));
    assert_eq!(lines, [(b"X".to_vec(), b"1".to_vec(), false)]);
}

/// Section 6.2.1: an entry that cannot fit would only empty the table: it is not entered.
#[test]
fn the_encoder_enters_nothing_that_cannot_fit() {
    let mut encoder = Encoder::new(100);
    encode(&mut encoder, &lines(&[("a", "1")]));
    let long = "x".repeat(100);
    let mut block = Vec::new();
    encoder.field_as(line("b", &long), Indexing::Enter, &mut block);
    assert_eq!(block[0], 0x00);
    assert_eq!(table(encoder.table()), lines(&[("a", "1")]));
}

fn collect(decoder: &mut Decoder, block: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, bool)> {
    let mut lines = Vec::new();
    decoder
        .decode(block, 1 << 20, |field| {
            lines.push((field.name.to_vec(), field.value.to_vec(), field.never_index));
        })
        .unwrap();
    lines
}
