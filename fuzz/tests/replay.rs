//! Every differential target, fed its corpus and pseudo-random octets. The other targets' corpora are replayed by the
//! test kit.

use std::fs;
use std::path::Path;
use thalweg_testkit::fuzz::Target;
use thalweg_testkit::splits::Random;

const TARGETS: &[(&str, Target)] = &[
    ("h2_client_peer", thalweg_fuzz::h2_client_peer),
    ("h2_server_peer", thalweg_fuzz::h2_server_peer),
    ("hpack_peer", thalweg_fuzz::hpack_peer),
];

#[test]
fn every_corpus_passes() {
    for (name, target) in TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
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
        let mut random = Random::new(9113);
        for round in 0..500 {
            let len = random.below(200);
            println!("{name}, round {round}");
            target(&random.octets(len));
        }
    }
}
