//! The one-step property: between any two events, frames or questions the caller may give any command, and the
//! peer may send anything. The script with its invariants is that of the fuzz target.

use proptest::prelude::*;
use thalweg_testkit::fuzz::{h2_client, h2_script, h2_server};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_commands_between_any_steps_keep_every_invariant(script in prop::collection::vec(any::<u8>(), 0..1500)) {
        h2_script(&script);
    }

    #[test]
    fn any_octets_mean_the_same_in_every_split(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        h2_server(&octets);
        h2_client(&octets);
    }
}
