//! Stories: connections as recorded, each a JSON file of cases that share their compression state.
//!
//! Those in `tests/stories/` are our own. The large public collection, the work of many encoders, is looked for
//! in `$THALWEG_SHARED/data/hpack`, or `data/hpack` of the folder `shared` beside the repository.

#![expect(
    clippy::print_stderr,
    reason = "what was skipped or measured is worth seeing"
)]

use crate::block::{decode, encode, hex};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs};
use thalweg_proto::fields::{Field, Fields, LINE_OVERHEAD};
use thalweg_proto::hpack::{Decoder, Encoder};

/// One block: the limit that was agreed before it, its octets where they are recorded, and its lines.
struct Case {
    table: Option<u32>,
    wire: Option<Vec<u8>>,
    fields: Fields,
}

fn stories(folder: &Path) -> Vec<(PathBuf, Vec<Case>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no story", folder.display());
    paths
        .into_iter()
        .map(|path| {
            let story: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let cases = story["cases"]
                .as_array()
                .unwrap()
                .iter()
                .map(case)
                .collect();
            (path, cases)
        })
        .collect()
}

fn case(case: &Value) -> Case {
    let mut fields = Fields::new();
    let never_indexed = case["never_indexed"].as_array();
    for line in case["headers"].as_array().unwrap() {
        let (name, value) = line.as_object().unwrap().iter().next().unwrap();
        fields.push_field(Field {
            name: name.as_bytes(),
            value: value.as_str().unwrap().as_bytes(),
            never_index: never_indexed
                .is_some_and(|names| names.iter().any(|never| never == name.as_str())),
        });
    }
    Case {
        table: case["header_table_size"].as_u64().map(|size| size as u32),
        wire: case["wire"].as_str().map(hex),
        fields,
    }
}

/// Every recorded block decodes to the lines that are recorded beside it.
fn every_case_decodes(folder: &Path, with_marks: bool) {
    for (path, cases) in stories(folder) {
        let mut decoder = Decoder::new(4096);
        for (number, case) in cases.iter().enumerate() {
            if let Some(size) = case.table {
                decoder.set_table_limit(size);
            }
            let wire = case.wire.as_ref().unwrap();
            let decoded = decode(&mut decoder, wire)
                .unwrap_or_else(|error| panic!("{}, case {number}: {error}", path.display()));
            let marks = |field: Field<'_>| with_marks && field.never_index;
            let same = |(a, b): (Field<'_>, Field<'_>)| {
                (a.name, a.value, marks(a)) == (b.name, b.value, marks(b))
            };
            assert!(
                decoded.len() == case.fields.len()
                    && decoded.iter().zip(case.fields.iter()).all(same),
                "{}, case {number}: {decoded:?} instead of {:?}",
                path.display(),
                case.fields
            );
        }
    }
}

/// What our encoder makes of every list decodes to the list again. Says how many octets went in and came out.
fn every_case_comes_back(folder: &Path) -> (usize, usize) {
    let (mut plain, mut coded) = (0, 0);
    for (path, cases) in stories(folder) {
        let mut encoder = Encoder::new(4096);
        let mut decoder = Decoder::new(4096);
        for (number, Case { table, fields, .. }) in cases.iter().enumerate() {
            if let Some(size) = *table {
                encoder.set_table_limit(size);
                decoder.set_table_limit(size);
            }
            let block = encode(&mut encoder, fields);
            let decoded = decode(&mut decoder, &block)
                .unwrap_or_else(|error| panic!("{}, case {number}: {error}", path.display()));
            assert!(
                decoded
                    .iter()
                    .map(|field| (field.name, field.value))
                    .eq(fields.iter().map(|field| (field.name, field.value))),
                "{}, case {number}",
                path.display()
            );
            assert!(encoder.table().eq(decoder.table()));
            plain += fields.section_size() - LINE_OVERHEAD * fields.len();
            coded += block.len();
        }
    }
    (plain, coded)
}

#[test]
fn our_own_stories_decode_and_come_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    every_case_decodes(&folder, true);
    every_case_comes_back(&folder);
}

/// The public collection, if it is there.
fn collection() -> Option<PathBuf> {
    let shared = env::var_os("THALWEG_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let collection = shared.join("data/hpack");
    if !collection.is_dir() {
        eprintln!(
            "SKIPPED: the stories of other encoders are not in {}",
            collection.display()
        );
        return None;
    }
    Some(collection)
}

#[test]
fn every_story_of_other_encoders_decodes() {
    let Some(collection) = collection() else {
        return;
    };
    let mut encoders = 0;
    for entry in fs::read_dir(collection).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() && folder.file_name().is_some_and(|name| name != "raw-data") {
            every_case_decodes(&folder, false);
            encoders += 1;
        }
    }
    assert!(encoders > 0);
}

/// The ratio is that of libnghttp2 1.52 over the same stories, 0.3087, or better.
#[test]
fn raw_stories_come_back_and_are_as_small_as_from_libnghttp2() {
    let Some(collection) = collection() else {
        return;
    };
    let (plain, coded) = every_case_comes_back(&collection.join("raw-data"));
    let ratio = coded as f64 / plain as f64;
    eprintln!("{plain} octets in {coded}: ratio {ratio:.4}");
    assert!(ratio <= 0.3087, "{ratio}");
}
