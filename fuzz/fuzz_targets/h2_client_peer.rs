#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| thalweg_fuzz::h2_client_peer(octets));
