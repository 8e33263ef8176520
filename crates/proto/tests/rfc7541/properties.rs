//! Whatever is encoded, under whatever limits, is decoded again.

use crate::block::encode;
use proptest::collection::vec;
use proptest::prelude::*;
use thalweg_proto::fields::{Field, Fields};
use thalweg_proto::hpack::{Decoder, Encoder};

/// A block of lines, with the peer's limits that were set before it.
type Step = (Vec<u32>, Vec<(Vec<u8>, Vec<u8>, bool)>);

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-c]{1,2}".prop_map(String::into_bytes),
        "[a-z0-9-]{1,40}".prop_map(String::into_bytes),
        proptest::sample::select(vec![
            ":method",
            ":path",
            ":status",
            "accept-encoding",
            "authorization",
            "cookie",
            "date",
            "set-cookie",
            "content-length",
            "www-authenticate",
        ])
        .prop_map(|name| name.as_bytes().to_vec()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[0-9]{0,2}".prop_map(String::into_bytes),
        "[ -~]{0,80}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..60),
        (0..5000_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (
        vec(prop_oneof![Just(0_u32), 0..200_u32, 0..10_000_u32], 0..3),
        vec((name(), value(), proptest::bool::weighted(0.1)), 0..12),
    )
}

proptest! {
    #[test]
    fn any_lists_under_any_limits_come_out_as_they_went_in(
        most in prop_oneof![Just(4096_u32), 0..10_000_u32],
        steps in vec(step(), 1..12),
    ) {
        let mut encoder = Encoder::new(most);
        let mut decoder = Decoder::new(4096);
        for (limits, lines) in steps {
            for limit in limits {
                encoder.set_table_limit(limit);
                decoder.set_table_limit(limit);
            }
            let mut fields = Fields::new();
            for (name, value, never_index) in &lines {
                fields.push_field(Field { name, value, never_index: *never_index });
            }
            let block = encode(&mut encoder, &fields);
            let mut decoded = Fields::new();
            let size = decoder.decode(&block, usize::MAX, |field| decoded.push_field(field)).unwrap();
            prop_assert_eq!(size, fields.section_size());
            prop_assert_eq!(decoded.len(), fields.len());
            for (decoded, field) in decoded.iter().zip(fields.iter()) {
                prop_assert_eq!((decoded.name, decoded.value), (field.name, field.value));
                prop_assert!(decoded.never_index || !field.never_index);
            }
            prop_assert!(encoder.table().eq(decoder.table()));
            prop_assert!(encoder.table_size() <= most.max(4096));
        }
    }

    #[test]
    fn any_octets_are_decoded_or_refused(blocks in vec(vec(any::<u8>(), 0..200), 1..6), limit in 0..5000_usize) {
        let mut decoder = Decoder::new(4096);
        for block in blocks {
            let mut handed = 0;
            let decoded = decoder.decode(&block, limit, |field| {
                handed += field.name.len() + field.value.len() + 32;
            });
            prop_assert!(handed <= limit);
            prop_assert!(decoder.table_size() <= decoder.table_limit());
            if decoded.is_err() {
                break;
            }
        }
    }
}
