//! Every fuzz target, fed its corpus and pseudo-random octets: what a fuzzer found once stays found.

#![expect(
    clippy::print_stdout,
    reason = "captured unless a test fails: the last line names what failed"
)]

use std::fs;
use std::path::Path;
use thalweg_testkit::fuzz::TARGETS;
use thalweg_testkit::splits::Random;

#[test]
fn every_corpus_passes() {
    for (name, target) in TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{corpus:?}: {error}")) {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{corpus:?} holds no input");
    }
}

#[test]
fn random_octets_pass() {
    for (name, target) in TARGETS {
        let mut random = Random::new(7541);
        for round in 0..2000 {
            let len = random.below(400);
            println!("{name}, round {round}");
            target(&random.octets(len));
        }
    }
}
