//! Section 7: what must not enter a table, and what a peer must not make us hold.

use crate::block::{decode, encode, hex, line, lines};
use thalweg_proto::fields::Field;
use thalweg_proto::hpack::{Decoder, Encoder};

/// Section 7.1.3: credentials, short cookies and marked lines are written as never-indexed literals.
#[test]
fn secrets_are_never_indexed() {
    let secrets = [
        line("authorization", "Basic dXNlcjpwYXNz"),
        line("proxy-authorization", "Basic dXNlcjpwYXNz"),
        line("cookie", "id=1234567890123456"), // 19 octets
        Field {
            name: b"x-token",
            value: b"1",
            never_index: true,
        },
    ];
    for secret in secrets {
        let mut encoder = Encoder::new(4096);
        for _ in 0..2 {
            let mut block = Vec::new();
            encoder.field(secret, &mut block);
            assert_eq!(block[0] & 0xf0, 0x10, "{secret:?}");
        }
        assert_eq!(encoder.table_size(), 0);
    }
}

/// Section 7.1: a cookie long enough not to be guessed is worth its entry.
#[test]
fn a_long_cookie_is_indexed() {
    let mut encoder = Encoder::new(4096);
    let cookie = lines(&[("cookie", "id=12345678901234567")]); // 20 octets
    encode(&mut encoder, &cookie);
    assert_eq!(encode(&mut encoder, &cookie), hex("be"));
}

/// Lines that change with every message do not push better ones out.
#[test]
fn lines_that_never_come_again_are_not_entered() {
    let mut encoder = Encoder::new(4096);
    let fleeting = lines(&[
        (":path", "/a/path/of/its/own"),
        ("content-length", "1234"),
        ("etag", "\"0123456789\""),
        ("x-large", &"x".repeat(3072)),
    ]);
    encode(&mut encoder, &fleeting);
    assert_eq!(encoder.table_size(), 0);
}

/// Section 7.3: a line is handed over only while the section is within its limit, and the table stays in step,
/// so that the connection can go on after the message was refused.
#[test]
fn over_the_limit_nothing_is_handed_over_and_the_table_stays_in_step() {
    let section = lines(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let mut encoder = Encoder::new(4096);
    let mut decoder = Decoder::new(4096);
    let block = encode(&mut encoder, &section);
    let mut handed = Vec::new();
    let size = decoder.decode(&block, 34 + 33, |field| handed.push(field.name.to_vec()));
    assert_eq!(size, Ok(3 * 34));
    assert_eq!(handed, [b"a"]);
    assert!(encoder.table().eq(decoder.table()));
    let again = encode(&mut encoder, &section);
    assert_eq!(again, hex("c0bfbe"));
    assert_eq!(decode(&mut decoder, &again), Ok(section.clone()));
    // Exactly at the limit is within it.
    let mut count = 0;
    assert_eq!(decoder.decode(&again, 3 * 34, |_| count += 1), Ok(3 * 34));
    assert_eq!(count, 3);
}

/// Section 7.3: once a section is over its limit no later line is handed over, however small.
#[test]
fn no_line_follows_the_one_that_was_too_large() {
    let mut handed = 0;
    let size =
        Decoder::new(4096).decode(&hex("0001610a30313233343536373839 82"), 40, |_| handed += 1);
    assert_eq!(size, Ok(43 + 42));
    assert_eq!(handed, 0);
}

/// Section 7.3: a bomb, one large entry that many octets refer to, is counted and not kept.
#[test]
fn a_bomb_of_references_costs_no_memory() {
    let mut decoder = Decoder::new(4096);
    let entry = [&hex("400161 7fe01e")[..], &[b'x'; 4063]].concat();
    let size = decoder.decode(&entry, 65536, |_| ());
    assert_eq!(size, Ok(4096));
    let mut handed = 0;
    let size = decoder.decode(&[0xbe; 16384], 65536, |field| handed += field.value.len());
    assert_eq!(size, Ok(16384 * 4096));
    assert_eq!(handed, 16 * 4063);
}

/// Section 7.3: a string above both the limit and the table is measured, not kept; the table is emptied as
/// section 4.4 asks.
#[test]
fn a_string_above_every_limit_is_measured_only() {
    let long = "a".repeat(100_000);
    let mut encoder = Encoder::new(1 << 20);
    encoder.set_table_limit(1 << 20);
    let mut block = Vec::new();
    encoder.begin(&mut block);
    block.clear();
    encoder.field(line("x", &long), &mut block);
    assert_eq!(block[0], 0x40);
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, &hex("4001610131")).unwrap();
    assert_eq!(
        decoder.decode(&block, 1000, |_| panic!("handed over")),
        Ok(100_033)
    );
    assert_eq!(decoder.table().len(), 0);
    assert_eq!(
        decode(&mut decoder, &hex("4001610131")),
        Ok(lines(&[("a", "1")]))
    );
}
