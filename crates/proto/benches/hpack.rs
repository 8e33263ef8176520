//! HPACK over whole stories, encoding and decoding: nanoseconds a field, and the ratio.
//!
//! `cargo bench -p thalweg-proto --bench hpack` runs over the stories in `tests/stories/`, or over those of the
//! folder that `THALWEG_STORIES` names (files of the public hpack-test-case collection, whose `raw-data` other
//! implementations are measured with). Times swing; for instructions, run the binary under callgrind with one
//! direction and a number of rounds, `hpack encode 3`, and subtract a run of 0 rounds.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use serde_json::Value;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};
use thalweg_proto::fields::{Fields, LINE_OVERHEAD};
use thalweg_proto::hpack::{Decoder, Encoder};

/// The lists of one connection, in order.
type Story = Vec<Fields>;

fn main() {
    // Cargo adds --bench.
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let stories = stories();
    let blocks: Vec<Vec<Vec<u8>>> = stories.iter().map(blocks).collect();
    let count: usize = stories.iter().flatten().map(Fields::len).sum();
    let plain: usize = stories
        .iter()
        .flatten()
        .map(|fields| fields.section_size())
        .sum::<usize>()
        - LINE_OVERHEAD * count;
    let coded: usize = blocks.iter().flatten().map(Vec::len).sum();

    let mut out = Vec::with_capacity(4096);
    let mut encode_all = || {
        for story in &stories {
            encode(story, &mut out, |block| {
                black_box(block);
            });
        }
    };
    let mut decode_all = || blocks.iter().for_each(|blocks| decode(blocks));
    match &arguments[..] {
        [] => {
            println!(
                "{count} fields, {plain} octets in {coded}: ratio {:.4}",
                coded as f64 / plain as f64
            );
            let per_field = |time: Duration| time.as_nanos() as f64 / count as f64;
            println!(
                "encode {:.1} ns a field",
                per_field(fastest(&mut encode_all))
            );
            println!(
                "decode {:.1} ns a field",
                per_field(fastest(&mut decode_all))
            );
        }
        [direction, rounds] => {
            for _ in 0..rounds.parse().expect("a number of rounds") {
                match direction.as_str() {
                    "encode" => encode_all(),
                    "decode" => decode_all(),
                    other => panic!("{other}: encode or decode"),
                }
            }
        }
        _ => panic!("nothing, or a direction and a number of rounds"),
    }
}

fn stories() -> Vec<Story> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let folder = env::var_os("THALWEG_STORIES").map_or(own, Into::into);
    fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let story: Value =
                serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
            story["cases"]
                .as_array()
                .unwrap()
                .iter()
                .map(list)
                .collect()
        })
        .collect()
}

fn list(case: &Value) -> Fields {
    let lines = case["headers"].as_array().unwrap().iter();
    let lines = lines.flat_map(|line| line.as_object().unwrap());
    lines
        .map(|(name, value)| (name.as_bytes(), value.as_str().unwrap().as_bytes()))
        .collect()
}

/// The blocks of a story.
fn blocks(story: &Story) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    encode(story, &mut Vec::new(), |block| blocks.push(block.to_vec()));
    blocks
}

/// Encodes a story, one block after the other in the same place, as a connection does.
fn encode(story: &Story, out: &mut Vec<u8>, mut block: impl FnMut(&[u8])) {
    let mut encoder = Encoder::new(4096);
    for fields in story {
        out.clear();
        encoder.begin(out);
        for field in fields.iter() {
            encoder.field(field, out);
        }
        block(out);
    }
}

fn decode(blocks: &[Vec<u8>]) {
    let mut decoder = Decoder::new(4096);
    for block in blocks {
        let size = decoder.decode(block, usize::MAX, |field| {
            black_box(field);
        });
        black_box(size.unwrap());
    }
}

/// The fastest of many runs: what the machine can do when nothing disturbs it.
fn fastest(run: &mut impl FnMut()) -> Duration {
    let mut timed = || {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..50).map(|_| timed()).min().unwrap_or_default()
}
