//! HPACK beside the crate `hpack`: its decoder reads what our encoder writes, ours what its encoder writes, and both
//! make the same of any block that ours takes.

use thalweg_proto::fields::Field;
use thalweg_proto::hpack::{Decoder, Encoder, INITIAL_TABLE_SIZE};
use thalweg_testkit::fuzz::Script;

type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// Script: what it is about (any block, our encoder, theirs), and then blocks: a length and octets, or lines as
/// lengths and octets, 0 lines being a new size of our encoder's table (two octets).
pub fn hpack_peer(octets: &[u8]) {
    let mut script = Script::new(octets);
    match script.octet().unwrap_or_default() % 3 {
        0 => any_blocks(&mut script),
        1 => our_blocks(&mut script),
        _ => their_blocks(&mut script),
    }
}

fn any_blocks(script: &mut Script<'_>) {
    let (mut ours, mut theirs) = (Decoder::new(INITIAL_TABLE_SIZE), hpack::Decoder::new());
    while let Some(len) = script.octet() {
        let block = script.octets(len.into());
        let Some(lines) = decode(&mut ours, block) else {
            return;
        };
        if is_misspelt(&lines) {
            return;
        }
        let peers = theirs.decode(block).expect("what we take is well-formed");
        assert_eq!(lines, peers);
    }
}

fn our_blocks(script: &mut Script<'_>) {
    let mut encoder = Encoder::new(INITIAL_TABLE_SIZE);
    let mut theirs = hpack::Decoder::new();
    while let Some(count) = script.octet() {
        if count % 8 == 0 {
            encoder.set_table_limit(u32::from(script.number()) % (INITIAL_TABLE_SIZE + 1));
            continue;
        }
        let lines = lines(script, count % 8);
        if is_misspelt(&lines) {
            return;
        }
        let mut block = Vec::new();
        encoder.begin(&mut block);
        for (name, value) in &lines {
            let never_index = value.first() == Some(&0);
            encoder.field(
                Field {
                    name,
                    value,
                    never_index,
                },
                &mut block,
            );
        }
        let peers = theirs.decode(&block).expect("what we write");
        assert_eq!(peers, lines);
    }
}

fn their_blocks(script: &mut Script<'_>) {
    let (mut ours, mut theirs) = (Decoder::new(INITIAL_TABLE_SIZE), hpack::Encoder::new());
    while let Some(count) = script.octet() {
        let lines = lines(script, count % 8);
        if is_misspelt(&lines) {
            return;
        }
        let borrowed = lines.iter().map(|(name, value)| (&name[..], &value[..]));
        let block = theirs.encode(borrowed);
        assert_eq!(decode(&mut ours, &block).as_ref(), Some(&lines));
    }
}

/// The 15th line of their static table is `accept-`, where RFC 7541 (appendix A) has `accept-charset`: from there on
/// the tables differ.
fn is_misspelt(lines: &Lines) -> bool {
    let of_15 = |name: &[u8]| matches!(name, b"accept-" | b"accept-charset");
    lines.iter().any(|(name, _)| of_15(name))
}

/// Names in lower case, as our encoder makes them.
fn lines(script: &mut Script<'_>, count: u8) -> Lines {
    const KNOWN: [&[u8]; 6] = [b":path", b":status", b"cookie", b"date", b"accept", b"x"];
    let mut line = || {
        let kind = script.octet().unwrap_or_default();
        let name = match KNOWN.get(usize::from(kind)) {
            Some(known) => known.to_vec(),
            None => script.octets(usize::from(kind) % 20).to_ascii_lowercase(),
        };
        let len = script.octet().unwrap_or_default();
        (name, script.octets(usize::from(len) * 2).to_vec())
    };
    (0..count).map(|_| line()).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Option<Lines> {
    let mut lines = Vec::new();
    let take = |field: Field<'_>| lines.push((field.name.to_vec(), field.value.to_vec()));
    decoder.decode(block, usize::MAX, take).ok()?;
    Some(lines)
}
