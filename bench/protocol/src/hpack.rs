//! Field compression over whole stories: the lists of one connection after the other, with a fresh context for each.

use crate::nghttp2;
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};
use thalweg_proto::fields::{Fields, LINE_OVERHEAD};
use thalweg_proto::hpack;

/// The size of a table, whoever keeps it.
const TABLE: u32 = 4096;

/// The lists of one connection, in order.
type Story = Vec<Fields>;

/// The blocks of one connection, in order.
type Blocks = Vec<Vec<u8>>;

/// Both directions of one implementation.
trait Codec {
    /// Encodes all lists of a story, and hands each block over before the next one takes its place.
    fn encode(&self, story: &Story, out: &mut Vec<u8>, block: &mut dyn FnMut(&[u8]));

    /// Decodes all blocks of a story, and says how many lines they held.
    fn decode(&self, blocks: &Blocks) -> usize;
}

/// Runs a codec so many times over all stories; the fastest round is told.
pub(crate) fn run(codec: &str, direction: &str, rounds: usize, folder: &str) -> Value {
    let codec: &dyn Codec = match codec {
        "thalweg" => &Thalweg,
        "libnghttp2" => &Nghttp2,
        other => panic!("{other}: thalweg or libnghttp2"),
    };
    let stories = stories(folder);
    let mut out = Vec::with_capacity(64 << 10);
    let blocks: Vec<Blocks> = stories
        .iter()
        .map(|story| {
            let mut blocks = Vec::new();
            codec.encode(story, &mut out, &mut |block| blocks.push(block.to_vec()));
            blocks
        })
        .collect();
    let mut round = || match direction {
        "encode" => {
            for story in &stories {
                codec.encode(story, &mut out, &mut |block| {
                    black_box(block);
                });
            }
        }
        "decode" => blocks.iter().for_each(|blocks| {
            black_box(codec.decode(blocks));
        }),
        other => panic!("{other}: encode or decode"),
    };
    let fastest = (0..rounds).map(|_| timed(&mut round)).min();
    let lists = || stories.iter().flatten();
    let fields: usize = lists().map(Fields::len).sum();
    let plain: usize = lists().map(Fields::section_size).sum();
    json!({
        "fields": fields,
        "plain": plain - LINE_OVERHEAD * fields,
        "coded": blocks.iter().flatten().map(Vec::len).sum::<usize>(),
        "decoded": blocks.iter().map(|blocks| codec.decode(blocks)).sum::<usize>(),
        "nanoseconds": fastest.unwrap_or_default().as_nanos(),
    })
}

fn timed(run: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

struct Thalweg;

impl Codec for Thalweg {
    fn encode(&self, story: &Story, out: &mut Vec<u8>, block: &mut dyn FnMut(&[u8])) {
        let mut encoder = hpack::Encoder::new(TABLE);
        for fields in story {
            out.clear();
            encoder.begin(out);
            for field in fields.iter() {
                encoder.field(field, out);
            }
            block(out);
        }
    }

    fn decode(&self, blocks: &Blocks) -> usize {
        let mut decoder = hpack::Decoder::new(TABLE);
        let mut lines = 0;
        for block in blocks {
            let size = decoder.decode(block, usize::MAX, |field| {
                black_box(field);
                lines += 1;
            });
            size.expect("its own blocks");
        }
        lines
    }
}

struct Nghttp2;

impl Codec for Nghttp2 {
    fn encode(&self, story: &Story, out: &mut Vec<u8>, block: &mut dyn FnMut(&[u8])) {
        let mut deflater = nghttp2::Deflater::new(TABLE);
        let mut lines = Vec::new();
        for fields in story {
            lines.clear();
            lines.extend(
                fields
                    .iter()
                    .map(|field| nghttp2::line(field.name, field.value)),
            );
            block(deflater.encode(&lines, out));
        }
    }

    fn decode(&self, blocks: &Blocks) -> usize {
        let mut inflater = nghttp2::Inflater::new();
        let mut lines = 0;
        for block in blocks {
            inflater.decode(block, |line| {
                black_box(line);
                lines += 1;
            });
        }
        lines
    }
}

/// The stories of a folder, in the form of the public hpack-test-case collection.
fn stories(folder: &str) -> Vec<Story> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read(path).expect("a readable file");
            let story: Value = serde_json::from_slice(&text).expect("a story in JSON");
            let cases = story["cases"].as_array().expect("cases");
            cases.iter().map(list).collect()
        })
        .collect()
}

fn list(case: &Value) -> Fields {
    let lines = case["headers"].as_array().expect("headers").iter();
    let lines = lines.flat_map(|line| line.as_object().expect("a line"));
    lines
        .map(|(name, value)| (name.as_bytes(), value.as_str().expect("a value").as_bytes()))
        .collect()
}
