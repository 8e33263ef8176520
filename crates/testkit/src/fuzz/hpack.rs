//! HPACK (RFC 7541): any blocks into a decoder, and any lines from an encoder through a decoder.

use super::Script;
use thalweg_proto::fields::{Field, Fields, LINE_OVERHEAD};
use thalweg_proto::hpack::{Decoder, Encoder, INITIAL_TABLE_SIZE};

/// Any blocks, with our limit changing between them, decode to lines within the limit, or end in an error.
///
/// Script: the section limit (two octets); then, until the end, a length and a block, or 255 and a table limit.
pub fn hpack_decode(octets: &[u8]) {
    let mut script = Script::new(octets);
    let limit = usize::from(script.number());
    let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
    let mut allowed = INITIAL_TABLE_SIZE;
    while let Some(step) = script.octet() {
        if step == 255 {
            allowed = script.number().into();
            decoder.set_table_limit(allowed);
            continue;
        }
        let mut handed = 0;
        let decoded = decoder.decode(script.octets(step.into()), limit, |field| {
            handed += field.name.len() + field.value.len() + LINE_OVERHEAD;
        });
        assert!(handed <= limit, "{handed} octets of at most {limit}");
        let Ok(size) = decoded else {
            return;
        };
        if size <= limit {
            assert_eq!(
                size, handed,
                "a section within its limit is handed over whole"
            );
        }
        assert!(decoder.table_limit() <= allowed);
        assert!(decoder.table_size() <= decoder.table_limit());
        assert_eq!(decoder.table_size() as usize, size_of(decoder.table()));
    }
}

/// Any lines, with both table limits changing between blocks, come out as they went in, and both ends' tables
/// are the same.
///
/// Script: our most for the encoder's table (two octets); then steps: 0 ends a block, 1 changes the peer's limit
/// (two octets), anything else is a line: what it is, a length and a name, a length and a value.
pub fn hpack_roundtrip(octets: &[u8]) {
    let mut script = Script::new(octets);
    let mut encoder = Encoder::new(script.number().into());
    let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);
    let mut lines = Fields::new();
    while let Some(step) = script.octet() {
        match step {
            0 => exchange(&mut encoder, &mut decoder, &std::mem::take(&mut lines)),
            1 => {
                let limit = script.number().into();
                encoder.set_table_limit(limit);
                decoder.set_table_limit(limit);
            }
            kind => {
                let known = KNOWN.get(usize::from(kind >> 1)).copied();
                let len = script.octet().unwrap_or_default();
                let name = known.unwrap_or_else(|| script.octets(len.into()));
                let len = script.octet().unwrap_or_default();
                lines.push_field(Field {
                    name,
                    value: script.octets(usize::from(len) * 3),
                    never_index: kind & 1 == 1,
                });
            }
        }
    }
    exchange(&mut encoder, &mut decoder, &lines);
}

/// Names that the encoder treats each in its own way.
const KNOWN: [&[u8]; 12] = [
    b"x",
    b":method",
    b":path",
    b":status",
    b"accept-encoding",
    b"authorization",
    b"cookie",
    b"set-cookie",
    b"content-length",
    b"date",
    b"x-request-id",
    b"X-Upper-Case",
];

fn exchange(encoder: &mut Encoder, decoder: &mut Decoder, lines: &Fields) {
    let mut block = Vec::new();
    encoder.begin(&mut block);
    for field in lines.iter() {
        encoder.field(field, &mut block);
    }
    let mut decoded = Fields::new();
    let size = decoder
        .decode(&block, usize::MAX, |field| {
            assert!(!field.name.iter().any(u8::is_ascii_uppercase));
            decoded.push_field(field);
        })
        .expect("what our encoder writes can be decoded");
    assert_eq!(size, lines.section_size());
    assert_eq!(decoded.len(), lines.len());
    for (decoded, line) in decoded.iter().zip(lines.iter()) {
        assert_eq!((decoded.name, decoded.value), (line.name, line.value));
        assert!(decoded.never_index || !line.never_index);
    }
    assert_eq!(encoder.table_size(), decoder.table_size());
    assert_eq!(encoder.table_limit(), decoder.table_limit());
    assert!(
        encoder.table().eq(decoder.table()),
        "both tables are the same"
    );
}

fn size_of<'a>(lines: impl Iterator<Item = Field<'a>>) -> usize {
    lines
        .map(|line| line.name.len() + line.value.len() + LINE_OVERHEAD)
        .sum()
}
