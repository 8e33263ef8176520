//! Section 4: how the dynamic table is kept.

use crate::block::{decode, encode, hex, line, lines, table};
use thalweg_proto::fields::Fields;
use thalweg_proto::hpack::{DecodeError, Decoder, Encoder};

/// Section 4.1: an entry counts its octets, before any Huffman coding, and 32.
#[test]
fn an_entry_counts_its_plain_octets_and_32() {
    let mut decoder = Decoder::new(4096);
    decode(
        &mut decoder,
        &hex("408825a849e95ba97d7f8925a849e95bb8e8b4bf"),
    )
    .unwrap();
    assert_eq!(decoder.table_size(), 10 + 12 + 32);
}

/// Section 4.2: a size update must come before the block's first line.
#[test]
fn a_size_update_behind_a_line_is_an_error() {
    for block in ["82 20", "82 3fe11f", "4001610131 20", "20 82 20"] {
        assert_eq!(
            decode(&mut Decoder::new(4096), &hex(block)),
            Err(DecodeError::TableSizeMisplaced),
            "{block}"
        );
    }
}

/// Section 4.2: several changes between two blocks are announced by the smallest size and the last one.
#[test]
fn the_encoder_announces_the_smallest_and_the_last_size() {
    let cases: [(&[u32], &str); 7] = [
        (&[4096], ""),
        (&[100], "3f45"),
        (&[100, 4096], "3f45 3fe11f"),
        (&[4096, 100], "3f45"),
        (&[300, 100, 200], "3f45 3fa901"),
        (&[0, 65536], "20 3fe11f"), // never more than the encoder's own most
        (&[65536], ""),
    ];
    for (changes, wire) in cases {
        let mut encoder = Encoder::new(4096);
        for &size in changes {
            encoder.set_table_limit(size);
        }
        assert_eq!(
            encode(&mut encoder, &Fields::new()),
            hex(wire),
            "{changes:?}"
        );
        assert!(encode(&mut encoder, &Fields::new()).is_empty(), "once only");
    }
}

/// Section 4.2: an encoder may use less than the peer allows, once it said so; more only when it may.
#[test]
fn the_encoder_announces_its_own_bound() {
    assert_eq!(encode(&mut Encoder::new(0), &Fields::new()), hex("20"));
    let mut large = Encoder::new(65536);
    assert!(encode(&mut large, &Fields::new()).is_empty());
    large.set_table_limit(16384);
    assert_eq!(encode(&mut large, &Fields::new()), hex("3fe17f"));
    assert_eq!(large.table_limit(), 16384);
}

/// Section 4.2: after our limit was lowered below the size in use, the next block must begin with a size
/// update that the lowest limit allows.
#[test]
fn a_lowered_limit_asks_for_a_size_update() {
    let with_entry = || {
        let mut decoder = Decoder::new(4096);
        decode(&mut decoder, &hex("4001610131")).unwrap();
        decoder
    };
    for block in ["82", "be", ""] {
        let mut decoder = with_entry();
        decoder.set_table_limit(100);
        assert_eq!(
            decode(&mut decoder, &hex(block)),
            Err(DecodeError::TableSizeMissing),
            "{block}"
        );
    }
    for (block, limit) in [("3f45", 100), ("20", 0), ("20 3f45", 100)] {
        let mut decoder = with_entry();
        decoder.set_table_limit(100);
        assert_eq!(
            decode(&mut decoder, &hex(block)),
            Ok(Fields::new()),
            "{block}"
        );
        assert_eq!(decoder.table_limit(), limit);
        assert_eq!(
            decode(&mut decoder, &hex("82")),
            Ok(lines(&[(":method", "GET")])),
            "once only"
        );
    }
    let mut decoder = with_entry();
    decoder.set_table_limit(100);
    assert_eq!(
        decode(&mut decoder, &hex("3f46")),
        Err(DecodeError::TableSizeTooLarge)
    );
}

/// Section 4.2: lowered and raised again, the lowest limit must be announced, and the last one may be.
#[test]
fn the_lowest_of_several_limits_must_be_announced() {
    let lowered_and_raised = || {
        let mut decoder = Decoder::new(4096);
        decoder.set_table_limit(200);
        decoder.set_table_limit(100);
        decoder.set_table_limit(1000);
        decoder
    };
    assert_eq!(
        decode(&mut lowered_and_raised(), &hex("3f46")),
        Err(DecodeError::TableSizeTooLarge),
        "the first update is above the lowest limit"
    );
    let mut decoder = lowered_and_raised();
    assert_eq!(
        decode(&mut decoder, &hex("3f45 3fc907 82")),
        Ok(lines(&[(":method", "GET")]))
    );
    assert_eq!(decoder.table_limit(), 1000);
    assert_eq!(
        decode(&mut lowered_and_raised(), &hex("3f45 3fca07")),
        Err(DecodeError::TableSizeTooLarge),
        "the second update is above the last limit"
    );
}

/// Section 4.2: a limit that does not go below the size in use asks for nothing.
#[test]
fn a_raised_limit_asks_for_no_size_update() {
    let mut decoder = Decoder::new(4096);
    decoder.set_table_limit(65536);
    assert_eq!(
        decode(&mut decoder, &hex("82")),
        Ok(lines(&[(":method", "GET")]))
    );
    assert_eq!(
        decoder.table_limit(),
        4096,
        "the peer decides how much of it to use"
    );
    decoder.set_table_limit(4096);
    assert_eq!(
        decode(&mut decoder, &hex("82")),
        Ok(lines(&[(":method", "GET")]))
    );
}

/// Section 4.3: a smaller size evicts the oldest entries; size 0 empties the table.
#[test]
fn a_smaller_size_evicts_the_oldest() {
    let three = hex("4001610131 4001620132 4001630133");
    for (update, left) in [
        ("3f47", &[("c", "3"), ("b", "2"), ("a", "1")][..]), // 102 = 3 × 34
        ("3f46", &[("c", "3"), ("b", "2")]),
        ("3f03", &[("c", "3")]),
        ("3f02", &[]),
        ("20", &[]),
    ] {
        let mut decoder = Decoder::new(4096);
        decode(&mut decoder, &three).unwrap();
        decode(&mut decoder, &hex(update)).unwrap();
        assert_eq!(table(decoder.table()), lines(left), "{update}");
        assert_eq!(decoder.table_size() as usize, 34 * left.len());
    }
}

/// Section 4.4: a new entry evicts as many old ones as it needs, on both sides.
#[test]
fn a_new_entry_evicts_the_oldest() {
    let mut encoder = Encoder::new(110);
    let mut decoder = Decoder::new(4096);
    let blocks = [
        ("a", "1", &[("a", "1")][..]),
        ("b", "2", &[("b", "2"), ("a", "1")]),
        ("c", "3", &[("c", "3"), ("b", "2"), ("a", "1")]),
        ("d", "4", &[("d", "4"), ("c", "3"), ("b", "2")]),
        (
            "e",
            "0123456789abcdef0123456789",
            &[("e", "0123456789abcdef0123456789"), ("d", "4")],
        ),
    ];
    for (name, value, left) in blocks {
        let block = encode(&mut encoder, &lines(&[(name, value)]));
        assert_eq!(decode(&mut decoder, &block), Ok(lines(&[(name, value)])));
        assert_eq!(table(decoder.table()), lines(left));
        assert_eq!(table(encoder.table()), lines(left));
    }
}

/// Section 4.4: an entry larger than the table empties it, which is no error; the line is still handed over.
#[test]
fn an_entry_larger_than_the_table_empties_it() {
    let mut decoder = Decoder::new(68);
    decode(&mut decoder, &hex("4001610131 4001620132")).unwrap();
    let large = [&hex("400161 25")[..], &[b'x'; 37]].concat();
    let fields = decode(&mut decoder, &large).unwrap();
    assert_eq!(fields.first(b"a").map(<[u8]>::len), Some(37));
    assert_eq!(decoder.table().len(), 0);
    assert_eq!(decoder.table_size(), 0);
    decode(&mut decoder, &hex("4001610131")).unwrap();
    assert_eq!(table(decoder.table()), lines(&[("a", "1")]));
}

/// Section 4.4: a new entry may take its name from the entry that it evicts.
#[test]
fn a_name_may_come_from_the_entry_that_is_evicted() {
    let mut decoder = Decoder::new(68);
    decode(&mut decoder, &hex("40096c6f6e672d6e616d650131")).unwrap();
    let block = [&hex("7e 0a")[..], b"0123456789"].concat();
    let renamed = lines(&[("long-name", "0123456789")]);
    assert_eq!(decode(&mut decoder, &block), Ok(renamed));
    assert_eq!(
        table(decoder.table()),
        lines(&[("long-name", "0123456789")])
    );
}

/// Section 4.4: whatever comes and goes, what the arena holds stays what was entered.
#[test]
fn entries_survive_a_long_life_of_the_table() {
    let mut encoder = Encoder::new(300);
    let mut decoder = Decoder::new(4096);
    for n in 0..2000_u32 {
        let value = "v".repeat((n * 7 % 90) as usize) + &n.to_string();
        let fields = lines(&[("x-n", &value), ("x-constant", "constant")]);
        let block = encode(&mut encoder, &fields);
        assert_eq!(decode(&mut decoder, &block), Ok(fields));
        assert!(encoder.table().eq(decoder.table()));
        assert!(decoder.table_size() <= 300);
    }
    let mut block = Vec::new();
    encoder.field(line("x-constant", "constant"), &mut block);
    assert_eq!(block.len(), 1);
}
