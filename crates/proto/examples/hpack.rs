//! HPACK by itself: heads that shrink, a secret that stays out of the tables, and octets that are no field block.
//!
//! ```sh
//! cargo run --example hpack
//! ```

use std::error::Error;
use std::io::{self, Write};
use thalweg_proto::fields::Field;
use thalweg_proto::hpack::{Decoder, Encoder, INITIAL_TABLE_SIZE};

/// What became of one head.
#[derive(Debug)]
pub struct Told {
    /// How long it was on the wire.
    pub octets: usize,
    /// Its lines at the other end: name, value, and whether they must never be indexed.
    pub lines: Vec<(String, String, bool)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    for Told { octets, lines } in tell()? {
        writeln!(io::stdout(), "{octets} octets: {lines:?}")?;
    }
    Ok(())
}

/// Three heads from one end of a connection to the other.
pub fn tell() -> Result<Vec<Told>, Box<dyn Error>> {
    // A pair for each direction of a connection. Both sides know the table by the order of blocks alone, so every block
    // goes through them, also that of a message which nobody wants.
    let mut encoder = Encoder::new(INITIAL_TABLE_SIZE);
    let mut decoder = Decoder::new(INITIAL_TABLE_SIZE);

    let line = |name: &'static str, value: &'static str| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        never_index: false,
    };
    let head = [
        line(":method", "GET"),
        line(":scheme", "https"),
        line(":authority", "www.example.org"),
        line(":path", "/index.html"),
        line("user-agent", "an example"),
    ];
    // What must not even help to guess it by the length of later heads is marked. The mark goes with the line, through
    // every proxy.
    let secret = Field {
        never_index: true,
        ..line("authorization", "Basic c2VjcmV0")
    };
    let guarded = [&head[..], &[secret]].concat();

    let mut told = Vec::new();
    for head in [&head[..], &head, &guarded] {
        let mut block = Vec::new();
        encoder.begin(&mut block);
        for line in head {
            encoder.field(*line, &mut block);
        }
        let mut lines = Vec::new();
        // At most so much of a head is handed over, however small its block is.
        let limit = 64 << 10;
        let size = decoder.decode(&block, limit, |field| {
            let text = |octets| String::from_utf8_lossy(octets).into_owned();
            lines.push((text(field.name), text(field.value), field.never_index));
        })?;
        if size > limit {
            return Err("the head is too large".into());
        }
        told.push(Told {
            octets: block.len(),
            lines,
        });
    }

    // A block that is none ends its connection (RFC 9113, section 4.3): the tables may differ from here on.
    let wrong = Decoder::new(INITIAL_TABLE_SIZE).decode(&[0xff], 1000, |_| ());
    if wrong.is_ok() {
        return Err("an index that ends nowhere was taken".into());
    }
    Ok(told)
}
