//! Blocks as the tests write them down: hexadecimal in, lines out.

use thalweg_proto::fields::{Field, Fields};
use thalweg_proto::hpack::{DecodeError, Decoder, Encoder};

/// Octets from hexadecimal digits; white space does not count.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|digit| !digit.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A list from names and values.
pub(crate) fn lines(lines: &[(&str, &str)]) -> Fields {
    lines
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

/// Decodes a block without a limit that matters.
pub(crate) fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, DecodeError> {
    let mut fields = Fields::new();
    let size = decoder.decode(block, 1 << 30, |field| fields.push_field(field))?;
    assert_eq!(size, fields.section_size());
    Ok(fields)
}

/// Decodes a block with a new decoder.
pub(crate) fn decode_alone(block: &[u8]) -> Result<Fields, DecodeError> {
    decode(&mut Decoder::new(4096), block)
}

/// Encodes one block.
pub(crate) fn encode(encoder: &mut Encoder, fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    encoder.begin(&mut block);
    for field in fields.iter() {
        encoder.field(field, &mut block);
    }
    block
}

/// The entries of a table as a list, newest first.
pub(crate) fn table<'a>(entries: impl Iterator<Item = Field<'a>>) -> Fields {
    entries.map(|entry| (entry.name, entry.value)).collect()
}

/// A line without marks.
pub(crate) fn line<'a>(name: &'a str, value: &'a str) -> Field<'a> {
    Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        never_index: false,
    }
}
