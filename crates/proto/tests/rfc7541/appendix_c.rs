//! The examples of appendix C, octet by octet, decoded and encoded, with the tables that they leave behind.

use crate::block::{decode, hex, line, lines, table};
use thalweg_proto::fields::Fields;
use thalweg_proto::hpack::{Decoder, Encoder, Indexing};

/// A block, its lines, and the table after it: its entries, newest first, and their size.
struct Example {
    block: &'static str,
    lines: &'static [(&'static str, &'static str)],
    table: &'static [(&'static str, &'static str)],
    size: u32,
}

/// Both directions of one connection's blocks. The examples enter every literal.
fn both_ways(limit: u32, huffman: bool, examples: &[Example]) {
    let mut decoder = Decoder::new(limit);
    let mut encoder = Encoder::new(limit);
    if !huffman {
        encoder = encoder.without_huffman();
    }
    // The examples with another limit take it as agreed before: its announcement is not part of them.
    let mut announcement = Vec::new();
    encoder.begin(&mut announcement);
    for example in examples {
        let block = hex(example.block);
        let fields = lines(example.lines);
        assert_eq!(decode(&mut decoder, &block), Ok(fields.clone()));
        assert_eq!(table(decoder.table()), lines(example.table));
        assert_eq!(decoder.table_size(), example.size);

        let mut encoded = Vec::new();
        encoder.begin(&mut encoded);
        for field in fields.iter() {
            encoder.field_as(field, Indexing::Enter, &mut encoded);
        }
        assert_eq!(encoded, block);
        assert_eq!(table(encoder.table()), lines(example.table));
        assert_eq!(encoder.table_size(), example.size);
    }
}

/// C.1.1 and C.1.2, seen on the wire as table sizes. HPACK has no prefix of eight bits for C.1.3 to be seen in.
#[test]
fn c_1_integers() {
    // C.1.1: 10 in a prefix of five bits.
    let mut decoder = Decoder::new(4096);
    assert_eq!(decode(&mut decoder, &hex("2a")), Ok(Fields::new()));
    assert_eq!(decoder.table_limit(), 10);
    // C.1.2: 1337 in a prefix of five bits.
    assert_eq!(decode(&mut decoder, &hex("3f9a0a")), Ok(Fields::new()));
    assert_eq!(decoder.table_limit(), 1337);

    for (size, wire) in [(10, "2a"), (1337, "3f9a0a")] {
        let mut block = Vec::new();
        Encoder::new(size).begin(&mut block);
        assert_eq!(block, hex(wire));
    }
}

#[test]
fn c_2_1_literal_with_indexing() {
    both_ways(
        4096,
        false,
        &[Example {
            block: "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            lines: &[("custom-key", "custom-header")],
            table: &[("custom-key", "custom-header")],
            size: 55,
        }],
    );
}

/// One line by a representation that enters nothing.
fn without_entering(block: &str, name: &str, value: &str, indexing: Indexing) {
    let mut decoder = Decoder::new(4096);
    let fields = decode(&mut decoder, &hex(block)).unwrap();
    let decoded = fields.iter().next().unwrap();
    assert_eq!(
        (decoded.name, decoded.value),
        (name.as_bytes(), value.as_bytes())
    );
    assert_eq!(decoded.never_index, indexing == Indexing::Never);
    assert_eq!(fields.len(), 1);
    assert_eq!(decoder.table_size(), 0);

    let mut encoder = Encoder::new(4096).without_huffman();
    let mut encoded = Vec::new();
    encoder.field_as(line(name, value), indexing, &mut encoded);
    assert_eq!(encoded, hex(block));
    assert_eq!(encoder.table_size(), 0);
}

#[test]
fn c_2_2_literal_without_indexing() {
    without_entering(
        "040c2f73616d706c652f70617468",
        ":path",
        "/sample/path",
        Indexing::Without,
    );
}

#[test]
fn c_2_3_literal_never_indexed() {
    without_entering(
        "100870617373776f726406736563726574",
        "password",
        "secret",
        Indexing::Never,
    );
}

#[test]
fn c_2_4_indexed() {
    without_entering("82", ":method", "GET", Indexing::Without);
}

const REQUEST_1: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
];
const REQUEST_2: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
    ("cache-control", "no-cache"),
];
const REQUEST_3: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];
const AFTER_REQUEST_1: &[(&str, &str)] = &[(":authority", "www.example.com")];
const AFTER_REQUEST_2: &[(&str, &str)] = &[
    ("cache-control", "no-cache"),
    (":authority", "www.example.com"),
];
const AFTER_REQUEST_3: &[(&str, &str)] = &[
    ("custom-key", "custom-value"),
    ("cache-control", "no-cache"),
    (":authority", "www.example.com"),
];

fn requests(blocks: [&'static str; 3]) -> [Example; 3] {
    let [first, second, third] = blocks;
    [
        Example {
            block: first,
            lines: REQUEST_1,
            table: AFTER_REQUEST_1,
            size: 57,
        },
        Example {
            block: second,
            lines: REQUEST_2,
            table: AFTER_REQUEST_2,
            size: 110,
        },
        Example {
            block: third,
            lines: REQUEST_3,
            table: AFTER_REQUEST_3,
            size: 164,
        },
    ]
}

#[test]
fn c_3_requests_without_huffman() {
    both_ways(
        4096,
        false,
        &requests([
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ]),
    );
}

#[test]
fn c_4_requests_with_huffman() {
    both_ways(
        4096,
        true,
        &requests([
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ]),
    );
}

const RESPONSE_1: &[(&str, &str)] = &[
    (":status", "302"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
];
const RESPONSE_2: &[(&str, &str)] = &[
    (":status", "307"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
];
const RESPONSE_3: &[(&str, &str)] = &[
    (":status", "200"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
    ("location", "https://www.example.com"),
    ("content-encoding", "gzip"),
    (
        "set-cookie",
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ),
];
const AFTER_RESPONSE_1: &[(&str, &str)] = &[
    ("location", "https://www.example.com"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("cache-control", "private"),
    (":status", "302"),
];
const AFTER_RESPONSE_2: &[(&str, &str)] = &[
    (":status", "307"),
    ("location", "https://www.example.com"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("cache-control", "private"),
];
const AFTER_RESPONSE_3: &[(&str, &str)] = &[
    (
        "set-cookie",
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ),
    ("content-encoding", "gzip"),
    ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
];

fn responses(blocks: [&'static str; 3]) -> [Example; 3] {
    let [first, second, third] = blocks;
    [
        Example {
            block: first,
            lines: RESPONSE_1,
            table: AFTER_RESPONSE_1,
            size: 222,
        },
        Example {
            block: second,
            lines: RESPONSE_2,
            table: AFTER_RESPONSE_2,
            size: 222,
        },
        Example {
            block: third,
            lines: RESPONSE_3,
            table: AFTER_RESPONSE_3,
            size: 215,
        },
    ]
}

/// A table of 256 octets evicts entries.
#[test]
fn c_5_responses_without_huffman() {
    both_ways(
        256,
        false,
        &responses([
            "4803333032580770726976617465611d4d6f6e2c203231204f63742032303133
             2032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d70
             6c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d
             54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f5049
             5541585157454f49553b206d61782d6167653d333630303b2076657273696f6e
             3d31",
        ]),
    );
}

#[test]
fn c_6_responses_with_huffman() {
    both_ways(
        256,
        true,
        &responses([
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a6
             2d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab
             77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f
             9587316065c003ed4ee5b1063d5007",
        ]),
    );
}
